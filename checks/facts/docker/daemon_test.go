package docker_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/system"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/fixtures"
)

// An answer is an engine that says one thing of itself.
type answer struct{ info system.Info }

func (a answer) Info(context.Context) (system.Info, error) { return a.info, nil }

func (answer) Containers(context.Context) ([]docker.Container, error) { return nil, nil }

func (answer) Images(context.Context) ([]docker.Image, error) { return nil, nil }

func (answer) Get(context.Context, string, func(io.Reader) error) error { return facts.ErrAbsent }

func (answer) Network(context.Context, string) (network.Inspect, error) {
	return network.Inspect{}, facts.ErrAbsent
}

// proc is a dockerd that starts after every file of the test has been written.
func proc(pid int, unit, argv string) facts.Process {
	return facts.Process{PID: pid, Exe: "/usr/bin/dockerd", Args: strings.Fields(argv), Unit: unit,
		Started: time.Now().Add(time.Hour)}
}

// in is a process whose relative paths start from a directory.
func in(dir string, p facts.Process) facts.Process {
	p.Dir = dir
	return p
}

const ceArgv = "/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock"

// A state is what tests compare of a daemon.
type state struct {
	PID                           int
	Flavour, Unit, File, DataRoot string
	Explicit, Keys, Stale         bool
	Running, Next                 string // of the flag icc, and where that is written
}

func stateOf(d *docker.Daemon) state {
	s := state{Flavour: d.Flavour, Unit: d.Unit, File: d.File, DataRoot: d.DataRoot, Explicit: d.Explicit,
		Keys: d.Keys != nil, Stale: d.Stale}
	if d.Process != nil {
		s.PID = d.Process.PID
	}
	o := d.Option("icc")
	if o.Running != nil {
		s.Running = o.Running.Values[0] + " " + o.Running.Origin
	}
	if o.Next != nil {
		s.Next = o.Next.Values[0] + " " + o.Next.Origin
	}
	return s
}

