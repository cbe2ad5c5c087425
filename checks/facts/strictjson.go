package facts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/tailscale/hujson"

	"example.com/harden/checks/budget"
)

// ParseObject reads one JSON object as strictly as the strictest dockerd does, and more strictly where parsers
// disagree: whatever it accepts, every reader of the file understands alike. It refuses comments, a byte order mark,
// trailing commas, invalid UTF-8, anything after the document, an empty file, a top level that is no object, and a name
// that occurs twice in one object at any depth (editors change the first, dockerd takes the last). The error names line
// and column, both from 1, columns in characters, and never quotes the file's content beyond one character or name.
// The value that it returns holds a *hujson.Object and tells where in data each value is.
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
		return hujson.Value{}, At(data, v.StartOffset, "the top level is not an object")
	}
	return v, unique(data, v)
}

// strict reports why data is not one JSON document in UTF-8.
func strict(data []byte) error {
	switch {
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		return At(data, 0, "byte order mark")
	case len(bytes.TrimSpace(data)) == 0:
		return At(data, len(data), "the file is empty")
	}
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return At(data, i, "invalid UTF-8")
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
		return At(data, len(data), syntax.Error())
	}
	if before := bytes.TrimRight(data[:offset], " \t\r\n"); bytes.HasSuffix(before, []byte(",")) {
		if c := data[offset]; c == '}' || c == ']' {
			return At(data, len(before)-1, "trailing comma")
		}
	}
	if rest := data[offset:]; bytes.HasPrefix(rest, []byte("//")) || bytes.HasPrefix(rest, []byte("/*")) ||
		rest[0] == '#' {
		return At(data, offset, "comment, which JSON does not have")
	}
	return At(data, offset, syntax.Error())
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
				return At(data, m.Name.StartOffset, fmt.Sprintf("duplicate key %q", name))
			}
			seen[name] = true
			if err := unique(data, m.Value); err != nil {
				return err
			}
		}
	}
	return nil
}

// At is an error at an offset of data, with its line and column, both from 1.
func At(data []byte, offset int, problem string) error {
	before := data[:offset]
	column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	return fmt.Errorf("line %d, column %d: %s", bytes.Count(before, []byte("\n"))+1, column, problem)
}
