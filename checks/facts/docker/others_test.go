package docker_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/fixtures"
	"github.com/docker/docker/api/types/system"
)

// asked counts how often a machine is asked where a process listens.
type asked struct {
	facts.Source
	times int
}

func (a *asked) Listeners(ctx context.Context, pid int) ([]facts.Listener, error) {
	a.times++
	return a.Source.Listeners(ctx, pid)
}

// TestManyDaemons has a user start a thousand daemons: for each the kernel takes long to tell where it listens.
func TestManyDaemons(t *testing.T) {
	m := fixtures.NewMachine(t, fixtures.CEUnit)
	m.Running = []facts.Process{proc(7, "docker.service", ceArgv)}
	m.Sockets = map[int][]facts.Listener{100: {{Network: "unix", Address: "/run/user/1000/docker.sock"}}}
	for pid := range 1000 {
		p := proc(100+pid, "", "dockerd")
		p.UID = 1000
		m.Running = append(m.Running, p)
	}
	a := &asked{Source: m}
	d, err := docker.DaemonOf(facts.New(t.Context(), a, facts.Choices{}))
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Others) != 1000 || len(d.Others[0].Sockets) != 1 || a.times > 50 {
		t.Errorf("%d others, the first at %v; asked %d times", len(d.Others), d.Others[0].Sockets, a.times)
	}
}

// A silent engine takes a connection and says nothing.
type silent struct{ answer }

func (silent) Info(context.Context) (system.Info, error) {
	return system.Info{}, errors.New("no answer within 30s")
}

// TestDaemonOfOthers has somebody name an engine that is not this host's dockerd: that one is not judged in its place.
func TestDaemonOfOthers(t *testing.T) {
	doubted := proc(20, "", "dockerd")
	doubted.OtherMounts = true
	for _, tt := range []struct {
		name string
		pid  int
		api  facts.API
		want string
	}{
		{"what listens does not answer", 99, silent{}, "does not answer"},
		{"a dockerd that does not count", 20, answer{}, "dockerd (PID 20) is ignored"},
		{"a dockerd that hangs", 10, silent{}, ""},
	} {
		m := fixtures.NewMachine(t, fixtures.CEUnit)
		m.Running, m.API = []facts.Process{proc(10, "", "dockerd"), doubted}, tt.api
		m.EngineErr = nil
		m.Endpoint = facts.Endpoint{Host: "unix:///run/x.sock", From: "--docker-host", Local: true, PID: tt.pid}
		d, err := docker.DaemonOf(m.Host())
		if tt.want == "" && (err != nil || d.Process == nil || d.Process.PID != tt.pid) ||
			tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %+v, %v", tt.name, d, err)
		}
	}
}
