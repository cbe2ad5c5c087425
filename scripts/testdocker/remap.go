package testdocker

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// Subordinate is the user that has subordinate IDs inside, and the line of /etc/subuid that says so.
const (
	Subordinate     = "daemon"
	subordinateLine = "daemon:100000:65536\n"
)

// WithSubordinates has the test run in mounts of its own, where the user Subordinate has subordinate IDs from 100000 on:
// userns-remap needs a user that has, and this machine keeps its own files. It returns true inside; false outside, where
// all is done.
func WithSubordinates(t *testing.T) bool {
	t.Helper()
	const inside = "HARDEN_TEST_REMAP"
	if os.Getenv(inside) != "" {
		for _, file := range []string{"/etc/subuid", "/etc/subgid"} {
			ours := filepath.Join(t.TempDir(), "sub")
			if err := os.WriteFile(ours, []byte(subordinateLine), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mount(ours, file, "", syscall.MS_BIND, ""); err != nil {
				t.Fatal(err)
			}
		}
		return true
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root: it mounts")
	}
	for _, file := range []string{"/etc/subuid", "/etc/subgid"} {
		if _, err := os.Stat(file); err != nil {
			t.Skipf("needs a place for subordinate IDs: %v", err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("unshare", "--mount", "--propagation", "private", self, "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
	c.Env = append(os.Environ(), inside+"=1")
	out, err := c.CombinedOutput()
	if bytes.Contains(out, []byte("--- SKIP: "+t.Name())) {
		t.Skipf("inside:\n%s", out)
	}
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Fatalf("inside: %v\n%s", err, out)
	}
	return false
}