func TestDaemon(t *testing.T) {
	const (
		systemd = "-- run/systemd/system/x --\n"
		file    = "/etc/docker/daemon.json"
		root    = "/var/lib/docker"
	)
	rootless := proc(5, "docker.service", "dockerd --icc=false")
	rootless.UID, rootless.Exe = 1000, "/home/u/bin/dockerd"
	snap := proc(6, "snap.docker.dockerd.service",
		"dockerd --config-file=/var/snap/docker/9/config/daemon.json --data-root=/var/snap/docker/common/var-lib-docker")
	snap.Exe = "/snap/docker/9/bin/dockerd"
	other := proc(9, "", "dockerd")
	other.Exe = "/usr/bin/tail"
	tests := []struct {
		name      string
		archive   string
		processes []facts.Process
		want      state
	}{
		{"docker-ce as installed", fixtures.CEUnit + systemd, []facts.Process{other, proc(7, "docker.service", ceArgv)},
			state{PID: 7, Flavour: "package", Unit: "docker.service", File: file, DataRoot: root}},
		{"installed, not running",
			fixtures.CEUnit + systemd + "-- etc/docker/daemon.json --\n{\"data-root\": \"/data\"}\n", nil,
			state{Flavour: "package", Unit: "docker.service", File: file, DataRoot: "/data", Keys: true}},
		{"options of the environment file, added since",
			fixtures.DebianUnit + systemd + "-- etc/default/docker --\nDOCKER_OPTS=--icc=false\n",
			[]facts.Process{proc(7, "docker.service",
				"/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock")},
			state{PID: 7, Flavour: "package", Unit: "docker.service", File: file, DataRoot: root, Stale: true,
				Next: "false /etc/default/docker"}},
		{"a flag that a drop-in has taken away since", fixtures.CEUnit + systemd,
			[]facts.Process{proc(7, "docker.service", ceArgv+" --icc=false")},
			state{PID: 7, Flavour: "package", Unit: "docker.service", File: file, DataRoot: root, Stale: true,
				Running: "false process"}},
		{"the same flags in another order", fixtures.CEUnit + systemd,
			[]facts.Process{proc(7, "docker.service",
				"/usr/bin/dockerd --containerd /run/containerd/containerd.sock --host=fd://")},
			state{PID: 7, Flavour: "package", Unit: "docker.service", File: file, DataRoot: root}},
		{"started by hand beside an installed unit", fixtures.CEUnit + systemd + "-- srv/d.json --\n{}\n",
			[]facts.Process{proc(7, "", "dockerd --icc=false --config-file /srv/d.json --data-root /srv/d")},
			state{PID: 7, Flavour: "package", File: "/srv/d.json", DataRoot: "/srv/d", Explicit: true, Keys: true,
				Running: "false process", Next: "false process"}},
		{"relative paths of what was started by hand", fixtures.CEUnit + systemd +
			"-- srv/d.json --\n{\"data-root\": \"../d\"}\n-- d.json --\n{\"icc\": true}\n",
			[]facts.Process{in("/srv", proc(7, "", "dockerd --config-file d.json"))},
			state{PID: 7, Flavour: "package", File: "/srv/d.json", DataRoot: "/d", Explicit: true, Keys: true}},
		{"relative paths of a service", systemd + "-- etc/systemd/system/docker.service --\n[Service]\n" +
			"WorkingDirectory=-/srv\nExecStart=/usr/bin/dockerd --config-file=d.json --data-root=d\n-- srv/d.json --\n{}\n",
			[]facts.Process{in("/elsewhere", proc(7, "docker.service", "dockerd --config-file=d.json --data-root=d"))},
			state{PID: 7, Flavour: "package", Unit: "docker.service", File: "/srv/d.json", DataRoot: "/srv/d", Explicit: true,
				Keys: true}},
		{"a unit removed since", systemd, []facts.Process{proc(7, "docker.service", ceArgv)},
			state{PID: 7, Flavour: "package", File: file, DataRoot: root}},
		{"the unit names another file", systemd +
			"-- etc/systemd/system/docker.service --\n[Service]\nExecStart=/usr/bin/dockerd --config-file=/etc/d.json\n",
			[]facts.Process{proc(7, "docker.service", "dockerd")},
			state{PID: 7, Flavour: "package", Unit: "docker.service", File: "/etc/d.json", DataRoot: root, Explicit: true,
				Stale: true}},
		{"rootless", systemd + `-- home/u/.config/systemd/user/docker.service --
[Service]
ExecStart=/usr/bin/dockerd-rootless.sh --icc=false
-- etc/passwd --
root:x:0:0::/root:/bin/sh
u:x:1000:1000::/home/u:/bin/sh
-- home/u/.config/docker/daemon.json --
{}
`, []facts.Process{rootless}, state{PID: 5, Flavour: "rootless", Unit: "docker.service",
			File:     "/home/u/.config/docker/daemon.json",
			DataRoot: "/home/u/.local/share/docker", Keys: true, Running: "false process",
			Next: "false /home/u/.config/systemd/user/docker.service"}},
		{"snap", systemd + `-- etc/systemd/system/snap.docker.dockerd.service --
[Service]
ExecStart=/usr/bin/snap run docker.dockerd
-- var/snap/docker/9/config/daemon.json --
{}
`, []facts.Process{snap}, state{PID: 6, Flavour: "snap", Unit: "snap.docker.dockerd.service", Explicit: true,
			File: "/var/snap/docker/9/config/daemon.json", DataRoot: "/var/snap/docker/common/var-lib-docker", Keys: true}},
		{"sysvinit", "-- etc/init.d/docker --\n#!/bin/sh\n-- etc/default/docker --\nDOCKER_OPTS=\"--icc=false -D\"\n",
			[]facts.Process{proc(7, "", "/usr/sbin/dockerd -p /var/run/docker.pid --icc=true")},
			state{PID: 7, Flavour: "package", File: file, DataRoot: root, Stale: true, Running: "true process",
				Next: "false /etc/default/docker"}},
		{"sysvinit, but started by hand",
			"-- etc/init.d/docker --\n#!/bin/sh\n-- etc/default/docker --\nDOCKER_OPTS=--icc=false\n",
			[]facts.Process{proc(7, "", "dockerd")},
			state{PID: 7, Flavour: "package", File: file, DataRoot: root}},
		{"only a binary", "-- usr/bin/dockerd --\nx\n", nil, state{Flavour: "package", File: file, DataRoot: root}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := fixtures.NewMachine(t, tt.archive)
			m.Running = tt.processes
			d, err := docker.DaemonOf(m.Host())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, stateOf(d)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if d.KeysErr != nil && !d.Explicit {
				t.Error(d.KeysErr)
			}
		})
	}
}

