package facts

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"example.com/harden/checks/budget"
)

// A Compose is a Compose file, and the override beside it that Compose reads with it.
type Compose struct {
	SourceFile
	Services []*Service // in the file's order; what only an override has is not among them
	Err      error      // why it could not be read

	top   *yaml.Node
	over  []*Compose        // files that are read with it and count more, the strongest first
	env   map[string]string // of the .env file beside it
	cost  *budget.Budget
	tree  *budget.Tree
	named map[string]*yaml.Node // the services, aliases not followed
	users serviceUsers

	envErr error // why the .env file is there and was not read
}

// A Service is one service of a Compose file.
type Service struct {
	Name   string
	Line   int
	File   *Compose
	Shared string // who else would change with it: a service that extends it or repeats it; empty where nobody would
	Err    error  // why not all of it is known

	groups int
	layers []composeLayer // where its settings come from, those that count more first
}

// A composeLayer is a mapping that has settings of a service.
type composeLayer struct {
	node  *yaml.Node
	file  *Compose
	path  []string // to it in file, where it can be changed for this service alone; nil elsewhere
	group int      // mappings that YAML merges into one: of these only the first that has a key counts
}

// A ComposeValue is what a service, or a part of it, says under one key.
type ComposeValue struct {
	Node *yaml.Node // aliases followed
	File *Compose
	Path []string // in File, for an editor; nil where a change there would reach others
	Line int
}

// mergeKey is YAML's merge key; maxChains is how far references are followed.
const (
	mergeKey  = "<<"
	maxChains = 16
)

// composeOf reads a Compose file, and the values of variables from environment files, of which the last counts most and
// none need exist.
func (h *Host) composeOf(f *SourceFile, envFiles ...string) *Compose {
	c := &Compose{SourceFile: *f, env: map[string]string{}, cost: budget.New(f.As, h.spent)}
	if c.Err = h.composeEnv(c, envFiles); c.Err != nil {
		return c
	}
	if c.Err = c.parse(); c.Err != nil {
		return c
	}
	services := field(c.top, "services")
	if services == nil {
		return c
	}
	for i := 0; i+1 < len(services.Content); i += 2 {
		name := services.Content[i]
		s := &Service{Name: name.Value, Line: name.Line, File: c}
		s.gather(c, name.Value, true, 0)
		c.Services = append(c.Services, s)
	}
	for _, s := range c.Services {
		s.Shared = c.sharedWith(s.Name)
	}
	return c.within()
}

// within takes the services of a file away that costs more than a budget: what they have is not known.
func (c *Compose) within() *Compose {
	for _, f := range append([]*Compose{c}, c.over...) {
		if err := f.cost.Err(); err != nil && c.Err == nil {
			c.Err, c.Services = err, nil
		}
	}
	return c
}

// composeEnv reads the .env file beside a Compose file.
func (h *Host) composeEnv(c *Compose, files []string) error {
	for _, file := range files {
		as := file
		if path.Dir(file) == path.Dir(c.Path) {
			as = path.Join(path.Dir(c.As), path.Base(file))
		}
		env, err := h.within(budget.New(as, h.spent), file)
		if errors.Is(err, budget.Err) {
			return err
		}
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				c.envErr = err
			}
			continue // it is not there, or Compose could not read it either
		}
		for _, a := range ParseEnv(env.Data) {
			c.env[a.Name] = a.Value
		}
	}
	return nil
}

// parse reads the tree. An error says at most where it is, since what follows in the parser's may quote the file.
func (c *Compose) parse() error {
	docs, err := c.cost.Documents(c.Data, 1)
	if errors.Is(err, budget.Err) {
		return err
	}
	if err != nil {
		if _, rest, ok := strings.Cut(err.Error(), "yaml: line "); ok {
			line, _, _ := strings.Cut(rest, ":")
			return fmt.Errorf("%s: not YAML: line %s", c.As, line)
		}
		return fmt.Errorf("%s: not YAML", c.As)
	}
	if len(docs) == 0 {
		return fmt.Errorf("%s: empty", c.As)
	}
	c.tree = docs[0]
	top := follow(c.tree.Root.Content[0])
	if top.Kind != yaml.MappingNode {
		return fmt.Errorf("%s: line %d: no mapping, so no Compose file", c.As, top.Line)
	}
	services := field(top, "services")
	if services == nil && field(top, "include") == nil && field(top, "name") == nil && field(top, "networks") == nil && field(top, "volumes") == nil {
		return fmt.Errorf("%s: it has no services", c.As)
	}
	if services != nil && services.Kind != yaml.MappingNode {
		return fmt.Errorf("%s: line %d: services is no mapping", c.As, services.Line)
	}
	c.top = top
	c.index(services)
	return c.variables()
}

