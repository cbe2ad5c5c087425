package activate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	"github.com/docker/docker/api/types/container"

	"example.com/harden/remediate"
	"example.com/harden/scripts/testdocker"
)

const testTimeout = time.Minute

var (
	reload  = remediate.Activation{Kind: remediate.Reload, Unit: "docker.service"}
	restart = remediate.Activation{Kind: remediate.Restart, Unit: "docker.service"}
)

func without(context.Context) (*dbus.Conn, error) { return nil, errNoSystemd }

// heard collects what Services tells.
type heard struct {
	mu    sync.Mutex
	lines []string
}

func (h *heard) add(line string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, line)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.lines, "\n")
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func snap(t *testing.T, s *Services) json.RawMessage {
	t.Helper()
	before, err := s.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return before
}

// mentions fails unless the error, or its absence when want is empty, is as wanted.
func mentions(t *testing.T, err error, want string) {
	t.Helper()
	if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("error is %v, want %q", err, want)
	}
}

func TestReload(t *testing.T) {
	d := testdocker.Start(t)
	id := d.Run("web", nil)
	s := New(Options{DockerHost: d.Host, Watch: time.Second, bus: without, event: testTimeout})
	if err := s.Ready(t.Context(), reload); err != nil {
		t.Fatal(err)
	}
	before := snap(t, s)

	write(t, d.ConfigFile, `{"live-restore": true}`)
	if err := s.Activate(t.Context(), reload); err != nil {
		t.Fatal(err)
	}
	info, err := d.Client.Info(t.Context())
	if err != nil || !info.LiveRestoreEnabled {
		t.Errorf("live-restore is %v, %v after the reload", info.LiveRestoreEnabled, err)
	}
	mentions(t, s.Healthy(t.Context(), before), "")

	t.Run("a configuration that dockerd refuses", func(t *testing.T) {
		write(t, d.ConfigFile, `{"live-restore": false,}`)
		s := New(Options{DockerHost: d.Host, Watch: time.Second, bus: without, event: 5 * time.Second})
		mentions(t, s.Activate(t.Context(), reload), "has not announced the reload within 5s")
		info, err := d.Client.Info(t.Context())
		if err != nil || !info.LiveRestoreEnabled {
			t.Errorf("live-restore is %v, %v: the broken file has had an effect", info.LiveRestoreEnabled, err)
		}
		mentions(t, s.Healthy(t.Context(), before), "")
	})

	t.Run("a container that was ended", func(t *testing.T) {
		if err := d.Client.ContainerKill(t.Context(), id, "KILL"); err != nil {
			t.Fatal(err)
		}
		wait(t, func() bool { return stateOf(t, d, id).Status == "exited" })
		mentions(t, s.Healthy(t.Context(), before), "container web is no longer running: exited, exit code 137")
	})

	t.Run("a container that was started again", func(t *testing.T) {
		if err := d.Client.ContainerStart(t.Context(), id, container.StartOptions{}); err != nil {
			t.Fatal(err)
		}
		mentions(t, s.Healthy(t.Context(), before), "container web was restarted")
	})

	t.Run("a container that is gone", func(t *testing.T) {
		if err := d.Client.ContainerRemove(t.Context(), id, container.RemoveOptions{Force: true}); err != nil {
			t.Fatal(err)
		}
		mentions(t, s.Healthy(t.Context(), before), "is gone")
	})
}

// A job may end while harden looks on, whether it is removed as it ends or not: that is no damage.
func TestJobsEnd(t *testing.T) {
	d := testdocker.Start(t)
	job := d.Run("job", nil)
	removed := d.Run("removed", func(_ *container.Config, h *container.HostConfig) { h.AutoRemove = true })
	s := New(Options{DockerHost: d.Host, Watch: time.Second, bus: without})
	before := snap(t, s)
	for _, id := range []string{job, removed} {
		if err := d.Client.ContainerKill(t.Context(), id, "TERM"); err != nil { // it then ends with status 0
			t.Fatal(err)
		}
	}
	wait(t, func() bool {
		_, err := d.Client.ContainerInspect(t.Context(), removed)
		return err != nil && stateOf(t, d, job).Status == "exited"
	})
	mentions(t, s.Healthy(t.Context(), before), "")
}

// dockerd accepts an authorization plugin that nobody has, looks for it for 16 seconds, and ends.
func TestReloadSeesLateDeath(t *testing.T) {
	d := testdocker.Start(t)
	s := New(Options{DockerHost: d.Host, bus: without})
	write(t, d.ConfigFile, `{"authorization-plugins": ["nope"]}`)
	mentions(t, s.Activate(t.Context(), reload), fmt.Sprintf("dockerd (PID %d) exited on the reload", d.PID))
}

