package activate_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/facts/live"
	"example.com/harden/remediate"
	"example.com/harden/remediate/activate"
	"example.com/harden/scripts/testdocker"
)

// compose is the real Compose: nothing stands in for what makes the containers.
const compose = "/usr/bin/docker-compose"

// A shop is a project of root's on a private engine, made by the real Compose.
type shop struct {
	t *testing.T
	*testdocker.Daemon
	dir      string
	services *activate.Services
	ran      int // containers, when the run was planned
}

func newShop(t *testing.T) *shop {
	t.Helper()
	if testing.Short() {
		t.Skip("runs a Docker Engine")
	}
	if _, err := os.Stat(compose); err != nil {
		t.Skipf("needs docker-compose: %v", err)
	}
	d := testdocker.Start(t)
	d.Create("seed", nil) // puts the image there
	return &shop{t: t, Daemon: d, dir: t.TempDir(), services: activate.New(activate.Options{DockerHost: d.Host})}
}

// file is a Compose file of the service web with more lines.
func (s *shop) file(more ...string) string {
	lines := append([]string{"image: " + testdocker.Image, "network_mode: none", `labels: {tag: "${TAG:-none}"}`}, more...)
	return "services:\n  web:\n    " + strings.Join(lines, "\n    ") + "\n"
}

const sleeps = `command: ["/sleeper"]`

func (s *shop) write(name, content string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(content), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// up has root call Compose, as people do.
func (s *shop) up(args ...string) {
	s.t.Helper()
	cmd := exec.Command(compose, append([]string{"-p", "shop", "-f", filepath.Join(s.dir, "compose.yaml")}, args...)...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+s.Host, "DOCKER_TLS_VERIFY=")
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("%v\n%s", err, out)
	}
}

// sums are what Compose would read now.
func (s *shop) sums() map[string]string {
	s.t.Helper()
	h := facts.New(s.t.Context(), live.New("/", live.DockerOptions{Host: s.Host}), facts.Choices{})
	p, err := docker.ProjectOf(h, "shop/web")
	if err != nil {
		s.t.Fatal(err)
	}
	s.ran = max(s.ran, p.Running)
	return p.Sums
}

// containers tells of all that there are but the seed: name, whether it runs, and its labels of Compose that name
// files.
func (s *shop) containers(ids bool) []string {
	s.t.Helper()
	list, err := s.Client.ContainerList(context.Background(), container.ListOptions{All: true})
	if err != nil {
		s.t.Fatal(err)
	}
	all := []string{}
	for _, c := range list {
		if c.Names[0] == "/seed" {
			continue
		}
		line := fmt.Sprintf("%s %s %s %s %s %s", c.Names[0], c.State, c.Labels["tag"], c.Labels[docker.LabelComposeFiles],
			c.Labels[docker.LabelComposeDir], c.Labels[docker.LabelComposeEnv])
		if ids {
			line += " " + c.ID
		}
		all = append(all, line)
	}
	slices.Sort(all)
	return all
}

// activation is what a run does after it has changed the files from before to what they are now.
func (s *shop) activation(before map[string]string) remediate.Activation {
	reads := &remediate.Reads{Before: before, After: s.sums(), Ran: s.ran}
	return remediate.Activation{Kind: remediate.ComposeUp, Unit: "shop/web", Reads: reads}
}

