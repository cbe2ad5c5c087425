package testdocker

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// Subordinate is a user that has subordinate IDs inside. dockremap, whom "default" means, has others.
const Subordinate = "daemon"

// subordinates are the files as they are inside: dockerd is to make no user on this machine.
func subordinates() (map[string]string, error) {
	const ranges = Subordinate + ":100000:65536\ndockremap:300000:65536\n"
	files := map[string]string{"/etc/subuid": ranges, "/etc/subgid": ranges}
	for file, line := range map[string]string{"/etc/passwd": "dockremap:x:64990:64990::/:/usr/sbin/nologin\n",
		"/etc/group": "dockremap:x:64990:\n"} {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		files[file] = string(data) + line
	}
	return files, nil
}

// WithSubordinates has the test run in mounts of its own, where the user Subordinate has subordinate IDs from 100000 on
// and dockremap from 300000 on: userns-remap needs a user that has, and this machine keeps its own files. It returns
// true inside; false outside, where all is done.
func WithSubordinates(t *testing.T) bool {
	t.Helper()
	const inside = "HARDEN_TEST_REMAP"
	if os.Getenv(inside) != "" {
		files, err := subordinates()
		if err != nil {
			t.Fatal(err)
		}
		for file, text := range files {
			ours := filepath.Join(t.TempDir(), "sub")
			if err := os.WriteFile(ours, []byte(text), 0o644); err != nil {
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
	c := exec.Command("unshare", "--mount", "--propagation", "private", self,
		"-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
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
