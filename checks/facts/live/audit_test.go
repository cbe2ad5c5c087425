//go:build linux && !portable

package live_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/harden/checks/facts"
	"github.com/google/go-cmp/cmp"
)

// auditctl changes the kernel's own rules, and takes the change back when the test ends.
func auditctl(t *testing.T, add, remove []string) {
	t.Helper()
	if out, err := exec.Command("auditctl", add...).CombinedOutput(); err != nil {
		t.Fatalf("auditctl %q: %v\n%s", add, err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("auditctl", remove...).CombinedOutput(); err != nil {
			t.Errorf("auditctl %q: %v\n%s", remove, err, out)
		}
	})
}

func TestAudit(t *testing.T) {
	asRoot(t)
	if _, err := exec.LookPath("auditctl"); err != nil {
		t.Skipf("needs something to load rules with: %v", err)
	}
	before, err := machine.Audit(t.Context())
	if errors.Is(err, facts.ErrAbsent) {
		t.Skipf("needs a kernel with auditing that this machine may talk to: %v", err)
	}
	must(t, err)
	if before.Enabled == 2 {
		t.Skip("needs audit rules that are not locked until reboot")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "a file")
	must(t, os.WriteFile(file, nil, 0o600))
	rules := []struct { // in the order of the kernel's lists: exit before exclude
		rule string // words separated by |
		want string
	}{
		{"-w|" + file + "|-p|wa|-k|harden-test", `-a always,exit -S all -F path="` + file +
			`" -F perm=wa -F key=harden-test`},
		{"-w|" + dir + "|-p|rwxa", "-a always,exit -S all -F dir=" + dir + " -F perm=rwxa"},
		{"-a|always,exit|-F|path=" + dir + "|-F|perm=w|-F|auid!=unset|-F|uid>=1000",
			"-a always,exit -S all -F path=" + dir + " -F perm=w -F auid!=unset -F uid>=1000"},
		{"-a|never,exit|-F|arch=b64|-S|2,257|-F|dir=" + dir + "|-F|exe=/bin/true",
			"-a never,exit -F arch=b64 -S 2,257 -F dir=" + dir + " -F exe=/bin/true"},
		{"-a|always,exit|-F|arch=b32|-S|5|-F|exit=-13|-F|success=0",
			"-a always,exit -F arch=b32 -S 5 -F exit=-13 -F success=0"},
		{"-a|always,exclude|-F|msgtype=1327", "-a always,exclude -F msgtype=1327"},
	}
	var want []string
	for _, r := range rules {
		words := strings.Split(r.rule, "|")
		removal := append([]string{map[string]string{"-w": "-W", "-a": "-d"}[words[0]]}, words[1:]...)
		auditctl(t, words, removal)
		want = append(want, r.want)
	}
	state, err := machine.Audit(t.Context())
	must(t, err)
	var got []string
	for _, r := range state.Rules {
		if strings.Contains(r, dir) || slices.Contains(want, r) { // others may be loading rules of theirs
			got = append(got, r)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}

	// What the kernel says must also mean what was asked for.
	a, err := facts.New(t.Context(), machine, facts.Choices{}).Audit()
	must(t, err)
	if a.LoadErr != nil || !facts.Covered(a.Loaded, file, false) || !facts.Covered(a.Loaded, dir, true) ||
		facts.Covered(a.Loaded, dir+"-other", false) {
		t.Errorf("rules read as %v, %v", a.Loaded, a.LoadErr)
	}
}