func TestDaemonWhereThereIsNone(t *testing.T) {
	d, err := docker.DaemonOf(fixtures.NewMachine(t, "-- etc/hostname --\nx\n").Host())
	if !errors.Is(err, facts.ErrAbsent) {
		t.Errorf("got %v, %v", d, err)
	}
	m := fixtures.NewMachine(t, "-- etc/hostname --\nx\n")
	m.EngineErr = errors.New("docker engine at unix:///run/docker.sock: not running")
	if d, err := docker.DaemonOf(m.Host()); err != nil || d.Process != nil {
		t.Errorf("a dead socket is a sign of Docker; got %v, %v", d, err)
	}
	m.EngineErr, m.API = nil, answer{}
	m.Endpoint = facts.Endpoint{Host: "tcp://192.0.2.1:2376"}
	if d, err := docker.DaemonOf(m.Host()); !errors.Is(err, docker.ErrElsewhere) {
		t.Errorf("an engine of another machine gives %v, %v", d, err)
	}
	m.Endpoint.Local = true
	if d, err := docker.DaemonOf(m.Host()); err == nil || errors.Is(err, facts.ErrAbsent) {
		t.Errorf("an engine that answers without a process gives %v, %v", d, err)
	}
}

func TestDaemonOfEndpoint(t *testing.T) {
	tests := []struct {
		name, archive, host string
		want                int
	}{
		{"the socket's", "", "unix:///srv/b.sock", 20},
		{"the socket's, by another path", "-- a@ --\nsrv\n", "unix:///a/b.sock", 20},
		{"the port's", "", "tcp://127.0.0.1:2375", 30},
		{"the pid file's where nobody serves it", "-- run/docker.pid --\n30\n", "unix:///run/docker.sock", 30},
		{"else the eldest", "", "unix:///run/docker.sock", 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := fixtures.NewMachine(t, tt.archive+"-- srv/b.sock --\n")
			m.Running = []facts.Process{proc(30, "", "dockerd"), proc(10, "", "dockerd"), proc(20, "", "dockerd"),
				proc(40, "", "dockerd")}
			m.Sockets = map[int][]facts.Listener{
				10: {{Network: "unix", Address: "/srv/a.sock"}},
				20: {{Network: "tcp", Address: "127.0.0.1:2376"}, {Network: "unix", Address: "/srv/b.sock"}},
				30: {{Network: "tcp6", Address: "[::]:2375"}},
			}
			m.API, m.Endpoint, m.EngineErr = answer{}, facts.Endpoint{Host: tt.host, Local: true}, nil
			d, err := docker.DaemonOf(m.Host())
			if err != nil {
				t.Fatal(err)
			}
			if d.Process.PID != tt.want {
				t.Errorf("found %d, want %d", d.Process.PID, tt.want)
			}
		})
	}
}

func TestDaemonKeys(t *testing.T) {
	tests := []struct {
		name, content string
		want          string // part of the error; empty for none
	}{
		{"plain", `{"icc": false}`, ""},
		{"comment", "{\n  // no\n}", "/etc/docker/daemon.json: line 2, column 3"},
		{"twice", `{"icc": false, "icc": true}`, "/etc/docker/daemon.json: line 1, column 16"},
		{"array", `[]`, "/etc/docker/daemon.json: line 1, column 1"},
	}
	for _, tt := range tests {
		m := fixtures.NewMachine(t, fixtures.CEUnit+"-- etc/docker/daemon.json --\n"+tt.content+"\n")
		d, err := docker.DaemonOf(m.Host())
		if err != nil {
			t.Fatal(err)
		}
		if tt.want == "" && (d.KeysErr != nil || string(d.Keys.Values["icc"]) != "false") ||
			tt.want != "" && (d.KeysErr == nil || !strings.Contains(d.KeysErr.Error(), tt.want) || d.Keys != nil) {
			t.Errorf("%s: keys %v, error %v; want error %q", tt.name, d.Keys, d.KeysErr, tt.want)
		}
	}
	d, err := docker.DaemonOf(fixtures.NewMachine(t,
		"-- etc/systemd/system/docker.service --\n[Service]\nExecStart=dockerd "+
			"--config-file=/gone\n").Host())
	if err != nil || d.KeysErr == nil {
		t.Errorf("a named file that does not exist: %v, %v", d, err)
	}
}

