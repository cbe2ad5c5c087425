package edit

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// A yamlDoc is a document's bytes and how they are laid out. The parser says where a node begins; where it ends is
// found here.
type yamlDoc struct {
	data    []byte
	eol     string
	lines   []int // where each line begins
	indent  int   // of one level of mappings
	dashes  int   // by which a sequence is indented below its key
	json    bool  // it is JSON, which is YAML too
	aliased map[*yaml.Node]bool
}

func newYAMLDoc(data []byte, top *yaml.Node) *yamlDoc {
	d := &yamlDoc{data: data, eol: eol(data), indent: 2, dashes: 2, aliased: map[*yaml.Node]bool{}}
	offset := 0
	for line := range bytes.Lines(data) {
		d.lines = append(d.lines, offset)
		offset += len(line)
	}
	d.lines = append(d.lines, offset)
	var indents, dashes []int
	if top != nil {
		d.json = len(top.Content) > 0 && isJSON(data)
		d.survey(top, &indents, &dashes)
	}
	if len(indents) > 0 {
		d.indent = indents[0]
	}
	if len(dashes) > 0 {
		d.dashes = dashes[0]
	}
	return d
}

// survey notes what the document repeats by aliases, and how it indents.
func (d *yamlDoc) survey(n *yaml.Node, indents, dashes *[]int) {
	if n.Kind == yaml.AliasNode {
		d.aliased[n.Alias] = true
		return
	}
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 1 && isBlock(c) && c.Line > n.Content[i-1].Line {
			in := c.Content[0].Column - n.Content[i-1].Column
			switch {
			case c.Kind == yaml.MappingNode && in > 0:
				*indents = append(*indents, in)
			case c.Kind == yaml.SequenceNode && c.Anchor == "" && c.Style&yaml.TaggedStyle == 0:
				*dashes = append(*dashes, c.Column-n.Content[i-1].Column)
			}
		}
		d.survey(c, indents, dashes)
	}
}

// isBlock reports whether n is a mapping or a sequence over lines of its own.
func isBlock(n *yaml.Node) bool {
	return (n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode) && n.Style&yaml.FlowStyle == 0 && len(n.Content) > 0
}

// isEmpty reports whether n is a null for which nothing is written.
func isEmpty(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Value == "" && n.ShortTag() == "!!null" && n.Style == 0 && n.Anchor == ""
}

func (d *yamlDoc) at(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("line %d, column %d: %s", n.Line, n.Column, fmt.Sprintf(format, args...))
}

// start is where a node begins, its anchor and tag included.
func (d *yamlDoc) start(n *yaml.Node) int {
	offset := d.lines[min(n.Line-1, len(d.lines)-1)]
	for range n.Column - 1 {
		_, size := utf8.DecodeRune(d.data[offset:])
		offset += size
	}
	return offset
}

// lineStart is where the line begins that offset is on.
func (d *yamlDoc) lineStart(offset int) int { return bytes.LastIndexByte(d.data[:offset], '\n') + 1 }

// lineEnd is where the line ends that offset is on, before its line break.
func (d *yamlDoc) lineEnd(offset int) int {
	i := bytes.IndexByte(d.data[offset:], '\n')
	if i < 0 {
		return len(d.data)
	}
	end := offset + i
	if end > offset && d.data[end-1] == '\r' {
		end--
	}
	return end
}

// nextLine is where the line after that of offset begins.
func (d *yamlDoc) nextLine(offset int) int {
	i := bytes.IndexByte(d.data[offset:], '\n')
	if i < 0 {
		return len(d.data)
	}
	return offset + i + 1
}

// leads reports whether nothing but blanks is before offset on its line.
func (d *yamlDoc) leads(offset int) bool {
	return len(bytes.Trim(d.data[d.lineStart(offset):offset], " ")) == 0
}

func (d *yamlDoc) skipBlanks(offset int) int {
	for offset < len(d.data) && (d.data[offset] == ' ' || d.data[offset] == '\t') {
		offset++
	}
	return offset
}

// skipProperties steps over an anchor and a tag and the blanks behind them.
func (d *yamlDoc) skipProperties(n *yaml.Node, offset int) int {
	if n.Anchor == "" && n.Style&yaml.TaggedStyle == 0 {
		return offset
	}
	for offset < len(d.data) && (d.data[offset] == '&' || d.data[offset] == '!') {
		for offset < len(d.data) && strings.IndexByte(" \t\r\n", d.data[offset]) < 0 {
			offset++
		}
		offset = d.skipBlanks(offset)
	}
	return offset
}

// end is where a node ends, without blanks, comments or the line break behind it. In is how far what holds the node
// is indented; flow says whether that is a flow collection.
func (d *yamlDoc) end(n *yaml.Node, in int, flow bool) (int, error) {
	start := d.start(n)
	if isEmpty(n) {
		return start, nil
	}
	offset := d.skipProperties(n, start)
	switch {
	case n.Kind == yaml.AliasNode:
		end := start + len("*") + len(n.Value)
		if end > len(d.data) || string(d.data[start:end]) != "*"+n.Value {
			return 0, d.at(n, "an alias that is written strangely: edit it yourself")
		}
		return end, nil
	case isBlock(n):
		last := n.Content[len(n.Content)-1]
		inner := n.Content[0].Column - 1
		if n.Kind == yaml.SequenceNode {
			dash, err := d.dash(n, 0)
			if err != nil {
				return 0, err
			}
			inner = dash - d.lineStart(dash)
		}
		return d.end(last, inner, false)
	case n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode:
		return d.bracket(n, offset)
	case n.Style&yaml.DoubleQuotedStyle != 0, n.Style&yaml.SingleQuotedStyle != 0:
		end := d.quoted(offset)
		if end < 0 {
			return 0, d.at(n, "a quote whose end is unclear")
		}
		return end, nil
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return d.blockScalar(offset, in), nil
	}
	return d.plain(n, offset, flow)
}

