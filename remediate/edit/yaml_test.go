package edit

import (
	"bytes"
	"os"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

func TestYAML(t *testing.T) {
	path := func(p ...string) []string { return p }
	mount := map[string]any{"mountPath": "/var/log/x", "name": "logs", "readOnly": true}
	for _, tt := range []struct {
		name, in string
		path     []string
		value    any
		want     string
	}{
		{"replace", "a: 1 # one\nb: 2\n", path("a"), 3, "a: 3 # one\nb: 2\n"},
		{"replace at the end, no newline", "a: 1\nb: 2", path("b"), false, "a: 1\nb: false"},
		{"replace below", "a:\n    b:\n        c: x\n    d: y\n", path("a", "b", "c"), "z",
			"a:\n    b:\n        c: z\n    d: y\n"},
		{"CRLF", "a: 1\r\nb:\r\n  c: 2\r\n", path("b", "d"), "x", "a: 1\r\nb:\r\n  c: 2\r\n  d: x\r\n"},
		{"CRLF remove", "a: 1\r\nb: 2\r\n", path("a"), nil, "b: 2\r\n"},
		{"CRLF remove the last, no newline", "a: 1\r\nb: 2", path("b"), nil, "a: 1"},
		{"single quotes", "a: 'x' # c\n", path("a"), "it's", "a: 'it''s' # c\n"},
		{"double quotes", `a: "x\ty"` + "\n", path("a"), "z", `a: "z"` + "\n"},
		{"a quoted number stays a string", "a: \"1\"\n", path("a"), "2", "a: \"2\"\n"},
		{"a string that reads as a bool", "a: x\n", path("a"), "yes", "a: \"yes\"\n"},
		{"a string that reads as a number", "a: x\n", path("a"), "0644", "a: \"0644\"\n"},
		{"a string that reads as base 60", "a: x\n", path("a"), "22:22", "a: \"22:22\"\n"},
		{"a string that reads as a date", "a: x\n", path("a"), "2001-01-01", "a: \"2001-01-01\"\n"},
		{"a string with a hash", "a: x\n", path("a"), "b #c", "a: \"b #c\"\n"},
		{"several lines", "a: x\n", path("a"), "b\nc", "a: \"b\\nc\"\n"},
		{"the empty string", "a: x\n", path("a"), "", "a: \"\"\n"},
		{"over two lines", "a: x\n  y\nb: 1\n", path("a"), "z", "a: z\nb: 1\n"},
		{"quoted over two lines", "a: \"x\n  y\"\nb: 1\n", path("a"), "z", "a: \"z\"\nb: 1\n"},
		{"a block scalar", "a: |\n  x\n  # text\n\nb: 1\n", path("a"), "z", "a: z\n\nb: 1\n"},
		{"after a block scalar", "a: |2-\n    x\n\n# c\n", path("b"), 1, "a: |2-\n    x\nb: 1\n\n# c\n"},
		{"after a block scalar that keeps", "x: 1\na: |+\n  x\n\n", path("b"), 1, "x: 1\na: |+\n  x\n\nb: 1\n"},
		{"add", "a: 1\n\n# end\n", path("b"), true, "a: 1\nb: true\n\n# end\n"},
		{"add, no newline", "a: 1", path("b"), true, "a: 1\nb: true"},
		{"add with parents", "a: 1\nb:\n   c: 2\n", path("x", "v", "z"), true,
			"a: 1\nb:\n   c: 2\nx:\n   v:\n      z: true\n"},
		{"add below an empty value", "a:   # later\nb: 1\n", path("a", "c"), 2, "a:   # later\n  c: 2\nb: 1\n"},
		{"add below null", "a: ~ # c\nb: 1\n", path("a", "c"), 2, "a: # c\n  c: 2\nb: 1\n"},
		{"add below an empty mapping", "a: {} # c\nb: 1\n", path("a", "c"), 2, "a: # c\n  c: 2\nb: 1\n"},
		{"add after a deep end", "a:\n  b:\n    - c: 1\n      d: [x,\n       y]  # d\n  # about e\ne: 1\n", path("a", "f"),
			"g",
			"a:\n  b:\n    - c: 1\n      d: [x,\n       y]  # d\n  f: g\n  # about e\ne: 1\n"},
		{"an empty value becomes a scalar", "a:\nb: 1\n", path("a"), "x", "a: x\nb: 1\n"},
		{"an empty document", "{}\n", path("a"), 1, "a: 1\n"},
		{"only a comment", "# c\n", path("a", "b"), 1, "# c\na:\n  b: 1\n"},
		{"a document marker", "---\na: 1\n", path("b"), 2, "---\na: 1\nb: 2\n"},
		{"document markers", "---\na: 1\n...\n", path("b"), 2, "---\na: 1\nb: 2\n...\n"},
		{"remove", "a: 1 # a\n# b\nb: 2\nc: 3\n", path("b"), nil, "a: 1 # a\n# b\nc: 3\n"},
		{"remove with what is below", "a: 1\nb:\n  - x # x\n  - y:\n      z: |\n        q\n        # q\nc: 3\n", path("b"),
			nil, "a: 1\nc: 3\n"},
		{"remove the last, no newline", "a: 1\nb: 2", path("b"), nil, "a: 1"},
		{"remove the only one", "a:\n  b: 1\nc: 2\n", path("a", "b"), nil, "a: {}\nc: 2\n"},
		{"remove the only one of all", "a: 1\n", path("a"), nil, "{}\n"},
		{"remove the first behind a dash", "- a: 1\n  b: 2\n", path("0", "a"), nil, "- b: 2\n"},
		{"remove the second behind a dash", "- a: 1\n  b: 2\n- c\n", path("0", "b"), nil, "- a: 1\n- c\n"},
		{"remove what is not there", "a: 1\n", path("b", "c"), nil, "a: 1\n"},
		{"indented sequence", "a:\n  - x # x\n  - y\nb: 1\n", path("a", "-"), "z", "a:\n  - x # x\n  - y\n  - z\nb: 1\n"},
		{"sequence below its key", "a:\n- x # x\n- y\nb: 1\n", path("a", "-"), "z", "a:\n- x # x\n- y\n- z\nb: 1\n"},
		{"element", "a:\n- x # x\n- 'y'\n", path("a", "1"), "z", "a:\n- x # x\n- 'z'\n"},
		{"remove an element", "a:\n- x # x\n- y # y\n- z\n", path("a", "1"), nil, "a:\n- x # x\n- z\n"},
		{"remove the only element", "a:\n- x\nb: 1\n", path("a", "0"), nil, "a: []\nb: 1\n"},
		{"below an element", "a:\n- n: 1\n  m:\n    k: v\n- n: 2\n", path("a", "0", "m", "j"), "w",
			"a:\n- n: 1\n  m:\n    k: v\n    j: w\n- n: 2\n"},
		{"an element that is a mapping", "a:\n  - b: 1\n    c: 2\n", path("a", "-"), mount,
			"a:\n  - b: 1\n    c: 2\n  - mountPath: /var/log/x\n    name: logs\n    readOnly: true\n"},
		{"sequences in sequences", "- - a\n  - b\n- c\n", path("0", "-"), "x", "- - a\n  - b\n  - x\n- c\n"},
		{"a new sequence, laid out as another", "a:\n- x\nb: 1\n", path("c"), []string{"p", "q"},
			"a:\n- x\nb: 1\nc:\n- p\n- q\n"},
		{"a new sequence", "b: 1\n", path("c", "d"), []string{"p"}, "b: 1\nc:\n  d:\n    - p\n"},
		{"sequence set whole", "a:\n# first\n- x # x\n# second\n- y\n- z # z\n", path("a"), []string{"w", "y", "z", "q"},
			"a:\n# first\n- w # x\n# second\n- y\n- z # z\n- q\n"},
		{"sequence set shorter", "a:\n- x\n- y # y\n- z\nb: 1\n", path("a"), []string{"y"}, "a:\n- y # y\nb: 1\n"},
		{"sequence set longer at the front", "a:\n  - x # x\n", path("a"), []string{"v", "w", "x"},
			"a:\n  - v\n  - w\n  - x # x\n"},
		{"sequence set to nothing", "a:\n  - x\nb: 1\n", path("a"), []string{}, "a: []\nb: 1\n"},
		{"nothing set to a sequence", "a: []\nb: 1\n", path("a"), []string{"x"}, "a:\n  - x\nb: 1\n"},
		{"scalar to a sequence", "a: x # c\nb: 1\n", path("a"), []string{"x"}, "a: # c\n  - x\nb: 1\n"},
		{"a string becomes a list of flags", "command: [\"a\", \"--b=c\"]\n", path("command", "-"), "--d=e,f",
			"command: [\"a\", \"--b=c\", \"--d=e,f\"]\n"},
		{"flow, no blanks", "a: [x,y]\n", path("a", "-"), "z", "a: [x,y,z]\n"},
		{"flow, blanks inside", "a: [ x ]\n", path("a", "-"), "z", "a: [ x, z ]\n"},
		{"flow mapping", "a: {b: 1, c: {d: x}}\n", path("a", "c", "d"), "w", "a: {b: 1, c: {d: w}}\n"},
		{"flow mapping, add", "a: {b: 1, c: {}}\n", path("a", "c", "d"), "w", "a: {b: 1, c: {d: w}}\n"},
		{"flow mapping, add beside", "a: {b: 1}\n", path("a", "c", "d"), "w", "a: {b: 1, c: {d: w}}\n"},
		{"flow mapping, remove", "a: {b: 1, c: 2, d: 3}\n", path("a", "c"), nil, "a: {b: 1, d: 3}\n"},
		{"flow mapping, remove the last", "a: {b: 1, c: 2}\n", path("a", "c"), nil, "a: {b: 1}\n"},
		{"flow mapping, a value that is missing", "a: {b: , c: 2}\n", path("a", "b"), 1, "a: {b: 1, c: 2}\n"},
		{"flow, remove the first", "a: [x, y] # c\n", path("a", "0"), nil, "a: [y] # c\n"},
		{"flow, set whole", "a: [\"x\",  'y']\n", path("a"), []string{"'y", "y", "z"}, "a: [\"'y\",  'y',  z]\n"},
		{"flow over lines", "a: [\n  x,\n  y\n]\n", path("a", "-"), "z", "a: [\n  x,\n  y,\n  z\n]\n"},
		{"JSON", "{\"a\": {\"b\": true}, \"c\": [1, 2]}", path("a", "d"), "x",
			"{\"a\": {\"b\": true, \"d\": \"x\"}, \"c\": [1, 2]}"},
		{"JSON over lines, with tabs", "{\n\t\"a\": [\n\t\t\"--x\",\n\t\t\"--y=1\"\n\t]\n}\n", path("a"),
			[]string{"--x", "--w=no", "--y=1", "--z"},
			"{\n\t\"a\": [\n\t\t\"--x\",\n\t\t\"--w=no\",\n\t\t\"--y=1\",\n\t\t\"--z\"\n\t]\n}\n"},
		{"an object into JSON", "{\"a\": [{\"b\": 1}]}", path("a", "-"), map[string]any{"name": "no", "on": true},
			"{\"a\": [{\"b\": 1}, {\"name\": \"no\", \"on\": true}]}"},
		{"an alias is left alone", "a: &x\n  b: 1\nc: *x\nd: 1\n", path("d"), 2, "a: &x\n  b: 1\nc: *x\nd: 2\n"},
		{"an alias is replaced", "a: &x 1\nc: *x # c\n", path("c"), 2, "a: &x 1\nc: 2 # c\n"},
		{"an anchor nobody uses", "a: &x\n  b: 1\n", path("a", "b"), 2, "a: &x\n  b: 2\n"},
		{"over a merge key", "x: &x {r: no}\na:\n  <<: *x\n  b: 1\n", path("a", "r"), "on",
			"x: &x {r: no}\na:\n  <<: *x\n  b: 1\n  r: \"on\"\n"},
		{"removing beside a merge key", "x: &x {r: no}\na:\n  <<: *x\n  b: 1\n", path("a", "c"), nil,
			"x: &x {r: no}\na:\n  <<: *x\n  b: 1\n"},
		{"blank after the key", "a :  1\n", path("a"), 2, "a :  2\n"},
		{"a quoted key with a colon", "\"a: b\":\n  'c #': 1\n", path("a: b", "c #"), 2, "\"a: b\":\n  'c #': 2\n"},
		{"a key that needs quotes", "a: 1\n", path("b: c"), 2, "a: 1\n\"b: c\": 2\n"},
		{"unicode", "ключ: ☃ # ☃\nb: é\n", path("ключ"), "x", "ключ: x # ☃\nb: é\n"},
		{"a value on the next line", "a:\n  x\nb: 1\n", path("a"), "w", "a: w\nb: 1\n"},
		{"a URL", "a: http://x/#y # c\n", path("a"), "https://x/", "a: https://x/ # c\n"},
		{"after a tag", "a: !!str x\n", path("b"), 1, "a: !!str x\nb: 1\n"},
		{"after a tag and quotes", "a: !!str \"x # y\"  # c\n", path("b"), 1, "a: !!str \"x # y\"  # c\nb: 1\n"},
		{"after an anchor and a tag", "a: &n !!str 'x'\n", path("b"), 1, "a: &n !!str 'x'\nb: 1\n"},
		{"after an anchored list", "a: &n\t[x,\n  y]\n", path("b"), 1, "a: &n\t[x,\n  y]\nb: 1\n"},
		{"after an anchored block scalar", "a: &n |\n  x\n\n  y\n", path("b"), 1, "a: &n |\n  x\n\n  y\nb: 1\n"},
		{"after an empty block scalar", "a: |\n", path("b"), 1, "a: |\nb: 1\n"},
		{"after a block scalar with a comment", "a: > # 3 +\n  x\n\n", path("b"), 1, "a: > # 3 +\n  x\nb: 1\n\n"},
		{"after a block scalar that is indented more", "a:\n  b: |2\n      x\n    y\n", path("a", "c"), 1,
			"a:\n  b: |2\n      x\n    y\n  c: 1\n"},
		{"before a block scalar", "a: 1\nb: |\n  a: 2\n", path("a"), 3, "a: 3\nb: |\n  a: 2\n"},
		{"a quote in a comment within", "a: [x, # don't\n  y]\n", path("b"), 1, "a: [x, # don't\n  y]\nb: 1\n"},
		{"a bracket in a comment within", "a: [x, # ]\n  y]\n", path("b"), 1, "a: [x, # ]\n  y]\nb: 1\n"},
		{"a bracket in quotes within", "a: [\"]\", '}''[', {k: \"\\\"]\"}]\n", path("b"), 1,
			"a: [\"]\", '}''[', {k: \"\\\"]\"}]\nb: 1\n"},
		{"a quote that is none", "a: [x'y, z\"]\n", path("b"), 1, "a: [x'y, z\"]\nb: 1\n"},
		{"a hash that is no comment", "a: [x#y]\nb: 1\n", path("b"), 2, "a: [x#y]\nb: 2\n"},
		{"blanks before a comment", "a: x\t# c\n", path("a"), "z", "a: z\t# c\n"},
		{"flow, a wide separator", "a: [x,  y]\n", path("a", "-"), "z", "a: [x,  y,  z]\n"},
		{"flow, a comment between", "a: [x, # c\n  y]\n", path("a", "-"), "z", "a: [x, # c\n  y, z]\n"},
		{"flow mapping, no blanks", "a: {b: 1,c: 2}\n", path("a", "d"), 3, "a: {b: 1,c: 2,d: 3}\n"},
		{"flow mapping, remove the first", "a: {b: 1, c: 2}\n", path("a", "b"), nil, "a: {c: 2}\n"},
		{"remove the only element behind a dash", "- - a\n- c\n", path("0", "0"), nil, "- []\n- c\n"},
		{"remove the last of many, no newline", "a: 1\nb:\n- x\n- y", path("b", "1"), nil, "a: 1\nb:\n- x"},
		{"remove the first line of one without a newline", "a: 1\nb: 2", path("a"), nil, "b: 2"},
		{"over lines, with a line between", "a: x\n\n  y\nb: 1\n", path("a"), "z", "a: z\nb: 1\n"},
		{"the last is over lines", "b: 1\na: x\n  y", path("a"), "z", "b: 1\na: z"},
		{"an empty value at the end", "a: 1\nb:\n", path("b"), "x", "a: 1\nb: x\n"},
		{"an empty value at the end, no newline", "a: 1\nb:", path("b", "c"), "x", "a: 1\nb:\n  c: x"},
		{"remove the middle, no newline at the end", "a: 1\nb: 2\nc: 3", path("b"), nil, "a: 1\nc: 3"},
		{"a list in a flow mapping", "a: {b: 1}\n", path("a", "c"), []string{"x", "y,z"}, "a: {b: 1, c: [x, \"y,z\"]}\n"},
		{"an element moved, others kept", "a:\n- 1 # one\n- x # x\n- y # y\n- z\n", path("a"), []string{"y", "z", "x"},
			"a:\n- y # y\n- z\n- x\n"},
		{"the longest part is kept", "a:\n- p # p\n- q # q\n- r # r\n", path("a"), []string{"q", "r", "p"},
			"a:\n- q # q\n- r # r\n- p\n"},
		{"what is not printable", "a: x\n", path("a"), "\u007f\u0080\uffff\U000e0001é",
			"a: \"\\u007f\\u0080\\uffff\\U000e0001é\"\n"},
		{"null in capitals", "a: NULL\n", path("a"), "x", "a: x\n"},
		{"a float", "a: 1\n", path("a"), 2.5, "a: 2.5\n"},
		{"a list of what there is", "a: 1\n", path("b"), []any{nil, true, "y", map[string]any{"z": 1, "k": nil}},
			"a: 1\nb:\n  - null\n  - true\n  - \"y\"\n  - k: null\n    z: 1\n"},
		{"a sequence two longer at the front, in flow", "a: [x]\n", path("a"), []string{"v", "w", "x"}, "a: [v, w, x]\n"},
		{"same value", "a:   'x'\n", path("a"), "x", "a:   'x'\n"},
		{"same bool", "a: True\n", path("a"), true, "a: True\n"},
		{"same sequence", "a: [ x ,y]\n", path("a"), []string{"x", "y"}, "a: [ x ,y]\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := YAML([]byte(tt.in), tt.path, tt.value)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if tt.path[len(tt.path)-1] == "-" || tt.value == nil {
				return
			}
			again, err := YAML(got, tt.path, tt.value)
			if err != nil || &again[0] != &got[0] {
				t.Errorf("the second edit gave %q, %v; want the very bytes of the first", again, err)
			}
		})
	}
}

