package edit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/tailscale/hujson"

	"example.com/harden/checks/facts"
)

// JSON sets the member at the path key of a JSON object to value, or removes it when value is nil. Objects that the
// path names and the document lacks are made. Nil data means that there is no file yet. Adding a member to an object
// that has some and removing it again gives back the same bytes.
//
// A file of blanks alone, which new dockerds take for no settings, counts as none too. It refuses what else
// docker.ParseKeys refuses, and a path that leads through something that is not an object.
func JSON(data []byte, key []string, value any) ([]byte, error) {
	if len(key) == 0 {
		return nil, errors.New("no key to edit was given")
	}
	want, err := plain(key, value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(key, "."), err)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		if value == nil {
			return data, nil
		}
		data = []byte("{}\n")
	}
	top, err := facts.ParseObject(data)
	if err != nil {
		return nil, err
	}
	s, err := layoutOf(data, top).edit(top, key, want)
	if err != nil {
		return nil, err
	}
	after := s.apply(data)
	if err := proveJSON(data, after, key, want); err != nil {
		return nil, err
	}
	return after, nil
}

// plain is value as a JSON parser would return it, numbers as they are spelt.
func plain(key []string, value any) (any, error) {
	text, err := json.Marshal([]any{key, value})
	if err != nil {
		return nil, err
	}
	if bytes.Contains(text, []byte(`\ufffd`)) { // what encoding/json makes of bytes that are not UTF-8
		return nil, errors.New("the key or its new value is not valid UTF-8")
	}
	v, err := decode(text)
	if err != nil {
		return nil, err
	}
	return v.([]any)[1], nil
}

func decode(text []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return v, d.Decode(&v)
}

// proveJSON compares after, parsed, with before and the intended change.
func proveJSON(before, after []byte, key []string, want any) error {
	if _, err := facts.ParseObject(after); err != nil {
		return fmt.Errorf("%w: %w", errProof, err)
	}
	old, err := decode(before)
	if err != nil {
		return err
	}
	now, err := decode(after)
	if err != nil {
		return err
	}
	if assign(old.(map[string]any), key, want); !reflect.DeepEqual(old, now) {
		return errProof
	}
	return nil
}

func assign(object map[string]any, key []string, want any) {
	name := key[0]
	inner, ok := object[name].(map[string]any)
	switch {
	case len(key) == 1 && want == nil:
		delete(object, name)
	case len(key) == 1:
		object[name] = want
	case ok:
		assign(inner, key[1:], want)
	case want != nil:
		inner = map[string]any{}
		object[name] = inner
		assign(inner, key[1:], want)
	}
}

// A layout is how a document is written, for what is added to it where nothing beside it tells.
type layout struct {
	data   []byte
	eol    string
	indent string // one level
	colon  string
	flat   bool // members follow one another on one line
}

func layoutOf(data []byte, top hujson.Value) layout {
	l := layout{data: data, eol: eol(data), indent: "  ", colon: ": "}
	members := top.Value.(*hujson.Object).Members
	if len(members) == 0 {
		return l
	}
	last := members[len(members)-1]
	l.colon = string(last.Name.AfterExtra) + ":" + string(last.Value.BeforeExtra)
	if before := lastLine(last.Name.BeforeExtra); strings.Contains(before, "\n") {
		l.indent = strings.TrimLeft(before, "\r\n")
	} else {
		l.flat = true
	}
	if strings.Contains(l.colon, "\n") {
		l.colon = ": "
	}
	return l
}

// lastLine is a member's leading blanks without the empty lines among them.
func lastLine(blanks hujson.Extra) string {
	i := bytes.LastIndexByte(blanks, '\n')
	if i > 0 && blanks[i-1] == '\r' {
		i--
	}
	return string(blanks[max(i, 0):])
}

// margin is the indentation of the line that offset is on.
func (l layout) margin(offset int) string {
	line := l.data[bytes.LastIndexByte(l.data[:offset], '\n')+1:]
	return string(line[:len(line)-len(bytes.TrimLeft(line, " \t"))])
}

