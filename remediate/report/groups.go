package report

import "iter"

// groups puts together what has the same key, and keeps the order in which the keys first came.
type groups[K comparable, V any] struct {
	keys []K
	of   map[K]*[]V
	last *[]V // of the key before: a check may find the same of ten thousand containers
	key  K
}

func (g *groups[K, V]) add(key K, v V) {
	if g.last == nil || key != g.key {
		g.key, g.last = key, g.of[key]
	}
	if g.last == nil {
		if g.of == nil {
			g.of = map[K]*[]V{}
		}
		g.last = new([]V)
		g.keys, g.of[key] = append(g.keys, key), g.last
	}
	*g.last = append(*g.last, v)
}

// all goes through the groups.
func (g *groups[K, V]) all() iter.Seq2[K, []V] {
	return func(yield func(K, []V) bool) {
		for _, k := range g.keys {
			if !yield(k, *g.of[k]) {
				return
			}
		}
	}
}
