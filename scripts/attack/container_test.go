package attack

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/image"

	"example.com/harden/scripts/testdocker"
)

// intruder is the image of hostile containers.
const intruder = "intruder:1"

// A yard is a private Docker Engine with honest and hostile containers, and files of root's beside them.
type yard struct {
	t *testing.T
	*testdocker.Daemon
	root   string // of honest files; every directory above it is root's
	secret string // a directory that no container is given
}

func newYard(t *testing.T) *yard {
	t.Helper()
	if testing.Short() {
		t.Skip("runs a Docker Engine")
	}
	if _, err := os.Stat("/usr/bin/docker-compose"); err != nil {
		t.Skip("needs docker-compose: nothing stands in for what makes the containers")
	}
	y := &yard{t: t, Daemon: testdocker.Start(t), root: t.TempDir()}
	y.secret = y.write("secret/key", "of root's")
	y.secret = filepath.Dir(y.secret)
	y.load(intruder)
	return y
}

// write writes a file of root's.
func (y *yard) write(name, content string) string {
	y.t.Helper()
	file := filepath.Join(y.root, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		y.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		y.t.Fatal(err)
	}
	return file
}

// passwd is that of the images.
const passwd = "app:x:0:0::/:/bin/sh\nweb:x:1000:1000::/:/bin/sh\n"

// load builds the intruder and imports it as an image with labels.
func (y *yard) load(name string, labels ...string) {
	y.t.Helper()
	file := filepath.Join(y.t.TempDir(), "intruder")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", file,
		"example.com/harden/scripts/attack/intruder")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		y.t.Fatalf("%v\n%s", err, out)
	}
	program, err := os.ReadFile(file)
	if err != nil {
		y.t.Fatal(err)
	}
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	for name, data := range map[string][]byte{"intruder": program, "etc/passwd": []byte(passwd)} {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(data))}); err != nil {
			y.t.Fatal(err)
		}
		w.Write(data)
	}
	if err := w.Close(); err != nil {
		y.t.Fatal(err)
	}
	changes := []string{`CMD ["/intruder"]`}
	for _, l := range labels {
		changes = append(changes, "LABEL "+l)
	}
	source := image.ImportSource{Source: &layer, SourceName: "-"}
	progress, err := y.Client.ImageImport(context.Background(), source, name, image.ImportOptions{Changes: changes})
	if err != nil {
		y.t.Fatal(err)
	}
	defer progress.Close()
	io.Copy(io.Discard, progress)
}

// volume is where the host has a volume.
func (y *yard) volume(name string) string {
	return filepath.Join(y.DataRoot, "volumes", name, "_data")
}

// A claim is what a container's labels say that it is of.
type claim struct{ project, service, files, dir string }

func (c claim) labels() map[string]string {
	return map[string]string{
		"com.docker.compose.project": c.project, "com.docker.compose.service": c.service,
		"com.docker.compose.project.config_files": c.files, "com.docker.compose.project.working_dir": c.dir,
		"com.docker.compose.oneoff": "False", "com.docker.compose.container-number": "1",
		"com.docker.compose.version": "1.29.2",
	}
}

// intrude runs a hostile container with labels and a mount, told what to do by env. It shares the host's process
// namespace, which harden finds.
func (y *yard) intrude(image string, c claim, bind string, env ...string) {
	y.t.Helper()
	y.Run("intruder", func(config *container.Config, host *container.HostConfig) {
		config.Image, config.Cmd, config.Env = image, []string{"/intruder"}, env
		if image == intruder {
			config.Labels = c.labels()
		}
		host.PidMode, host.Binds = "host", []string{bind}
	})
	for _, e := range env {
		if file, ok := strings.CutPrefix(e, "FILE="); ok {
			y.await(filepath.Join(strings.Split(bind, ":")[0], filepath.Base(file)))
		}
	}
}

// await waits for a file in a volume, or in a directory, that a container is about to write.
func (y *yard) await(file string) {
	y.t.Helper()
	if !filepath.IsAbs(file) {
		file = filepath.Join(y.volume(filepath.Dir(file)), filepath.Base(file))
	}
	for y.t.Context().Err() == nil {
		if _, err := os.Lstat(file); err == nil {
			return
		}
	}
}