// edit is the splice that brings want about at the path key below the object v.
func (l layout) edit(v hujson.Value, key []string, want any) (splice, error) {
	o := v.Value.(*hujson.Object)
	i := slices.IndexFunc(o.Members, func(m hujson.ObjectMember) bool {
		return m.Name.Value.(hujson.Literal).String() == key[0]
	})
	switch {
	case i < 0 && want == nil:
		return splice{}, nil
	case i < 0:
		for _, name := range slices.Backward(key[1:]) {
			want = map[string]any{name: want}
		}
		return l.add(v, o, key[0], want), nil
	}
	member := o.Members[i]
	if len(key) > 1 {
		if _, ok := member.Value.Value.(*hujson.Object); !ok {
			return splice{}, facts.At(l.data, member.Value.StartOffset, fmt.Sprintf("the value of %q is not an object", key[0]))
		}
		return l.edit(member.Value, key[1:], want)
	}
	if want == nil {
		return remove(o, i), nil
	}
	start, end := member.Value.StartOffset, member.Value.EndOffset
	old, err := decode(l.data[start:end])
	if err != nil || reflect.DeepEqual(old, want) {
		return splice{}, err
	}
	flat := !bytes.Contains(member.Name.BeforeExtra, []byte("\n"))
	return splice{start, end, l.render(want, l.margin(member.Name.StartOffset), flat)}, nil
}

// add makes a new last member, laid out as the one before it.
func (l layout) add(v hujson.Value, o *hujson.Object, name string, want any) splice {
	if len(o.Members) == 0 {
		return l.fill(v, o, name, want)
	}
	last := o.Members[len(o.Members)-1]
	before := lastLine(last.Name.BeforeExtra)
	if len(o.Members) == 1 && before == "" && strings.Trim(string(last.Value.BeforeExtra), " ") == "" {
		before = string(last.Value.BeforeExtra) // {"a": 1} goes on as {"a": 1, "b": 2}
	}
	text := "," + before + literal(name) + string(last.Name.AfterExtra) + ":" + string(last.Value.BeforeExtra) +
		l.render(want, l.margin(last.Name.StartOffset), !strings.Contains(before, "\n"))
	return splice{last.Value.EndOffset, last.Value.EndOffset, text}
}

// fill gives an object without members its first one.
func (l layout) fill(v hujson.Value, o *hujson.Object, name string, want any) splice {
	start, end := v.StartOffset+len("{"), v.EndOffset-len("}")
	broken := bytes.Contains(o.AfterExtra, []byte("\n"))
	if l.flat && !broken {
		return splice{start, end, literal(name) + l.colon + l.render(want, "", true)}
	}
	margin := l.margin(v.StartOffset)
	text := l.eol + margin + l.indent + literal(name) + l.colon + l.render(want, margin+l.indent, false)
	if broken {
		return splice{start, start, text}
	}
	return splice{start, end, text + l.eol + margin}
}

// remove takes out member i with its comma and the blanks that came with it.
func remove(o *hujson.Object, i int) splice {
	m := o.Members[i]
	switch {
	case i+1 < len(o.Members):
		return splice{m.Name.StartOffset, o.Members[i+1].Name.StartOffset, ""}
	case i > 0:
		return splice{o.Members[i-1].Value.EndOffset, m.Value.EndOffset, ""}
	}
	return splice{m.Name.StartOffset - len(m.Name.BeforeExtra), m.Value.EndOffset, ""}
}

// render writes a value that begins on a line indented by margin: objects over several lines unless flat, lists on one.
func (l layout) render(v any, margin string, flat bool) string {
	comma := ", "
	if strings.HasSuffix(l.colon, ":") {
		comma = ","
	}
	switch v := v.(type) {
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = l.render(e, "", true)
		}
		return "[" + strings.Join(parts, comma) + "]"
	case map[string]any:
		var parts []string
		inner := margin + l.indent
		for _, name := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, literal(name)+l.colon+l.render(v[name], inner, flat))
		}
		if flat || len(parts) == 0 {
			return "{" + strings.Join(parts, comma) + "}"
		}
		return "{" + l.eol + inner + strings.Join(parts, ","+l.eol+inner) + l.eol + margin + "}"
	}
	return literal(v)
}

// literal writes a scalar as JSON, and < > & as themselves.
func literal(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // a scalar that came out of a decoder goes into an encoder
	}
	return strings.TrimSuffix(b.String(), "\n")
}
