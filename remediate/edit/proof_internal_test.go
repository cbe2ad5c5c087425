package edit

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// TestProofs has each editor's proof look at what an editor must not make. No input is known that leads there, so the
// proofs are asked themselves.
func TestProofs(t *testing.T) {
	one, two := "1", "2"
	for _, c := range []struct {
		name, after string
		value       *string
		boolean, ok bool
	}{
		{"as wanted", "x --f=1 a b", &one, false, true},
		{"another value", "x --f=2 a b", &one, false, false},
		{"twice", "x --f=1 a b --f=1", &one, false, false},
		{"not there", "x a b", &one, false, false},
		{"a word more", "x --f=1 a b c", &one, false, false},
		{"a word changed", "x --f=1 a c", &one, false, false},
		{"words in another order", "x --f=1 b a", &one, false, false},
		{"not a command line", "x --f=1 a 'b", &one, false, false},
		{"gone as wanted", "x a b", nil, false, true},
		{"still there", "x --f=1 a b", nil, false, false},
		{"still there, a boolean", "x --f a b", nil, true, false},
		{"in two words", "x --f 2 a b", &two, false, true},
	} {
		err := proveFlag(c.after, "f", c.boolean, c.value, []string{"x", "a", "b"})
		if ok := err == nil; ok != c.ok || !ok && !errors.Is(err, errProof) {
			t.Errorf("proveFlag, %s: %v", c.name, err)
		}
	}
	old, err := unitLines([]byte("[A]\nk=1\nm=2\n[B]\nk=3\n"))
	if err != nil {
		t.Fatal(err)
	}
	mine := func(l unitLine) bool { return l.section == "A" && l.key == "k" }
	for after, ok := range map[string]bool{
		"[A]\nk=9\nm=2\n[B]\nk=3\n":       true,
		"[A]\nm=2\nk=9\n[B]\nk=3\n":       true,
		"[A]\nk=1\nm=2\n[B]\nk=3\n":       false, // not as wanted
		"[A]\nk=9\nk=9\nm=2\n[B]\nk=3\n":  false, // twice
		"[A]\nk=9\nm=5\n[B]\nk=3\n":       false, // another key's value
		"[A]\nk=9\n[B]\nk=3\n":            false, // another key is gone
		"[A]\nk=9\nm=2\n[C]\nk=3\n":       false, // another section
		"[A]\nk=9\nm=2\n[B]\nk=3\nx=1\n":  false, // one more
		"[A]\nk=9\nm=2\n[B]\nk=3\nnone\n": false, // no unit any more
	} {
		if err := proveUnit(old, []byte(after), mine, []string{"9"}); (err == nil) != ok {
			t.Errorf("proveUnit, %q: %v", after, err)
		}
	}
}

// TestSaid holds what is compared of an instruction to being all of its words.
func TestSaid(t *testing.T) {
	for text, want := range map[string]string{
		"add a /b":                  "ADD a /b",
		"ADD --chown=1 a b":         "ADD a b", // flags are compared beside
		"ONBUILD add a b":           "ADD a b",
		"ONBUILD RUN echo x":        "RUN echo x",
		`CMD ["a", "b c"]`:          "CMD a b c",
		"ENV A=1 B=2":               "ENV A 1 = B 2 =",
		"HEALTHCHECK CMD x":         "HEALTHCHECK CMD x",
		"COPY <<E /b\nhello\nE\n":   "COPY <<E /b E hello\n",
		"ONBUILD COPY <<E /b\nh\nE": "COPY <<E /b E h\n",
	} {
		parsed, err := parser.Parse(strings.NewReader("FROM x\n" + text))
		if err != nil {
			t.Fatal(text, err)
		}
		if got := strings.Join(said(parsed.AST.Children[1]), " "); got != want {
			t.Errorf("%q says %q, want %q", text, got, want)
		}
	}
	if !slices.Equal(said(&parser.Node{Value: "run"}), []string{"RUN"}) {
		t.Error("an instruction with nothing behind it")
	}
}