// follow is what an alias stands for.
func follow(n *yaml.Node) *yaml.Node {
	for range maxChains {
		if n == nil || n.Kind != yaml.AliasNode {
			return n
		}
		n = n.Alias
	}
	return n
}

// field is the value of a key that a mapping has itself, aliases followed; nil where it has none.
func field(n *yaml.Node, key string) *yaml.Node {
	n = follow(n)
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return follow(n.Content[i+1])
		}
	}
	return nil
}

// gather finds the mappings that a service's settings come from: its own, in the override and in the file, what those
// merge in, and what it extends.
func (s *Service) gather(c *Compose, name string, own bool, depth int) {
	if depth > maxChains {
		s.Err = fmt.Errorf("%s: service %s: it extends others in more than %d steps, the limit", c.As, name, maxChains)
		return
	}
	for _, o := range c.over {
		s.from(o, name, own, depth)
	}
	s.from(c, name, own, depth)
}

func (s *Service) from(c *Compose, name string, own bool, depth int) {
	node := c.named[name]
	if node == nil || c.cost.Spend(budget.Expanded, 1+c.tree.Size(node), node.Line) != nil {
		return
	}
	s.groups++
	l := composeLayer{node: follow(node), file: c, group: s.groups}
	if own && node.Kind != yaml.AliasNode {
		l.path = []string{"services", name}
	}
	if l.node.Kind != yaml.MappingNode {
		if l.node.Tag != "!!null" {
			s.Err = fmt.Errorf("%s: line %d: service %s is no mapping", c.As, node.Line, name)
		}
		return
	}
	s.layers = append(s.layers, l)
	s.merged(c, l.node, 0)
	s.extend(c, l.node, depth)
}

// merged adds what a mapping's merge keys bring in.
func (s *Service) merged(c *Compose, node *yaml.Node, depth int) {
	for _, m := range mergedInto(node) {
		switch {
		case m.Kind != yaml.MappingNode || c.cost.Spend(budget.Expanded, 1, m.Line) != nil:
		case depth >= maxChains:
			s.Err = fmt.Errorf("%s: line %d: merge keys are nested deeper than %d levels, the limit", c.As, m.Line, maxChains)
		default:
			s.layers = append(s.layers, composeLayer{node: m, file: c, group: s.groups})
			s.merged(c, m, depth+1)
		}
	}
}

// mergedInto are the mappings that a mapping's merge key names.
func mergedInto(node *yaml.Node) []*yaml.Node {
	m := field(node, mergeKey)
	switch {
	case m == nil:
		return nil
	case m.Kind == yaml.SequenceNode:
		var all []*yaml.Node
		for _, n := range m.Content {
			all = append(all, follow(n))
		}
		return all
	}
	return []*yaml.Node{m}
}

func (s *Service) extend(c *Compose, node *yaml.Node, depth int) {
	e := field(node, "extends")
	if e == nil {
		return
	}
	name := e.Value
	if e.Kind == yaml.MappingNode {
		if file := field(e, "file"); file != nil {
			s.Err = fmt.Errorf("%s: line %d: service %s extends one of another file, which is not looked into", c.As, e.Line, s.Name)
			return
		}
		if n := field(e, "service"); n != nil {
			name = n.Value
		}
	}
	before := len(s.layers)
	s.gather(c, name, false, depth+1)
	if len(s.layers) == before && s.Err == nil {
		s.Err = fmt.Errorf("%s: line %d: service %s extends %s, which is not there", c.As, e.Line, s.Name, name)
	}
}

// withOverrides puts each override with the file that it overrides: compose.override.yaml with compose.yaml, of any of
// the spellings that Compose knows. Other files are projects of their own.
func (h *Host) withOverrides(all []*Compose) []*Compose {
	var out []*Compose
	for _, c := range all {
		if overridden(c.Path) == "" || !slices.ContainsFunc(all, func(o *Compose) bool { return overrides(c.Path, o.Path) }) {
			out = append(out, c)
		}
	}
	for i, c := range out {
		for _, o := range all {
			if o.Err == nil && overrides(o.Path, c.Path) {
				out[i] = c.with([]*Compose{o})
			} else if o.Err != nil && overrides(o.Path, c.Path) {
				out = append(out, o) // so that it is told
			}
		}
	}
	return out
}

