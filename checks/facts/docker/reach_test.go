package docker_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/system"
	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/fixtures"
)

// An engine has containers, images and volumes, on this machine.
type engine struct {
	root       string // data root
	containers []docker.Container
	images     []docker.Image
	volumes    []docker.Volume
	err        error // of its containers
}

func (e *engine) Info(context.Context) (system.Info, error) {
	return system.Info{DockerRootDir: e.root}, nil
}
func (e *engine) Containers(context.Context) ([]docker.Container, error) { return e.containers, e.err }
func (e *engine) Images(context.Context) ([]docker.Image, error)         { return e.images, nil }
func (e *engine) Network(context.Context, string) (n network.Inspect, err error) {
	return n, facts.ErrAbsent
}

func (e *engine) Get(_ context.Context, path string, read func(io.Reader) error) error {
	if path != "/volumes" {
		return facts.ErrAbsent
	}
	text, err := json.Marshal(map[string]any{"Volumes": e.volumes})
	if err != nil {
		return err
	}
	return read(strings.NewReader(string(text)))
}

// with has an engine of this machine answer.
func with(m *fixtures.Machine, e *engine) *fixtures.Machine {
	m.API, m.EngineErr, m.Endpoint = e, nil, facts.Endpoint{Local: true}
	return m
}

// mounting is a container with a mount.
func mounting(name string, m docker.Mount) docker.Container {
	return docker.Container{ID: name, Name: "/" + name, Mounts: []docker.Mount{m}}
}

// TestContainerReach asks of many paths what containers can do to them.
func TestContainerReach(t *testing.T) {
	m := with(fixtures.NewMachine(t, `
-- srv/rw/sub/file --
-- srv/ro/file --
-- srv/shared/file --
-- srv/device/file --
-- real/data/x --
-- data@ --
/real/data
-- proc/self/mountinfo --
20 1 8:1 / / rw - ext4 /dev/sda1 rw
21 20 8:1 /srv/rw /mnt/again rw - ext4 /dev/sda1 rw
22 20 8:2 /@ /big\040disk rw - btrfs /dev/sdb rw
23 20 8:2 /@/sub /other rw - btrfs /dev/sdb rw
`), &engine{root: "/data",
		containers: []docker.Container{
			mounting("writer", docker.Mount{Type: "bind", Source: "/srv/rw", RW: true}),
			mounting("reader", docker.Mount{Type: "bind", Source: "/srv/ro"}),
			mounting("spreader", docker.Mount{Type: "bind", Source: "/srv/shared", Propagation: "rshared"}),
			mounting("disk", docker.Mount{Type: "bind", Source: "/big disk/sub", RW: true}),
			mounting("editor", docker.Mount{Type: "bind", Source: "/etc", RW: true}),
			mounting("file", docker.Mount{Type: "bind", Source: "/srv/one.conf", RW: true}),
			mounting("memory", docker.Mount{Type: "tmpfs", RW: true}),
		},
		volumes: []docker.Volume{
			{Name: "vol", Mountpoint: "/volumes/vol/_data"},
			{Name: "bound", Mountpoint: "/volumes/bound/_data",
				Options: map[string]string{"type": "none", "o": "bind", "device": "/srv/device"}},
			{Name: "share", Mountpoint: "/volumes/share/_data", Options: map[string]string{"type": "nfs", "device": ":/export"}},
		}})
	h := m.Host()
	const pods = "container runtimes keep containers' files below /var/lib/kubelet/pods"
	for p, want := range map[string]docker.Reach{
		"/srv":                      {docker.HoldBelow, "every container that is given the volume bound", false},
		"/srv/rw":                   {docker.HoldContent, "container writer, which mounts /srv/rw", false},
		"/srv/rw/sub/file":          {docker.HoldName, "container writer, which mounts /srv/rw", false},
		"/srv/rw/none":              {docker.HoldName, "container writer, which mounts /srv/rw", false},
		"/srv/rwx":                  {},
		"/mnt/again/sub":            {docker.HoldName, "container writer, which mounts /srv/rw", false},
		"/mnt/again":                {docker.HoldContent, "container writer, which mounts /srv/rw", false},
		"/other/x":                  {docker.HoldName, "container disk, which mounts /big disk/sub", false},
		"/srv/ro/file":              {},
		"/srv/shared/file":          {docker.HoldName, "container spreader, which mounts /srv/shared", false},
		"/srv/one.conf":             {docker.HoldContent, "container file, which mounts /srv/one.conf", false},
		"/srv/device/file":          {docker.HoldName, "every container that is given the volume bound", false},
		"/volumes/vol/_data/x":      {docker.HoldName, "every container that is given the volume vol", false},
		"/volumes":                  {docker.HoldBelow, "every container that is given the volume vol", false},
		"/export":                   {},
		"/etc/docker/daemon.json":   {docker.HoldName, "container editor, which mounts /etc", true},
		"/real/data":                {docker.HoldBelow, "the Docker Engine keeps containers' files below /data", false},
		"/real/data/x":              {docker.HoldName, "the Docker Engine keeps containers' files below /data", false},
		"/var/lib/kubelet":          {docker.HoldBelow, pods, false},
		"/var/lib/kubelet/pods/u/v": {docker.HoldName, pods, false},
		"/usr/bin/docker":           {},
	} {
		got, err := docker.ContainerReach(h, p)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: error %v (-want +got):\n%s", p, err, diff)
		}
	}
}

// TestContainerReachUnknown holds an engine that does not answer to be no pass.
func TestContainerReachUnknown(t *testing.T) {
	m := with(fixtures.NewMachine(t, ""), &engine{root: "/data", err: errors.New("no answer")})
	if _, err := docker.ContainerReach(m.Host(), "/srv/x"); err == nil {
		t.Error("no error, though containers are unknown")
	}
	if r, err := docker.ContainerReach(m.Host(), "/data/x"); err != nil || r.Hold != docker.HoldName {
		t.Errorf("of what is certain anyway: %v, %v", r, err)
	}
	m = fixtures.NewMachine(t, "")
	if r, err := docker.ContainerReach(m.Host(), "/srv/x"); err != nil || r.Hold != docker.NoHold {
		t.Errorf("without an engine: %v, %v", r, err)
	}
}
