package diff

import (
	"slices"
	"strings"

	"github.com/tailscale/hujson"
	"go.yaml.in/yaml/v3"

	"example.com/harden/checks/budget"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/secret"
	"example.com/harden/remediate/edit"
)

// A node is a part of a JSON or YAML document: a scalar, or what has keys and values, or values alone.
type node struct {
	text     string // of a scalar, without escapes
	from, to int    // where a scalar is written, its quotes included; equal where it is not
	keys     []*node
	values   []*node
	list     bool
}

func (n *node) scalar() bool { return len(n.values) == 0 }

// document parses what may be JSON or YAML, and tells what of it is no scalar: where its comments are. It is nil for
// anything else.
func document(data []byte) (top []*node) {
	if v, err := facts.ParseObject(data); err == nil {
		return []*node{ofJSON(v)}
	}
	docs, err := budget.New("", nil).Documents(data, maxDocuments)
	if err != nil || len(docs) == maxDocuments {
		return nil
	}
	for _, d := range docs {
		doc := d.Root
		if len(doc.Content) == 0 {
			return nil
		}
		if kind := doc.Content[0].Kind; kind != yaml.MappingNode && kind != yaml.SequenceNode {
			if kind == yaml.ScalarNode && doc.Content[0].Tag == "!!null" {
				continue
			}
			return nil
		}
		where, err := edit.Extents(data, doc)
		if err != nil {
			return nil
		}
		top = append(top, ofYAML(doc.Content[0], where, map[*yaml.Node]*node{}))
	}
	return top
}

// maxDocuments is how many documents one file may have to be taken for YAML.
const maxDocuments = 1000

func ofJSON(v hujson.Value) *node {
	n := &node{}
	switch x := v.Value.(type) {
	case *hujson.Object:
		for _, m := range x.Members {
			n.keys, n.values = append(n.keys, ofJSON(m.Name)), append(n.values, ofJSON(m.Value))
		}
	case *hujson.Array:
		n.list = true
		for _, e := range x.Elements {
			n.values = append(n.values, ofJSON(e))
		}
	case hujson.Literal:
		n.text, n.from, n.to = string(x), v.StartOffset, v.EndOffset
		if x.Kind() == '"' {
			n.text = x.String()
		}
	}
	return n
}

// ofYAML is a node with its aliases followed; seen holds those that have been made, so that it takes no longer than
// the document is long.
func ofYAML(y *yaml.Node, where map[*yaml.Node]edit.Extent, seen map[*yaml.Node]*node) *node {
	for y.Kind == yaml.AliasNode {
		y = y.Alias
	}
	if n := seen[y]; n != nil {
		return n
	}
	n := &node{text: y.Value, list: y.Kind == yaml.SequenceNode}
	seen[y] = n
	if e, ok := where[y]; ok {
		n.from, n.to = e.Start, e.End
	}
	for i, c := range y.Content {
		child := ofYAML(c, where, seen)
		if y.Kind == yaml.MappingNode && i%2 == 0 {
			n.keys = append(n.keys, child)
		} else {
			n.values = append(n.values, child)
		}
	}
	return n
}

// A finder walks a document and gathers what is to be hidden of it.
type finder struct {
	data  string
	spans []span
	all   []span         // every scalar, so that what is left is structure and comments
	seen  map[visit]bool // an alias is looked at once for each way to take it
	deep  int
}

type visit struct {
	*node
	hide bool
}

// inDocument finds the secrets of a JSON or YAML document by its tree; ok is false where it is none.
func inDocument(data string, deep int) (spans []span, ok bool) {
	top := document([]byte(data))
	if top == nil {
		return nil, false
	}
	f := &finder{data: data, seen: map[visit]bool{}, deep: deep}
	for _, n := range top {
		f.walk(n, "", false)
	}
	f.comments()
	return f.spans, true
}

// walk looks at what stands under a name. Hide says that all of it is secret, by the name of what it is part of.
func (f *finder) walk(n *node, name string, hide bool) {
	if v := (visit{n, hide}); n == nil || !n.scalar() && f.seen[v] {
		return
	} else {
		f.seen[v] = true
	}
	switch {
	case n.scalar():
		f.value(n, name, hide)
	case n.list:
		f.list(n, name, hide)
	default:
		f.object(n, name, hide)
	}
}

