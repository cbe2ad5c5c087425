package activate

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/live"
	"example.com/harden/remediate/gate"
	"example.com/harden/scripts/testdocker"
)

// withSubordinates has the test run in mounts of its own, where the user "daemon" has subordinate IDs: userns-remap
// needs a user that has, and this machine keeps its own files.
func withSubordinates(t *testing.T) bool {
	t.Helper()
	const inside = "HARDEN_TEST_REMAP"
	if os.Getenv(inside) != "" {
		for _, file := range []string{"/etc/subuid", "/etc/subgid"} {
			ours := filepath.Join(t.TempDir(), "sub")
			write(t, ours, "daemon:100000:65536\n")
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
	c := exec.Command("unshare", "--mount", "--propagation", "private", "/proc/self/exe", "-test.run=^"+t.Name()+"$",
		"-test.v", "-test.count=1")
	if self, err := os.Executable(); err == nil {
		c.Args[4] = self
	}
	c.Env = append(os.Environ(), inside+"=1")
	out, err := c.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Fatalf("inside: %v\n%s", err, out)
	}
	return false
}

// TestRemapLeavesNobodyBehind takes a real dockerd into a user namespace and back: no restart leaves a container
// running that no Engine knows any more. live-restore, which would, is on.
func TestRemapLeavesNobodyBehind(t *testing.T) {
	if !withSubordinates(t) {
		return
	}
	d := testdocker.Start(t)
	if err := os.Chmod(filepath.Dir(d.Socket), 0o711); err != nil { // root in the namespace has to get at its data
		t.Fatal(err)
	}
	_, bus := newManager(t, d)
	var said heard
	s := New(Options{DockerHost: d.Host, Watch: time.Second, bus: bus, event: testTimeout, RestartTimeout: testTimeout,
		Progress: said.add})
	is := func(want bool) {
		t.Helper()
		info, err := s.info(t.Context(), testTimeout)
		if err != nil || gate.Remapped(info.SecurityOptions) != want {
			t.Fatalf("userns-remap is %v: %v, %v", !want, info.SecurityOptions, err)
		}
	}
	const plain, mapped = `{"live-restore": true}`, `{"live-restore": true, "userns-remap": "daemon"}`
	write(t, d.ConfigFile, plain)
	mentions(t, s.Activate(t.Context(), restart), "")
	web := d.Run("web", nil)
	write(t, d.ConfigFile, mapped)
	mentions(t, s.Activate(t.Context(), restart), "would go on unmanaged with userns-remap: web; stop them first")
	is(false)
	if err := d.Client.ContainerStop(t.Context(), web, container.StopOptions{}); err != nil {
		t.Fatal(err)
	}
	mentions(t, s.Activate(t.Context(), restart), "")
	is(true)

	inside := d.Run("inside", always)
	pid := stateOf(t, d, inside).Pid
	now := facts.New(t.Context(), live.New("/", live.DockerOptions{Host: d.Host}), facts.Choices{})
	after := now.With(facts.Overlay{Files: map[string]facts.File{d.ConfigFile: {Info: facts.Info{Path: d.ConfigFile},
		Data: []byte(plain)}}})
	if names, err := gate.Orphans(now, after); err != nil || !slices.Equal(names, []string{"inside"}) {
		t.Errorf("who would be left behind: %v, %v", names, err)
	}
	if names, err := gate.Orphans(now, now); err != nil || names != nil {
		t.Errorf("who would be left behind by nothing: %v, %v", names, err)
	}
	write(t, d.ConfigFile, plain)
	mentions(t, s.Activate(context.WithoutCancel(t.Context()), restart), "")
	is(false)
	if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
		t.Errorf("process %d of a container that no Engine knows: %v", pid, err)
	}
	if !strings.Contains(said.String(), "stopping container inside") {
		t.Errorf("said %q", said.String())
	}
	stateOf(t, d, web) // is there again
}
