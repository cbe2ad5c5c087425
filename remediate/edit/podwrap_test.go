package edit

import (
	"strings"
	"testing"

	"example.com/harden/checks/want"
)

// TestPodFlagWrapped changes flags of a program that another starts: the other's words stay, its flags of the same
// names too.
func TestPodFlagWrapped(t *testing.T) {
	pod := func(words ...string) string {
		return "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: api\n    command:\n    - " +
			strings.Join(words, "\n    - ") + "\n"
	}
	for _, tt := range []struct {
		name, before, after, refused string
		want                         want.PodFlag
	}{
		{"its own flag stays", pod("/go-runner", "--v=1", "kube-apiserver", "--a=1", "--v=2"),
			pod("/go-runner", "--v=1", "kube-apiserver", "--a=1", "--v=3"), "",
			want.PodFlag{Name: "v", Value: "3"}},
		{"a new one is the program's", pod("tini", "--", "kube-apiserver", "--a=1", "--z=2"),
			pod("tini", "--", "kube-apiserver", "--a=1", "--profiling=false", "--z=2"), "",
			want.PodFlag{Name: "profiling", Value: "false"}},
		{"an applet", pod("/hyperkube", "apiserver", "--a=1"), pod("/hyperkube", "apiserver", "--a=1", "--profiling=false"),
			"",
			want.PodFlag{Name: "profiling", Value: "false"}},
		{"a list from a variable", pod("kube-apiserver", "--authorization-mode=$(AM)"), "", "variable",
			want.PodFlag{Name: "authorization-mode", Add: []string{"RBAC"}}},
		{"a value from a variable", pod("kube-apiserver", "--profiling=$(P)"), pod("kube-apiserver", "--profiling=false"), "",
			want.PodFlag{Name: "profiling", Value: "false"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.Container, tt.want.Program = "api", "kube-apiserver"
			got, err := PodFlag([]byte(tt.before), tt.want)
			if tt.refused != "" {
				if err == nil || !strings.Contains(err.Error(), tt.refused) {
					t.Fatalf("error is %v, want one about %s", err, tt.refused)
				}
				return
			}
			if err != nil || string(got) != tt.after {
				t.Errorf("got %v\n%s\nwant\n%s", err, got, tt.after)
			}
		})
	}
}

// FuzzPodFlag holds PodFlag to an answer for whatever words a manifest has.
func FuzzPodFlag(f *testing.F) {
	for _, seed := range []string{"kube-apiserver\n--a\n--a=1", "--", "tini\n--", "sh\n-c", "hyperkube", "env\nA=b",
		"taskset\n-c", "-\n--=\n=", "timeout\n--\nkube-apiserver"} {
		f.Add(seed, "a", true)
	}
	f.Fuzz(func(t *testing.T, words, name string, gone bool) {
		var b strings.Builder
		b.WriteString("apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: api\n    args:\n")
		for w := range strings.SplitSeq(words, "\n") {
			b.WriteString("    - \"" + strings.NewReplacer("\\", "", "\"", "", "\r", "").Replace(w) + "\"\n")
		}
		w := want.PodFlag{Container: "api", Name: name, Gone: gone}
		if !gone {
			w.Value = "x"
		}
		after, err := PodFlag([]byte(b.String()), w)
		if err != nil {
			return
		}
		if value, there := PodFlagValue(after, "api", name); there == gone || !gone && value != "x" {
			t.Errorf("of %q, --%s gone %v: %q is left, there %v", words, name, gone, value, there)
		}
	})
}

// FuzzUnitFlag holds Flag and RemoveFlag to an answer for whatever a command line has.
func FuzzUnitFlag(f *testing.F) {
	for _, seed := range []string{"kubelet --a=0 --a=1", "--a=0 --a=1", "kubelet --a --a", "numactl -N 0 kubelet --a 1 --",
		`"`, `\`, "a --a"} {
		f.Add(seed, "a", true)
	}
	f.Fuzz(func(t *testing.T, line, name string, boolean bool) {
		if after, err := RemoveFlag(line, name, boolean); err == nil {
			if _, uses, err := findFlag(after, name, boolean); err != nil || len(uses) > 0 {
				t.Errorf("%q without --%s is %q: %v", line, name, after, err)
			}
		}
		_, _ = Flag(line, name, "x")
	})
}
