package docker_test

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/system"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/want"
)

const passwd = "root:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n"

// An inhabited is a machine with one container, and an Engine that opens every file that it is asked for.
type inhabited struct {
	facts.Source
	docker.Engine
	version   string
	container docker.Container
	cgroup    string
	asked     string
}

func (s *inhabited) Info(context.Context) (system.Info, error) {
	return system.Info{ServerVersion: s.version}, nil
}

func (s *inhabited) Containers(context.Context) ([]docker.Container, error) {
	return []docker.Container{s.container}, nil
}

func (s *inhabited) Get(_ context.Context, path string, read func(io.Reader) error) error {
	s.asked += "engine " + path
	var b strings.Builder
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "passwd", Typeflag: tar.TypeReg, Size: int64(len(passwd))}); err != nil {
		return err
	}
	io.WriteString(w, passwd)
	return errors.Join(w.Close(), read(strings.NewReader(b.String())))
}

// A seen can look into the container by itself.
type seen struct{ *inhabited }

func (s seen) Engine(context.Context) (facts.API, facts.Endpoint, error) {
	return s.inhabited, facts.Endpoint{Local: true}, nil
}

func (s seen) Stat(context.Context, string) (facts.Info, error) { return facts.Info{}, nil }

func (s seen) Read(_ context.Context, path string) ([]byte, error) { return []byte(s.cgroup), nil }

func (s seen) Inside(_ context.Context, pid int, path string) ([]byte, error) {
	s.asked += "inside " + path
	return []byte(passwd), nil
}

// TestContainerUser has harden learn which user a name in a container is: from the Engine only where nobody can lead it
// out of the container meanwhile.
func TestContainerUser(t *testing.T) {
	const id = "0a0a"
	const engine, inside = "engine /containers/" + id + "/archive?path=/etc/passwd", "inside /etc/passwd"
	for _, tt := range []struct {
		version, cgroup  string
		running, mounted bool
		asked, says      string
	}{
		{"29.5.1", "", true, true, engine, ""},
		{"29.10.0", "", true, true, engine, ""},
		{"30.0.0+local", "", true, true, engine, ""},
		{"20.10.24+dfsg1", "0::/docker/" + id, true, false, inside, ""},
		{"29.5.0", "0::/docker/" + id, true, true, inside, ""},
		{"29.5.1-rc.1", "0::/docker/" + id, true, true, inside, ""},
		{"", "0::/docker/" + id, true, true, inside, ""},
		{"28.5.2", "0::/system.slice/cron.service", true, true, "", "not in its control group"},
		{"28.5.2", "", false, false, engine, ""},
		{"28.5.2", "", false, true, "", "CVE-2026-41568"},
	} {
		c := docker.Container{ID: id}
		if tt.running {
			c.State.Running, c.State.Pid = true, 7
		}
		if tt.mounted {
			c.Mounts = make([]docker.Mount, 1)
		}
		s := &inhabited{version: tt.version, container: c, cgroup: tt.cgroup}
		uid, err := docker.ContainerUser(facts.New(t.Context(), seen{s}, facts.Choices{}), id, "app")
		switch {
		case s.asked != tt.asked:
			t.Errorf("%+v: asked %q", tt, s.asked)
		case tt.says == "" && (err != nil || uid != 1000):
			t.Errorf("%+v: %d, %v", tt, uid, err)
		case tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)):
			t.Errorf("%+v: %v", tt, err)
		}
	}
}

// TestContainersAfterUpdates has a plan change what it would update in place, and leave what the Engine told.
func TestContainersAfterUpdates(t *testing.T) {
	s := &inhabited{container: docker.Container{ID: "c1", HostConfig: docker.HostConfig{Memory: 1}}}
	h := facts.New(t.Context(), seen{s}, facts.Choices{})
	after := h.With(facts.Overlay{Updated: map[string]want.Limits{"c1": {Memory: 2}}})
	for _, x := range []struct {
		host *facts.Host
		want int64
	}{{after, 2}, {h, 1}, {after.With(facts.Overlay{}), 2}} {
		all, err := docker.Containers(x.host)
		if err != nil || all[0].HostConfig.Memory != x.want {
			t.Errorf("%v, %v; want %d", all, err, x.want)
		}
	}
}