// Keys of what is about a secret, or has one somewhere else.
var (
	besides = []string{"name", "key", "path", "file", "external", "environment", "driver", "items", "mode", "uid", "gid",
		"source", "target",
		"id", "type", "optional", "labels", "enabled", "username", "user", "defaultmode", "kind", "namespace", "apiversion",
		"description", "secretname"}
	// Keys of commands, whose words are more than the value of one variable.
	commands = []string{"command", "args", "entrypoint", "test", "cmd", "exec", "run"}
	// Keys whose own keys are names that somebody chose.
	collections = []string{"services", "volumes", "networks", "configs", "profiles", "runtimes"}
	naming      = []string{"name", "key", "variable", "env", "header"}
	namedText   = []string{"value", "val", "content", "contents", "default"}
)

func (f *finder) object(n *node, name string, hide bool) {
	named, sealed := "", false
	for i, k := range n.keys {
		f.all = append(f.all, span{From: k.from, To: k.to})
		f.spans = append(f.spans, secret.Shifted(byForm(f.data[k.from:k.to]), k.from)...)
		lower := strings.ToLower(k.text)
		if slices.Contains(naming, lower) && n.values[i].scalar() && named == "" {
			named = n.values[i].text
		}
		sealed = sealed || k.text == "kind" && n.values[i].text == "Secret"
	}
	for i, k := range n.keys {
		v, lower := n.values[i], strings.ToLower(k.text)
		inner, under := secret.Sensitive(k.text), k.text
		switch {
		case k.text == "<<":
			under, inner = name, hide
		case sealed && (lower == "data" || lower == "stringdata"):
			inner = true
		case named != "" && slices.Contains(namedText, lower):
			under, inner = named, secret.Sensitive(named) || hide
		case hide && !slices.Contains(besides, lower):
			inner = true
		case lower == "secrets" && !v.scalar() && (v.list || name == ""), lower == "imagepullsecrets":
			inner = false // names of secrets, or what Compose knows of them
			if !v.list {
				f.sealed(v)
			}
		case slices.Contains(collections, strings.ToLower(name)) && !v.scalar():
			inner = false // somebody's name for a thing
		case name == "log-opts" && secret.OfKey(k.text):
			inner = true
		}
		f.walk(v, under, inner)
	}
}

// sealed hides the content of Compose's secrets.
func (f *finder) sealed(secrets *node) {
	for _, s := range secrets.values {
		for i, k := range s.keys {
			if k.text == "content" {
				f.value(s.values[i], "secret", true)
			}
		}
	}
}

// list looks at elements, as the words of a command too.
func (f *finder) list(n *node, name string, hide bool) {
	for i, e := range n.values {
		if !e.scalar() || e.from == e.to {
			f.walk(e, name, hide)
			continue
		}
		if program, ok := commandOf(n, i); ok {
			next := n.values[i]
			line := program + " " + n.values[i-1].text + " '"
			if !strings.ContainsAny(next.text, "'\\\n") {
				if f.parts(e, secret.Arguments(line+next.text+"'", secret.Words(line+next.text+"'")), len(line)) {
					continue
				}
			} else if secret.Sensitive(n.values[i-1].text) || n.values[i-1].text == "-p" {
				f.value(e, name, true)
				continue
			}
		}
		if len(n.values) > 1 && i > 0 && n.values[0].scalar() && strings.HasPrefix(e.text, "-p") {
			line := n.values[0].text + " "
			if f.parts(e, secret.Arguments(line+e.text, secret.Words(line+e.text)), len(line)) {
				continue
			}
		}
		f.value(e, name, hide)
	}
}

// commandOf is the program of a list that is a command, where element i stands behind an option.
func commandOf(n *node, i int) (string, bool) {
	if i == 0 || !n.values[i-1].scalar() || !strings.HasPrefix(n.values[i-1].text, "-") ||
		strings.ContainsAny(n.values[i-1].text, " =\n'\"") {
		return "", false
	}
	program := "x"
	for j, w := range n.values[:i] {
		if j > 8 && j < i-8 {
			continue // what it is stands at the beginning, or behind a shell's
		}
		if w.scalar() && w.text != "" && !strings.ContainsAny(w.text, " \n'\"") && !strings.HasPrefix(w.text, "-") {
			program += " " + w.text
		}
	}
	return program, true
}

