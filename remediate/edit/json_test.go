package edit

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks/facts/docker"
)

func TestJSON(t *testing.T) {
	key := func(k ...string) []string { return k }
	object := map[string]any{"soft": 1024, "hard": 2048}
	for _, tt := range []struct {
		name, in string
		key      []string
		value    any
		want     string
	}{
		{"tabs", "{\n\t\"debug\": false,\n\t\"hosts\": [\"fd://\"]\n}\n", key("icc"), false,
			"{\n\t\"debug\": false,\n\t\"hosts\": [\"fd://\"],\n\t\"icc\": false\n}\n"},
		{"no final newline", "{\n    \"debug\": false\n}", key("icc"), false,
			"{\n    \"debug\": false,\n    \"icc\": false\n}"},
		{"CRLF", "{\r\n  \"debug\": false\r\n}\r\n", key("icc"), false,
			"{\r\n  \"debug\": false,\r\n  \"icc\": false\r\n}\r\n"},
		{"CRLF nested", "{\r\n\t\"debug\": false\r\n}", key("log-opts", "max-size"), "10m",
			"{\r\n\t\"debug\": false,\r\n\t\"log-opts\": {\r\n\t\t\"max-size\": \"10m\"\r\n\t}\r\n}"},
		{"CRLF empty", "{\r\n}\r\n", key("icc"), false, "{\r\n  \"icc\": false\r\n}\r\n"},
		{"one line", `{"debug":false}`, key("icc"), false, `{"debug":false,"icc":false}`},
		{"one line, python's way", "{\"debug\": false}\n", key("icc"), false, "{\"debug\": false, \"icc\": false}\n"},
		{"one line, two", `{"a": 1, "b": 2}`, key("icc"), false, `{"a": 1, "b": 2, "icc": false}`},
		{"one line, blanks inside", `{ "a" : 1 }`, key("icc"), false, `{ "a" : 1, "icc" : false }`},
		{"one line nested", `{"a":1}`, key("x", "y"), []string{"p", "q"}, `{"a":1,"x":{"y":["p","q"]}}`},
		{"one line nested, spaced", `{"a": 1, "o": {}}`, key("o", "y"), object,
			`{"a": 1, "o": {"y": {"hard": 2048, "soft": 1024}}}`},
		{"empty", "{}\n", key("icc"), false, "{\n  \"icc\": false\n}\n"},
		{"of no bytes", "", key("icc"), false, "{\n  \"icc\": false\n}\n"},
		{"of blanks", "\n \n", key("icc"), false, "{\n  \"icc\": false\n}\n"},
		{"empty, blank", "{ }", key("icc"), false, "{\n  \"icc\": false\n}"},
		{"empty, broken", "{\n}\n", key("icc"), false, "{\n  \"icc\": false\n}\n"},
		{"odd spacing", "{\n  \"debug\" : false\n\n}", key("icc"), false, "{\n  \"debug\" : false,\n  \"icc\" : false\n\n}"},
		{"empty lines between", "{\n  \"a\": 1,\n\n  \"b\": 2\n}", key("icc"), false,
			"{\n  \"a\": 1,\n\n  \"b\": 2,\n  \"icc\": false\n}"},
		{"first on the brace's line", "{ \"a\": 1\n, \"b\": 2\n}", key("c"), 3, "{ \"a\": 1\n, \"b\": 2, \"c\": 3\n}"},
		{"nested in an object there", "{\n  \"log-opts\": {\n    \"tag\": \"x\"\n  }\n}\n", key("log-opts", "max-size"),
			"10m",
			"{\n  \"log-opts\": {\n    \"tag\": \"x\",\n    \"max-size\": \"10m\"\n  }\n}\n"},
		{"nested in an empty object", "{\n  \"log-opts\": {}\n}\n", key("log-opts", "max-size"), "10m",
			"{\n  \"log-opts\": {\n    \"max-size\": \"10m\"\n  }\n}\n"},
		{"object value", "{\n    \"a\": 1\n}\n", key("default-ulimits", "nofile"), object,
			"{\n    \"a\": 1,\n    \"default-ulimits\": {\n        \"nofile\": {\n            \"hard\": 2048,\n" +
				"            \"soft\": 1024\n        }\n    }\n}\n"},
		{"replace", "{\n  \"icc\" :true , \"b\":1e3\n}", key("icc"), false, "{\n  \"icc\" :false , \"b\":1e3\n}"},
		{"replace a list by an object", "{\n  \"a\": [\n    1\n  ]\n}", key("a"), object,
			"{\n  \"a\": {\n    \"hard\": 2048,\n    \"soft\": 1024\n  }\n}"},
		{"other numbers keep their text", `{"a":12345678901234567890,"b":1.0,"c":-0,"icc":1}`, key("icc"), 2,
			`{"a":12345678901234567890,"b":1.0,"c":-0,"icc":2}`},
		{"unicode", "{\n  \"ключ\": \"☃ \\u2603 <&>\"\n}\n", key("名"), "<&> ☃",
			"{\n  \"ключ\": \"☃ \\u2603 <&>\",\n  \"名\": \"<&> ☃\"\n}\n"},
		{"an escaped name is that name", `{"\u0069cc":true}`, key("icc"), false, `{"\u0069cc":false}`},
		{"same value", "{ \"icc\" :\tfalse}", key("icc"), false, "{ \"icc\" :\tfalse}"},
		{"same list", `{"a":[ "x" ,"y" ]}`, key("a"), []string{"x", "y"}, `{"a":[ "x" ,"y" ]}`},
		{"remove the only one", "{\n  \"icc\": false\n}\n", key("icc"), nil, "{\n}\n"},
		{"remove the first", "{\n  \"a\": 1,\n  \"b\": 2\n}\n", key("a"), nil, "{\n  \"b\": 2\n}\n"},
		{"remove the last", "{\n  \"a\": 1,\n  \"b\": 2\n}\n", key("b"), nil, "{\n  \"a\": 1\n}\n"},
		{"remove in the middle", `{"a": 1, "b": 2, "c": 3}`, key("b"), nil, `{"a": 1, "c": 3}`},
		{"remove nested", "{\n  \"o\": {\"x\": 1, \"y\": 2}\n}", key("o", "y"), nil, "{\n  \"o\": {\"x\": 1}\n}"},
		{"remove what is not there", "{ }", key("a"), nil, "{ }"},
		{"remove below what is not there", "{ }", key("a", "b"), nil, "{ }"},
		{"blanks around", " \n{\"a\":1} \n\n", key("b"), 2, " \n{\"a\":1,\"b\":2} \n\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := JSON([]byte(tt.in), tt.key, tt.value)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			again, err := JSON(got, tt.key, tt.value)
			if err != nil || &again[0] != &got[0] {
				t.Errorf("the second edit gave %q, %v; want the very bytes of the first", again, err)
			}
		})
	}
}

