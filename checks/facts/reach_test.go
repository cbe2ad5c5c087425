package facts_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/system"
	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks/facts"
)

// An engine has containers, images and volumes, on this machine.
type engine struct {
	root       string // data root
	containers []facts.Container
	images     []facts.Image
	volumes    []facts.Volume
	err        error // of its containers
}

func (e *engine) Info(context.Context) (system.Info, error) {
	return system.Info{DockerRootDir: e.root}, nil
}
func (e *engine) Containers(context.Context) ([]facts.Container, error) { return e.containers, e.err }
func (e *engine) Images(context.Context) ([]facts.Image, error)         { return e.images, nil }
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
func (m *machine) with(e *engine) *machine {
	m.engine, m.engineErr, m.endpoint = e, nil, facts.Endpoint{Local: true}
	return m
}

// mounting is a container with a mount.
func mounting(name string, m facts.Mount) facts.Container {
	return facts.Container{ID: name, Name: "/" + name, Mounts: []facts.Mount{m}}
}

// TestContainerReach asks of many paths what containers can do to them.
func TestContainerReach(t *testing.T) {
	m := newMachine(t, `
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
`).with(&engine{root: "/data",
		containers: []facts.Container{
			mounting("writer", facts.Mount{Type: "bind", Source: "/srv/rw", RW: true}),
			mounting("reader", facts.Mount{Type: "bind", Source: "/srv/ro"}),
			mounting("spreader", facts.Mount{Type: "bind", Source: "/srv/shared", Propagation: "rshared"}),
			mounting("disk", facts.Mount{Type: "bind", Source: "/big disk/sub", RW: true}),
			mounting("editor", facts.Mount{Type: "bind", Source: "/etc", RW: true}),
			mounting("file", facts.Mount{Type: "bind", Source: "/srv/one.conf", RW: true}),
			mounting("memory", facts.Mount{Type: "tmpfs", RW: true}),
		},
		volumes: []facts.Volume{
			{Name: "vol", Mountpoint: "/volumes/vol/_data"},
			{Name: "bound", Mountpoint: "/volumes/bound/_data", Options: map[string]string{"type": "none", "o": "bind", "device": "/srv/device"}},
			{Name: "share", Mountpoint: "/volumes/share/_data", Options: map[string]string{"type": "nfs", "device": ":/export"}},
		}})
	h := m.host()
	for p, want := range map[string]facts.Reach{
		"/srv":                      {facts.HoldBelow, "every container that is given the volume bound", false},
		"/srv/rw":                   {facts.HoldContent, "container writer, which mounts /srv/rw", false},
		"/srv/rw/sub/file":          {facts.HoldName, "container writer, which mounts /srv/rw", false},
		"/srv/rw/none":              {facts.HoldName, "container writer, which mounts /srv/rw", false},
		"/srv/rwx":                  {},
		"/mnt/again/sub":            {facts.HoldName, "container writer, which mounts /srv/rw", false},
		"/mnt/again":                {facts.HoldContent, "container writer, which mounts /srv/rw", false},
		"/other/x":                  {facts.HoldName, "container disk, which mounts /big disk/sub", false},
		"/srv/ro/file":              {},
		"/srv/shared/file":          {facts.HoldName, "container spreader, which mounts /srv/shared", false},
		"/srv/one.conf":             {facts.HoldContent, "container file, which mounts /srv/one.conf", false},
		"/srv/device/file":          {facts.HoldName, "every container that is given the volume bound", false},
		"/volumes/vol/_data/x":      {facts.HoldName, "every container that is given the volume vol", false},
		"/volumes":                  {facts.HoldBelow, "every container that is given the volume vol", false},
		"/export":                   {},
		"/etc/docker/daemon.json":   {facts.HoldName, "container editor, which mounts /etc", true},
		"/real/data":                {facts.HoldBelow, "the Docker Engine keeps containers' files below /data", false},
		"/real/data/x":              {facts.HoldName, "the Docker Engine keeps containers' files below /data", false},
		"/var/lib/kubelet":          {facts.HoldBelow, "container runtimes keep containers' files below /var/lib/kubelet/pods", false},
		"/var/lib/kubelet/pods/u/v": {facts.HoldName, "container runtimes keep containers' files below /var/lib/kubelet/pods", false},
		"/usr/bin/docker":           {},
	} {
		got, err := h.ContainerReach(p)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: error %v (-want +got):\n%s", p, err, diff)
		}
	}
}

