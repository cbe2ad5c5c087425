package facts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v3"

	"example.com/harden/checks/budget"
	"example.com/harden/checks/want"
)

// A Document is the one YAML or JSON document of a file of Kubernetes.
type Document struct {
	File    string         // where it really is
	Changed time.Time      // when its content last changed
	By      want.Authority // whose word it is; a path that somebody else names is for the caller to count in
	root    *yaml.Node
	brace   error // why it is not JSON, though it begins as JSON does
}

// A Value is one value of a document.
type Value struct {
	File string
	node *yaml.Node
}

// Document reads a YAML or JSON file that holds one document with an object at its top. What is not well formed, and a
// key that one object has twice, is an error that names file and line.
func (h *Host) Document(path string) (*Document, error) {
	return OncePer(h, "document", path, Anew, readDocument)
}

func readDocument(h *Host, path string) (*Document, error) {
	b := budget.New("", h.spent)
	info, err := h.Info(path)
	if err != nil {
		return nil, err
	}
	if err := b.Spend(budget.Bytes, int(info.Size), 0); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	f, err := h.File(path)
	if err != nil {
		return nil, err
	}
	root, err := parseYAML(b, f.Data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Document{File: f.Path, Changed: f.Modified, By: h.Vouch(path, want.Root), root: root,
		brace: JSONByBrace(f.Data)}, nil
}

// DocumentBy is Document, of a file that by names.
func DocumentBy(h *Host, path string, by want.Authority) (*Document, error) {
	d, err := h.Document(path)
	if err != nil {
		return nil, err
	}
	named := *d
	named.By = min(d.By, by)
	return &named, nil
}

// parseYAML is stricter than the programs that read the same file: it refuses a key that is there twice, of which
// they take the last, and more documents than one, of which they read the first.
func parseYAML(b *budget.Budget, data []byte) (*yaml.Node, error) {
	if json.Valid(data) { // no string of it holds a tab as such, which YAML would not take for indentation
		data = bytes.ReplaceAll(data, []byte("\t"), []byte(" "))
	}
	docs, err := b.Documents(data, math.MaxInt)
	switch {
	case errors.Is(err, budget.Err):
		return nil, err
	case err != nil:
		return nil, syntax(err)
	case len(docs) == 0:
		return nil, errors.New("the file is empty")
	}
	for _, more := range docs[1:] {
		if first := more.Root.Content; len(first) > 0 && first[0].Tag != "!!null" {
			return nil, fmt.Errorf("line %d: a second document begins, which nothing reads", first[0].Line)
		}
	}
	root := docs[0].Root.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: the top level is not an object", root.Line)
	}
	return root, unambiguous(root, map[*yaml.Node]map[string]bool{})
}

// JSONByBrace returns an error for a file that begins with a brace and is not JSON: the programs of Kubernetes tell
// JSON from YAML by that brace alone. Source: k8s.io/apimachinery pkg/util/yaml, ToJSON.
func JSONByBrace(data []byte) error {
	if !bytes.HasPrefix(bytes.TrimLeftFunc(data, unicode.IsSpace), []byte("{")) || json.Valid(data) {
		return nil
	}
	return errors.New("line 1: it begins with a brace, so it is read as JSON, and it is not valid JSON")
}

// syntax words an error of the parser, which says at most which line is wrong and what it misses there: what the line
// holds may be a secret. Of the first line it leaves the number out.
func syntax(err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if !strings.HasPrefix(text, "line ") {
		text = "line 1: " + text
	}
	return errors.New(text)
}

// Found is what a document says of a field.
type Found int

const (
	Silent  Found = iota // the document says nothing of the field
	Removed              // it takes the field away, by null or by something else in its place
	Said
)

// Look walks to a field as a JSON merge patch would (RFC 7386): null takes away what came before.
func (d *Document) Look(field []string) (Value, Found) {
	n := resolve(d.root)
	for _, key := range field {
		if n.Kind != yaml.MappingNode {
			return Value{}, Removed
		}
		next := member(n, key)
		if next == nil {
			return Value{}, Silent
		}
		if next.Tag == "!!null" {
			return Value{}, Removed
		}
		n = next
	}
	return Value{d.File, n}, Said
}

// At returns the value of a field, a path from the top of the document. It reports false where there is none, or null.
func (d *Document) At(field ...string) (Value, bool) {
	v, how := d.Look(field)
	return v, how == Said
}

// Part is an object of the document as a document of its own; nil where it is no object.
func (d *Document) Part(n yaml.Node) *Document {
	if resolve(&n).Kind != yaml.MappingNode {
		return nil
	}
	part := *d
	part.root = &n
	return &part
}

// Text returns a field that is a string; empty where there is none.
func (d *Document) Text(field ...string) string {
	if v, ok := d.At(field...); ok && v.node.Kind == yaml.ScalarNode {
		return v.node.Value
	}
	return ""
}

// Decode reads the whole document into a value that yaml tags describe. The error names file and line.
func (d *Document) Decode(into any) error { return Value{d.File, d.root}.Decode(into) }

// Decode reads the value. The error names file and line and quotes nothing of the content.
func (v Value) Decode(into any) error {
	err := v.node.Decode(into)
	if err == nil {
		return nil
	}
	line := v.node.Line
	if wrong, ok := errors.AsType[*yaml.TypeError](err); ok {
		if m := regexp.MustCompile(`^line ([0-9]+):`).FindStringSubmatch(wrong.Errors[0]); m != nil {
			line, _ = strconv.Atoi(m[1])
		}
	}
	return fmt.Errorf("%s: line %d: a value of another type is expected", v.File, line)
}

// String is a scalar as it is written, and what else there is in a line of YAML.
func (v Value) String() string {
	if v.node.Kind == yaml.ScalarNode {
		return v.node.Value
	}
	flow := *v.node
	flow.Style = yaml.FlowStyle
	text, err := yaml.Marshal(&flow)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// resolve follows an alias to what it stands for.
func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// Words reads a list of strings, or one string that stands for a list of itself.
func (v Value) Words() ([]string, error) {
	var list []string
	if err := v.Decode(&list); err == nil {
		return list, nil
	}
	var one string
	err := v.Decode(&one)
	return []string{one}, err
}

// DocumentAt is what a file held at an instant, where one of harden's runs has replaced it since; nil where that is
// not known.
func DocumentAt(h *Host, file string, then time.Time) *Document {
	if h.Earlier == nil {
		return nil
	}
	for _, v := range h.Earlier(file) {
		if v.Modified.After(then) || !v.Replaced.After(then) {
			continue
		}
		root, err := parseYAML(budget.New("", nil), v.Data)
		if err != nil {
			return nil
		}
		return &Document{File: file, Changed: v.Modified, root: root}
	}
	return nil
}