func TestJSONNewFile(t *testing.T) {
	got, err := JSON(nil, []string{"icc"}, false)
	if want := "{\n  \"icc\": false\n}\n"; err != nil || string(got) != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	if got, err := JSON(nil, []string{"icc"}, nil); got != nil || err != nil {
		t.Errorf("removing from no file: %q, %v; want no file", got, err)
	}
}

func TestJSONRefuses(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"line comment", "{\n  // x\n  \"a\": 1\n}", "line 2, column 3: comment, which JSON does not have"},
		{"block comment", "{\"a\": /* x */ 1}", "line 1, column 7: comment, which JSON does not have"},
		{"hash", "# x\n{}", "line 1, column 1: comment, which JSON does not have"},
		{"comment at the end", "{}\n// x", "line 2, column 1: comment, which JSON does not have"},
		{"BOM", "\xef\xbb\xbf{}", "line 1, column 1: byte order mark"},
		{"trailing comma", "{\n  \"é\": 1,\n}", "line 2, column 9: trailing comma"},
		{"trailing comma in a list", "{\"a\": [1, ]}", "line 1, column 9: trailing comma"},
		{"duplicate", "{\n  \"a\": 1,\n  \"a\": 2\n}", "line 3, column 3: duplicate key \"a\""},
		{"duplicate, escaped", `{"a": 1, "\u0061": 2}`, "line 1, column 10: duplicate key \"a\""},
		{"duplicate below", `{"é": [{"b": 1, "b": 2}]}`, "line 1, column 17: duplicate key \"b\""},
		{"list", "[]", "line 1, column 1: the top level is not an object"},
		{"scalar", "\n null", "line 2, column 2: the top level is not an object"},
		{"invalid UTF-8", "{\"a\": \"\xff\"}", "line 1, column 8: invalid UTF-8"},
		{"trailing garbage", "{}\n x", "line 2, column 2: invalid character 'x' after top-level value"},
		{"two documents", "{}{}", "line 1, column 3: invalid character '{' after top-level value"},
		{"cut off", "{\"a\": 1", "line 1, column 8: unexpected end of JSON input"},
		{"no comma", "{\"a\": 1\n\"b\": 2}", "line 2, column 1: invalid character '\"' after object key:value pair"},
		{"through a scalar", "{\n \"a\": 1}", "line 2, column 7: the value of \"a\" is not an object"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := JSON([]byte(tt.in), []string{"a", "b"}, true)
			if got != nil || err == nil || err.Error() != tt.want {
				t.Errorf("got %q, %v; want %s", got, err, tt.want)
			}
		})
	}
	deep := strings.Repeat(`{"a":`, 20000) + "1" + strings.Repeat("}", 20000)
	if _, err := JSON([]byte(deep), []string{"b"}, 1); err == nil {
		t.Error("20,000 levels were accepted")
	}
	for _, bad := range []any{"\xff", func() {}} {
		if got, err := JSON([]byte("{}"), []string{"a"}, bad); err == nil {
			t.Errorf("%v became %q", bad, got)
		}
	}
	if _, err := JSON([]byte("{}"), nil, 1); err == nil {
		t.Error("an empty path was accepted")
	}
}

