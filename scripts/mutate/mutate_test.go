package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMutate mutates a small package, of which one part is tested well, one at one value, and one not at all.
func TestMutate(t *testing.T) {
	p, err := load("./testdata/sample")
	if err != nil {
		t.Fatal(err)
	}
	r := &runner{ctx: t.Context(), factor: 8, work: t.TempDir()}
	if err := r.prepare(p, 2); err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	outcomes := make([]outcome, len(p.mutants))
	r.each(len(p.mutants), func(b bench, i int) { outcomes[i], _ = r.try(b, p.mutants[i]) })
	for i, m := range p.mutants {
		what := outcomes[i]
		if what == survived || what == unreached {
			got[m.fn] = append(got[m.fn], what.String()+": "+m.source)
		}
		if m.fn == "Sum" && m.op == "delete" && m.source == "without n--" && what != endless {
			t.Errorf("%s: %s, and it has no end", m.source, what)
		}
	}
	want := map[string][]string{
		"First": {"reached by no test: false instead of len(all) == 0",
			"reached by no test: true instead of len(all) == 0",
			"reached by no test: 0 + 1", "reached by no test: 0 - 1", "reached by no test: 0 + 1",
			"reached by no test: 0 - 1"},
		"Mode": {"survived: 0o022 + 1", "survived: 0o022 - 1", "survived: 0 + 1", "survived: 0 - 1"},
		"Sum":  {"survived: n >= 0"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("not caught (-want +got)\n%s", diff)
	}
}

// TestLines holds what is compiled to the lines of what was written, and mutants to naming a place in it.
func TestLines(t *testing.T) {
	p, err := load("./testdata/sample")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range p.files {
		was, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if is := p.overlay[file]; bytes.Count(was, []byte("\n")) != bytes.Count([]byte(is), []byte("\n")) {
			t.Errorf("%s has other lines:\n%s", file, is)
		}
	}
	for _, m := range p.mutants {
		if m.line == 0 || m.fn == "" || m.source == "" || m.file != "scripts/mutate/testdata/sample/sample.go" {
			t.Errorf("%+v", m)
		}
	}
}

// TestChoose takes the same sample whatever has happened to the rest of a package, and parts it without a remainder.
func TestChoose(t *testing.T) {
	p, err := load("./testdata/sample")
	if err != nil {
		t.Fatal(err)
	}
	keys := func(all []*mutant) (out []string) {
		for _, m := range all {
			out = append(out, m.key())
		}
		slices.Sort(out)
		return out
	}
	some := func(all []*mutant, o options, seed uint64) []string {
		return keys(o.choose(slices.Clone(all), nil, seed))
	}
	whole := some(p.mutants, options{sample: 7, shards: 1}, 1)
	if len(whole) != 7 || slices.Equal(whole, some(p.mutants, options{sample: 7, shards: 1}, 2)) {
		t.Errorf("a sample of 7 is %q, whatever the seed", whole)
	}
	all := func(n int) []*mutant { return (&options{sample: n, shards: 1}).choose(slices.Clone(p.mutants), nil, 1) }
	if !slices.Equal(all(3), all(7)[:3]) {
		t.Error("a sample of 3 is not where one of 7 begins")
	}
	parts := append(some(p.mutants, options{sample: 7, shards: 2}, 1), some(p.mutants, options{sample: 7, shard: 1,
		shards: 2}, 1)...)
	slices.Sort(parts)
	if diff := cmp.Diff(whole, parts); diff != "" {
		t.Errorf("two shards (-whole +parts)\n%s", diff)
	}
	left := slices.DeleteFunc(slices.Clone(p.mutants), func(m *mutant) bool { return m.fn == "First" })
	stay := slices.DeleteFunc(slices.Clone(whole), func(k string) bool { return strings.Contains(k, "First") })
	for _, k := range stay {
		if !slices.Contains(some(left, options{sample: 7, shards: 1}, 1), k) {
			t.Errorf("%s is out of the sample, because another function is gone", k)
		}
	}
	if got := some(p.mutants, options{shards: 1}, 1); len(got) != len(p.mutants) {
		t.Errorf("%d of %d without a sample", len(got), len(p.mutants))
	}
}

// TestChooseAlike takes mutants that differ by nothing but their place apart, like any others: a sample of which many
// are of one line says little of a package.
func TestChooseAlike(t *testing.T) {
	var all []*mutant
	for i := range 9 {
		all = append(all, &mutant{id: i, fn: "Alike", op: "-1", source: "0 - 1"})
	}
	for i := range 991 {
		all = append(all, &mutant{id: 9 + i, fn: fmt.Sprint("Fn", i)})
	}
	for seed := range uint64(20) {
		order := (&options{shards: 1}).choose(all, nil, seed)
		first := slices.IndexFunc(order, func(m *mutant) bool { return m.fn == "Alike" })
		last := first
		for i, m := range order {
			if m.fn == "Alike" {
				last = i
			}
		}
		if last-first < 250 {
			t.Errorf("seed %d: all nine lie within %d of a thousand", seed, last-first)
		}
	}
}

// TestBusy does not take a test for endless that a busy machine has held up.
func TestBusy(t *testing.T) {
	r := &runner{ctx: t.Context(), work: t.TempDir(), factor: 8}
	for _, test := range []struct {
		then string
		want outcome
	}{{"exit 0", survived}, {"exit 1", failed}} {
		script := "#!/bin/sh\n[ -e \"$TMPDIR/held-up\" ] && " + test.then + "\n: >\"$TMPDIR/held-up\"\nexec sleep 600\n"
		b := bench(t.TempDir())
		if err := errors.Join(os.Mkdir(b.tmp(), 0o755),
			os.WriteFile(filepath.Join(string(b), "a.test"), []byte(script), 0o755)); err != nil {
			t.Fatal(err)
		}
		r.cache = r.work
		r.units = []*unit{{program: "a.test", dir: "/", run: "^TestIt$", reaches: map[int]bool{7: true}}}
		if got, by := r.try(b, &mutant{id: 7}); got != test.want {
			t.Errorf("held up once, and then %s: %s by %s", test.then, got, by)
		}
	}
}

// TestAllowed refuses an exception that gives no reason.
func TestAllowed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "equivalent")
	for text, ok := range map[string]bool{
		"# a comment\n\nf.go\tF\t+1\t0 + 1\tit is only counted up\n": true,
		"f.go\tF\t+1\t0 + 1\n":     false,
		"f.go\tF\t+1\t0 + 1\tno\n": false,
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := allowed(file)
		if (err == nil) != ok || ok && !got["f.go\tF\t+1\t0 + 1"] {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	if _, err := allowed("equivalent.tsv"); err != nil {
		t.Error(err)
	}
}
