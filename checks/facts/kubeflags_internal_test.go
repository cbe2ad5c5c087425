package facts

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseKubeFlags(t *testing.T) {
	var tokens []Token
	for _, w := range []string{"--anonymous_auth=false", "--config", "/c.yaml", "--profiling", "-v=2", "--pod-max-pids",
		"-1", "--feature-gates=A=true,B=false", "--feature-gates", "C=true", "-auto-tls", "--seccomp-default", "stray",
		"--client-ca-file=", "--", "--last=1"} {
		tokens = append(tokens, Token{Text: w, File: "unit"})
	}
	flags := ParseKubeFlags(tokens)
	got := map[string][]string{}
	for name, f := range flags {
		got[name] = f.Values
	}
	want := map[string][]string{"anonymous-auth": {"false"}, "config": {"/c.yaml"}, "profiling": {"true"}, "v": {"2"},
		"pod-max-pids":  {"-1"},
		"feature-gates": {"A=true,B=false", "C=true"}, "auto-tls": {"true"}, "seccomp-default": {"true"},
		"client-ca-file": {""}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"A=true", "B=false", "C=true"}, flags.List("feature-gates")); diff != "" {
		t.Errorf("List (-want +got)\n%s", diff)
	}
	if name := flags["anonymous-auth"].Name; name != "anonymous_auth" {
		t.Errorf("spelt %q", name)
	}
}

func TestFlagsAlike(t *testing.T) {
	parse := func(line string) Flags {
		var tokens []Token
		for w := range strings.FieldsSeq(line) {
			tokens = append(tokens, Token{Text: w})
		}
		return ParseKubeFlags(tokens)
	}
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"--profiling=false --v=2", "--v=2 --profiling=false", true},
		{"--profiling=0", "--profiling=false", true},
		{"--profiling", "--profiling=true", true},
		{"--v=1 --v=2", "--v=2", true}, // the last counts
		{"--v=1", "--v=2", false},
		{"--enable-admission-plugins=A --enable-admission-plugins=B", "--enable-admission-plugins=A,B", true}, // these add up
		{"--enable-admission-plugins=A", "--enable-admission-plugins=A,B", false},
		{"--v=1", "--v=1 --profiling", false},
	} {
		if got := parse(test.a).Alike(parse(test.b)); got != test.want {
			t.Errorf("%q and %q: alike %v", test.a, test.b, got)
		}
	}
}
