package source

import (
	"errors"
	"iter"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"example.com/harden/checks/budget"
)

// A Compose is a Compose file with all that Compose reads with it: the override beside it, and what either includes.
// Names, places and merging are as compose-go has them; a test holds them to its loader.
type Compose struct {
	File
	Services []*Service // in the file's order; then those that only included files and overrides have
	Dir      string     // what relative paths in it start from
	Err      error      // why it, or a file that it includes, could not be read

	docs  []*composeDoc     // what counts least first
	over  []*Compose        // files that are read with it and count more, the strongest first
	env   map[string]string // of the .env file beside it
	cost  *budget.Budget
	chain []string // the files that have included it

	envErr error // why the .env file is there and was not read
}

// A composeDoc is one YAML document of a Compose file.
type composeDoc struct {
	file     *Compose
	top      *yaml.Node
	tree     *budget.Tree
	services *yaml.Node
	named    map[string]*yaml.Node // the services, aliases not followed
	order    []string              // their names
	includes []*Compose            // in its order, of which the first counts most
	// files of which services are extended, by how they are named; read when that is asked for
	extended map[string]*Compose
	reader   *composeReader
	users    serviceUsers
	tags     bool // it has !reset or !override
}

// A Service is one service of a Compose file.
type Service struct {
	Name   string
	Line   int
	File   *Compose // where it is first made
	Whole  *Compose // the project that it is of
	Shared string   // who else would change with it: a service that extends it or repeats it; empty where nobody would
	Err    error    // why not all of it is known

	groups int
	layers []composeLayer // where its settings come from, those that count more first
	masks  []composeMask
}

// A composeLayer is a mapping that has settings of a service.
type composeLayer struct {
	node  *yaml.Node
	doc   *composeDoc
	path  []string // to it in its document, where it can be changed for this service alone; nil elsewhere
	group int      // mappings that YAML merges into one: of these only the first that has a key counts
}

// mergeKey is YAML's merge key; maxChains is how far references are followed.
const (
	mergeKey  = "<<"
	MaxChains = 16
)

// Files are all files that a project is made from, each once, its own first.
func (c *Compose) Files() []*Compose {
	var all []*Compose
	c.each(func(o *Compose) {
		if !slices.ContainsFunc(all, func(a *Compose) bool { return a.Path == o.Path }) {
			all = append(all, o)
		}
	})
	slices.SortStableFunc(all[1:], func(a, b *Compose) int { return strings.Compare(a.Path, b.Path) })
	return all
}

// ServiceNodes are what each service of a file, and of all that are read with it, says itself, with the file that says
// it.
func (c *Compose) ServiceNodes() iter.Seq2[*Compose, *yaml.Node] {
	return func(yield func(*Compose, *yaml.Node) bool) {
		more := true
		c.each(func(c *Compose) {
			for _, d := range c.docs {
				for i := 1; more && d.services != nil && i < len(d.services.Content); i += 2 {
					more = yield(c, follow(d.services.Content[i]))
				}
			}
		})
	}
}

// each is called with a file, and all that are read with it.
func (c *Compose) each(do func(*Compose)) {
	seen := map[*Compose]bool{}
	var walk func(c *Compose)
	walk = func(c *Compose) {
		if seen[c] {
			return
		}
		seen[c] = true
		do(c)
		for _, o := range c.over {
			walk(o)
		}
		for _, d := range c.docs {
			for _, i := range d.includes {
				walk(i)
			}
			for _, e := range d.extended {
				walk(e)
			}
		}
	}
	walk(c)
}

// within takes the services of a file away that costs more than a budget: what they have is not known.
func (c *Compose) within() *Compose {
	c.each(func(f *Compose) {
		if err := f.cost.Err(); err != nil && (c.Err == nil || !errors.Is(c.Err, budget.Err)) {
			c.Err, c.Services = err, nil
		}
	})
	return c
}

// withOverrides puts each override with the file that it overrides: compose.override.yaml with compose.yaml, of any of
// the spellings that Compose knows. Other files are projects of their own.
func withOverrides(all []*Compose) []*Compose {
	var out []*Compose
	for _, c := range all {
		if overridden(c.Path) == "" || !slices.ContainsFunc(all, func(o *Compose) bool { return overrides(c.Path, o.Path) }) {
			out = append(out, c)
		}
	}
	for i, c := range out {
		for _, o := range all {
			switch {
			case !overrides(o.Path, c.Path):
			case o.Err == nil || errors.Is(o.Err, errNothing):
				out[i] = c.With([]*Compose{o})
			default:
				out = append(out, o) // so that it is told
			}
		}
	}
	return out
}

