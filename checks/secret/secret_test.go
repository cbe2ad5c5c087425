package secret_test

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks/secret"
)

// Made for the tests by no generator of keys that anybody uses. They are put together here so that scanners of this
// repository are not alarmed.
var (
	github  = "ghp_" + "x7Kq2LmZ9vBt4RyWs8NdPf3Gh6JcTa1Ue5Xo"
	aws     = "AKIA" + "Q3EGRTL7XWYZ2PVN"
	generic = "9fQ2x" + "Lr7Zt0vWm4Kc8Bd1"
	key     = "-----BEGIN RSA PRIVATE " + "KEY-----\n" +
		strings.Repeat("MIIEpAIBAAKCAQEAx7Kq2LmZ9vBt4RyWs8NdPf3Gh6JcTa1Ue5Xo\n", 3) + "-----END RSA PRIVATE " + "KEY-----"
)

func TestFind(t *testing.T) {
	type hit struct {
		Rule, Value  string
		Line, Column int
	}
	for name, test := range map[string]struct {
		text string
		want []hit
	}{
		"nothing":         {"FROM debian:12\nRUN apt-get update\n", nil},
		"empty":           {"", nil},
		"GitHub":          {"FROM x\nENV T=" + github + "\n", []hit{{"github-pat", github, 2, 7}}},
		"AWS":             {"a: " + aws + "\n", []hit{{"aws-access-token", aws, 1, 4}}},
		"a key":           {"x\n" + key + "\n", []hit{{"private-key", key, 2, 1}}},
		"a name":          {"RUN login --api-key=" + generic + "\n", []hit{{"generic-api-key", generic, 1, 21}}},
		"in a URL":        {"https://bob:hunter2@example.com/", []hit{{"password-in-url", "hunter2", 1, 13}}},
		"of a variable":   {"https://bob:$PASSWORD@example.com/ https://bob:${P}@example.com/", nil},
		"AWS' example":    {"AKIA" + "IOSFODNN7EXAMPLE", nil},
		"one of low sort": {"api_key = aaaaaaaaaaaaaaaaaaaa", nil},
		"two on a line":   {github + " " + aws, []hit{{"github-pat", github, 1, 1}, {"aws-access-token", aws, 1, 42}}},
		"not text":        {"\xff\xfe\x00" + github + "\xff", []hit{{"github-pat", github, 1, 4}}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []hit
			for _, h := range secret.Find([]byte(test.text)) {
				got = append(got, hit{h.Rule, test.text[h.Start:h.End], h.Line, h.Column})
			}
			if d := cmp.Diff(test.want, got); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

func TestMask(t *testing.T) {
	text := "ENV A=" + github + " B=1 C=https://u:hunter2@h/\n" + key + "\nend"
	got := secret.Mask(text, "…")
	if d := cmp.Diff("ENV A=… B=1 C=https://u:…@h/\n…\nend", got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// FuzzFind holds hits to the text that they are in, in order and apart.
func FuzzFind(f *testing.F) {
	f.Add("https://a:b@c " + github + "\n" + aws)
	f.Add(key)
	f.Add(strings.Repeat("https://a:b@c ", 7_000))
	f.Fuzz(func(t *testing.T, text string) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		hits := secret.Find([]byte(text))
		runtime.ReadMemStats(&after)
		if size := after.TotalAlloc - before.TotalAlloc; size > 256<<20 {
			t.Fatalf("%d MiB for %d bytes", size>>20, len(text))
		}
		for i, h := range hits {
			if h.Start >= h.End || h.End > len(text) || h.Line != 1+strings.Count(text[:h.Start], "\n") ||
				i > 0 && hits[i-1].End > h.Start {
				t.Fatalf("%+v", hits)
			}
		}
		if !slices.IsSortedFunc(hits, func(a, b secret.Hit) int { return a.Start - b.Start }) {
			t.Fatalf("%+v", hits)
		}
	})
}

func BenchmarkFind(b *testing.B) {
	text := []byte(strings.Repeat("RUN apt-get update && apt-get install -y api-client token-tool password-gen\n", 100) +
		github)
	for b.Loop() {
		if len(secret.Find(text)) != 1 {
			b.Fatal("not found")
		}
	}
}
