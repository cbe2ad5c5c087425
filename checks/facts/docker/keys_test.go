package docker

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks/budget"
)

func TestParseKeys(t *testing.T) {
	got, err := ParseKeys([]byte(" {\r\n\t\"z\": 12345678901234567890 ,\"\\u0061\" :{ \"b\":[1.0, \"☃\"]\n} } \n"))
	want := &Keys{Order: []string{"z", "a"}, Values: map[string]json.RawMessage{
		"z": json.RawMessage("12345678901234567890"), "a": json.RawMessage("{ \"b\":[1.0, \"☃\"]\n}")}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}

func TestParseKeysRefuses(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"{\n  // x\n}", "line 2, column 3: comment, which JSON does not have"},
		{"\xef\xbb\xbf{}", "line 1, column 1: byte order mark"},
		{"{\"a\": 1\r\n,\r\n}", "line 2, column 1: trailing comma"},
		{"{\"é\": 1, \"é\": 2}", "line 1, column 10: duplicate key \"é\""},
		{"{\"a\": [{\"b\": {}, \"b\": 2}]}", "line 1, column 18: duplicate key \"b\""},
		{"[{}]", "line 1, column 1: the top level is not an object"},
		{"{\"a\": \"é\xff\"}", "line 1, column 9: invalid UTF-8"},
		{"{} {}", "line 1, column 4: invalid character '{' after top-level value"},
		{"{\"a\": \"x\ty\"}", "line 1, column 9: invalid character '\\t' in string literal"},
		{"", "line 1, column 1: the file is empty"},
		{"\n\t", "line 2, column 2: the file is empty"},
		{"{\n", "line 2, column 1: unexpected end of JSON input"},
	} {
		if got, err := ParseKeys([]byte(tt.in)); got != nil || err == nil || err.Error() != tt.want {
			t.Errorf("ParseKeys(%q) = %v, %v; want %s", tt.in, got, err, tt.want)
		}
	}
	if _, err := ParseKeys([]byte(strings.Repeat("[", 4<<20))); err == nil {
		t.Error("four million levels were accepted")
	}
	if _, err := ParseKeys([]byte(`{"a":` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + "}")); err != nil {
		t.Errorf("a hundred levels: %v", err)
	}
	if _, err := ParseKeys([]byte(`{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "}")); !errors.Is(err,
		budget.Err) {
		t.Errorf("a hundred and one levels: %v", err)
	}
}

// FuzzParseKeys: what is accepted, encoding/json reads alike, and no error quotes a string of the file.
func FuzzParseKeys(f *testing.F) {
	for _, s := range []string{"{}", `{"a":1,}`, `{"a":{"b":[{}]},"c":"\ud800"}`, "{\"a\"\r\n:1}//", "\xef\xbb\xbf{}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := ParseKeys(data)
		var want map[string]json.RawMessage
		plain := json.Unmarshal(data, &want)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "line ") {
				t.Fatalf("%q: %v names no place", data, err)
			}
			return
		}
		if plain != nil {
			t.Fatalf("%q is accepted here and refused by encoding/json: %v", data, plain)
		}
		if diff := cmp.Diff(want, keys.Values); diff != "" {
			t.Fatalf("%q (-encoding/json +here)\n%s", data, diff)
		}
	})
}
