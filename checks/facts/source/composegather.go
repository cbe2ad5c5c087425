package source

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"example.com/harden/checks/budget"
)

// gather finds the mappings that a service's settings come from, those that count more first: the overrides, and the
// file itself.
func (s *Service) gather(c *Compose, name string, own bool, depth int) {
	if depth > MaxChains {
		s.Err = fmt.Errorf("%s: service %s: it extends others in more than %d steps, the limit", c.As, name, MaxChains)
		return
	}
	for _, o := range c.over {
		s.inFile(o, name, own, depth)
	}
	s.inFile(c, name, own, depth)
}

func (s *Service) inFile(c *Compose, name string, own bool, depth int) {
	for _, d := range slices.Backward(c.docs) {
		s.from(d, name, own, depth)
		if tagged(FieldOf(d.top, "services"), tagOverride) || resets(d.top, "services") {
			s.masks = append(s.masks, composeMask{group: s.groups})
		}
	}
}

// resets reports whether a mapping says of a key that it is reset.
func resets(n *yaml.Node, key string) bool {
	for i := 0; n != nil && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key && tagged(n.Content[i+1], tagReset) {
			return true
		}
	}
	return false
}

// from adds what one document has of a service: its own mapping and what that merges in, what files that the document
// includes have, and what the mapping extends.
func (s *Service) from(d *composeDoc, name string, own bool, depth int) {
	node := d.named[name]
	if node != nil && d.file.cost.Spend(budget.Expanded, 1+d.tree.Size(node), node.Line) != nil {
		return
	}
	s.groups++
	if !s.masked(nil) && node != nil && !tagged(node, tagReset) {
		s.own(d, name, node, own)
	}
	if node != nil && tagged(node, tagReset) {
		s.masks = append(s.masks, composeMask{group: s.groups})
	}
	for _, inc := range d.includes {
		s.apart(func() { s.gather(inc, name, own, depth+1) })
	}
	if node != nil && follow(node).Kind == yaml.MappingNode {
		s.apart(func() { s.extend(d, follow(node), depth) })
	}
}

// apart keeps what is reset within a file that is included or extended from reaching beyond it.
func (s *Service) apart(gather func()) {
	masks := len(s.masks)
	gather()
	s.masks = s.masks[:masks]
}

// own adds a service's own mapping. The place of the service is where the file that counts least makes it.
func (s *Service) own(d *composeDoc, name string, node *yaml.Node, own bool) {
	if own {
		s.File, s.Line = d.file, node.Line
		if key := keyNode(d.services, name); key != nil {
			s.Line = key.Line
		}
	}
	l := composeLayer{node: follow(node), doc: d, group: s.groups}
	if own && node.Kind != yaml.AliasNode && d.ours(name) {
		l.path = []string{"services", name}
	}
	if l.node.Kind != yaml.MappingNode {
		if !isNull(l.node) {
			s.Err = fmt.Errorf("%s: line %d: service %s is not a mapping", d.file.As, node.Line, name)
		}
		return
	}
	s.add(l)
	s.merged(d, l.node, 0)
	if d.tags {
		masksOf(l.node, nil, 0, func(path []string) { s.masks = append(s.masks, composeMask{path, s.groups}) })
	}
}

// ours reports whether a document has a service by itself, and not by a merge key.
func (d *composeDoc) ours(name string) bool { return keyNode(d.services, name) != nil }

func keyNode(n *yaml.Node, key string) *yaml.Node {
	for i := 0; n != nil && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i]
		}
	}
	return nil
}

// masked reports whether a document that counts more takes all away that the current one says at a path.
func (s *Service) masked(path []string) bool {
	return slices.ContainsFunc(s.masks, func(m composeMask) bool {
		return m.group < s.groups && len(m.path) <= len(path) && slices.Equal(m.path, path[:len(m.path)])
	})
}

// add notes a layer, without what documents that count more take away.
func (s *Service) add(l composeLayer) {
	for _, m := range s.masks {
		switch {
		case m.group >= l.group:
		case len(m.path) == 0:
			return
		default:
			l.node = without(l.node, m.path)
		}
	}
	s.layers = append(s.layers, l)
}

// merged adds what a mapping's merge keys bring in.
func (s *Service) merged(d *composeDoc, node *yaml.Node, depth int) {
	for _, m := range MergedInto(node) {
		switch {
		case m.Kind != yaml.MappingNode || d.file.cost.Spend(budget.Expanded, 1, m.Line) != nil:
		case depth >= MaxChains:
			s.Err = fmt.Errorf("%s: line %d: merge keys are nested deeper than %d levels, the limit", d.file.As, m.Line,
				MaxChains)
		default:
			s.add(composeLayer{node: m, doc: d, group: s.groups})
			if d.tags {
				masksOf(m, nil, 0, func(path []string) { s.masks = append(s.masks, composeMask{path, s.groups}) })
			}
			s.merged(d, m, depth+1)
		}
	}
}

// extend adds what a service extends: one of the same document, or of another file.
func (s *Service) extend(d *composeDoc, node *yaml.Node, depth int) {
	e := FieldOf(node, "extends")
	if e == nil || isNull(e) {
		return
	}
	said, from := e, (*yaml.Node)(nil)
	if e.Kind == yaml.MappingNode {
		said, from = FieldOf(e, "service"), FieldOf(e, "file")
	}
	file, name, err := d.file, "", error(nil)
	if said != nil {
		name, err = d.file.text(said)
	}
	if err != nil {
		err = fmt.Errorf("which service it extends is not known: %w", ErrVariable)
	} else if depth >= MaxChains {
		err = fmt.Errorf("it extends others in more than %d steps, the limit", MaxChains)
	} else if from != nil {
		file, err = d.extends(from, name, s.Name)
	}
	switch {
	case err != nil:
		s.Err = fmt.Errorf("%s: line %d: service %s: %w", d.file.As, e.Line, s.Name, err)
	case !file.has(name, 0):
		s.Err = fmt.Errorf("%s: line %d: service %s extends %s, which is not there", d.file.As, e.Line, s.Name, name)
	case from == nil:
		s.from(d, name, false, depth+1)
	default:
		s.gather(file, name, false, depth+1)
	}
}

// has reports whether a file has a service, itself or by what it includes.
func (c *Compose) has(name string, depth int) bool {
	return depth <= MaxChains && slices.ContainsFunc(c.docs, func(d *composeDoc) bool {
		return d.named[name] != nil || slices.ContainsFunc(d.includes, func(i *Compose) bool { return i.has(name, depth+1) })
	})
}