// FuzzJSON: an edit that is not refused changes the one member and leaves the bytes around one place alone; taking
// an added member out of an object that had others gives back the document.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{"{}", "{\n}\n", "{\"a\":1}", "{\r\n\t\"a\": {\"b\" : [1 , 2]},\r\n\r\n\t\"c\":null\r\n}",
		"{ \"a\" : {} }",
		"{\"a\":{\"b\":1},\n \"d\":{\n}\n}", "{\"a\n", "{\n  \"a\": \"\\u0062\"  ,\n  \"b\":\n1}"} {
		f.Add([]byte(s), "a", "b", `"x"`)
		f.Add([]byte(s), "new", "", `{"k":[1,{}]}`)
		f.Add([]byte(s), "a", "", `null`)
	}
	f.Fuzz(func(t *testing.T, data []byte, outer, inner, text string) {
		if data == nil {
			data = []byte{}
		}
		value, err := decode([]byte(text))
		if err != nil || !json.Valid([]byte(text)) {
			return
		}
		key := []string{outer}
		if inner != "" {
			key = append(key, inner)
		}
		after, err := JSON(data, key, value)
		if refused(t, err) {
			return
		}
		var was, is map[string]any
		if json.Unmarshal(data, &was) != nil || json.Unmarshal(after, &is) != nil {
			t.Fatalf("%q became %q, and one of them does not parse", data, after)
		}
		var want any
		_ = json.Unmarshal([]byte(text), &want)
		if assign(was, key, want); !reflect.DeepEqual(was, is) {
			t.Fatalf("%q became %q", data, after)
		}
		if eol(data) == "\r\n" && bytes.Count(data, []byte("\n")) == bytes.Count(data, []byte("\r\n")) &&
			bytes.Count(after, []byte("\n")) != bytes.Count(after, []byte("\r\n")) {
			t.Fatalf("%q lost a carriage return in %q", data, after)
		}
		if again, err := JSON(after, key, value); err != nil || !bytes.Equal(again, after) {
			t.Fatalf("%q, edited again, became %q, %v", after, again, err)
		}
		keys, err := docker.ParseKeys(data)
		if err != nil {
			t.Fatal(err)
		}
		if _, there := keys.Values[outer]; !there && len(keys.Order) > 0 && value != nil {
			if back, err := JSON(after, key[:1], nil); err != nil || !bytes.Equal(back, data) {
				t.Fatalf("%q became %q and then %q, %v", data, after, back, err)
			}
		}
	})
}
