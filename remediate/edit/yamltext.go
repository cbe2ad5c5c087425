package edit

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

func stringNode(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
}

// yamlNode is value as a tree; nil for nil. The keys of a map are sorted.
func yamlNode(value any) (*yaml.Node, error) {
	if value == nil {
		return nil, nil
	}
	v := reflect.ValueOf(value)
	switch v.Kind() {
	case reflect.String:
		if !utf8.ValidString(v.String()) {
			return nil, errors.New("the new value is not valid UTF-8")
		}
		return stringNode(v.String()), nil
	case reflect.Bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(v.Bool())}, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.FormatInt(v.Int(), 10)}, nil
	case reflect.Float64:
		n := &yaml.Node{}
		return n, n.Encode(v.Float())
	case reflect.Slice:
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for i := range v.Len() {
			if err := adopt(n, v.Index(i).Interface()); err != nil {
				return nil, err
			}
		}
		return n, nil
	case reflect.Map:
		if v.Type().Key().Kind() != reflect.String {
			break
		}
		n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		values := map[string]any{}
		for _, k := range v.MapKeys() {
			values[k.String()] = v.MapIndex(k).Interface()
		}
		for _, name := range slices.Sorted(maps.Keys(values)) {
			if !utf8.ValidString(name) {
				return nil, errors.New("a key of the new value is not valid UTF-8")
			}
			n.Content = append(n.Content, stringNode(name))
			if err := adopt(n, values[name]); err != nil {
				return nil, err
			}
		}
		return n, nil
	}
	return nil, fmt.Errorf("a %T cannot be written", value)
}

func adopt(n *yaml.Node, value any) error {
	c, err := yamlNode(value)
	if err != nil {
		return err
	}
	if c == nil {
		c = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	}
	n.Content = append(n.Content, c)
	return nil
}

// step is how far a value that takes lines of its own is indented below its key.
func (d *yamlDoc) step(n *yaml.Node) int {
	if n.Kind == yaml.SequenceNode {
		return d.dashes
	}
	return d.indent
}

// block is the lines of a mapping or sequence that is not empty, each with its indentation.
func (d *yamlDoc) block(n *yaml.Node, margin string) []string {
	var lines []string
	if n.Kind == yaml.SequenceNode {
		for _, c := range n.Content {
			lines = append(lines, d.entry(nil, c, len(margin))...)
		}
		return lines
	}
	for i := 0; i < len(n.Content); i += 2 {
		lines = append(lines, d.entry(n.Content[i], n.Content[i+1], len(margin))...)
	}
	return lines
}

// entry is the lines of one entry: of a mapping, or without a key of a sequence.
func (d *yamlDoc) entry(key, value *yaml.Node, margin int) []string {
	blanks := strings.Repeat(" ", margin)
	lead := blanks + "-"
	if key != nil {
		lead = blanks + d.scalar(key, 0, false) + ":"
	}
	if len(value.Content) == 0 {
		return []string{lead + " " + d.inline(value, &yaml.Node{}, false)}
	}
	if key != nil {
		return append([]string{lead}, d.block(value, strings.Repeat(" ", margin+d.step(value)))...)
	}
	lines := d.block(value, blanks+"  ")
	lines[0] = lead + " " + lines[0][len(blanks)+2:]
	return lines
}

// flow is a value on one line.
func (d *yamlDoc) flow(n *yaml.Node) string {
	var parts []string
	switch n.Kind {
	case yaml.SequenceNode:
		for _, c := range n.Content {
			parts = append(parts, d.flow(c))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case yaml.MappingNode:
		for i := 0; i < len(n.Content); i += 2 {
			parts = append(parts, d.flow(n.Content[i])+": "+d.flow(n.Content[i+1]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return d.scalar(n, 0, true)
}

// inline is a value on one line in the place of another, quoted as that was. Flow says whether that is in a flow
// collection.
func (d *yamlDoc) inline(n, old *yaml.Node, flow bool) string {
	if n.Kind == yaml.ScalarNode {
		return d.scalar(n, old.Style, flow)
	}
	return d.flow(n)
}

// scalar writes a scalar: a string in the quotes of style, and at least in those that it needs.
func (d *yamlDoc) scalar(n *yaml.Node, style yaml.Style, flow bool) string {
	switch s := n.Value; {
	case n.Tag != "!!str":
		return s
	case d.json:
		return literal(s)
	case style&yaml.SingleQuotedStyle != 0 && oneLine("", s, "") == nil:
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	case style&yaml.DoubleQuotedStyle != 0 || !bare(s), flow && strings.Contains(s, ","):
		return doubleQuoted(s)
	default:
		return s
	}
}

// bare reports whether a string needs no quotes in a block collection, by YAML 1.1 and 1.2.
func bare(s string) bool {
	if !word(s, "-_./=,:+@*%~") || !word(strings.Trim(s, "-_./=,:+@*%~"), "-_./=,:+@*%~") {
		return false
	}
	first, last := s[0], s[len(s)-1]
	if strings.IndexByte("=,:+@*%~", first) >= 0 || last == ':' {
		return false
	}
	if strings.Trim(s, "0123456789:._+-") == "" && strings.Contains(s, ":") { // to base 60, in YAML 1.1
		return false
	}
	switch strings.ToLower(s) {
	case "y", "n", "yes", "no", "on", "off":
		return false
	}
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(s), &n); err != nil || len(n.Content) != 1 {
		return false
	}
	c := n.Content[0]
	return c.Kind == yaml.ScalarNode && c.ShortTag() == "!!str" && c.Value == s && n.HeadComment == "" && c.Style == 0
}

// doubleQuoted is JSON's way to write a string, which is YAML's too but for some characters that YAML calls
// unprintable.
func doubleQuoted(s string) string {
	var b strings.Builder
	for _, r := range literal(s) {
		if r < 0x80 && r != 0x7f || unicode.IsPrint(r) {
			b.WriteRune(r)
		} else if r < 0x10000 {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	return b.String()
}
