package facts

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks/budget"
)

func TestParseYAML(t *testing.T) {
	for text, want := range map[string]string{
		"a: 1\nb: {c: [x]}\n":        "",
		"# comment\na: 1\n---\n":     "",
		`{"a": 1}`:                   "",
		"":                           "the file is empty",
		"# only a comment\n":         "the file is empty",
		"[1]":                        "line 1: the top level is not an object",
		"text":                       "line 1: the top level is not an object",
		"a: 1\nb:\n  c: 1\n  c: 2\n": `line 4: duplicate key "c"`,
		"a: 1\n---\nb: 2\n":          "line 3: a second document begins, which nothing reads",
		"a: [\n":                     "line 1: did not find expected node content",
		"a: b: c":                    "line 1: mapping values are not allowed in this context",
	} {
		got := ""
		if _, err := parseYAML(budget.New("", nil), []byte(text)); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: (-want +got)\n%s", text, cmp.Diff(want, got))
		}
	}
}

// TestLook merges as RFC 7386 does, and quotes nothing of a value of the wrong type.
func TestLook(t *testing.T) {
	root, err := parseYAML(budget.New("", nil), []byte("a: {b: 1, c: null, d: &x secret}\ne: null\nf: 7\ng: *x\n"))
	if err != nil {
		t.Fatal(err)
	}
	d := &Document{File: "/f", root: root}
	for field, want := range map[string]Found{
		"a": Said, "a.b": Said, "a.c": Removed, "a.z": Silent, "e": Removed, "e.z": Removed, "f.z": Removed, "z": Silent,
		"g": Said,
	} {
		if _, got := d.Look(strings.Split(field, ".")); got != want {
			t.Errorf("%s: %d, want %d", field, got, want)
		}
	}
	if got := d.Text("g"); got != "secret" {
		t.Errorf("through its alias g is %q", got)
	}
	v, _ := d.At("a", "d")
	var n int
	if err := v.Decode(&n); err == nil || err.Error() != "/f: line 1: a value of another type is expected" {
		t.Errorf("error %v", err)
	}
}