// value looks at a scalar: as one that its name says is secret, or at its form.
func (f *finder) value(n *node, under string, hide bool) {
	if n.from == n.to {
		return
	}
	f.all = append(f.all, span{From: n.from, To: n.to})
	raw := f.data[n.from:n.to]
	if name, value, ok := strings.Cut(n.text, "="); ok && secret.NameLength(name) == len(name) &&
		strings.Trim(value, "=") != "" {
		if secret.Sensitive(name) && !slices.Contains(commands, under) &&
			!strings.HasPrefix(raw, "|") && !strings.HasPrefix(raw, ">") {
			at := strings.IndexByte(raw, '=') + 1
			f.spans = append(f.spans, secret.Shifted(secret.Literals(raw[at:]), n.from+at)...)
			return
		}
		hide = hide && secret.NameLength(name) == 0 // an element of a list under such a name that has a name of its own
	}
	if hide || secret.Login(under, n.text) {
		if len(secret.Literals(n.text)) > 0 {
			f.spans = append(f.spans, secret.Shifted(literalsOf(raw), n.from)...)
		}
		return
	}
	plain := strings.Trim(raw, "\"'") == n.text
	spans := append(inText(raw), detected(raw, under)...)
	if !plain {
		inner := append(inText(n.text), detected(n.text, under)...)
		if nested, ok := inDocumentWithin(n.text, f.deep); ok {
			inner = nested
			spans = nil
		}
		found, complete := within(n.text, raw, inner)
		if spans = append(spans, found...); !complete {
			spans = []span{{From: 0, To: len(raw)}}
		}
	} else if nested, ok := inDocumentWithin(n.text, f.deep); ok && len(nested) > 0 {
		spans = append(spans, secret.Shifted(nested, strings.Index(raw, n.text))...)
	}
	f.spans = append(f.spans, secret.Shifted(spans, n.from)...)
}

// literalsOf is literals of a scalar as it is written: a block's head stays.
func literalsOf(raw string) []span {
	if raw[0] == '|' || raw[0] == '>' {
		if i := strings.IndexByte(raw, '\n'); i >= 0 {
			return secret.Shifted(secret.Literals(raw[i:]), i)
		}
	}
	return secret.Literals(raw)
}

// parts hides what spans, of a line of which the scalar is the end from at on, have in the scalar. It reports whether
// that is anything.
func (f *finder) parts(n *node, spans []span, at int) bool {
	raw, found := f.data[n.from:n.to], false
	for _, s := range spans {
		from, to := max(s.From-at, 0), min(s.To-at, len(n.text))
		if to <= from {
			continue
		}
		found = true
		if i := strings.Index(raw, n.text); i >= 0 {
			f.spans = append(f.spans, span{From: n.from + i + from, To: n.from + i + to})
		} else {
			f.spans = append(f.spans, span{From: n.from, To: n.to})
		}
	}
	if found {
		f.all = append(f.all, span{From: n.from, To: n.to})
	}
	return found
}

// maxNested is how many documents are looked into that are texts of one another.
const maxNested = 3

// inDocumentWithin looks into a document that is a scalar of another: a ConfigMap's, an annotation.
func inDocumentWithin(text string, deep int) ([]span, bool) {
	trimmed := strings.TrimSpace(text)
	if deep >= maxNested || !strings.HasPrefix(trimmed, "{") && !strings.HasPrefix(trimmed, "[") &&
		!strings.Contains(trimmed, ":") ||
		!strings.ContainsAny(trimmed, "\n{") {
		return nil, false
	}
	return inDocument(text, deep+1)
}

// comments looks at what is in no scalar.
func (f *finder) comments() {
	slices.SortFunc(f.all, func(a, b span) int { return a.From - b.From })
	last := 0
	gap := func(to int) {
		for i := last; i < to; {
			hash := strings.IndexByte(f.data[i:to], '#')
			if hash < 0 {
				return
			}
			i += hash
			end := strings.IndexByte(f.data[i:to], '\n')
			if end < 0 {
				end = to - i
			}
			text := f.data[i : i+end]
			f.spans = append(f.spans, secret.Shifted(append(inText(text), detected(text, "")...), i)...)
			i += end
		}
	}
	for _, s := range f.all {
		if s.From >= last {
			gap(s.From)
		}
		last = max(last, s.To)
	}
	gap(len(f.data))
}