// TestContainerReachUnknown holds an engine that does not answer to be no pass.
func TestContainerReachUnknown(t *testing.T) {
	m := newMachine(t, "").with(&engine{root: "/data", err: errors.New("no answer")})
	if _, err := m.host().ContainerReach("/srv/x"); err == nil {
		t.Error("no error, though containers are unknown")
	}
	if r, err := m.host().ContainerReach("/data/x"); err != nil || r.Hold != facts.HoldName {
		t.Errorf("of what is certain anyway: %v, %v", r, err)
	}
	m = newMachine(t, "")
	if r, err := m.host().ContainerReach("/srv/x"); err != nil || r.Hold != facts.NoHold {
		t.Errorf("without an engine: %v, %v", r, err)
	}
}

// claimed is a container whose labels name a project.
func claimed(labels ...string) facts.Container {
	l := map[string]string{facts.LabelComposeProject: "shop", facts.LabelComposeService: "web", facts.LabelComposeFiles: "/srv/shop/compose.yaml",
		facts.LabelComposeDir: "/srv/shop"}
	for i := 0; i < len(labels); i += 2 {
		l[labels[i]] = labels[i+1]
	}
	return facts.Container{ID: "web", Name: "/web", Image: "sha256:aa", Config: facts.ContainerConfig{Labels: l}}
}