// An overlay is judged as if the plan had been carried out: nothing read before stands in the way.
func TestDaemonAfterPlan(t *testing.T) {
	m := fixtures.NewMachine(t, fixtures.CEUnit+"-- etc/docker/daemon.json --\n{}\n")
	m.Running = []facts.Process{proc(7, "docker.service", ceArgv+" --icc=true")}
	h := m.Host()
	before, err := docker.DaemonOf(h)
	if err != nil {
		t.Fatal(err)
	}
	f, err := h.File("/etc/docker/daemon.json")
	if err != nil {
		t.Fatal(err)
	}
	f.Data = []byte(`{"icc": false}`)
	plan := facts.Overlay{Files: map[string]facts.File{f.Path: f}}
	written, err := docker.DaemonOf(h.With(plan))
	if err != nil {
		t.Fatal(err)
	}
	plan.Restarted = map[string]bool{"docker.service": true}
	restarted, err := docker.DaemonOf(h.With(plan))
	if err != nil {
		t.Fatal(err)
	}
	type option struct {
		File    string
		Running bool
		Stale   bool
	}
	of := func(d *docker.Daemon) option {
		o := d.Option("icc")
		return option{string(o.File), o.Running != nil, d.Stale}
	}
	want := []option{{"", true, true}, {"false", true, true}, {"false", false, false}}
	if diff := cmp.Diff(want, []option{of(before), of(written), of(restarted)}); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestDaemonStaleFile(t *testing.T) {
	m := fixtures.NewMachine(t, fixtures.CEUnit+"-- etc/docker/daemon.json --\n{}\n")
	started := time.Now().Add(-time.Hour)
	p := proc(7, "docker.service", ceArgv)
	p.Started = started
	m.Running = []facts.Process{p}
	d, err := docker.DaemonOf(m.Host())
	if err != nil || !d.Stale || !d.Changed.After(started) {
		t.Errorf("a file written after the start: stale %v, changed %v, error %v", d.Stale, d.Changed, err)
	}
}

func TestOption(t *testing.T) {
	m := fixtures.NewMachine(t,
		"-- etc/systemd/system/docker.service --\n[Service]\nExecStart=dockerd --label a=b --label c=d\n"+
			"-- etc/docker/daemon.json --\n{\"labels\": [\"x=y\"]}\n")
	d, err := docker.DaemonOf(m.Host())
	if err != nil {
		t.Fatal(err)
	}
	want := docker.Option{Flag: "label", File: json.RawMessage(`["x=y"]`),
		Next: &facts.Flag{Name: "label", Values: []string{"a=b", "c=d"}, Origin: "/etc/systemd/system/docker.service"}}
	if diff := cmp.Diff(want, d.Option("labels"), cmpopts.IgnoreFields(facts.Flag{}, "By")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestSettled asks of a daemon.json that is newer than its dockerd which of its keys are what dockerd has read, as far
// as harden's own journal tells.
func TestSettled(t *testing.T) {
	started := time.Now().Add(-time.Hour)
	before, after := started.Add(-time.Minute), started.Add(time.Minute)
	tests := []struct {
		name    string
		earlier []facts.Version
		want    map[string]bool
	}{
		{"nobody knows what was there", nil, map[string]bool{"icc": false, "live-restore": false}},
		{"harden replaced it after the start",
			[]facts.Version{{Data: []byte(`{"icc": false}`), Modified: before, Replaced: after}},
			map[string]bool{"icc": true, "live-restore": false, "iptables": true}},
		{"harden made it after the start", []facts.Version{{Replaced: after}},
			map[string]bool{"icc": false, "live-restore": false, "iptables": true}},
		{"somebody had changed it in between",
			[]facts.Version{{Data: []byte(`{"icc": false}`), Modified: after, Replaced: after.Add(1)}},
			map[string]bool{"icc": false, "live-restore": false}},
		{"the first of two runs since the start counts", []facts.Version{
			{Data: []byte(`{"icc": true}`), Modified: before.Add(-1), Replaced: before},
			{Data: []byte(`{"live-restore": true}`), Modified: before, Replaced: after},
			{Data: []byte(`{"icc": false, "live-restore": true}`), Modified: after, Replaced: after.Add(1)},
		}, map[string]bool{"icc": false, "live-restore": true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := fixtures.NewMachine(t,
				fixtures.CEUnit+"-- etc/docker/daemon.json --\n{\"icc\": false, \"live-restore\": true}\n")
			p := proc(7, "docker.service", ceArgv)
			p.Started = started
			m.Running = []facts.Process{p}
			h := m.Host()
			h.Earlier = func(path string) []facts.Version {
				if path != "/etc/docker/daemon.json" {
					t.Errorf("asked for %s", path)
				}
				return tt.earlier
			}
			d, err := docker.DaemonOf(h)
			if err != nil {
				t.Fatal(err)
			}
			for key, want := range tt.want {
				if got := d.Settled(key); got != want {
					t.Errorf("%s settled: %v, want %v", key, got, want)
				}
			}
		})
	}
}
