package activate

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"

	"example.com/harden/remediate"
	"example.com/harden/scripts/child"
	"example.com/harden/scripts/testdocker"
)

// A manager stands in for systemd, which cannot run here beside another PID 1: on a real bus, it restarts and reloads
// a real dockerd. What it shows is what Services makes of systemd's answers; that the real one gives these answers, the
// test in the virtual machine shows.
type manager struct {
	t      *testing.T
	conn   *godbus.Conn
	daemon *testdocker.Daemon

	mu     sync.Mutex
	unit   unit
	calls  []string
	starts int  // since the start counter was last reset; the fourth is refused, as with StartLimitBurst=3
	broken bool // dockerd does not start
	lies   bool // says that it has restarted, and has not
	slow   bool // does not end a restart
	jobs   uint32

	kubelet func() string // a restart of the kubelet, which is none; its result
}

const (
	managerPath = godbus.ObjectPath("/org/freedesktop/systemd1")
	unitPath    = godbus.ObjectPath("/org/freedesktop/systemd1/unit/docker_2eservice")
	kubeletPath = godbus.ObjectPath("/org/freedesktop/systemd1/unit/kubelet_2eservice")
	managerName = "org.freedesktop.systemd1.Manager"
)

// newManager starts a bus with a manager on it; d may be nil where nothing is to run.
func newManager(t *testing.T, d *testdocker.Daemon) (*manager, func(context.Context) (*dbus.Conn, error)) {
	t.Helper()
	if _, err := exec.LookPath("dbus-daemon"); err != nil {
		t.Skipf("the messages go over a real bus: %v", err)
	}
	dir, err := os.MkdirTemp("", "bus") // t.TempDir is too long for a socket's 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	bus := exec.Command("dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address",
		"--address=unix:path="+filepath.Join(dir, "bus"))
	out, err := bus.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	ended, err := child.Start(bus)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bus.Process.Kill(); <-ended })
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	dial := func() (*godbus.Conn, error) { return godbus.Connect(strings.TrimSpace(address)) }
	m := &manager{t: t, daemon: d, unit: unit{Load: "loaded", Active: "active", Result: "success", Reloads: true,
		Entered: 1}}
	if d != nil {
		m.unit.MainPID = d.PID
	}
	if m.conn, err = dial(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.conn.Close() })
	for _, err := range []error{
		m.conn.Export(m, managerPath, managerName),
		m.conn.Export(properties{m}, unitPath, "org.freedesktop.DBus.Properties"),
		m.conn.Export(properties{m}, kubeletPath, "org.freedesktop.DBus.Properties"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if reply, err := m.conn.RequestName("org.freedesktop.systemd1", 0); err != nil ||
		reply != godbus.RequestNameReplyPrimaryOwner {
		t.Fatalf("the bus gives no name: %v, %v", reply, err)
	}
	return m, func(context.Context) (*dbus.Conn, error) { return dbus.NewConnection(dial) }
}

func (m *manager) called(what string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls = append(m.calls, what)
}

func (m *manager) since() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	calls := m.calls
	m.calls = nil
	return calls
}

// finish announces the end of a job after the call that queued it has been answered.
func (m *manager) finish(name string, do func() string) (godbus.ObjectPath, *godbus.Error) {
	m.mu.Lock()
	m.jobs++
	id := m.jobs
	m.mu.Unlock()
	path := godbus.ObjectPath("/org/freedesktop/systemd1/job/" + string(rune('0'+id)))
	go func() {
		if err := m.conn.Emit(managerPath, managerName+".JobRemoved", id, path, name, do()); err != nil {
			m.t.Error(err)
		}
	}()
	return path, nil
}

// Subscribe, Reload, ResetFailedUnit, ReloadUnit and RestartUnit are systemd's.
func (m *manager) Subscribe() *godbus.Error { return nil }

func (m *manager) Reload() *godbus.Error {
	m.called("daemon-reload")
	return nil
}

func (m *manager) ResetFailedUnit(name string) *godbus.Error {
	m.called("reset " + name)
	m.mu.Lock()
	defer m.mu.Unlock()
	if name == "docker.service" {
		m.starts = 0
	}
	return nil
}

