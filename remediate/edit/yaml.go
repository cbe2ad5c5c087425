package edit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"example.com/harden/checks/budget"
	"example.com/harden/checks/facts"
)

// YAML sets what is at path in a YAML document to value, or removes it when value is nil. An element of path is a key
// of a mapping, the index of an element of a sequence, or "-" for a new last element. Mappings and sequences that the
// path names and the document lacks are made. A value is a string, a bool, an int, a float64, or a slice or a map of
// those. Of a sequence that is set whole, the elements that stay keep their bytes. Nil data means that there is no
// file yet.
//
// A document that is JSON stays JSON, since the kubelet reads what begins with a brace by its JSON reader alone.
//
// It refuses several documents, a byte order mark, indentation by tabs, duplicate keys, keys that are not scalars or
// are written with a question mark, a change to what an alias or a merge key elsewhere repeats, to what a merge key
// brought here, or to a value with a tag, and one that would lose a comment.
func YAML(data []byte, path []string, value any) ([]byte, error) {
	if len(path) == 0 {
		return nil, errors.New("no field to edit was given")
	}
	want, err := yamlNode(value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(path, "."), err)
	}
	if !allUTF8(path) {
		return nil, errors.New("the path to the field is not valid UTF-8")
	}
	if data == nil && want == nil {
		return nil, nil
	}
	top, err := parseYAML(data)
	if err != nil {
		return nil, err
	}
	d := newYAMLDoc(data, top)
	var edits []splice
	if top == nil {
		if want == nil {
			return data, nil
		}
		want = nest(path, want)
		edits = []splice{appendLine(data, strings.Join(d.block(want, ""), d.eol), d.eol)}
	} else if edits, err = d.set(top, slot{}, path, want); err != nil {
		return nil, err
	}
	after := applyAll(data, edits)
	if d.json && !json.Valid(after) {
		return nil, fmt.Errorf("%w (it is not JSON any more)", errLayout)
	}
	if err := proveYAML(top, after, path, want); err != nil {
		return nil, err
	}
	return after, nil
}

// errLayout means that what was spliced does not read as intended: YAML can be laid out in more ways than are known
// here.
var errLayout = errors.New("the document is laid out in a way that harden cannot edit safely: edit it yourself")

// proveYAML parses what was made and compares it with the intended tree.
func proveYAML(top *yaml.Node, after []byte, path []string, want *yaml.Node) error {
	now, err := parseYAML(after)
	if err != nil {
		return fmt.Errorf("%w (%w)", errLayout, err)
	}
	expect := want
	if top != nil {
		expect = clone(top)
		assignNode(expect, path, want)
	}
	if now == nil || !sameNode(expect, now) {
		return errLayout
	}
	return nil
}

func allUTF8(all []string) bool {
	return !slices.ContainsFunc(all, func(s string) bool { return !utf8.ValidString(s) })
}

// parseYAML returns the one value of a document, nil where there is none, and refuses what the editor does.
func parseYAML(data []byte) (*yaml.Node, error) {
	if isJSON(data) { // no string of it holds a tab as such
		data = bytes.ReplaceAll(data, []byte("\t"), []byte(" "))
	}
	if err := plainYAML(data); err != nil {
		return nil, err
	}
	docs, err := budget.New("", nil).Documents(data, 2)
	switch {
	case errors.Is(err, budget.Err):
		return nil, err
	case err != nil:
		return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	case len(docs) == 0:
		return nil, nil
	case len(docs) > 1:
		return nil, fmt.Errorf("line %d: another document begins: edit it yourself", max(docs[1].Root.Line, 1))
	}
	top := docs[0].Root.Content[0]
	return top, checkKeys(top)
}

// isJSON reports whether data is an object of JSON, as a program that tells JSON from YAML by the first brace requires.
func isJSON(data []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")) && json.Valid(data)
}

