package apply

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"example.com/harden/checks/want"
	"example.com/harden/remediate"
)

// entries are all the ways into this package that read the state.
var entries = map[string]func(*testing.T, world, Options) error{
	"apply": func(t *testing.T, w world, o Options) error {
		_, err := Apply(t.Context(), &remediate.Plan{Changes: []remediate.Change{created("/etc/new", "x")}}, o)
		return err
	},
	"rollback": func(t *testing.T, _ world, o Options) error {
		_, err := Rollback(t.Context(), "",
			o)
		return err
	},
	"rollback plan": func(t *testing.T, _ world, o Options) error {
		_, _, err := RollbackPlan(t.Context(), "",
			o)
		return err
	},
	"resume":  func(t *testing.T, _ world, o Options) error { _, err := Resume(t.Context(), o); return err },
	"confirm": func(_ *testing.T, _ world, o Options) error { _, err := Confirm("", o); return err },
	"expire": func(t *testing.T, _ world, o Options) error {
		_, err := Expire(t.Context(), "0001-x",
			o)
		return err
	},
	"unconfirmed": func(_ *testing.T, _ world, o Options) error { _, err := Unconfirmed(o); return err },
	"interrupted": func(_ *testing.T, _ world, o Options) error { _, err := Interrupted(o); return err },
	"history":     func(_ *testing.T, _ world, o Options) error { _, err := History(o); return err },
	"drifted":     func(_ *testing.T, _ world, o Options) error { _, err := Drifted(still{}, o); return err },
}

// TestUnusable enters where the state, or the host, is not what it must be. Nobody goes on as if there were none.
func TestUnusable(t *testing.T) {
	file := func(name string) func(*testing.T, world, *Options) {
		return func(t *testing.T, w world, _ *Options) {
			must(t, os.RemoveAll(filepath.Join(w.state, name)))
			must(t, os.WriteFile(filepath.Join(w.state, name), []byte("?"), 0o600))
		}
	}
	for name, spoil := range map[string]func(*testing.T, world, *Options){
		"a root that cannot be named": func(t *testing.T, w world, o *Options) {
			gone := filepath.Join(t.TempDir(), "gone")
			must(t, os.Mkdir(gone, 0o700))
			t.Chdir(gone)
			must(t, os.Remove(gone))
			o.Root = "."
		},
		"a state that is a file": func(t *testing.T, w world, _ *Options) {
			must(t, os.RemoveAll(w.state))
			must(t, os.WriteFile(w.state, nil, 0o600))
		},
		"a state that others can write": func(t *testing.T, w world, _ *Options) {
			must(t, os.Chmod(w.state,
				0o777))
		},
		"a state of another's": func(t *testing.T, w world, _ *Options) {
			must(t, os.Chown(w.state, 65534,
				0))
		},
		"runs that are a file":     file("runs"),
		"a journal that is a file": file("current"),
		"a journal without a plan": func(t *testing.T, w world, _ *Options) {
			must(t, os.Mkdir(filepath.Join(w.state, "current"), 0o700))
		},
	} {
		for entry, enter := range entries {
			if name == "runs that are a file" && entry == "interrupted" {
				continue // it asks for the journal alone
			}
			t.Run(name+", "+entry, func(t *testing.T) {
				w := newWorld(t)
				o := w.guarded(&guard{}, &clock{"one", time.Hour})
				plain := w.options()
				_, err := Apply(t.Context(), w.plan(t), plain)
				must(t, err)
				spoil(t, w, &o)
				if err := enter(t, w, o); err == nil {
					t.Error("nobody was told")
				}
			})
		}
	}
}

// TestOneWay tells of a limit that stays, where one was set that had not been there; of no other.
func TestOneWay(t *testing.T) {
	for name, c := range map[string]struct {
		before, after want.Limits
		stays         bool
	}{
		"a limit where none was": {want.Limits{MemorySwap: -1}, want.Limits{Memory: 64, MemorySwap: 128}, true},
		"another limit": {want.Limits{Memory: 100, MemorySwap: 200}, want.Limits{Memory: 64,
			MemorySwap: 128}, false},
		"no limit of memory": {want.Limits{PIDs: -1}, want.Limits{PIDs: 100}, false},
	} {
		w := newWorld(t)
		have := c.before
		o := w.with(&containers{id: "E", have: map[string]want.Limits{"a1": have}})
		plan := w.plan(t)
		plan.Updates = []remediate.Update{{ID: "a1", Name: "web", Before: c.before, After: c.after}}
		_, err := Apply(t.Context(), plan, o)
		must(t, err)
		_, back, err := RollbackPlan(t.Context(), "", o)
		must(t, err)
		if len(back.Updates) > 1 || len(back.Updates) == 1 && len(back.Updates[0].OneWay) > 0 != c.stays {
			t.Errorf("%s: %+v", name, back.Updates)
		}
	}
}