func (m *manager) ReloadUnit(name, mode string) (godbus.ObjectPath, *godbus.Error) {
	m.called("reload " + name + " " + mode)
	return m.finish(name, func() string {
		syscall.Kill(m.daemon.PID, syscall.SIGHUP)
		return "done"
	})
}

func (m *manager) RestartUnit(name, mode string) (godbus.ObjectPath, *godbus.Error) {
	m.called("restart " + name + " " + mode)
	if m.slow { // a job that does not end
		return "/org/freedesktop/systemd1/job/0", nil
	}
	return m.finish(name, func() string {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.starts++
		switch {
		case m.kubelet != nil:
			return m.kubelet()
		case m.lies:
			return "done"
		case m.starts > 3:
			m.unit.Active, m.unit.Result = "failed", "start-limit-hit"
			return "failed"
		case m.broken:
			m.daemon.Stop()
			m.unit.Active, m.unit.Result, m.unit.MainPID, m.unit.Status = "failed", "exit-code", 0, 1
			return "failed"
		}
		m.daemon.Restart()
		m.unit.Active, m.unit.Result, m.unit.MainPID = "active", "success", m.daemon.PID
		m.unit.Entered++
		return "done"
	})
}

// properties are those of the unit.
type properties struct{ m *manager }

// GetAll is every object's, by the bus's own convention.
func (p properties) GetAll(string) (map[string]godbus.Variant, *godbus.Error) {
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	u := p.m.unit
	return map[string]godbus.Variant{
		"LoadState": godbus.MakeVariant(u.Load), "ActiveState": godbus.MakeVariant(u.Active),
		"Result":  godbus.MakeVariant(u.Result),
		"MainPID": godbus.MakeVariant(uint32(u.MainPID)), "NRestarts": godbus.MakeVariant(u.Restarts),
		"ActiveEnterTimestampMonotonic": godbus.MakeVariant(u.Entered), "CanReload": godbus.MakeVariant(u.Reloads),
		"ExecMainStatus": godbus.MakeVariant(u.Status), "TimeoutStartUSec": godbus.MakeVariant(u.Start),
		"TimeoutStopUSec": godbus.MakeVariant(u.Stop),
	}, nil
}

func TestRestart(t *testing.T) {
	d := testdocker.Start(t)
	m, bus := newManager(t, d)
	id := d.Run("web", nil)
	var said heard
	fresh := func() *Services {
		return New(Options{DockerHost: d.Host, Watch: time.Second, bus: bus, event: testTimeout, RestartTimeout: testTimeout,
			Progress: said.add})
	}

	// Live-restore by reload first, by way of the unit, and then the restart: the container notices nothing.
	s := fresh()
	mentions(t, s.Ready(t.Context(), restart), "")
	before := snap(t, s)
	pid := stateOf(t, d, id).Pid
	write(t, d.ConfigFile, `{"live-restore": true}`)
	mentions(t, s.Activate(t.Context(), remediate.Activation{Kind: remediate.ReloadManager}), "")
	mentions(t, s.Activate(t.Context(), reload), "")
	write(t, d.ConfigFile, `{"live-restore": true, "no-new-privileges": true}`)
	m.mu.Lock()
	m.starts = 3 // somebody has been restarting it
	m.mu.Unlock()
	mentions(t, s.Activate(t.Context(), restart), "")
	mentions(t, s.Healthy(t.Context(), before), "")
	if got := stateOf(t, d, id).Pid; got != pid {
		t.Errorf("the container's PID was %d and is %d", pid, got)
	}
	want := []string{"daemon-reload", "reload docker.service replace", "reset docker.service", "reset docker.socket",
		"restart docker.service replace", "reset docker.service", "reset docker.socket"}
	if diff := cmp.Diff(want, m.since()); diff != "" {
		t.Errorf("what systemd was asked (-want +got):\n%s", diff)
	}

	// A dockerd that does not start is told with systemd's reason; what it had saved, the way back saves.
	s = fresh()
	before = snap(t, s)
	m.broken = true
	mentions(t, s.Activate(t.Context(), restart),
		"docker.service: restart: it ended with status 1 (see journalctl -u docker.service)")
	mentions(t, s.Ready(t.Context(), restart), "")
	mentions(t, s.Healthy(t.Context(), before), "no dockerd runs any more")
	m.broken = false
	mentions(t, s.Activate(t.Context(), restart), "")
	mentions(t, s.Healthy(t.Context(), before), "")
	if got := stateOf(t, d, id).Pid; got != pid {
		t.Errorf("after the way back the container's PID was %d and is %d", pid, got)
	}

	// With nobody to remember how it went, a recovery takes the snapshot's word for live-restore.
	mentions(t, fresh().Healthy(t.Context(), before), "")

	// systemd's word alone does not count.
	m.lies = true
	mentions(t, fresh().Activate(t.Context(), restart), "is the same process")
	m.lies = false

	// A unit without ExecReload= is reloaded by the signal.
	m.since()
	m.unit.Reloads = false
	mentions(t, fresh().Activate(t.Context(), reload), "")
	if diff := cmp.Diff([]string(nil), m.since()); diff != "" {
		t.Errorf("what systemd was asked (-want +got):\n%s", diff)
	}
}

