package edit

import (
	"bytes"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A slot is the place in a mapping or a sequence that holds a value.
type slot struct {
	set    bool // false for the document itself
	dash   bool // an element of a sequence, and not the value of a key
	flow   bool
	margin int // how far the key or the dash is indented
	after  int // behind the colon or the dash
}

const loss = "a comment would be lost: a person must edit it"

// set is the splices that bring want about at path below n.
func (d *yamlDoc) set(n *yaml.Node, s slot, path []string, want *yaml.Node) ([]splice, error) {
	if len(path) == 0 {
		return d.replace(n, s, want)
	}
	if n.Kind == yaml.AliasNode {
		return nil, d.at(n, "the value is an alias, so that the change would reach what *%s stands for: a person must edit it", n.Value)
	}
	if d.aliased[n] {
		return nil, d.at(n, "*%s repeats this elsewhere, where the change would be seen too: a person must edit it", n.Anchor)
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
		made, err := nest(path, want)
		if err != nil {
			return nil, err
		}
		return d.replace(n, s, made)
	}
	return nil, d.at(n, "the value there is neither a mapping nor a sequence, so it has no %q", path[0])
}

func (d *yamlDoc) setKey(n *yaml.Node, s slot, path []string, want *yaml.Node) ([]splice, error) {
	i := child(n, path[0])
	if i < 0 {
		switch merged := mergedKey(n, path[0], map[*yaml.Node]bool{}); {
		case merged && (want == nil || len(path) > 1):
			return nil, d.at(n, "%q comes from a merge key: a person must edit it", path[0])
		case want == nil:
			return nil, nil
		}
		made, err := nest(path[1:], want)
		if err != nil {
			return nil, err
		}
		return d.add(n, s, stringNode(path[0]), made)
	}
	if path[0] == "<<" {
		return nil, d.at(n.Content[i-1], "a merge key: a person must edit it")
	}
	if len(path) == 1 && want == nil {
		return d.remove(n, s, i, i)
	}
	inner, err := d.slotOf(n, s, i)
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
		made, err := nest(path[1:], want)
		if err != nil {
			return nil, err
		}
		return d.add(n, s, nil, made)
	case len(path) == 1 && want == nil:
		return d.remove(n, s, i, i)
	}
	inner, err := d.slotOf(n, s, i)
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
func (d *yamlDoc) slotOf(n *yaml.Node, s slot, i int) (slot, error) {
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
func (d *yamlDoc) piece(n *yaml.Node, s slot, i int) (start, end int, err error) {
	inner, err := d.slotOf(n, s, i)
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
	inner, err := d.slotOf(n, s, last)
	if err != nil {
		return nil, err
	}
	_, end, err := d.piece(n, s, last)
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
	_, end, err := d.piece(n, s, last)
	if err != nil {
		return nil, err
	}
	separator, err := d.separator(n, s, last-step, step)
	if err != nil {
		return nil, err
	}
	return []splice{{end, end, separator + text}}, nil
}

// separator is what stands between the entries of a flow collection whose values are n.Content[i] and
// n.Content[i+step].
func (d *yamlDoc) separator(n *yaml.Node, s slot, i, step int) (string, error) {
	if i < 0 || i+step >= len(n.Content) {
		return ", ", nil
	}
	_, end, err := d.piece(n, s, i)
	if err != nil {
		return "", err
	}
	start, _, err := d.piece(n, s, i+step)
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
			return nil, d.at(n.Content[i], "an alias repeats this elsewhere: a person must edit it")
		}
	}
	if first == lead && last == len(n.Content)-1 {
		return d.replace(n, s, &yaml.Node{Kind: n.Kind, Tag: n.Tag})
	}
	start, _, err := d.piece(n, s, first)
	if err != nil {
		return nil, err
	}
	_, end, err := d.piece(n, s, last)
	if err != nil {
		return nil, err
	}
	switch next := last + step; {
	case n.Style&yaml.FlowStyle != 0 && next < len(n.Content):
		until, _, err := d.piece(n, s, next)
		if err != nil {
			return nil, err
		}
		return d.cut(start, until)
	case n.Style&yaml.FlowStyle != 0:
		_, from, err := d.piece(n, s, first-step)
		if err != nil {
			return nil, err
		}
		return d.cut(from, end)
	case !d.leads(start): // behind a dash: the next entry takes its place
		until, _, err := d.piece(n, s, next)
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
		return nil, at(d.data, start, loss)
	}
	return []splice{{start, end, ""}}, nil
}