// TestComposeUp has a service made again as its file says, by the same files and variables as before.
func TestComposeUp(t *testing.T) {
	for name, args := range map[string][]string{
		"default environment file": nil,
		"another environment file": {"--env-file", "prod.env"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			s.write("compose.yaml", s.file(sleeps))
			s.write(".env", "TAG=dev\nCOMPOSE_PROJECT_NAME=other\nDOCKER_HOST=tcp://192.0.2.1:1\nDOCKER_TLS_VERIFY=1\n")
			s.write("prod.env", "TAG=prod\n")
			if args != nil {
				args[1] = filepath.Join(s.dir, args[1])
			}
			s.up(append(args, "up", "-d", "--scale", "web=2")...)
			was, ids, before := s.containers(false), s.containers(true), s.sums()
			s.write("compose.yaml", s.file(sleeps, "read_only: true"))
			a := s.activation(before)
			if err := s.services.Ready(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			if err := s.services.Activate(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(was, s.containers(false)); diff != "" {
				t.Errorf("the containers (-want +got):\n%s", diff)
			}
			for i, id := range s.containers(true) {
				if id == ids[i] {
					t.Errorf("not recreated: %s", id)
				}
			}
		})
	}
}

// TestComposeUpFails has Compose fail at different moments: what ran before runs again under its name, nothing else is
// left, and taking the run back needs no Compose.
func TestComposeUpFails(t *testing.T) {
	// Compose 2 has removed the old container when it starts the new one: taking the run back makes it again.
	version, _ := exec.Command(compose, "version", "--short").Output()
	keeps := strings.HasPrefix(string(version), "1.")
	for name, test := range map[string]struct {
		scale int
		file  []string // what the run has made of it
		err   string
	}{
		"no such image": {1, []string{sleeps, "image: nobody.invalid/none:1"}, "nobody.invalid"},
		"create fails": {1, []string{sleeps, "volumes: [{type: bind, source: /nonexistent, target: /x}]"},
			"bind source path does not exist"},
		"start fails":        {1, []string{`command: ["/nothing"]`}, "no such file"},
		"start fails of two": {2, []string{`command: ["/nothing"]`}, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			old := s.file(sleeps)
			s.write("compose.yaml", old)
			s.up("up", "-d", "--scale", fmt.Sprintf("web=%d", test.scale))
			was, before := s.containers(keeps), s.sums()
			text := s.file(test.file...)
			if strings.Count(text, "image:") > 1 {
				text = strings.Replace(text, "    image: "+testdocker.Image+"\n", "", 1)
			}
			s.write("compose.yaml", text)
			a := s.activation(before)
			if err := s.services.Activate(t.Context(), a); err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("error %v, want %q", err, test.err)
			}
			if diff := cmp.Diff(was, s.containers(keeps)); diff != "" && keeps {
				t.Errorf("the containers (-want +got):\n%s", diff)
			}
			s.write("compose.yaml", old)
			a.Reads = a.Reads.Undo()
			if err := s.services.Activate(t.Context(), a); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(was, s.containers(keeps)); diff != "" {
				t.Errorf("the containers after the run was taken back (-want +got):\n%s", diff)
			}
		})
	}
}

// TestComposeUpEnds has containers start and end at once. Compose takes that for good. Taking the run back makes them
// run again, though none does when it begins.
func TestComposeUpEnds(t *testing.T) {
	s := newShop(t)
	s.write("compose.yaml", s.file(sleeps))
	s.up("up", "-d", "--scale", "web=2")
	was, before := s.containers(false), s.sums()
	s.write("compose.yaml", s.file(`command: ["/sleeper", "not"]`))
	a := s.activation(before)
	if err := s.services.Activate(t.Context(), a); err == nil ||
		!strings.Contains(err.Error(), "of 2 containers that ran, 0 run") {
		t.Errorf("error %v", err)
	}
	s.write("compose.yaml", s.file(sleeps))
	a.Reads = a.Reads.Undo()
	if err := activate.New(activate.Options{DockerHost: s.Host}).Activate(t.Context(), a); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(was, s.containers(false)); diff != "" {
		t.Errorf("the containers after the run was taken back (-want +got):\n%s", diff)
	}
}

// TestComposeUpStopped makes a container that did not run again, and does not start it.
func TestComposeUpStopped(t *testing.T) {
	s := newShop(t)
	s.write("compose.yaml", s.file(sleeps))
	s.up("up", "--no-start")
	was, before := s.containers(false), s.sums()
	s.write("compose.yaml", s.file(sleeps, "read_only: true"))
	if err := s.services.Activate(t.Context(), s.activation(before)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(was, s.containers(false)); diff != "" {
		t.Errorf("the containers (-want +got):\n%s", diff)
	}
}

// TestComposeUpChanged refuses what nobody has judged.
func TestComposeUpChanged(t *testing.T) {
	s := newShop(t)
	s.write("compose.yaml", s.file(sleeps, "env_file: web.env"))
	s.write("web.env", "A=1\n")
	s.up("up", "-d")
	was, before := s.containers(true), s.sums()
	if len(before) != 3 {
		t.Errorf("Compose reads %v", slices.Sorted(maps.Keys(before)))
	}
	for name, content := range map[string]string{".env": "TAG=now", "web.env": "A=2\n",
		"compose.yaml": s.file(sleeps, "env_file: web.env", "privileged: true")} {
		old, err := os.ReadFile(filepath.Join(s.dir, name))
		a := s.activation(before)
		s.write(name, content)
		want := filepath.Join(s.dir, name) + ": changed since it was checked"
		if err := s.services.Ready(t.Context(), a); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ready: error %v, want %q", err, want)
		}
		if err := s.services.Activate(t.Context(), a); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
		if err != nil {
			os.Remove(filepath.Join(s.dir, name))
		} else {
			s.write(name, string(old))
		}
	}
	if diff := cmp.Diff(was, s.containers(true)); diff != "" {
		t.Errorf("the containers (-want +got):\n%s", diff)
	}
}
