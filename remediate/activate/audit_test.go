package activate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"example.com/harden/checks/facts"
	"example.com/harden/remediate"
	"example.com/harden/remediate/program"
)

func TestReadyAudit(t *testing.T) {
	if _, err := program.Find(auditctl); err != nil {
		t.Skipf("auditd's tools are what is tested: %v", err)
	}
	tests := []struct {
		name  string
		state facts.AuditState
		err   error
		want  string
	}{
		{name: "open", state: facts.AuditState{Enabled: 1}},
		{name: "not enabled yet", state: facts.AuditState{}},
		{name: "locked", state: facts.AuditState{Enabled: 2}, want: "locked (-e 2) until the next boot"},
		{name: "no audit system", err: facts.ErrAbsent, want: "not present on this host"},
		{name: "not root", err: os.ErrPermission, want: "permission denied"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := New(Options{Audit: func(context.Context) (facts.AuditState, error) { return tt.state, tt.err }})
			err := s.Ready(t.Context(), remediate.Activation{Kind: remediate.LoadAudit})
			if fmt.Sprint(err) == "<nil>" != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Ready = %v, want %q", err, tt.want)
			}
			if tt.err != nil && !errors.Is(err, tt.err) {
				t.Errorf("Ready = %v does not wrap %v", err, tt.err)
			}
		})
	}
}

// The kernel's own list takes the rules here, so the test loads rules about a directory of its own under a key of
// its own, never empties the list, and takes its rules out again. /etc/audit is its own too, in a mount namespace.
func TestLoadAudit(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can load audit rules")
	}
	ctl, err := program.Find(auditctl)
	if err != nil {
		t.Skipf("auditd's tools are what is tested: %v", err)
	}
	if out, err := program.Run(t.Context(), testTimeout, ctl, "-s"); err != nil || strings.Contains(out, "enabled 2") {
		t.Skipf("this kernel takes no audit rules: %v\n%s", err, out)
	}
	dir := t.TempDir()
	rule := func(name string) string { return fmt.Sprintf("-w %s -p wa -k harden-test", filepath.Join(dir, name)) }
	tests := []struct {
		name  string
		files []string
		want  []string // rules that the kernel then has
		err   string
	}{
		{name: "new rules", files: []string{rule("a"), rule("b")}, want: []string{"a", "b"}},
		{name: "the same again", files: []string{rule("a"), rule("b")}, want: []string{"a", "b"}},
		{name: "a duplicate does not keep what is below it out", files: []string{rule("a") + "\n" + rule("a"), rule("c")},
			want: []string{"a", "b", "c"}},
		{name: "an error beside a duplicate is an error", files: []string{rule("a") + "\n" + rule("a") + "\n-w bogus",
			rule("d")},
			want: []string{"a", "b", "c", "d"}, err: "error in line"},
		{name: "an error", files: []string{"-w bogus", rule("e")}, want: []string{"a", "b", "c", "d"},
			err: "exit status 1 (see the system log)"},
	}
	t.Cleanup(func() {
		for _, name := range []string{"a", "b", "c", "d", "e"} { // t.Context is done by now; most will be there
			exec.Command(ctl, "-W", filepath.Join(dir, name), "-p", "wa", "-k", "harden-test").Run()
		}
	})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			etc := t.TempDir()
			if err := os.Mkdir(filepath.Join(etc, "rules.d"), 0o750); err != nil {
				t.Fatal(err)
			}
			for i, content := range tt.files {
				if err := os.WriteFile(filepath.Join(etc, "rules.d", fmt.Sprintf("%d.rules", i)), []byte(content+"\n"),
					0o640); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command("unshare", "--mount", "sh", "-c", `mount --bind "$0" /etc/audit && exec "$@"`, etc,
				os.Args[0], "-test.run=^TestLoadAuditInside$")
			cmd.Env = append(os.Environ(), "HARDEN_TEST_AUDIT=1")
			out, err := cmd.CombinedOutput()
			if (err != nil) != (tt.err != "") || !strings.Contains(string(out), tt.err) {
				t.Errorf("loading: %v, want %q\n%s", err, tt.err, out)
			}
			listed, err := program.Run(t.Context(), testTimeout, ctl, "-l")
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range tt.want {
				if !strings.Contains(listed, rule(name)) {
					t.Errorf("%s is not loaded", rule(name))
				}
			}
			if got := strings.Count(listed, dir); got != len(tt.want) {
				t.Errorf("%d rules of this test are loaded, want %d\n%s", got, len(tt.want), listed)
			}
			if left, _ := filepath.Glob("/run/harden-*.rules"); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// TestLoadAuditInside is the half of TestLoadAudit that runs in the mount namespace.
func TestLoadAuditInside(t *testing.T) {
	if os.Getenv("HARDEN_TEST_AUDIT") == "" {
		t.Skip("TestLoadAudit runs this where /etc/audit is its own")
	}
	if err := New(Options{}).Activate(t.Context(), remediate.Activation{Kind: remediate.LoadAudit}); err != nil {
		t.Fatal(err)
	}
}
