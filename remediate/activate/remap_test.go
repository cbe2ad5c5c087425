package activate

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/facts/live"
	"example.com/harden/remediate/gate"
	"example.com/harden/scripts/testdocker"
)

// TestRemapLeavesNobodyBehind takes a real dockerd into a user namespace and back: no restart leaves a container
// running that no Engine knows any more. live-restore, which would, is on.
func TestRemapLeavesNobodyBehind(t *testing.T) {
	if !testdocker.WithSubordinates(t) {
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
		if err != nil || docker.Remapped(info.SecurityOptions) != want {
			t.Fatalf("userns-remap is %v: %v, %v", !want, info.SecurityOptions, err)
		}
	}
	const plain, mapped = `{"live-restore": true}`, `{"live-restore": true, "userns-remap": "daemon"}`
	write(t, d.ConfigFile, plain)
	mentions(t, s.Activate(t.Context(), restart), "")
	web := d.Run("web", nil)
	write(t, d.ConfigFile, mapped)
	mentions(t, s.Activate(t.Context(), restart), "would continue unmanaged with userns-remap: web; stop them first")
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
