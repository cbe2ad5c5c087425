package docker_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks/facts/docker"
	"example.com/harden/fixtures"
)

// claimed is a container whose labels name a project.
func claimed(labels ...string) docker.Container {
	l := map[string]string{docker.LabelComposeProject: "shop", docker.LabelComposeService: "web",
		docker.LabelComposeFiles: "/srv/shop/compose.yaml", docker.LabelComposeDir: "/srv/shop"}
	for i := 0; i < len(labels); i += 2 {
		l[labels[i]] = labels[i+1]
	}
	return docker.Container{ID: "web", Name: "/web", Image: "sha256:aa", Config: docker.ContainerConfig{Labels: l}}
}

// shop is the archive of a Compose file and of empty files.
func shop(compose string, empty ...string) string {
	text := "\n-- srv/shop/compose.yaml --\n" + compose + "\n"
	for _, name := range empty {
		text += "-- " + name + " --\n"
	}
	return text
}

// A claimTest says how much of a container's claim is believed.
type claimTest struct {
	name    string
	archive string // by default a plain Compose file
	labels  []string
	mount   string   // a bind mount that it has
	written []string // what another container mounts, to write
	other   []string // labels of another container of the service
	image   map[string]string
	change  func(root string) error
	reads   string // files, separated by blanks
	err     string // ErrNotRoots where it says "not only root"
}

// both are the files that Compose reads of a plain project.
const both = "/srv/shop/.env /srv/shop/compose.yaml"

const plain = "services: {web: {image: x}}"

