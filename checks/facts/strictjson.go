package facts

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/tailscale/hujson"

	"example.com/harden/checks/budget"
)

// ParseKeys reads a daemon.json as strictly as the strictest dockerd does, and more strictly where parsers disagree:
// whatever it accepts, every reader of the file understands alike. It refuses comments, a byte order mark, trailing
// commas, invalid UTF-8, anything after the document, an empty file, a top level that is no object, and a name that
// occurs twice in one object at any depth (editors change the first, dockerd takes the last). The error names line
// and column, both from 1, columns in characters, and never quotes the file's content beyond one character or name.
func ParseKeys(data []byte) (*Keys, error) {
	top, err := ParseObject(data)
	if err != nil {
		return nil, err
	}
	keys := &Keys{Values: map[string]json.RawMessage{}}
	for _, m := range top.Value.(*hujson.Object).Members {
		name := m.Name.Value.(hujson.Literal).String()
		keys.Order = append(keys.Order, name)
		keys.Values[name] = bytes.Clone(data[m.Value.StartOffset:m.Value.EndOffset])
	}
	return keys, nil
}

// parseDaemonKeys reads a daemon.json as the Engine of this host does. From 23.0 on dockerd takes an empty file for one
// that says nothing and goes by a byte order mark; before, it does not start with either. Where its version is not
// known, what only some take is an error. Source: moby daemon/config/config.go, getConflictFreeConfiguration.
func parseDaemonKeys(data []byte, engine *EngineFacts) (*Keys, error) {
	text, odd := decoded(data)
	if odd == "" {
		return ParseKeys(data)
	}
	if engine == nil {
		return nil, fmt.Errorf("%s, which dockerd takes from 23.0 on only; write the file without it", odd)
	}
	if !engine.AtLeast(23, 0) {
		return nil, fmt.Errorf("%s, with which dockerd %s does not start; write the file without it", odd,
			engine.ServerVersion)
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return &Keys{Values: map[string]json.RawMessage{}}, nil
	}
	return ParseKeys(text)
}

// decoded is a daemon.json without its byte order mark, in UTF-8, and what it has that old dockerds do not take.
func decoded(data []byte) (text []byte, odd string) {
	order := map[string]binary.ByteOrder{"\xff\xfe": binary.LittleEndian, "\xfe\xff": binary.BigEndian}
	for mark, o := range order {
		rest, ok := bytes.CutPrefix(data, []byte(mark))
		if !ok {
			continue
		}
		var units []uint16
		for ; len(rest) > 1; rest = rest[2:] {
			units = append(units, o.Uint16(rest))
		}
		return []byte(string(utf16.Decode(units))), "it is in UTF-16"
	}
	if text, ok := bytes.CutPrefix(data, []byte("\xef\xbb\xbf")); ok {
		return text, "it begins with a byte order mark"
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, "it is empty"
	}
	return data, ""
}

// ParseObject is ParseKeys for those who need the whole tree and where in data each value is. The value that it
// returns holds a *hujson.Object.
func ParseObject(data []byte) (hujson.Value, error) {
	if err := budget.New("", nil).JSON(data); err != nil { // hujson itself has no limit
		return hujson.Value{}, err
	}
	if err := strict(data); err != nil {
		return hujson.Value{}, err
	}
	v, err := hujson.Parse(data)
	if err != nil {
		return hujson.Value{}, err
	}
	if _, ok := v.Value.(*hujson.Object); !ok {
		return hujson.Value{}, at(data, v.StartOffset, "the top level is not an object")
	}
	return v, unique(data, v)
}

// strict reports why data is not one JSON document in UTF-8.
func strict(data []byte) error {
	switch {
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		return at(data, 0, "byte order mark")
	case len(bytes.TrimSpace(data)) == 0:
		return at(data, len(data), "the file is empty")
	}
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return at(data, i, "invalid UTF-8")
		}
		i += n
	}
	var syntax *json.SyntaxError
	err := json.Unmarshal(data, new(json.RawMessage))
	if !errors.As(err, &syntax) {
		return err
	}
	offset := max(int(syntax.Offset)-1, 0) // it counts the bytes read, the offending one included
	if syntax.Error() == "unexpected end of JSON input" {
		return at(data, len(data), syntax.Error())
	}
	if before := bytes.TrimRight(data[:offset], " \t\r\n"); bytes.HasSuffix(before, []byte(",")) {
		if c := data[offset]; c == '}' || c == ']' {
			return at(data, len(before)-1, "trailing comma")
		}
	}
	if rest := data[offset:]; bytes.HasPrefix(rest, []byte("//")) || bytes.HasPrefix(rest, []byte("/*")) ||
		rest[0] == '#' {
		return at(data, offset, "comment, which JSON does not have")
	}
	return at(data, offset, syntax.Error())
}

// unique reports the first name, in document order, that its object has twice.
func unique(data []byte, v hujson.Value) error {
	switch v := v.Value.(type) {
	case *hujson.Array:
		for _, e := range v.Elements {
			if err := unique(data, e); err != nil {
				return err
			}
		}
	case *hujson.Object:
		seen := map[string]bool{}
		for _, m := range v.Members {
			name := m.Name.Value.(hujson.Literal).String()
			if seen[name] {
				return at(data, m.Name.StartOffset, fmt.Sprintf("duplicate key %q", name))
			}
			seen[name] = true
			if err := unique(data, m.Value); err != nil {
				return err
			}
		}
	}
	return nil
}

// at is an error at an offset of data.
func at(data []byte, offset int, problem string) error {
	before := data[:offset]
	column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	return fmt.Errorf("line %d, column %d: %s", bytes.Count(before, []byte("\n"))+1, column, problem)
}
