package activate

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"

	"example.com/harden/scripts/testdocker"
)

// TestRevive: of what ran before a restart without live-restore, what no policy starts again is started by harden, and
// all that has ended is named; what had ended by itself stays as it is.
func TestRevive(t *testing.T) {
	d := testdocker.Start(t)
	_, bus := newManager(t, d)
	d.Run("web", always)
	once := d.Run("once", nil)
	done := d.Run("done", nil)
	var said heard
	s := New(Options{DockerHost: d.Host, Watch: time.Second, bus: bus, event: testTimeout, RestartTimeout: testTimeout,
		Progress: said.add})
	before := snap(t, s)
	if got, err := s.Revive(t.Context(), before); got != nil || err != nil {
		t.Errorf("without a restart: %q, %v", got, err)
	}
	now := 0
	if err := d.Client.ContainerStop(t.Context(), done, container.StopOptions{Timeout: &now}); err != nil {
		t.Fatal(err)
	}
	mentions(t, s.Activate(t.Context(), restart), "")
	got, err := s.Revive(t.Context(), before)
	if err != nil {
		t.Fatal(err)
	}
	want := "container once ended with the restart, and was started again; " +
		"container web ended with the restart, and its restart policy (always) starts it again"
	if d := cmp.Diff(want, strings.Join(slices.Sorted(slices.Values(got)), "; ")); d != "" {
		t.Errorf("said (-want +got):\n%s", d)
	}
	if !stateOf(t, d, once).Running || stateOf(t, d, done).Running {
		t.Errorf("once runs: %v, done runs: %v", stateOf(t, d, once).Running, stateOf(t, d, done).Running)
	}
}

// TestOutliveLoop: a dockerd that systemd starts again and again has a PID and answers nothing. What ran as it stopped
// goes on all the same, and the start that takes it back has to spare it.
func TestOutliveLoop(t *testing.T) {
	s := New(Options{DockerHost: "unix://" + t.TempDir() + "/none"})
	s.survivors = true
	if got, err := s.outlive(t.Context(), unit{MainPID: 1}); !got || err != nil {
		t.Errorf("containers survive: %v, %v", got, err)
	}
}