var claims = []claimTest{
	{name: "honest", reads: both},
	{name: "relative", labels: []string{docker.LabelComposeFiles, "compose.yaml"}, reads: both},
	{name: "an override", archive: shop(plain) + "-- srv/shop/more.yaml --\n" + plain + "\n",
		labels: []string{docker.LabelComposeFiles, "/srv/shop/compose.yaml,/srv/shop/more.yaml"},
		reads:  "/srv/shop/.env /srv/shop/compose.yaml /srv/shop/more.yaml"},
	{name: "another environment file", archive: shop(plain, "srv/shop/prod.env"),
		labels: []string{docker.LabelComposeEnv, "/srv/shop/prod.env"}, reads: "/srv/shop/compose.yaml /srv/shop/prod.env"},
	{name: "another environment file that has gone", labels: []string{docker.LabelComposeEnv, "/srv/shop/prod.env"},
		err: "/srv/shop/prod.env: no such file"},
	{name: "no such file", archive: shop(plain), labels: []string{docker.LabelComposeFiles, "/srv/shop/other.yaml"},
		err: "/srv/shop/other.yaml: no such file"},

	// what Compose files name
	{name: "env_file of another service",
		archive: shop("services: {web: {}, db: {env_file: [db.env, {path: /srv/none.env, required: false}]}}",
			"srv/shop/db.env"),
		reads: "/srv/none.env /srv/shop/.env /srv/shop/compose.yaml /srv/shop/db.env"},
	{name: "env_file that a container writes",
		archive: shop("services: {web: {env_file: data/web.env}}", "srv/shop/data/web.env"),
		written: []string{"/srv/shop/data"},
		err:     "/srv/shop/data/web.env: a container can write it (container db, which mounts /srv/shop/data)"},
	{name: "env_file by a merge",
		archive: shop("x-all: &all {env_file: /data/web.env}\nservices: {web: {<<: *all}}", "data/web.env"),
		err:     "/data/web.env: a container can write it"},
	{name: "env_file by a variable", archive: shop("services: {web: {env_file: \"${FILE}\"}}"),
		err: "it depends on a variable"},
	{name: "env_file at home", archive: shop("services: {web: {env_file: ~/x}}"), err: "whose home"},
	{name: "label_file", archive: shop("services: {web: {label_file: l}}", "srv/shop/l"),
		reads: "/srv/shop/.env /srv/shop/compose.yaml /srv/shop/l"},
	{name: "include", archive: shop("include: [more.yaml]\nservices: {web: {}}"), err: "included files"},
	{name: "extends another file", archive: shop("services: {web: {}, db: {extends: {file: x.yaml, service: y}}}"),
		err: "other files"},

	// what containers write
	{name: "data beside it", written: []string{"/srv/shop/data"}, reads: both},
	{name: "data of two containers", mount: "/srv/shop/data", written: []string{"/srv/shop/data"},
		reads: both},
	{name: "data inside another container's", mount: "/srv/shop/data/sub", written: []string{"/srv/shop/data"},
		err: "/srv/shop/data/sub, which it mounts, is inside what a container can write (container db"},
	{name: "the data root, mounted", mount: "/data/containers", reads: both},
	{name: "the directory", written: []string{"/srv/shop"}, err: "/srv/shop: a container can write it"},
	{name: "the file", written: []string{"/srv/shop/compose.yaml"},
		err: "/srv/shop/compose.yaml: a container can write it"},
	{name: "the environment file to be", written: []string{"/srv/shop/.env"},
		err: "/srv/shop/.env: a container can write it"},
	{name: "everything", written: []string{"/"}, err: "/srv/shop: a container can write it"},
	{name: "the data root", archive: "\n-- data/volumes/x/_data/compose.yaml --\n" + plain + "\n",
		labels: []string{docker.LabelComposeFiles, "/data/volumes/x/_data/compose.yaml",
			docker.LabelComposeDir, "/data/volumes/x/_data"},
		err: "below /data"},

	// links
	{name: "a link", archive: "\n-- srv/real.yaml --\n" + plain + "\n-- srv/shop/compose.yaml@ --\n/srv/real.yaml\n",
		err: "/srv/shop/compose.yaml: symbolic link on the path, to /srv/real.yaml"},
	{name: "a directory that is a link",
		archive: "\n-- srv/real/compose.yaml --\n" + plain + "\n-- srv/shop@ --\n/srv/real\n",
		err:     "/srv/shop: symbolic link on the path, to /srv/real"},
	{name: "an environment file that is a link",
		archive: shop(plain) + "-- srv/shop/.env@ --\n/srv/shop/compose.yaml\n",
		err:     "/srv/shop/.env: symbolic link"},

	// other users
	{name: "another's file", err: "not only root can write it (/srv/shop/compose.yaml: owner",
		change: func(root string) error { return os.Chown(root+"/srv/shop/compose.yaml", 1234, 0) }},
	{name: "another's directory", err: "not only root can write it (/srv: owner",
		change: func(root string) error { return os.Chown(root+"/srv", 1234, 0) }},
	{name: "its group's too", err: "not only root can write it (/srv/shop/compose.yaml: mode 0664",
		change: func(root string) error { return os.Chmod(root+"/srv/shop/compose.yaml", 0o664) }},
	{name: "another's environment file", archive: shop(plain, "srv/shop/.env"),
		err:    "/srv/shop/.env: not only root can write it",
		change: func(root string) error { return os.Chown(root+"/srv/shop/.env", 1234, 0) }},
	{name: "in a directory of all's", err: "not only root can write it (/srv: mode 0777",
		change: func(root string) error { return os.Chmod(root+"/srv", 0o777) }},
	{name: "below a sticky directory", reads: both,
		change: func(root string) error { return os.Chmod(root+"/srv", 0o777|os.ModeSticky) }},
	{name: "in a sticky directory", err: "not only root can write it (/srv/shop: mode 1777",
		change: func(root string) error { return os.Chmod(root+"/srv/shop", 0o777|os.ModeSticky) }},
	{name: "on a user's file system", archive: fuse("1000"), err: "/srv/shop: on a file system of uid 1000"},
	{name: "on such a file system of root's", archive: fuse("0"), reads: both},

	// labels
	{name: "another directory", archive: shop(plain, "srv/lab/x"), labels: []string{docker.LabelComposeDir, "/srv/lab"},
		err: "neither above nor below"},
	{name: "a file that is too long", archive: shop(plain + "\n" + strings.Repeat("#\n", 1<<19)),
		err: "the limit is 1048576"},
	{name: "too many files", labels: []string{docker.LabelComposeFiles, strings.Repeat("/a,", 16) + "/a"},
		err: "more than 16 files"},
	{name: "no directory", labels: []string{docker.LabelComposeDir, ""}, err: "not a clean absolute path"},
	{name: "a path that turns", labels: []string{docker.LabelComposeFiles, "/srv/x/../shop/compose.yaml"},
		err: "not a clean absolute path"},
	{name: "its image's", image: claimed().Config.Labels, err: "comes from the image x:1"},
	{name: "its image's names, as docker compose build writes them", reads: both,
		image: map[string]string{docker.LabelComposeProject: "shop", docker.LabelComposeService: "web"}},
	{name: "containers that disagree", other: []string{docker.LabelComposeDir, "/srv"},
		err: "made from different files"},
}