func TestYAMLNewFile(t *testing.T) {
	got, err := YAML(nil, []string{"a", "b"}, true)
	if want := "a:\n  b: true\n"; err != nil || string(got) != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	if got, err := YAML(nil, []string{"a"}, nil); got != nil || err != nil {
		t.Errorf("removing from no file: %q, %v; want no file", got, err)
	}
}

func TestYAMLRefuses(t *testing.T) {
	ab := []string{"a", "b"}
	const belowDash = "line 3, column 3: an element that is not on the line of its dash: edit it yourself"
	for _, tt := range []struct {
		name, in string
		path     []string
		value    any
		want     string
	}{
		{"BOM", "\xef\xbb\xbfa: 1\n", ab, 1, "line 1, column 1: byte order mark"},
		{"invalid UTF-8", "a: \xff\n", ab, 1, "line 1, column 4: invalid UTF-8"},
		{"tab", "a:\n\tb: 1\n", ab, 1, "line 2, column 1: indentation by a tab"},
		{"lone CR", "a: 1\rb: 2\n", ab, 1, "line 1, column 5: a line break that not every parser takes for one"},
		{"two documents", "a: 1\n---\nb: 2\n", ab, 1, "line 2: another document begins: edit it yourself"},
		{"duplicate", "a: 1\nb:\n  c: 1\n  'c': 2\n", ab, 1, "line 4, column 3: duplicate key \"c\""},
		{"complex key", "? [x]\n: 1\n", ab, 1, "line 1, column 3: a key that is not a scalar: edit it yourself"},
		{"question mark", "? a\n: b: 1\n", ab, 2, "line 1, column 3: a key with no colon behind it: edit it yourself"},
		{"through a scalar", "a: x\n", ab, 1, "line 1, column 4: the value there is neither a mapping nor a sequence, so " +
			"it has no \"b\""},
		{"through a list", "a: [x]\n", ab, 1, "line 1, column 4: the sequence there has no element \"b\""},
		{"a scalar", "x\n", ab, 1,
			"line 1, column 1: the value there is neither a mapping nor a sequence, so it has no \"a\""},
		{"an alias on the way", "x: &x\n  b: 1\na: *x\n", ab, 2,
			"line 3, column 4: the value is an alias, so that the change would reach what *x stands for: edit it yourself"},
		{"an anchor on the way", "a: &x\n  b: 1\nc: *x\n", ab, 2,
			"line 1, column 4: *x repeats this elsewhere, where the change would be seen too: edit it yourself"},
		{"an anchored value", "a:\n  b: &x 1\nc: *x\n", ab, 2,
			"line 2, column 6: the value has an anchor or a tag: edit it yourself"},
		{"a tagged value", "a:\n  b: !env X\n", ab, 2,
			"line 2, column 6: the value has an anchor or a tag: edit it yourself"},
		{"removing an anchor", "a:\n  b: &x 1\nc: *x\n", ab, nil,
			"line 2, column 6: an alias repeats this elsewhere: edit it yourself"},
		{"removing what merges", "x: &x {b: 1}\na:\n  <<: *x\n", ab, nil,
			"line 3, column 3: \"b\" comes from a merge key: edit it yourself"},
		{"below what merges", "x: &x {b: {c: 1}}\na:\n  <<: [*x]\n", []string{"a", "b", "c"}, 2,
			"line 3, column 3: \"b\" comes from a merge key: edit it yourself"},
		{"merging itself", "a: &x\n  <<: *x\n  c: 1\n", ab, 1,
			"line 2: an alias is part of what it stands for, beyond any limit; remove it"},
		{"a comment within", "a:\n  b:\n    # c\n    c: 1\n", ab, 2,
			"line 4, column 5: a comment would be lost: edit it yourself"},
		{"a comment between", "- a: 1\n  # b\n  b: 2\n", []string{"0", "a"}, nil,
			"line 1, column 3: a comment would be lost: edit it yourself"},
		{"a merge key itself", "x: &x {b: 1}\na:\n  <<: *x\n", []string{"a", "<<"}, 1,
			"line 3, column 3: a merge key: edit it yourself"},
		{"after a block scalar that a newline would change", "a: |\n  x", []string{"b"}, 1,
			"the document is laid out in a way that harden cannot edit safely: edit it yourself"},
		{"an element below its dash", "a:\n-\n  x\n- \"y\"\n", []string{"a"}, []string{"z", "y"}, belowDash},
		{"an element below its dash goes", "a:\n-\n  x\n- \"y\"\n", []string{"a"}, []string{"y"}, belowDash},
		{"one more before an element below its dash", "a:\n-\n  x\n- \"y\"\n", []string{"a"}, []string{"w", "x", "y"},
			belowDash},
		{"one more behind an element below its dash", "a:\n-\n  x\n", []string{"a", "-"}, "w", belowDash},
		{"behind a document's marker", "--- {}\n", ab, 1,
			"line 1, column 5: the document begins behind something else on its line: edit it yourself"},
		{"a comment in a list that is set whole", "a: {b: [x, # c\n  w]}\n", ab, []string{"z"},
			"line 1, column 8: a comment would be lost: edit it yourself"},
		{"a path that is no text", "a: 1\n", []string{"\xff"}, 1, "the path to the field is not valid UTF-8"},
		{"a value that is no text", "a: 1\n", ab, "\xff", "a.b: the new value is not valid UTF-8"},
		{"a key that is no text", "a: 1\n", ab, map[string]any{"\xff": 1}, "a.b: a key of the new value is not valid UTF-8"},
		{"a value in a list that is no text", "a: 1\n", ab, []string{"\xff"}, "a.b: the new value is not valid UTF-8"},
		{"not YAML", "a: [1\n", ab, 1, "line 1: did not find expected ',' or ']'"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := YAML([]byte(tt.in), tt.path, tt.value)
			if got != nil || err == nil || err.Error() != tt.want {
				t.Errorf("got %q, %v; want %s", got, err, tt.want)
			}
		})
	}
	for _, bad := range []any{"\xff", func() {}, struct{}{}, []any{make(chan int)}, map[int]string{1: "x"}} {
		if got, err := YAML([]byte("{}"), []string{"a"}, bad); err == nil {
			t.Errorf("%v became %q", bad, got)
		}
	}
	if _, err := YAML([]byte("{}"), nil, 1); err == nil {
		t.Error("an empty path was accepted")
	}
}

