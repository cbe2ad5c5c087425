package edit

import (
	"bytes"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

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
		return nil, d.at(n, "the value has an anchor or a tag: edit it yourself")
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
	multiline := isBlock(n) || n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 ||
		bytes.Contains(d.data[s.after:end], []byte("\n"))
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
		return nil, d.at(n, "the document begins behind something else on its line: edit it yourself")
	}
	return []splice{{start, end, strings.Join(d.block(want, ""), d.eol)}}, nil
}

// align turns one sequence into another: elements that both have keep their bytes, and the comments beside them.
func (d *yamlDoc) align(n *yaml.Node, s slot, want *yaml.Node) ([]splice, error) {
	var edits []splice
	flow := n.Style&yaml.FlowStyle != 0
	old, now := n.Content, want.Content
	if len(old)*len(now) > maxCompared {
		return nil, d.at(n, "lists of %d and %d elements are more than the limit: edit it yourself", len(old), len(now))
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
			inner, err := d.slotOf(n, i)
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
			more, err := d.elements(n, i, now[j:k[1]])
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
func (d *yamlDoc) elements(n *yaml.Node, i int, more []*yaml.Node) (splice, error) {
	near := max(i-1, 0)
	inner, err := d.slotOf(n, near)
	if err != nil {
		return splice{}, err
	}
	start, end, err := d.piece(n, near)
	if err != nil {
		return splice{}, err
	}
	if n.Style&yaml.FlowStyle != 0 {
		var texts []string
		for _, m := range more {
			texts = append(texts, d.flow(m))
		}
		between, err := d.separator(n, max(near-1, 0), 1)
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
		return splice{}, d.at(n, "a sequence that begins behind something else on its line: edit it yourself")
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