// quoted is the end of a quoted scalar, behind its quote; -1 where there is none.
func (d *yamlDoc) quoted(offset int) int {
	if offset >= len(d.data) {
		return -1
	}
	quote := d.data[offset]
	if quote != '"' && quote != '\'' {
		return -1
	}
	for i := offset + 1; i < len(d.data); i++ {
		switch {
		case quote == '"' && d.data[i] == '\\':
			i++
		case d.data[i] == quote && quote == '\'' && i+1 < len(d.data) && d.data[i+1] == '\'':
			i++
		case d.data[i] == quote:
			return i + 1
		}
	}
	return -1
}

// bracket is the end of a flow collection.
func (d *yamlDoc) bracket(n *yaml.Node, offset int) (int, error) {
	depth := 0
	for i := offset; i < len(d.data); i++ {
		before := byte(' ')
		if i > 0 {
			before = d.data[i-1]
		}
		switch c := d.data[i]; {
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			if depth--; depth == 0 {
				return i + 1, nil
			}
		case (c == '"' || c == '\'') && strings.IndexByte(" \t\r\n,[{:", before) >= 0:
			end := d.quoted(i)
			if end < 0 {
				return 0, d.at(n, "a quote whose end is unclear")
			}
			i = end - 1
		case c == '#' && strings.IndexByte(" \t\r\n", before) >= 0:
			i = d.lineEnd(i) - 1
		}
		if depth == 0 {
			break
		}
	}
	return 0, d.at(n, "a flow collection whose end is unclear: edit it yourself")
}

// blockScalar is the end of a literal or folded scalar: of its last line that has something, or with "+" of the empty
// lines too. A line that looks like a comment is text while it is indented enough.
func (d *yamlDoc) blockScalar(offset, in int) int {
	header := string(d.data[offset:d.lineEnd(offset)])
	if i := strings.Index(header, " #"); i >= 0 {
		header = header[:i]
	}
	keep := strings.Contains(header, "+")
	deep := -1
	if i := strings.IndexAny(header, "123456789"); i >= 0 {
		deep = max(in, 0) + int(header[i]-'0')
	}
	end := d.lineEnd(offset)
	for next := d.nextLine(offset); next < len(d.data); next = d.nextLine(next) {
		line := d.data[next:d.lineEnd(next)]
		blank := len(line) - len(bytes.TrimLeft(line, " "))
		switch {
		case blank == len(line):
			if keep {
				end = d.lineEnd(next)
			}
			continue
		case deep < 0 && blank > in:
			deep = blank
		}
		if deep < 0 || blank < deep {
			return end
		}
		end = d.lineEnd(next)
	}
	return end
}

// plain is the end of a plain scalar. One over several lines is put together as the parser does, until it is whole.
func (d *yamlDoc) plain(n *yaml.Node, offset int, flow bool) (int, error) {
	rest, empty := n.Value, 0 // of the value that lines before have not made up
	for from := offset; from <= len(d.data); {
		end := from + plainLength(string(d.data[from:d.lineEnd(from)]), flow)
		text := string(d.data[from:end])
		switch {
		case from == offset:
		case text == "":
			empty++
		case empty > 0:
			text = strings.Repeat("\n", empty) + text
			empty = 0
		default:
			text = " " + text
		}
		var ok bool
		if rest, ok = strings.CutPrefix(rest, text); ok && rest == "" && (text != "" || from == offset) {
			return end, nil
		}
		if !ok || d.nextLine(from) == len(d.data) {
			break
		}
		from = d.skipBlanks(d.nextLine(from))
	}
	return 0, d.at(n, "a scalar whose end is unclear: edit it yourself")
}

// plainLength is how much of a line a plain scalar takes up.
func plainLength(line string, flow bool) int {
	for i := range len(line) {
		next, before := byte(' '), byte(' ')
		if i+1 < len(line) {
			next = line[i+1]
		}
		if i > 0 {
			before = line[i-1]
		}
		c := line[i]
		if c == ':' && (next == ' ' || next == '\t' || flow && strings.IndexByte(",[]{}", next) >= 0) ||
			c == '#' && (before == ' ' || before == '\t') || flow && strings.IndexByte(",[]{}", c) >= 0 {
			return len(strings.TrimRight(line[:i], " \t"))
		}
	}
	return len(strings.TrimRight(line, " \t"))
}

// colon is where a key's colon ends.
func (d *yamlDoc) colon(key *yaml.Node, flow bool) (int, error) {
	end, err := d.end(key, 0, flow)
	if err != nil {
		return 0, err
	}
	end = d.skipBlanks(end)
	if end >= len(d.data) || d.data[end] != ':' {
		return 0, d.at(key, "a key with no colon behind it: edit it yourself")
	}
	return end + 1, nil
}

// dash is where the dash of element i of a block sequence is.
func (d *yamlDoc) dash(n *yaml.Node, i int) (int, error) {
	start := d.start(n.Content[i])
	before := bytes.TrimRight(d.data[d.lineStart(start):start], " \t")
	if !bytes.HasSuffix(before, []byte("-")) {
		return 0, d.at(n.Content[i], "an element that is not on the line of its dash: edit it yourself")
	}
	return d.lineStart(start) + len(before) - 1, nil
}

// hasComment reports whether there is a comment within, or behind, a node.
func hasComment(n *yaml.Node) bool {
	return n.HeadComment+n.LineComment+n.FootComment != "" || slices.ContainsFunc(n.Content, hasComment)
}