// repeated reports whether an alias stands for n or for something in it.
func (d *yamlDoc) repeated(n *yaml.Node) bool {
	return d.aliased[n] || slices.ContainsFunc(n.Content, d.repeated)
}

// replace is the splices that put want where n is.
func (d *yamlDoc) replace(n *yaml.Node, s slot, want *yaml.Node) ([]splice, error) {
	if sameNode(n, want) {
		return nil, nil
	}
	if n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 || d.repeated(n) {
		return nil, d.at(n, "the value has an anchor or a tag: a person must edit it")
	}
	if n.Kind == yaml.SequenceNode && want.Kind == yaml.SequenceNode && len(n.Content) > 0 && len(want.Content) > 0 {
		return d.align(n, s, want)
	}
	if !s.set {
		return d.replaceTop(n, want)
	}
	start := d.start(n)
	end, err := d.end(n, s.margin, s.flow)
	if err != nil {
		return nil, err
	}
	if s.flow {
		if bytes.Contains(d.data[start:end], []byte("\n")) && hasComment(n) {
			return nil, d.at(n, loss)
		}
		text := d.inline(want, n, true)
		if isEmpty(n) && s.after == start {
			text = " " + text
		}
		return []splice{{start, end, text}}, nil
	}
	small := want.Kind == yaml.ScalarNode || len(want.Content) == 0
	multiline := isBlock(n) || n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 || bytes.Contains(d.data[s.after:end], []byte("\n"))
	switch {
	case multiline && (hasComment(n) || bytes.Contains(d.data[s.after:d.lineEnd(s.after)], []byte("#")) ||
		len(bytes.TrimSpace(d.data[s.after:start])) != 0):
		return nil, d.at(n, loss)
	case small && !multiline && !isEmpty(n):
		return []splice{{start, end, d.inline(want, n, false)}}, nil
	case small:
		return []splice{{s.after, max(end, s.after), " " + d.inline(want, n, false)}}, nil
	}
	var lines []string
	if s.dash {
		margin := strings.Repeat(" ", s.margin)
		lines = d.entry(nil, want, s.margin)
		if !multiline && len(bytes.TrimSpace(d.data[end:d.lineEnd(end)])) != 0 {
			return nil, d.at(n, loss)
		}
		return []splice{{s.after, max(end, s.after), strings.TrimPrefix(strings.Join(lines, d.eol), margin+"-")}}, nil
	}
	lines = d.block(want, strings.Repeat(" ", s.margin+d.step(want)))
	text := d.eol + strings.Join(lines, d.eol)
	if multiline {
		return []splice{{s.after, end, text}}, nil
	}
	gone := splice{s.after, max(end, s.after), ""}
	return []splice{gone, {d.lineEnd(gone.end), d.lineEnd(gone.end), text}}, nil
}

// replaceTop replaces the document's own value, which has become empty or was.
func (d *yamlDoc) replaceTop(n, want *yaml.Node) ([]splice, error) {
	if n.Kind == yaml.ScalarNode || n.Kind == yaml.AliasNode {
		return nil, d.at(n, "the document is neither a mapping nor a sequence")
	}
	if hasComment(n) {
		return nil, d.at(n, loss)
	}
	start := d.start(n)
	end, err := d.end(n, -1, false)
	if err != nil {
		return nil, err
	}
	if len(want.Content) == 0 {
		return []splice{{start, end, d.inline(want, n, false)}}, nil
	}
	if !d.leads(start) {
		return nil, d.at(n, "the document begins behind something else on its line: a person must edit it")
	}
	return []splice{{start, end, strings.Join(d.block(want, ""), d.eol)}}, nil
}

