package facts

import "sync"

// Once returns a fact of a host, which it reads when it is first asked for and never again, its error included. The
// name is the fact's alone; fate says what becomes of it in the copy of the host that With makes.
func Once[V any](h *Host, name string, fate Fate[V], read func(*Host) (V, error)) (V, error) {
	return OncePer(h, name, struct{}{}, fate, func(h *Host, _ struct{}) (V, error) { return read(h) })
}

// OncePer is Once for a fact of which a host has one for each key.
func OncePer[K comparable, V any](h *Host, name string, key K, fate Fate[V],
	read func(*Host, K) (V, error)) (V, error) {
	if fate == nil {
		panic("facts: what becomes of " + name + " after a plan is not said")
	}
	at := factKey[K]{name, key}
	if v, ok := h.instead[at]; ok {
		return v.(V), nil
	}
	if once, ok := h.memo.known.Load(at); ok {
		return once.(func() (V, error))()
	}
	of := h.memo.host
	once, _ := h.memo.known.LoadOrStore(at, sync.OnceValues(func() (V, error) {
		again := func() (V, error) { return read(of, key) }
		if of.before == nil {
			return again()
		}
		return fate(func() (V, error) { return OncePer(of.before, name, key, fate, read) }, again, of.after)
	}))
	return once.(func() (V, error))()
}

// A Fate says what a fact is on a host as a plan would leave it: what it was before, what is read again there, or the
// one with what the plan changes. It is stated where the fact is read, and nothing can be read without it.
type Fate[V any] func(before, again func() (V, error), plan Overlay) (V, error)

// Anew is the fate of what is read from files, which a plan may change: it is read again, from the files as they would
// be.
func Anew[V any](_, again func() (V, error), _ Overlay) (V, error) { return again() }

// Kept is the fate of what no plan changes, and of what a program has said of itself: it is of before the plan, and
// would be the same were it asked again.
func Kept[V any](before, _ func() (V, error), _ Overlay) (V, error) { return before() }

// Instead returns the host as it is seen with another value of a fact that Once reads. All else is as on the host
// itself, which goes by its own value of that fact.
func Instead[V any](h *Host, name string, v V) *Host {
	seen := *h
	seen.instead = map[any]any{factKey[struct{}]{name: name}: v}
	return &seen
}

// A memo is what is known of a host, and of those that Instead makes of it.
type memo struct {
	host  *Host
	known sync.Map // by factKey: func() (V, error)
}

type factKey[K comparable] struct {
	name string
	key  K
}