// everyPath lists the paths of all values below n.
func everyPath(n *yaml.Node, prefix []string) (all [][]string) {
	for i, c := range n.Content {
		name := ""
		switch {
		case n.Kind == yaml.MappingNode && i%2 == 0:
			continue
		case n.Kind == yaml.MappingNode:
			name = n.Content[i-1].Value
		default:
			name = strconv.Itoa(i)
		}
		p := append(append([]string{}, prefix...), name)
		all = append(append(all, p), everyPath(c, p)...)
	}
	return all
}

var oddYAML = []string{
	"a: 1\n", "a: 1", "", "# c\n", "---\n", "a:\r\n  - b: |\r\n      x\r\n    c: 1\r\n",
	"- a\n- - b\n  - c: d\n    e: {f: [g, \"h,]\"], i: }\n",
	"a: &x\n  b: 'it''s' # c\nc: *x\nd:\n  <<: *x\n  e: >-\n    f\n\n    g\n  # h\nh: \"i\\\"#\"\n",
	"a: {\n  b: [1,\n  # c\n  2]\n}\n",
	"a : x\n  y\n\n  z\nb:\n\n  c:\n   - 1\n   -\n   - ~\n", "? a\n: b\n", "a: [\"x\", 'y' , z ]\n",
	"a:\n- |+\n  x\n\n\n- y\n", "a: !t {b: 1}\nc: !!str 5\n",
	"\"k\\u0061\": 1\n'k: 2': 3\n", "a: {b: http://x, \"c\":d}\n", "a: - b\n", "a:\n  b: |1\n    x\n   y\n  c: z\n",
	"{a: 1, b}\n", "a: x#y\nb: 'x' #y\n", "%YAML 1.1\n---\na: 1\n",
}