// align turns one sequence into another: elements that both have keep their bytes, and the comments beside them.
func (d *yamlDoc) align(n *yaml.Node, s slot, want *yaml.Node) ([]splice, error) {
	var edits []splice
	flow := n.Style&yaml.FlowStyle != 0
	old, now := n.Content, want.Content
	if len(old)*len(now) > maxCompared {
		return nil, d.at(n, "lists of %d and %d elements are more than the limit: a person must edit it", len(old), len(now))
	}
	kept := common(old, now)
	if flow && len(kept) == 0 { // nothing to hold on to
		start := d.start(n)
		end, err := d.end(n, s.margin, true)
		if err == nil && hasComment(n) {
			err = d.at(n, loss)
		}
		return []splice{{start, end, d.flow(want)}}, err
	}
	i, j := 0, 0
	for _, k := range append(kept, [2]int{len(old), len(now)}) {
		for ; i < k[0] && j < k[1]; i, j = i+1, j+1 { // one in the place of the other
			inner, err := d.slotOf(n, s, i)
			if err != nil {
				return nil, err
			}
			more, err := d.replace(old[i], inner, now[j])
			if err != nil {
				return nil, err
			}
			edits = append(edits, more...)
		}
		if i < k[0] {
			more, err := d.remove(n, s, i, k[0]-1)
			if err != nil {
				return nil, err
			}
			edits = append(edits, more...)
		}
		if j < k[1] {
			more, err := d.elements(n, s, i, now[j:k[1]])
			if err != nil {
				return nil, err
			}
			edits = append(edits, more)
		}
		i, j = k[0]+1, k[1]+1
	}
	return edits, nil
}

// elements puts new elements of a sequence before its element i, which may be one past the last.
func (d *yamlDoc) elements(n *yaml.Node, s slot, i int, more []*yaml.Node) (splice, error) {
	near := max(i-1, 0)
	inner, err := d.slotOf(n, s, near)
	if err != nil {
		return splice{}, err
	}
	start, end, err := d.piece(n, s, near)
	if err != nil {
		return splice{}, err
	}
	if n.Style&yaml.FlowStyle != 0 {
		var texts []string
		for _, m := range more {
			texts = append(texts, d.flow(m))
		}
		between, err := d.separator(n, s, max(near-1, 0), 1)
		if err != nil {
			return splice{}, err
		}
		if i == 0 {
			return splice{start, start, strings.Join(texts, between) + between}, nil
		}
		return splice{end, end, between + strings.Join(texts, between)}, nil
	}
	var lines []string
	for _, m := range more {
		lines = append(lines, d.entry(nil, m, inner.margin)...)
	}
	if i > 0 {
		return d.insert(end, lines), nil
	}
	if !d.leads(start) {
		return splice{}, d.at(n, "a sequence that begins behind something else on its line: a person must edit it")
	}
	start = d.lineStart(start)
	return splice{start, start, strings.Join(lines, d.eol) + d.eol}, nil
}

// maxCompared is how many pairs of elements two lists may have: comparing them takes a table of all.
const maxCompared = 1 << 20

// common is a longest common subsequence of two lists, as pairs of indexes.
func common(a, b []*yaml.Node) [][2]int {
	length := make([][]int, len(a)+1)
	for i := range length {
		length[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if sameNode(a[i], b[j]) {
				length[i][j] = length[i+1][j+1] + 1
			} else {
				length[i][j] = max(length[i+1][j], length[i][j+1])
			}
		}
	}
	var pairs [][2]int
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case sameNode(a[i], b[j]):
			pairs = append(pairs, [2]int{i, j})
			i, j = i+1, j+1
		case length[i+1][j] >= length[i][j+1]:
			i++
		default:
			j++
		}
	}
	return pairs
}