// fuse has the directory of the Compose file be on a file system that a user's program answers for.
func fuse(uid string) string {
	return shop(plain) + "-- proc/self/mountinfo --\n20 1 8:1 / / rw - ext4 /dev/sda1 rw\n" +
		"21 20 0:40 / /srv/shop rw,nosuid - fuse.sshfs x:/ rw,user_id=" + uid + ",group_id=0,allow_other\n"
}

// engine is the Docker Engine of a test.
func (test claimTest) engine() *engine {
	c := claimed(test.labels...)
	if test.mount != "" {
		c.Mounts = []docker.Mount{{Type: "bind", Source: test.mount, RW: true}}
	}
	all := []docker.Container{c}
	for _, dir := range test.written {
		all = append(all, mounting("db", docker.Mount{Type: "bind", Source: dir, RW: true}))
	}
	if test.other != nil {
		all = append(all, claimed(test.other...))
	}
	return &engine{root: "/data", containers: all, images: []docker.Image{
		{ID: "sha256:aa", RepoTags: []string{"x:1"}, Config: docker.ContainerConfig{Labels: test.image}}}}
}

// TestProject believes labels as far as root alone could have written what they name.
func TestProject(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: files are root's")
	}
	for _, test := range claims {
		t.Run(test.name, func(t *testing.T) {
			if test.archive == "" {
				test.archive = shop(plain)
			}
			m := with(fixtures.NewMachine(t, test.archive), test.engine())
			if test.change != nil {
				if err := test.change(m.Dir); err != nil {
					t.Fatal(err)
				}
			}
			p, err := docker.ProjectOf(m.Host(), "shop/web")
			if test.err == "" && err != nil || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
				t.Fatalf("error %v, want %q", err, test.err)
			}
			notRoots := strings.Contains(test.err, "not only root")
			if notRoots != errors.Is(err, docker.ErrNotRoots) || (p != nil) != (notRoots || test.err == "") {
				t.Fatalf("project %v, error %v", p, err)
			}
			if p == nil || notRoots {
				return
			}
			if diff := cmp.Diff(strings.Fields(test.reads), slices.Sorted(maps.Keys(p.Sums))); diff != "" {
				t.Errorf("what Compose reads (-want +got):\n%s", diff)
			}
		})
	}
}

// TestProjectNames refuses what Compose would take for something else than a name.
func TestProjectNames(t *testing.T) {
	for _, unit := range []string{"shop/--remove-orphans", "shop/-d", "shop/", "/web", "--file=x/web", "Shop/web",
		"shop/we b",
		"shop/web=2", "shop/web\n", "shop/../web", "a b/web", "shop"} {
		project, service, _ := strings.Cut(unit, "/")
		c := claimed(docker.LabelComposeProject, project, docker.LabelComposeService, service)
		m := fixtures.NewMachine(t, shop(fmt.Sprintf("services: {%q: {image: x}}", service)))
		with(m, &engine{containers: []docker.Container{c}})
		_, err := docker.ProjectOf(m.Host(), unit)
		if err == nil || !strings.Contains(err.Error(), "name; Compose has not set it") {
			t.Errorf("%q: error %v", unit, err)
		}
	}
}
