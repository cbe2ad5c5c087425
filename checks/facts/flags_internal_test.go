package facts

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseFlags(t *testing.T) {
	tests := []struct {
		args string
		want map[string]string // values joined by |
	}{
		{"-H fd:// --containerd=/run/c.sock", map[string]string{"host": "fd://", "containerd": "/run/c.sock"}},
		{"--icc false --live-restore", map[string]string{"icc": "true", "live-restore": "true"}},
		{"--icc=false --icc=true", map[string]string{"icc": "false|true"}},
		{"-DH tcp://a:1 -Hunix:///b -H=fd:// -l debug",
			map[string]string{"debug": "true", "host": "tcp://a:1|unix:///b|fd://", "log-level": "debug"}},
		{"-Htcp://h?a=b", map[string]string{"host": "tcp://h?a=b"}},
		{"-D=false", map[string]string{"debug": "false"}},
		{"-g /data --graph=/more", map[string]string{"data-root": "/data|/more"}},
		{"--label a=b --label=c=d", map[string]string{"label": "a=b|c=d"}},
		{"--some-new-flag --other value --third=x",
			map[string]string{"some-new-flag": "true", "other": "value", "third": "x"}},
		{"--tlsverify -- --icc=false", map[string]string{"tlsverify": "true"}},
		{"stray - -p /run/docker.pid", map[string]string{"pidfile": "/run/docker.pid"}},
		{"--seccomp-profile=", map[string]string{"seccomp-profile": ""}},
		{"", map[string]string{}},
	}
	for _, tt := range tests {
		got := map[string]string{}
		var tokens []Token
		for _, w := range strings.Fields(tt.args) {
			tokens = append(tokens, Token{Text: w})
		}
		for name, f := range ParseFlags(tokens) {
			if f.Name != name {
				t.Errorf("%s: %s is called %s", tt.args, name, f.Name)
			}
			got[name] = strings.Join(f.Values, "|")
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.args, diff)
		}
	}
}

func TestFlagsEqual(t *testing.T) {
	tests := []struct {
		a, b string
		want bool
	}{
		{"-H fd:// -D", "--debug=1 --host=fd://", true},
		{"--icc=true --icc=false", "--icc=false", true},
		{"--icc=false", "--icc", false},
		{"--label a --label b", "--label b", false},
		{"--mtu 1", "--mtu true", false},
		{"-D", "", false},
		{"--bip a", "--bridge a", false},
	}
	flags := func(s string) Flags {
		var tokens []Token
		for _, w := range strings.Fields(s) {
			tokens = append(tokens, Token{Text: w})
		}
		return ParseFlags(tokens)
	}
	for _, tt := range tests {
		if a, b := flags(tt.a), flags(tt.b); a.Equal(b) != tt.want || b.Equal(a) != tt.want {
			t.Errorf("%q and %q: want equal %v", tt.a, tt.b, tt.want)
		}
	}
}
