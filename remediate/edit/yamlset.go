package edit

import (
	"bytes"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"example.com/harden/checks/facts"
)

// A slot is the place in a mapping or a sequence that holds a value.
type slot struct {
	set    bool // false for the document itself
	dash   bool // an element of a sequence, and not the value of a key
	flow   bool
	margin int // how far the key or the dash is indented
	after  int // behind the colon or the dash
}

const loss = "a comment would be lost: edit it yourself"

// set is the splices that bring want about at path below n.
func (d *yamlDoc) set(n *yaml.Node, s slot, path []string, want *yaml.Node) ([]splice, error) {
	if len(path) == 0 {
		return d.replace(n, s, want)
	}
	if n.Kind == yaml.AliasNode {
		return nil, d.at(n, "the value is an alias, so that the change would reach what *%s stands for: "+
			"edit it yourself", n.Value)
	}
	if d.aliased[n] {
		return nil, d.at(n, "*%s repeats this elsewhere, where the change would be seen too: edit it yourself", n.Anchor)
	}
	switch {
	case n.Kind == yaml.MappingNode:
		return d.setKey(n, s, path, want)
	case n.Kind == yaml.SequenceNode:
		return d.setElement(n, s, path, want)
	case n.ShortTag() == "!!null" && s.set:
		if want == nil {
			return nil, nil
		}
		return d.replace(n, s, nest(path, want))
	}
	return nil, d.at(n, "the value there is neither a mapping nor a sequence, so it has no %q", path[0])
}

func (d *yamlDoc) setKey(n *yaml.Node, s slot, path []string, want *yaml.Node) ([]splice, error) {
	i := child(n, path[0])
	if i < 0 {
		switch merged := mergedKey(n, path[0], map[*yaml.Node]bool{}); {
		case merged && (want == nil || len(path) > 1):
			return nil, d.at(n, "%q comes from a merge key: edit it yourself", path[0])
		case want == nil:
			return nil, nil
		}
		return d.add(n, s, stringNode(path[0]), nest(path[1:], want))
	}
	if path[0] == "<<" {
		return nil, d.at(n.Content[i-1], "a merge key: edit it yourself")
	}
	if len(path) == 1 && want == nil {
		return d.remove(n, s, i, i)
	}
	inner, err := d.slotOf(n, i)
	if err != nil {
		return nil, err
	}
	return d.set(n.Content[i], inner, path[1:], want)
}

func (d *yamlDoc) setElement(n *yaml.Node, s slot, path []string, want *yaml.Node) ([]splice, error) {
	i := child(n, path[0])
	switch {
	case i < 0 && path[0] != "-":
		return nil, d.at(n, "the sequence there has no element %q", path[0])
	case i < 0 && want == nil:
		return nil, nil
	case i < 0:
		return d.add(n, s, nil, nest(path[1:], want))
	case len(path) == 1 && want == nil:
		return d.remove(n, s, i, i)
	}
	inner, err := d.slotOf(n, i)
	if err != nil {
		return nil, err
	}
	return d.set(n.Content[i], inner, path[1:], want)
}

// mergedKey reports whether a merge key of the mapping n brings a key. Seen is what was looked at: merge keys may go
// round in circles.
func mergedKey(n *yaml.Node, name string, seen map[*yaml.Node]bool) bool {
	i := child(n, "<<")
	if i < 0 || seen[n] {
		return false
	}
	seen[n] = true
	sources := []*yaml.Node{n.Content[i]}
	if n.Content[i].Kind == yaml.SequenceNode {
		sources = n.Content[i].Content
	}
	return slices.ContainsFunc(sources, func(m *yaml.Node) bool {
		if m.Kind == yaml.AliasNode {
			m = m.Alias
		}
		return m.Kind == yaml.MappingNode && (child(m, name) >= 0 || mergedKey(m, name, seen))
	})
}

// slotOf is the slot of the value n.Content[i].
func (d *yamlDoc) slotOf(n *yaml.Node, i int) (slot, error) {
	flow := n.Style&yaml.FlowStyle != 0
	if n.Kind == yaml.MappingNode {
		after, err := d.colon(n.Content[i-1], flow)
		if err != nil {
			return slot{}, err
		}
		return slot{set: true, flow: flow, margin: n.Content[0].Column - 1, after: after}, nil
	}
	if flow {
		return slot{set: true, flow: true, dash: true, after: d.start(n.Content[i])}, nil
	}
	dash, err := d.dash(n, i)
	if err != nil {
		return slot{}, err
	}
	return slot{set: true, dash: true, margin: dash - d.lineStart(dash), after: dash + 1}, nil
}