// composeFile is a Compose file of one service that shares the host's process namespace.
func composeFile(name, more string) string {
	return fmt.Sprintf("services:\n  %q:\n    image: %s\n    network_mode: none\n    pid: host\n%s", name, intruder, more)
}

// stolen says which container has been given a directory of root's.
func (y *yard) stolen() string {
	y.t.Helper()
	all, err := y.Client.ContainerList(context.Background(), container.ListOptions{All: true})
	if err != nil {
		y.t.Fatal(err)
	}
	for _, c := range all {
		for _, m := range c.Mounts {
			if m.Source == y.secret {
				return fmt.Sprintf("container %s has %s at %s", c.Names[0], m.Source, m.Destination)
			}
		}
	}
	return ""
}

// harden runs what is under attack, as root does without a second thought.
func (y *yard) harden(args ...string) string {
	y.t.Helper()
	cmd := exec.Command(Binary(y.t), append(args, "--yes", "--allow", "all", "--only", "docker/host-pid",
		"--config", y.write("harden.yaml", "level: 2\n"),
		"--state", filepath.Join(y.t.TempDir(), "state"), "--docker-host", y.Host)...)
	out, _ := cmd.CombinedOutput()
	return strings.Join(strings.Fields(string(out)), " ")
}

// refused checks that an attack has come to nothing, and that harden says why.
func (y *yard) refused(said, exploit, reason string) {
	y.t.Helper()
	if exploit != "" {
		y.t.Errorf("exploited: %s", exploit)
	}
	if !strings.Contains(said, reason) {
		y.t.Errorf("harden does not say %q:\n%s", reason, said)
	}
}

// TestLabelsSwap has labels name a file in a volume, which the container replaces as soon as harden has looked at it.
func TestLabelsSwap(t *testing.T) {
	y := newYard(t)
	dir := y.volume("vol")
	y.intrude(intruder, claim{"pay", "web", dir + "/compose.yaml", dir}, "vol:/v", "FILE=/v/compose.yaml",
		"FIRST="+composeFile("web", ""), "THEN="+composeFile("web", "    volumes: ["+y.secret+":/loot]\n"))
	y.refused(y.harden(), y.stolen(), "/vol/_data: a container can write it")
}

// TestLabelsLink has labels name a link in a volume, which leads to another project's file.
func TestLabelsLink(t *testing.T) {
	y := newYard(t)
	content := composeFile("web", "")
	victim := y.write("shop/compose.yaml", content)
	dir := y.volume("vol")
	y.intrude(intruder, claim{"evil", "web", dir + "/compose.yaml", dir}, "vol:/v", "FILE=/v/compose.yaml", "LINK="+victim)
	said, exploit := y.harden(), ""
	if now, err := os.ReadFile(victim); err != nil || string(now) != content {
		exploit = fmt.Sprintf("%s is now:\n%s", victim, now)
	}
	y.refused(said, exploit, "a container can write it")
}

// TestLabelsOption has a service be named like an option of Compose's, which removes a victim's containers.
func TestLabelsOption(t *testing.T) {
	y := newYard(t)
	y.Run("victim", func(config *container.Config, _ *container.HostConfig) {
		config.Labels = claim{"shop", "db", "/srv/shop/compose.yaml", "/srv/shop"}.labels()
	})
	dir := y.volume("vol")
	y.intrude(intruder, claim{"shop", "--remove-orphans", dir + "/compose.yaml", dir}, "vol:/v", "FILE=/v/compose.yaml",
		"FIRST="+composeFile("--remove-orphans", ""))
	said, exploit := y.harden(), ""
	if _, err := y.Client.ContainerInspect(t.Context(), "victim"); err != nil {
		exploit = err.Error()
	}
	y.refused(said, exploit, `"--remove-orphans": not a service name`)
}