func TestWatchSeesKill(t *testing.T) {
	d := testdocker.Start(t)
	var said heard
	watching := make(chan struct{})
	s := New(Options{DockerHost: d.Host, Watch: testTimeout, bus: without, event: testTimeout,
		Progress: func(line string) {
			said.add(line)
			if strings.HasPrefix(line, "watching") {
				close(watching)
			}
		}})
	before := snap(t, s)
	if err := s.Activate(t.Context(), reload); err != nil {
		t.Fatal(err)
	}
	go func() {
		<-watching
		syscall.Kill(d.PID, syscall.SIGKILL)
	}()
	mentions(t, s.Healthy(t.Context(), before), fmt.Sprintf("dockerd (PID %d) ended within", d.PID))

	t.Run("and then nothing runs", func(t *testing.T) {
		mentions(t, s.Healthy(t.Context(), before), "no dockerd runs any more")
		mentions(t, s.Ready(t.Context(), reload), "no dockerd runs")
		if before := string(snap(t, s)); !strings.Contains(before, `"daemon":null`) {
			t.Errorf("the snapshot claims a daemon: %s", before)
		}
	})
}

// A host without Docker, whose audit rules were loaded, has nothing to watch.
func TestHealthyWithoutDocker(t *testing.T) {
	s := New(Options{DockerHost: "unix:///nonexistent/docker.sock", bus: without})
	mentions(t, s.Healthy(t.Context(), snap(t, s)), "")
}

// SIGHUP ends most programs, so it must reach dockerd alone.
func TestHangupSparesOthers(t *testing.T) {
	other := exec.Command("sleep", "600")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- other.Wait() }()
	t.Cleanup(func() { other.Process.Kill() })
	pid := other.Process.Pid
	start, err := startOf(pid)
	if err != nil {
		t.Fatal(err)
	}
	mentions(t, process{pid, start}.hangup(), "not dockerd")
	s := New(Options{PID: func(context.Context) (int, error) { return pid, nil }, bus: without})
	mentions(t, s.Ready(t.Context(), reload), "not dockerd")
	mentions(t, s.Activate(t.Context(), reload), "not dockerd")
	if start, err := startOf(pid); err != nil || (process{pid, start}).alive() == false {
		t.Errorf("the other program has ended: %v", err)
	}
	other.Process.Kill()
	if err := <-ended; err == nil || err.Error() != "signal: killed" {
		t.Errorf("the other program ended by %v, not by this test", err)
	}
	if (process{pid, start}).alive() {
		t.Error("a process that has ended counts as alive")
	}

	d := testdocker.Start(t)
	mentions(t, process{d.PID, 1}.hangup(), "was replaced")
	p, err := dockerd(d.PID)
	if err != nil {
		t.Fatal(err)
	}
	mentions(t, p.hangup(), "")
	wait(t, func() bool { return strings.Contains(d.Log(), "Got signal to reload configuration") })
}

func TestPending(t *testing.T) {
	tests := []struct {
		name string
		opts Options
		a    remediate.Activation
		want string
	}{
		{"restart without systemd", Options{bus: without}, restart,
			"systemd does not run here, and harden knows no other way to restart dockerd"},
		{"unit files without systemd", Options{bus: without}, remediate.Activation{Kind: remediate.ReloadManager},
			"systemd does not run here"},
		{"reload of a remote engine", Options{DockerHost: "tcp://192.0.2.1:2376"}, reload, "may be on another machine"},
		{"restart of a remote engine", Options{DockerHost: "ssh://docker@192.0.2.1"}, restart, "may be on another machine"},
		{"reload of nothing", Options{DockerHost: "unix:///nonexistent/docker.sock", bus: without}, reload,
			"no dockerd runs"},
		{"a bus that does not answer", Options{bus: func(context.Context) (*dbus.Conn, error) {
			return nil, errors.New("bus: broken pipe")
		}},
			restart, "bus: broken pipe"},
		{"no such kind", Options{}, remediate.Activation{Kind: "dance"}, `"dance" is not a kind of activation`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { mentions(t, New(tt.opts).Ready(t.Context(), tt.a), tt.want) })
	}
}

func stateOf(t *testing.T, d *testdocker.Daemon, id string) container.State {
	t.Helper()
	c, err := d.Client.ContainerInspect(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return *c.State
}

// wait fails the test when what it waits for does not come.
func wait(t *testing.T, f func() bool) {
	t.Helper()
	for end := time.Now().Add(testTimeout); !f(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not happen")
		}
	}
}

func always(_ *container.Config, h *container.HostConfig) {
	h.RestartPolicy = container.RestartPolicy{Name: container.RestartPolicyAlways}
}