// TestProject believes labels as far as root alone could have written what they name.
func TestProject(t *testing.T) {
	const plain = "\n-- srv/shop/compose.yaml --\nservices:\n  web: {image: x}\n"
	all := []string{"/srv/shop/.env", "/srv/shop/compose.yaml"}
	for name, test := range map[string]struct {
		archive   string
		container facts.Container
		others    []facts.Container
		image     map[string]string
		change    func(root string) error
		reads     []string
		err       string // ErrNotRoots where it says "not only root"
	}{
		"honest":           {archive: plain, container: claimed(), reads: all},
		"honest, relative": {archive: plain, container: claimed(facts.LabelComposeFiles, "compose.yaml"), reads: all},
		"an override, by another container too": {archive: plain + "-- srv/shop/more.yaml --\nservices: {web: {read_only: true}}\n",
			container: claimed(facts.LabelComposeFiles, "/srv/shop/compose.yaml,/srv/shop/more.yaml"),
			reads:     append(slices.Clone(all), "/srv/shop/more.yaml")},
		"another environment file": {archive: plain + "-- srv/shop/prod.env --\n", container: claimed(facts.LabelComposeEnv, "/srv/shop/prod.env"),
			reads: []string{"/srv/shop/compose.yaml", "/srv/shop/prod.env"}},
		"another environment file that has gone": {archive: plain, container: claimed(facts.LabelComposeEnv, "/srv/shop/prod.env"),
			err: "/srv/shop/prod.env: no such file"},
		"env_file of another service": {archive: "\n-- srv/shop/compose.yaml --\nservices:\n  web: {image: x}\n  db: {env_file: [db.env, {path: /srv/none.env, required: false}]}\n-- srv/shop/db.env --\n",
			container: claimed(), reads: []string{"/srv/none.env", "/srv/shop/.env", "/srv/shop/compose.yaml", "/srv/shop/db.env"}},
		"env_file that a container writes": {archive: "\n-- srv/shop/compose.yaml --\nservices:\n  web: {env_file: data/web.env}\n-- srv/shop/data/web.env --\n",
			container: claimed(), others: []facts.Container{mounting("db", facts.Mount{Source: "/srv/shop/data", RW: true})},
			err: "/srv/shop/data/web.env: a container can write it (container db, which mounts /srv/shop/data)"},
		"env_file by a merge": {archive: "\n-- srv/shop/compose.yaml --\nx-all: &all {env_file: /data/web.env}\nservices:\n  web: {<<: *all}\n-- data/web.env --\n",
			container: claimed(), err: "/data/web.env: a container can write it"},
		"env_file by a variable": {archive: "\n-- srv/shop/compose.yaml --\nservices:\n  web: {env_file: \"${FILE}\"}\n", container: claimed(),
			err: "it depends on a variable"},
		"env_file at home": {archive: "\n-- srv/shop/compose.yaml --\nservices:\n  web: {env_file: ~/x}\n", container: claimed(), err: "whose home"},
		"include": {archive: "\n-- srv/shop/compose.yaml --\ninclude: [more.yaml]\nservices:\n  web: {image: x}\n", container: claimed(),
			err: "included files"},
		"extends another file": {archive: "\n-- srv/shop/compose.yaml --\nservices:\n  web: {image: x}\n  db: {extends: {file: x.yaml, service: y}}\n",
			container: claimed(), err: "other files"},
		"data beside it that containers write": {archive: plain, container: claimed(), reads: all,
			others: []facts.Container{mounting("db", facts.Mount{Source: "/srv/shop/data", RW: true})}},
		"its own mount, which another container writes": {archive: plain, reads: all,
			container: with(claimed(), facts.Mount{Type: "bind", Source: "/srv/shop/data", RW: true}),
			others:    []facts.Container{mounting("db", facts.Mount{Source: "/srv/shop/data", RW: true})}},
		"its own mount, inside what another container writes": {archive: plain,
			container: with(claimed(), facts.Mount{Type: "bind", Source: "/srv/shop/data/sub"}),
			others:    []facts.Container{mounting("db", facts.Mount{Source: "/srv/shop/data", RW: true})},
			err:       "/srv/shop/data/sub, which it mounts, is inside what a container can write (container db"},
		"its own mount, inside the data root": {archive: plain, reads: all,
			container: with(claimed(), facts.Mount{Type: "bind", Source: "/data/containers"})},
		"the directory is a mount": {archive: plain, container: claimed(),
			others: []facts.Container{mounting("db", facts.Mount{Source: "/srv/shop", RW: true})}, err: "/srv/shop: a container can write it"},
		"in the data root": {archive: "\n-- data/volumes/x/_data/compose.yaml --\nservices: {web: {image: x}}\n",
			container: claimed(facts.LabelComposeFiles, "/data/volumes/x/_data/compose.yaml", facts.LabelComposeDir, "/data/volumes/x/_data"),
			err:       "below /data"},
		"a link": {archive: "\n-- srv/real.yaml --\nservices: {web: {image: x}}\n-- srv/shop/compose.yaml@ --\n/srv/real.yaml\n", container: claimed(),
			err: "/srv/shop/compose.yaml: symbolic link on the path, to /srv/real.yaml"},
		"a directory that is a link": {archive: "\n-- srv/real/compose.yaml --\nservices: {web: {image: x}}\n-- srv/shop@ --\n/srv/real\n", container: claimed(),
			err: "/srv/shop: symbolic link on the path, to /srv/real"},
		"an environment file that is a link": {archive: plain + "-- srv/shop/.env@ --\n/srv/shop/compose.yaml\n", container: claimed(),
			err: "/srv/shop/.env: symbolic link"},
		"another's file": {archive: plain, container: claimed(), err: "not only root can write it (/srv/shop/compose.yaml: owner",
			change: func(root string) error { return os.Chown(root+"/srv/shop/compose.yaml", 1234, 0) }},
		"another's directory": {archive: plain, container: claimed(), err: "not only root can write it (/srv: owner",
			change: func(root string) error { return os.Chown(root+"/srv", 1234, 0) }},
		"its group's too": {archive: plain, container: claimed(), err: "not only root can write it (/srv/shop/compose.yaml: mode 0664",
			change: func(root string) error { return os.Chmod(root+"/srv/shop/compose.yaml", 0o664) }},
		"another's environment file": {archive: plain + "-- srv/shop/.env --\n", container: claimed(), err: "/srv/shop/.env: not only root can write it",
			change: func(root string) error { return os.Chown(root+"/srv/shop/.env", 1234, 0) }},
		"in a directory of all's": {archive: plain, container: claimed(), err: "not only root can write it (/srv: mode 0777",
			change: func(root string) error { return os.Chmod(root+"/srv", 0o777) }},
		"below a sticky directory": {archive: plain, container: claimed(), reads: all,
			change: func(root string) error { return os.Chmod(root+"/srv", 0o777|os.ModeSticky) }},
		"in a sticky directory": {archive: plain, container: claimed(), err: "not only root can write it (/srv/shop: mode 1777",
			change: func(root string) error { return os.Chmod(root+"/srv/shop", 0o777|os.ModeSticky) }},
		"no such file": {archive: "\n-- srv/shop/x --\n", container: claimed(), err: "/srv/shop/compose.yaml: no such file"},
		"another directory": {archive: plain + "-- srv/lab/.env --\n", container: claimed(facts.LabelComposeDir, "/srv/lab"),
			err: "neither above nor below"},
		"on a user's file system": {archive: plain + "-- proc/self/mountinfo --\n20 1 8:1 / / rw - ext4 /dev/sda1 rw\n" +
			"21 20 0:40 / /srv/shop rw,nosuid - fuse.sshfs x:/ rw,user_id=1000,group_id=0,allow_other\n",
			container: claimed(), err: "/srv/shop: on a file system of uid 1000"},
		"on root's own such file system": {archive: plain + "-- proc/self/mountinfo --\n20 1 8:1 / / rw - ext4 /dev/sda1 rw\n" +
			"21 20 0:40 / /srv/shop rw,nosuid - fuse.sshfs x:/ rw,user_id=0,group_id=0,allow_other\n", container: claimed(), reads: all},
		"no directory":      {archive: plain, container: claimed(facts.LabelComposeDir, ""), err: "not a clean absolute path"},
		"a path that turns": {archive: plain, container: claimed(facts.LabelComposeFiles, "/srv/x/../shop/compose.yaml"), err: "not a clean absolute path"},
		"the labels of its image": {archive: plain, container: claimed(), image: claimed().Config.Labels,
			err: "comes from the image x:1"},
		"the names of its image": {archive: plain, container: claimed(), reads: all, // as `docker compose build` writes them
			image: map[string]string{facts.LabelComposeProject: "shop", facts.LabelComposeService: "web"}},
		"containers that disagree": {archive: plain, container: claimed(), others: []facts.Container{claimed(facts.LabelComposeDir, "/srv")},
			err: "made from different files"},
	} {
		t.Run(name, func(t *testing.T) {
			if os.Geteuid() != 0 {
				t.Skip("needs root: files are root's")
			}
			m := newMachine(t, test.archive)
			m.with(&engine{root: "/data", containers: append([]facts.Container{test.container}, test.others...),
				images: []facts.Image{{ID: "sha256:aa", RepoTags: []string{"x:1"}, Config: facts.ContainerConfig{Labels: test.image}}}})
			if test.change != nil {
				if err := test.change(m.dir); err != nil {
					t.Fatal(err)
				}
			}
			p, err := m.host().Project("shop/web")
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("error %v, want %q", err, test.err)
				}
				if notRoots := strings.Contains(test.err, "not only root"); notRoots != errors.Is(err, facts.ErrNotRoots) || notRoots != (p != nil) {
					t.Errorf("project %v, error %v", p, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.reads, slices.Sorted(maps.Keys(p.Sums))); diff != "" {
				t.Errorf("what Compose reads (-want +got):\n%s", diff)
			}
		})
	}
}

func with(c facts.Container, m facts.Mount) facts.Container {
	c.Mounts = append(c.Mounts, m)
	return c
}

// TestProjectNames refuses what Compose would take for something else than a name.
func TestProjectNames(t *testing.T) {
	for _, unit := range []string{"shop/--remove-orphans", "shop/-d", "shop/", "/web", "--file=x/web", "Shop/web", "shop/we b", "shop/web=2",
		"shop/web\n", "shop/../web", "a b/web", "shop"} {
		project, service, _ := strings.Cut(unit, "/")
		c := claimed(facts.LabelComposeProject, project, facts.LabelComposeService, service)
		m := newMachine(t, "\n-- srv/shop/compose.yaml --\n"+fmt.Sprintf("services: {%q: {image: x}}\n", service)).with(&engine{containers: []facts.Container{c}})
		if _, err := m.host().Project(unit); err == nil || !strings.Contains(err.Error(), "name; Compose has not set it") {
			t.Errorf("%q: error %v", unit, err)
		}
	}
}