// plainYAML refuses bytes that parsers do not take alike.
func plainYAML(data []byte) error {
	if bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
		return facts.At(data, 0, "byte order mark")
	}
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return facts.At(data, i, "invalid UTF-8")
		case r == '\r' && !bytes.HasPrefix(data[i+1:], []byte("\n")), r == '\u0085', r == '\u2028', r == '\u2029':
			return facts.At(data, i, "a line break that not every parser takes for one")
		case r == '\ufeff':
			return facts.At(data, i, "byte order mark")
		}
		i += size
	}
	offset := 0
	for line := range bytes.Lines(data) {
		blank := line[:len(line)-len(bytes.TrimLeft(line, " \t"))]
		if i := bytes.IndexByte(blank, '\t'); i >= 0 {
			return facts.At(data, offset+i, "indentation by a tab")
		}
		offset += len(line)
	}
	return nil
}

// checkKeys refuses a mapping with a key twice, which parsers resolve differently, or with a key that is no scalar.
func checkKeys(n *yaml.Node) error {
	if n.Kind == yaml.MappingNode {
		seen := map[string]bool{}
		for i := 0; i < len(n.Content); i += 2 {
			k := n.Content[i]
			if k.Kind != yaml.ScalarNode {
				return fmt.Errorf("line %d, column %d: a key that is not a scalar: edit it yourself", k.Line, k.Column)
			}
			if seen[k.Value] {
				return fmt.Errorf("line %d, column %d: duplicate key %q", k.Line, k.Column, k.Value)
			}
			seen[k.Value] = true
		}
	}
	for _, c := range n.Content {
		if err := checkKeys(c); err != nil {
			return err
		}
	}
	return nil
}

// assignNode does to a tree what the edit shall do to the bytes. The edit has found that it can be done.
func assignNode(n *yaml.Node, path []string, want *yaml.Node) {
	if len(path) == 0 {
		*n = *want
		return
	}
	i := child(n, path[0])
	switch {
	case i >= 0 && len(path) == 1 && want == nil:
		from := i
		if n.Kind == yaml.MappingNode {
			from--
		}
		n.Content = slices.Delete(n.Content, from, i+1)
	case i >= 0:
		assignNode(n.Content[i], path[1:], want)
	case want == nil:
	case n.Kind == yaml.MappingNode:
		n.Content = append(n.Content, stringNode(path[0]), nest(path[1:], want))
	case n.Kind == yaml.SequenceNode:
		n.Content = append(n.Content, nest(path[1:], want))
	default: // null
		*n = *nest(path, want)
	}
}

// child is the index in n's content of the value that a path's element names, -1 where there is none.
func child(n *yaml.Node, name string) int {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i < len(n.Content); i += 2 {
			if n.Content[i].Value == name {
				return i + 1
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(name); err == nil && strconv.Itoa(i) == name && i >= 0 && i < len(n.Content) {
			return i
		}
	}
	return -1
}

// nest puts a value below the path that leads to it.
func nest(path []string, value *yaml.Node) *yaml.Node {
	for _, name := range slices.Backward(path) {
		if name == "-" {
			value = &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: []*yaml.Node{value}}
			continue
		}
		value = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{stringNode(name), value}}
	}
	return value
}

func clone(n *yaml.Node) *yaml.Node {
	c := *n
	c.Content = make([]*yaml.Node, len(n.Content))
	for i := range n.Content {
		c.Content[i] = clone(n.Content[i])
	}
	return &c
}

// sameNode compares what two trees say, down to the spelling of numbers, and not how they are laid out.
func sameNode(a, b *yaml.Node) bool {
	if a.Kind != b.Kind || a.Anchor != b.Anchor || len(a.Content) != len(b.Content) || a.ShortTag() != b.ShortTag() {
		return false
	}
	switch {
	case a.Kind == yaml.ScalarNode && a.ShortTag() == "!!null":
	case a.Kind == yaml.ScalarNode && a.ShortTag() == "!!bool":
		if !strings.EqualFold(a.Value, b.Value) {
			return false
		}
	case a.Value != b.Value:
		return false
	}
	for i := range a.Content {
		if !sameNode(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return true
}