// with is a file as it is read together with others, the strongest first.
func (c *Compose) with(over []*Compose) *Compose {
	merged := *c
	merged.over, merged.Services = over, nil
	for _, s := range c.Services {
		n := &Service{Name: s.Name, Line: s.Line, File: &merged, Shared: s.Shared}
		n.gather(&merged, s.Name, true, 0)
		merged.Services = append(merged.Services, n)
	}
	return merged.within()
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
func (s *Service) Get(keys ...string) (ComposeValue, bool) {
	all := s.All(keys...)
	if len(all) == 0 {
		return ComposeValue{}, false
	}
	return all[0], true
}

// All gives every place that says something under a key, what counts most first: lists of an override and of what is
// extended are added up, other values replace each other.
func (s *Service) All(keys ...string) []ComposeValue {
	var all []ComposeValue
	said := map[int]bool{}
	for _, l := range s.layers {
		if said[l.group] {
			continue
		}
		said[l.group] = raw(l.node, keys[0]) != nil
		node, file, line := l.node, l.file, 0
		where := slices.Clone(l.path)
		for _, k := range keys {
			next := raw(node, k)
			if next == nil {
				node = nil
				break
			}
			line = next.Line
			if where != nil {
				where = append(where, k)
			}
			if next.Kind == yaml.AliasNode {
				where = nil
			}
			node = follow(next)
		}
		if node != nil {
			all = append(all, ComposeValue{Node: node, File: file, Path: where, Line: line})
		}
	}
	return all
}

// raw is the value of a mapping's key, an alias as such.
func raw(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// Own is where the service's own settings are, for what is to be added; the path is nil where a change there would reach
// others.
func (s *Service) Own() ComposeValue {
	for _, l := range slices.Backward(s.layers) { // the file itself, and not its override
		if l.path != nil {
			return ComposeValue{Node: l.node, File: l.file, Path: l.path, Line: s.Line}
		}
	}
	return ComposeValue{File: s.File, Line: s.Line}
}

// ErrVariable means that a value depends on a variable that only whoever starts the project sets.
var ErrVariable = errors.New("it depends on a variable")

// Text is a scalar with the values of variables that are known put in: those of the .env file, and defaults.
func (v ComposeValue) Text() (string, error) { return v.File.text(v.Node) }

// Said is a scalar as it is written, its variables by their names: what people are shown, who may not be meant to know
// what the .env file holds.
func (v ComposeValue) Said() string { return v.Node.Value }

// Items are the elements of a list, or the one value that stands for a list, with the place of each.
func (v ComposeValue) Items() []ComposeValue {
	if v.Node.Kind != yaml.SequenceNode {
		return []ComposeValue{v}
	}
	var all []ComposeValue
	for i, n := range v.Node.Content {
		item := ComposeValue{Node: follow(n), File: v.File, Line: n.Line}
		if v.Path != nil && n.Kind != yaml.AliasNode {
			item.Path = append(slices.Clone(v.Path), fmt.Sprint(i))
		}
		all = append(all, item)
	}
	return all
}

// Field is what a mapping says under a key.
func (v ComposeValue) Field(key string) (ComposeValue, bool) {
	next := raw(v.Node, key)
	if next == nil {
		return ComposeValue{}, false
	}
	f := ComposeValue{Node: follow(next), File: v.File, Line: next.Line}
	if v.Path != nil && next.Kind != yaml.AliasNode {
		f.Path = append(slices.Clone(v.Path), key)
	}
	return f, true
}

// Assignments are the names and values of an environment, in either of the forms that Compose has for it. In a list the
// value is the whole element, NAME=VALUE.
func (v ComposeValue) Assignments() iter.Seq2[string, ComposeValue] {
	return func(yield func(string, ComposeValue) bool) {
		v.assignments(yield, 0)
	}
}

func (v ComposeValue) assignments(yield func(string, ComposeValue) bool, depth int) bool {
	switch {
	case depth > maxChains: // gather has told of it
	case v.Node.Kind == yaml.SequenceNode:
		for _, item := range v.Items() {
			if name, _, ok := strings.Cut(item.Node.Value, "="); ok && !yield(name, item) {
				return false
			}
		}
	case v.Node.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(v.Node.Content); i += 2 {
			name := v.Node.Content[i].Value
			if name == mergeKey {
				for _, m := range mergedInto(v.Node) {
					if !(ComposeValue{Node: m, File: v.File, Line: m.Line}).assignments(yield, depth+1) {
						return false
					}
				}
				continue
			}
			value := follow(v.Node.Content[i+1])
			if value.Kind == yaml.ScalarNode && !yield(name, ComposeValue{Node: value, File: v.File, Line: value.Line}) {
				return false
			}
		}
	}
	return true
}