// piece is where the entry of n.Content[i] begins, its key or dash included, and where it ends.
func (d *yamlDoc) piece(n *yaml.Node, i int) (start, end int, err error) {
	inner, err := d.slotOf(n, i)
	if err != nil {
		return 0, 0, err
	}
	switch {
	case n.Kind == yaml.MappingNode:
		start = d.start(n.Content[i-1])
	case inner.flow:
		start = d.start(n.Content[i])
	default:
		start = inner.after - 1
	}
	end, err = d.end(n.Content[i], inner.margin, inner.flow)
	return start, max(end, inner.after), err
}

// add makes a new last entry: of a mapping, or without a key of a sequence.
func (d *yamlDoc) add(n *yaml.Node, s slot, key, value *yaml.Node) ([]splice, error) {
	if n.Style&yaml.FlowStyle != 0 || len(n.Content) == 0 {
		return d.addFlow(n, s, key, value)
	}
	last := len(n.Content) - 1
	inner, err := d.slotOf(n, last)
	if err != nil {
		return nil, err
	}
	_, end, err := d.piece(n, last)
	if err != nil {
		return nil, err
	}
	return []splice{d.insert(end, d.entry(key, value, inner.margin))}, nil
}

// insert puts lines below the one that offset is on.
func (d *yamlDoc) insert(offset int, lines []string) splice {
	end := d.lineEnd(offset)
	return splice{end, end, d.eol + strings.Join(lines, d.eol)}
}

func (d *yamlDoc) addFlow(n *yaml.Node, s slot, key, value *yaml.Node) ([]splice, error) {
	text := d.flow(value)
	if key != nil {
		text = d.flow(key) + ": " + text
	}
	if len(n.Content) == 0 {
		made := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Content: []*yaml.Node{value}}
		if key != nil {
			made.Content = []*yaml.Node{key, value}
		}
		return d.replace(n, s, made)
	}
	step := 1
	if key != nil {
		step = 2
	}
	last := len(n.Content) - 1
	_, end, err := d.piece(n, last)
	if err != nil {
		return nil, err
	}
	separator, err := d.separator(n, last-step, step)
	if err != nil {
		return nil, err
	}
	return []splice{{end, end, separator + text}}, nil
}

// separator is what stands between the entries of a flow collection whose values are n.Content[i] and
// n.Content[i+step].
func (d *yamlDoc) separator(n *yaml.Node, i, step int) (string, error) {
	if i < 0 || i+step >= len(n.Content) {
		return ", ", nil
	}
	_, end, err := d.piece(n, i)
	if err != nil {
		return "", err
	}
	start, _, err := d.piece(n, i+step)
	if err != nil {
		return "", err
	}
	if between := string(d.data[end:start]); strings.Trim(between, " \t\r\n") == "," {
		return between, nil
	}
	return ", ", nil
}

// remove takes out the entries whose values are n.Content[first] to n.Content[last], with the lines that they take up.
func (d *yamlDoc) remove(n *yaml.Node, s slot, first, last int) ([]splice, error) {
	step, lead := 1, 0
	if n.Kind == yaml.MappingNode {
		step, lead = 2, 1
	}
	for i := first; i <= last; i += step {
		if d.repeated(n.Content[i]) {
			return nil, d.at(n.Content[i], "an alias repeats this elsewhere: edit it yourself")
		}
	}
	if first == lead && last == len(n.Content)-1 {
		return d.replace(n, s, &yaml.Node{Kind: n.Kind, Tag: n.Tag})
	}
	start, _, err := d.piece(n, first)
	if err != nil {
		return nil, err
	}
	_, end, err := d.piece(n, last)
	if err != nil {
		return nil, err
	}
	switch next := last + step; {
	case n.Style&yaml.FlowStyle != 0 && next < len(n.Content):
		until, _, err := d.piece(n, next)
		if err != nil {
			return nil, err
		}
		return d.cut(start, until)
	case n.Style&yaml.FlowStyle != 0:
		_, from, err := d.piece(n, first-step)
		if err != nil {
			return nil, err
		}
		return d.cut(from, end)
	case !d.leads(start): // behind a dash: the next entry takes its place
		until, _, err := d.piece(n, next)
		if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(d.data[end:until])) != 0 {
			return nil, d.at(n, loss)
		}
		return []splice{{start, until, ""}}, nil
	}
	start = d.lineStart(start)
	if end = d.nextLine(end); end == len(d.data) && start > 0 && !bytes.HasSuffix(d.data, []byte("\n")) {
		start = d.lineEnd(start - 1)
		if d.data[start-1] == '\r' {
			start--
		}
	}
	return []splice{{start, end, ""}}, nil
}

// cut removes a part of a flow collection, in which no comment may be.
func (d *yamlDoc) cut(start, end int) ([]splice, error) {
	if bytes.Contains(d.data[start:end], []byte("#")) && bytes.Contains(d.data[start:end], []byte("\n")) {
		return nil, facts.At(d.data, start, loss)
	}
	return []splice{{start, end, ""}}, nil
}