// TestLabelsOfImage has the labels be the image's, of whose author nobody has asked anything.
func TestLabelsOfImage(t *testing.T) {
	y := newYard(t)
	content := composeFile("web", "")
	victim := y.write("shop/compose.yaml", content)
	var labels []string
	for k, v := range (claim{"shop", "web", victim, filepath.Dir(victim)}).labels() {
		labels = append(labels, k+"="+v)
	}
	y.load("hostile:1", labels...)
	y.intrude("hostile:1", claim{}, "vol:/v")
	said, exploit := y.harden(), ""
	if now, err := os.ReadFile(victim); err != nil || string(now) != content {
		exploit = fmt.Sprintf("%s is now:\n%s", victim, now)
	}
	y.refused(said, exploit, "comes from the image hostile:1")
}

// TestLabelsBind has labels name a file in a directory of root's that the container mounts, and replaces it there.
func TestLabelsBind(t *testing.T) {
	y := newYard(t)
	file := y.write("app/compose.yaml", composeFile("web", ""))
	dir := filepath.Dir(file)
	y.intrude(intruder, claim{"pay", "web", file, dir}, dir+":/app", "FILE=/app/compose.yaml",
		"FIRST="+composeFile("web", ""),
		"THEN="+composeFile("web", "    volumes: ["+y.secret+":/loot]\n"))
	y.refused(y.harden(), y.stolen(), "container intruder, which mounts "+dir)
}

// TestLabelsEnv has labels name an honest file, and as its working directory one with another .env file than it has.
func TestLabelsEnv(t *testing.T) {
	y := newYard(t)
	file := y.write("shop/compose.yaml", composeFile("web", "    volumes: [\"${DATA}:/data\"]\n"))
	y.write("shop/.env", "DATA="+filepath.Join(y.root, "shop"))
	dir := y.volume("vol")
	y.intrude(intruder, claim{"pay", "web", file, dir}, "vol:/v", "FILE=/v/.env", "FIRST=DATA="+y.secret)
	y.refused(y.harden(), y.stolen(), "a container can write it")
}

// TestLabelsEnvSwap has labels name an honest project whose directory the container mounts, and replaces its .env file
// as soon as harden has looked at it.
func TestLabelsEnvSwap(t *testing.T) {
	y := newYard(t)
	file := y.write("shop/compose.yaml", composeFile("web", "    volumes: [\"${DATA}:/data\"]\n"))
	dir := filepath.Dir(file)
	y.intrude(intruder, claim{"pay", "web", file, dir}, dir+":/app", "FILE=/app/.env", "FIRST=DATA="+dir,
		"THEN=DATA="+y.secret)
	y.refused(y.harden(), y.stolen(), "container intruder, which mounts "+dir)
}

// TestContainersUser has a container's user be a name. Older Engines open a running container's files so that it can
// lead them out of it, and are not asked: harden looks inside by itself, and is not led out either.
func TestContainersUser(t *testing.T) {
	y := newYard(t)
	hostile := filepath.Dir(y.write("etc/hosts", ""))
	if err := os.Symlink("/proc/1/environ", filepath.Join(hostile, "passwd")); err != nil {
		t.Fatal(err)
	}
	run := func(name, user string, binds ...string) {
		y.Run(name, func(config *container.Config, host *container.HostConfig) {
			config.Image, config.Cmd, config.User, host.Binds = intruder, []string{"/intruder"}, user, binds
		})
	}
	run("first", "app")
	run("second", "web")
	run("third", "app", hostile+":/etc")
	check := func() string {
		out, _ := exec.Command(Binary(t), "check", "--only", "docker/user", "--docker-host", y.Host).CombinedOutput()
		return strings.Join(strings.Fields(string(out)), " ")
	}
	said, exploit := check(), ""
	if strings.Contains(said, "container second") {
		t.Errorf("of uid 1000 it says:\n%s", said)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	events, errs := y.Client.Events(ctx, events.ListOptions{Since: "0", Until: fmt.Sprint(time.Now().Unix() + 1)})
	for done := false; !done; {
		select {
		case e := <-events:
			if e.Action == "archive-path" {
				exploit = "the Engine has opened the files of a running container"
			}
		case <-errs:
			done = true
		}
	}
	y.refused(said, exploit, "container first: runs as app, which its passwd makes uid 0")
	y.refused(said, "", "container third runs as app, and its UID is unknown: open /proc/")
}
