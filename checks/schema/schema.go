// Package schema knows what Kubernetes' configuration documents and the command lines of its components may hold. It
// decodes strictly, as the programs themselves do not always: the kubelet only logs a field that it does not know.
//
// The tables come from the API types and the programs of Kubernetes 1.35 and etcd 3.6 (scripts/kubeschema). The types
// themselves would add 14 MB to the binary and 3 ms to each start of it.
package schema

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"
)

//go:embed kubernetes.txt
var text string

// A table is the parsed text.
type table struct {
	documents map[string]string            // by apiVersion and kind: a type
	types     map[string]map[string]string // by name and field: a type
	flags     map[string]map[string]string // by program and flag: "bool", "int", "duration" or "any"
}

var tables = sync.OnceValue(func() table {
	t := table{map[string]string{}, map[string]map[string]string{}, map[string]map[string]string{}}
	var into map[string]string
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case words[0] == "#":
		case line[0] == ' ':
			into[words[0]] = words[1]
		case words[0] == "document":
			t.documents[words[1]+" "+words[2]] = words[3]
		case words[0] == "type":
			into = map[string]string{}
			t.types[words[1]] = into
		case words[0] == "flags":
			into = map[string]string{}
			t.flags[words[1]] = into
		}
	}
	return t
})

// Document judges a document of Kubernetes as a strict decoder would: every field known and of its type. What was
// wrong with before already, nil where there was nothing, is nobody's fault now. A document of another kind is
// not judged.
func Document(data, before []byte) error {
	had, _ := problems(before)
	has, err := problems(data)
	if err != nil {
		return err
	}
	for _, p := range has {
		if !slices.ContainsFunc(had, func(q problem) bool { return q.text == p.text }) {
			return errors.New(p.text)
		}
	}
	return nil
}

// Types judges a parsed document of Kubernetes by the types of its fields alone: every program refuses a file over a
// value of another type, while some pass over a field that they do not know. A document of another kind is not judged.
func Types(apiVersion, kind string, top *yaml.Node) error {
	of := tables().documents[apiVersion+" "+kind]
	if of == "" {
		return nil
	}
	j := &judge{seen: map[visit]bool{}}
	j.value("", top, of, 0)
	for _, p := range j.found {
		if !p.unknown {
			return fmt.Errorf("line %d: %s", p.line, p.text)
		}
	}
	return nil
}

// Known reports whether documents of the kind that data is of are judged.
func Known(data []byte) bool {
	_, kind, _ := parse(data)
	return kind != ""
}

// parse returns a document and its type, which is empty for one that is not judged.
func parse(data []byte) (top *yaml.Node, kind string, err error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if decoder.Decode(&doc) != nil {
		return nil, "", nil
	}
	top = doc.Content[0]
	kind = tables().documents[scalar(top, "apiVersion")+" "+scalar(top, "kind")]
	if err := decoder.Decode(new(yaml.Node)); kind != "" && !errors.Is(err, io.EOF) {
		return nil, kind, errors.New("there is more than one document")
	}
	return top, kind, nil
}

func problems(data []byte) ([]problem, error) {
	top, kind, err := parse(data)
	if err != nil || kind == "" {
		return nil, err
	}
	j := &judge{seen: map[visit]bool{}}
	j.value("", top, kind, 0)
	return j.found, nil
}

func scalar(n *yaml.Node, name string) string {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1].Value
		}
	}
	return ""
}

// A problem is one thing that is wrong with a document.
type problem struct {
	text    string
	line    int
	unknown bool // the field is not known, or is there twice: not every program refuses it
}

// A visit is a node judged as one type.
type visit struct {
	node *yaml.Node
	kind string
}

type judge struct {
	found []problem
	seen  map[visit]bool // aliases of aliases have no end of paths, and merge keys may go round in circles
}

func (j *judge) say(n *yaml.Node, format string, args ...any) {
	j.found = append(j.found, problem{text: fmt.Sprintf(format, args...), line: n.Line})
}