// FuzzYAML: an edit that is not refused changes that one value, and every line that it touches is its own; what was
// added goes away again without a trace.
func FuzzYAML(f *testing.F) {
	for _, s := range oddYAML {
		f.Add([]byte(s), "x", uint8(0))
		f.Add([]byte(s), "on: #", uint8(1))
	}
	f.Fuzz(func(t *testing.T, data []byte, text string, pick uint8) {
		if data == nil {
			data = []byte{}
		}
		top, err := parseYAML(data)
		if err != nil || top == nil {
			return
		}
		values := []any{text, true, 7, nil, []string{text, "b"}, map[string]any{"k": text},
			[]any{map[string]any{"k": 1, text: []string{text}}}}
		for _, p := range everyPath(top, nil) {
			for _, v := range values {
				mustHold(t, data, p, v)
				mustHold(t, data, append(append([]string{}, p...), "new"), v)
				mustHold(t, data, append(append([]string{}, p...), "-"), v)
			}
		}
		mustHold(t, data, []string{"new", "er"}, values[int(pick)%len(values)])
	})
}

func mustHold(t *testing.T, data []byte, path []string, value any) {
	after, err := YAML(data, path, value)
	if refused(t, err) {
		return
	}
	if eol(data) == "\r\n" && bytes.Count(data, []byte("\n")) == bytes.Count(data, []byte("\r\n")) &&
		bytes.Count(after, []byte("\n")) != bytes.Count(after, []byte("\r\n")) {
		t.Fatalf("%q lost a carriage return in %q", data, after)
	}
	last := path[len(path)-1]
	if last != "-" && value != nil {
		again, err := YAML(after, path, value)
		if err != nil || !bytes.Equal(again, after) {
			t.Fatalf("%q, %q edited again, became %q, %v", after, path, again, err)
		}
	}
	top, _ := parseYAML(data)
	n := top
	for _, name := range path[:len(path)-1] {
		i := child(n, name)
		if i < 0 {
			return
		}
		n = n.Content[i]
	}
	if last == "new" && n.Kind == yaml.MappingNode && len(n.Content) > 0 && value != nil {
		if back, err := YAML(after, path, nil); err != nil || !bytes.Equal(back, data) {
			t.Fatalf("%q became %q and then %q, %v", data, after, back, err)
		}
	}
}

// TestYAMLEverywhere edits every value of what kubeadm writes, in every way.
func TestYAMLEverywhere(t *testing.T) {
	for _, name := range []string{"kube-apiserver.yaml", "etcd.yaml", "kubelet-config.yaml"} {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		top, err := parseYAML(data)
		if err != nil {
			t.Fatal(err)
		}
		edits := 0
		for _, p := range everyPath(top, nil) {
			for _, v := range []any{"x", nil, []string{"y"}} {
				after, err := YAML(data, p, v)
				if err != nil {
					t.Errorf("%s: %q to %v: %v", name, p, v, err)
				} else if !bytes.Equal(after, data) {
					edits++
				}
			}
		}
		if edits < 50 {
			t.Errorf("%s: only %d edits", name, edits)
		}
	}
}
