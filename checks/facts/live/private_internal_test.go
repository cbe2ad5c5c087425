//go:build linux && !portable

package live

import (
	"net"
	"path/filepath"
	"strconv"
	"testing"

	"example.com/harden/checks/facts"
	"example.com/harden/scripts/testdocker"
)

// TestPrivate asks a dockerd where it listens, with nobody having said so.
func TestPrivate(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a dockerd")
	}
	d := testdocker.Start(t)
	s := New("/", DockerOptions{})
	p, err := s.Process(d.PID)
	if err != nil {
		t.Fatal(err)
	}
	e, ok := s.first([]facts.Process{{PID: 1 << 22}, p})
	if want := (facts.Endpoint{Host: d.Host, From: "the dockerd with PID " + strconv.Itoa(d.PID)}); !ok || e != want {
		t.Errorf("%+v, %v; want %+v", e, ok, want)
	}
	ps, err := s.trusted()
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for i, q := range ps {
		found = found || q.PID == d.PID
		if i > 0 && q.Started.Before(ps[i-1].Started) {
			t.Errorf("the dockerd with PID %d comes after a younger one", q.PID)
		}
	}
	if !found {
		t.Errorf("the dockerd with PID %d is not among %d that count", d.PID, len(ps))
	}
}

// TestServes tells the Engine's own sockets from others of the same process.
func TestServes(t *testing.T) {
	for _, test := range []struct {
		args    []string
		address string
		want    bool
	}{
		{[]string{"dockerd", "-H", "unix:///run/x.sock"}, "/run/x.sock", true},
		{[]string{"dockerd", "-H", "unix:///var/run/x.sock"}, "/run/x.sock", true},
		{[]string{"dockerd", "--host=unix:///run/x.sock", "--host", "tcp://0.0.0.0:2375"}, ":2375", true},
		{[]string{"dockerd", "-Hunix:///run/x.sock"}, "/run/y.sock", false},
		{[]string{"dockerd"}, "/run/docker.sock", true},
		{[]string{"dockerd"}, "/run/docker/libnetwork/1a.sock", false},
		{[]string{"dockerd", "--metrics-addr=127.0.0.1:9323"}, ":9323", false},
	} {
		if got := serves(facts.Process{Args: test.args}, test.address); got != test.want {
			t.Errorf("%q at %s: %v", test.args, test.address, got)
		}
	}
}

func TestDeserted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "docker.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: file, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	s := New("/", DockerOptions{})
	if s.deserted(file) {
		t.Error("somebody listens there")
	}
	l.Close()
	if !s.deserted(file) {
		t.Error("nobody listens there any more")
	}
}