func (j *judge) value(at string, n *yaml.Node, kind string, depth int) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if depth > 100 {
		j.say(n, "%s: it goes too deep", at)
		return
	}
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" || j.seen[visit{n, kind}] {
		return
	}
	j.seen[visit{n, kind}] = true
	switch {
	case kind == "any":
	case strings.HasPrefix(kind, "[]"):
		if n.Kind != yaml.SequenceNode {
			j.say(n, "%s must be a list", at)
			return
		}
		for i, c := range n.Content {
			j.value(fmt.Sprintf("%s[%d]", at, i), c, kind[2:], depth+1)
		}
	case n.Kind != yaml.MappingNode && (kind[0] == '=' || strings.HasPrefix(kind, "{}")):
		j.say(n, "%s must be a mapping", at)
	case kind[0] == '=' || strings.HasPrefix(kind, "{}"):
		j.mapping(at, n, kind, depth)
	case n.Kind != yaml.ScalarNode:
		j.say(n, "%s must be a %s", at, words[kind])
	case !fits(n, kind):
		j.say(n, "%s must be a %s", at, words[kind])
	}
}

func (j *judge) mapping(at string, n *yaml.Node, kind string, depth int) {
	seen := map[string]bool{}
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i].Value
		where := strings.TrimPrefix(at+"."+key, ".")
		if seen[key] {
			j.found = append(j.found, problem{where + " is there twice", n.Content[i].Line, true})
		}
		seen[key] = true
		of := strings.TrimPrefix(kind, "{}")
		if kind[0] == '=' {
			of = tables().types[kind[1:]][key]
		}
		switch {
		case key == "<<":
			j.merge(at, n.Content[i+1], kind, depth+1)
		case of == "":
			j.found = append(j.found, problem{"there is no field " + where, n.Content[i].Line, true})
		default:
			j.value(where, n.Content[i+1], of, depth+1)
		}
	}
}

// merge judges what a merge key brings in: an object, or a list of them.
func (j *judge) merge(at string, n *yaml.Node, kind string, depth int) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.SequenceNode {
		j.value(at, n, kind, depth)
		return
	}
	for _, e := range n.Content {
		j.value(at, e, kind, depth)
	}
}

var words = map[string]string{"string": "string", "bool": "boolean", "int": "whole number", "number": "number",
	"duration": `duration such as "5m"`, "scalar": "scalar"}

// fits judges a scalar as the decoder of Kubernetes does, which reads YAML 1.1.
func fits(n *yaml.Node, kind string) bool {
	tag := n.ShortTag()
	if n.Style == 0 && slices.Contains([]string{"y", "n", "yes", "no", "on", "off"}, strings.ToLower(n.Value)) {
		tag = "!!bool"
	}
	text := tag == "!!str" || tag == "!!timestamp"
	switch kind {
	case "string":
		return text
	case "bool":
		return tag == "!!bool"
	case "int":
		f, err := strconv.ParseFloat(n.Value, 64) // 1.0 is written as 1 on the way through JSON
		return tag == "!!int" || tag == "!!float" && err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<31
	case "number":
		return tag == "!!int" || tag == "!!float"
	case "duration":
		_, err := time.ParseDuration(n.Value)
		return text && err == nil
	}
	return true
}

// since are flags that are younger than the oldest release that harden knows an edition for: the minor version of the
// first release with them.
var since = map[string]int{"authentication-config": 29, "authorization-config": 29}

// Flag judges a flag that is to be given to a program: that it knows it, and that the value is of the kind that it
// takes. Minor is the minor version of Kubernetes that the program is of, 0 where that is not known. Programs that
// harden has no table of take anything.
func Flag(program string, minor int, name, value string) error {
	flags, ok := tables().flags[program]
	if !ok {
		return nil
	}
	kind, ok := flags[name]
	if !ok {
		return fmt.Errorf("%s knows no flag --%s", program, name)
	}
	if first := since[name]; minor > 0 && minor < first {
		return fmt.Errorf("%s knows no flag --%s before 1.%d, and this is 1.%d", program, name, first, minor)
	}
	var err error
	switch kind {
	case "bool":
		_, err = strconv.ParseBool(value)
	case "int":
		_, err = strconv.ParseInt(value, 0, 64)
	case "duration":
		_, err = time.ParseDuration(value)
	}
	if err != nil {
		return fmt.Errorf("--%s of %s takes a %s", name, program, words[kind])
	}
	return nil
}

// Boolean reports whether a flag of a program takes its value after an equals sign alone. Known is false where harden
// has no table of the program, or the flag is not in it.
func Boolean(program, name string) (boolean, known bool) {
	kind, known := tables().flags[program][name]
	return kind == "bool", known
}