// With is a file as it is read together with others, the strongest first.
func (c *Compose) With(over []*Compose) *Compose {
	merged := *c
	merged.over = over
	return merged.resolve().within()
}

// resolve finds the services, and where each has its settings from.
func (c *Compose) resolve() *Compose {
	c.Services = nil
	for _, name := range c.serviceNames() {
		s := &Service{Name: name, Whole: c}
		s.gather(c, name, true, 0)
		if s.File != nil {
			s.Shared = c.sharedWith(name)
			c.Services = append(c.Services, s)
		}
	}
	return c
}

// serviceNames are the names of a project's services: those of the file itself first.
func (c *Compose) serviceNames() []string {
	var names []string
	seen := map[string]bool{}
	var add func(c *Compose, depth int)
	add = func(c *Compose, depth int) {
		for _, d := range c.docs {
			for _, name := range d.order {
				if !seen[name] {
					seen[name] = true
					names = append(names, name)
				}
			}
			for _, inc := range d.includes {
				if depth < MaxChains {
					add(inc, depth+1)
				}
			}
		}
		for _, o := range slices.Backward(c.over) {
			add(o, depth)
		}
	}
	add(c, 0)
	return names
}

// overridden is the stem of the file that an override is of; empty where a file is no override.
func overridden(p string) string {
	base := strings.TrimSuffix(path.Base(p), path.Ext(p))
	stem, ok := strings.CutSuffix(base, ".override")
	if !ok {
		return ""
	}
	return path.Join(path.Dir(p), stem)
}

func overrides(override, file string) bool {
	return overridden(override) != "" && overridden(override) == strings.TrimSuffix(file, path.Ext(file))
}

// Get gives what a service says under a key, wherever it says it; ok is false where it says nothing.
func (s *Service) Get(keys ...string) (Value, bool) {
	all := s.All(keys...)
	if len(all) == 0 {
		return Value{}, false
	}
	return all[0], true
}

// All gives every place that says something under a key, what counts most first: lists of an override and of what is
// extended are added up, other values replace each other. One that is null leaves what counts less.
func (s *Service) All(keys ...string) []Value {
	var all []Value
	said := map[int]bool{}
	for _, l := range s.layers {
		if said[l.group] {
			continue
		}
		said[l.group] = raw(l.node, keys[0]) != nil
		node, line, where := l.node, 0, slices.Clone(l.path)
		for i, k := range keys {
			next, own := raw(node, k), true
			if i > 0 { // what the service itself merges in are layers of their own
				next, own = lookup(node, k, 0)
			}
			if next == nil {
				node = nil
				break
			}
			line = next.Line
			if where != nil {
				where = append(where, k)
			}
			if !own || next.Kind == yaml.AliasNode {
				where = nil
			}
			node = follow(next)
		}
		if node != nil && !isNull(node) {
			all = append(all, Value{Node: node, File: l.doc.file, Path: where, Line: line})
		}
	}
	return all
}

// Own is where the service's own settings are, for what is to be added; the path is nil where a change there would
// reach others.
func (s *Service) Own() Value {
	for _, l := range slices.Backward(s.layers) { // the file itself, and not its override
		if l.path != nil {
			return Value{Node: l.node, File: l.doc.file, Path: l.path, Line: s.Line}
		}
	}
	return Value{File: s.File, Line: s.Line}
}

// Hidden is the list under a key that a merge key brings to where the service's own settings are: one that stands there
// too would replace it, where everything else adds up.
func (s *Service) Hidden(key string) []Value {
	group := -1
	for _, l := range slices.Backward(s.layers) {
		if l.path != nil && group < 0 {
			group = l.group
		}
	}
	for _, l := range s.layers {
		if next := raw(l.node, key); l.group == group && next != nil && !isNull(follow(next)) {
			return Value{Node: follow(next), File: l.doc.file, Line: next.Line}.Items()
		}
	}
	return nil
}