// Without live-restore in force a restart ends containers. Those that come back by themselves must be back, the others
// are named and no more: nobody could get them back by undoing anything.
func TestRestartWithoutLiveRestore(t *testing.T) {
	d := testdocker.Start(t)
	_, bus := newManager(t, d)
	d.Run("web", always)
	once := d.Run("once", nil)
	var said heard
	s := New(Options{DockerHost: d.Host, Watch: time.Second, bus: bus, event: testTimeout, RestartTimeout: testTimeout,
		Progress: said.add})
	before := snap(t, s)
	write(t, d.ConfigFile, `{"live-restore": true}`) // in the file alone: what the daemon has in memory decides
	mentions(t, s.Activate(t.Context(), restart), "")
	mentions(t, s.Healthy(t.Context(), before), "")
	if got := stateOf(t, d, once); got.Running {
		t.Fatal("the restart has spared a container: the test tests nothing")
	}
	want := "container once has stopped and its restart policy (no) does not restart it"
	if !strings.Contains(said.String(), want) || strings.Contains(said.String(), "container web") {
		t.Errorf("said %q, want %q and nothing of web", said.String(), want)
	}
}

func TestReadyRestart(t *testing.T) {
	d := testdocker.Start(t)
	m, bus := newManager(t, d)
	s := New(Options{DockerHost: d.Host, bus: bus})
	other := os.Getpid()
	tests := []struct {
		name string
		unit unit
		want string
	}{
		{"the daemon's own service", unit{Load: "loaded", Active: "active", MainPID: d.PID}, ""},
		{"a service that has failed while another dockerd serves", unit{Load: "loaded", Active: "failed"},
			"was not started by docker.service"},
		{"no such service", unit{Load: "not-found", Active: "inactive"},
			"systemd cannot restart docker.service: it is not-found"},
		{"a masked service", unit{Load: "masked", Active: "inactive"}, "it is masked"},
		{"a service of something else", unit{Load: "loaded", Active: "active", MainPID: other}, "not dockerd"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m.mu.Lock()
			m.unit = tt.unit
			m.mu.Unlock()
			mentions(t, s.Ready(t.Context(), restart), tt.want)
		})
	}
	m.unit = unit{Load: "loaded", Active: "failed"}
	d.Stop()
	mentions(t, s.Ready(t.Context(), restart), "")
	second := testdocker.Start(t)
	m.unit = unit{Load: "loaded", Active: "active", MainPID: second.PID}
	d.Restart()
	mentions(t, s.Ready(t.Context(), restart), "belongs to the dockerd with PID")

	// A socket that somebody else made and hands on, as docker.socket does, says nothing of whose it is; the unit does.
	handed := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", handed)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	mentions(t, New(Options{DockerHost: "unix://" + handed, bus: bus}).Ready(t.Context(), restart), "")
	mentions(t, New(Options{DockerHost: "unix://" + handed, bus: without}).Ready(t.Context(), reload),
		"its owner is unknown")
}
