package budget_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"example.com/harden/checks/budget"
)

// TestSpend exceeds each limit by one, of one file and of all together.
func TestSpend(t *testing.T) {
	for kind, limit := range budget.PerFile {
		b := budget.New("f", nil)
		if err := b.Spend(budget.Kind(kind), limit, 1); err != nil {
			t.Errorf("kind %d: %v", kind, err)
		}
		err := b.Spend(budget.Kind(kind), 1, 7)
		if !errors.Is(err, budget.Err) || b.Err() != err || b.Spend(budget.Kind(kind), 0, 0) != err ||
			budget.New("", nil).Spend(budget.Kind(kind), -1, 0) == nil {
			t.Errorf("kind %d: %v", kind, err)
		}
		if want := fmt.Sprintf("f: line 7: too large or too complex: more than %d ",
			limit); !strings.HasPrefix(err.Error(), want) {
			t.Errorf("kind %d: %v", kind, err)
		}
	}
	all := budget.NewTogether("")
	left := budget.Together[budget.Values]
	for ; left > 0; left -= budget.PerFile[budget.Values] {
		if err := budget.New("f", all).Spend(budget.Values, budget.PerFile[budget.Values], 0); err != nil {
			t.Fatal(err)
		}
	}
	err := budget.New("last", all).Spend(budget.Values, 1, 3)
	if want := fmt.Sprintf("last: line 3: too large or too complex: more than %d values (the limit of all "+
		"files together); make it smaller",
		budget.Together[budget.Values]); err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
	if err := budget.New("other", all).Spend(budget.Names, 1, 0); err != nil {
		t.Errorf("what is left of another kind: %v", err)
	}
}

// TestDocuments tells texts that a parser, or whoever follows their aliases, would make too much of.
func TestDocuments(t *testing.T) {
	rep := strings.Repeat
	laughs := "a: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, " +
		"*b, *b, *b, *b, *b, *b, *b, *b]\n" +
		"d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n"
	for name, test := range map[string]struct{ text, want string }{
		"honest":        {"a: &a {b: c}\nd: *a\n---\ne: f\n", ""},
		"nothing":       {"", ""},
		"laughs within": {laughs, ""},
		"laughs beyond": {laughs + "e: [*d, *d, *d, *d, *d, *d]\n",
			"line 5: too large or too complex: more than 60000 values once"},
		"in itself":        {"a: &a\n  b: *a\n", "line 2: an alias is part of what it stands for"},
		"a hundred levels": {rep("[", 98) + rep("]", 98), ""},
		"more levels": {rep("[", 102) + rep("]", 102),
			"line 1: too large or too complex: more than 100 levels"},
		"ten thousand":       {rep("[", 9_000) + rep("]", 9_000), "more than 100 levels"},
		"marks in a text":    {"a: '" + rep("[", 80_000) + "'\n", ""},
		"too many marks":     {"a: '" + rep("[", 91_000) + "'\n", "more than 30000 values"},
		"too many values":    {rep("- a\n", 30_001), "line 29999: too large or too complex: more than 30000 values"},
		"too many documents": {rep("---\n", 100_000), "more than 30000 values"},
		"too long":           {rep("a", 4<<20+1), "more than 4194304 bytes"},
		"comments":           {rep("#\n", 100_000), "more than 30000 values"},
	} {
		_, err := budget.New("", nil).Documents([]byte(test.text), 100_000)
		if test.want == "" && err != nil || test.want != "" &&
			(err == nil || !strings.Contains(err.Error(), test.want) || !errors.Is(err, budget.Err)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTexts does so with JSON and with lines.
func TestTexts(t *testing.T) {
	rep := strings.Repeat
	for name, test := range map[string]struct{ json, want string }{
		"honest": {`{"a": [1, {"b": "[[[[,,,:\""}]}`, ""},
		"text":   {`["` + rep(`[{,:\"`, 100_000) + `"]`, ""},
		"too many values": {"[" + rep("0,\n", 30_001) + "0]",
			"line 29999: too large or too complex: more than 30000 values"},
		"too deep": {rep("[", 101), "more than 100 levels"},
		"no JSON":  {`]]]]"\`, ""},
	} {
		if err := budget.New("", nil).JSON([]byte(test.json)); test.want == "" && err != nil ||
			test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, test := range map[string]struct{ text, want string }{
		"honest": {rep("a b c\n", 20_000), ""}, "lines": {rep("\n", 30_000), "line 30001"},
		"words": {rep("a ", 90_001), "line 1"}, "commas": {rep(",", 90_001), "line 1"},
	} {
		if err := budget.New("", nil).Lines([]byte(test.text)); test.want == "" && err != nil ||
			test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzDocuments holds what is made of a text to a size, and whoever follows all its aliases to a number of steps.
func FuzzDocuments(f *testing.F) {
	f.Add("a: &a {b: c}\nd: {<<: [*a, *a]}\n")
	f.Add("a: &a [*a]\n")
	f.Add(strings.Repeat("- ", 200) + "a\n")
	f.Add("x: " + strings.Repeat("[", 9_000))
	f.Fuzz(func(t *testing.T, text string) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		docs, err := budget.New("", nil).Documents([]byte(text), 10)
		runtime.ReadMemStats(&after)
		if size := after.TotalAlloc - before.TotalAlloc; size > 64<<20 {
			t.Fatalf("%d bytes of %d", size, len(text))
		}
		if err != nil {
			return
		}
		steps := 0
		var walk func(n *yaml.Node)
		walk = func(n *yaml.Node) {
			if steps++; steps > budget.PerFile[budget.Expanded]+1 {
				t.Fatal("no end")
			}
			if n.Kind == yaml.AliasNode {
				walk(n.Alias)
			}
			for _, c := range n.Content {
				walk(c)
			}
		}
		for _, d := range docs {
			steps = 0
			walk(d.Root)
		}
	})
}
