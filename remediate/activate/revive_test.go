package activate

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks/facts/docker"
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
	want := "container once ended with the restart, and was restarted; " +
		"container web ended with the restart, and its restart policy (always) restarts it"
	if d := cmp.Diff(want, strings.Join(slices.Sorted(slices.Values(got)), "; ")); d != "" {
		t.Errorf("said (-want +got):\n%s", d)
	}
	if !stateOf(t, d, once).Running || stateOf(t, d, done).Running {
		t.Errorf("once runs: %v, done runs: %v", stateOf(t, d, once).Running, stateOf(t, d, done).Running)
	}
}

// TestReviveTask: a swarm has another task by the time that its last one could be started again; where there is no
// swarm, a task's label is only a label.
func TestReviveTask(t *testing.T) {
	for name, swarming := range map[string]bool{"in a swarm": true, "with the label alone": false} {
		t.Run(name, func(t *testing.T) {
			d := testdocker.Start(t)
			_, bus := newManager(t, d)
			if swarming {
				init := swarm.InitRequest{ListenAddr: "127.0.0.1:0", AdvertiseAddr: "127.0.0.1"}
				if _, err := d.Client.SwarmInit(t.Context(), init); err != nil {
					t.Fatal(err)
				}
			}
			id := d.Run("mill.1", func(c *container.Config, _ *container.HostConfig) {
				c.Labels = map[string]string{docker.LabelSwarmService: "s1"}
			})
			s := New(Options{DockerHost: d.Host, Watch: time.Second, bus: bus, event: testTimeout, RestartTimeout: testTimeout})
			before := snap(t, s)
			mentions(t, s.Activate(t.Context(), restart), "")
			got, err := s.Revive(t.Context(), before)
			want := []string{"container mill.1 ended with the restart, and was restarted"}
			if swarming {
				want = []string{"container mill.1 ended with the restart, and the swarm replaces it"}
			}
			if d := cmp.Diff(want, got); d != "" || err != nil {
				t.Errorf("said (-want +got):\n%s\n%v", d, err)
			}
			if stateOf(t, d, id).Running == swarming {
				t.Errorf("it runs: %v", !swarming)
			}
		})
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
