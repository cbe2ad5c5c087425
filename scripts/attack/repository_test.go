package attack

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const canary = "canary-Of-The-Reader-7731"

// TestRepository looks at repositories that are made to have whoever looks at them say what they know: the environment
// of a CI job, a file beside the repository. Compose gives variables the values of the .env file, so that is what is
// aimed at.
func TestRepository(t *testing.T) {
	const file = "services:\n  a:\n    image: x@sha256:0\n    user: root\n" +
		"    restart: ${X:-always}${CANARY}\n    cgroup_parent: ${CANARY}\n"
	for name, test := range map[string]struct {
		plant func(t *testing.T, repository, outside string)
		told  string // what is said of what is refused
	}{
		"a link to the environment": {func(t *testing.T, repository, _ string) {
			link(t, "/proc/self/environ", filepath.Join(repository, ".env"))
		}, "src/.env: it leads out of the directory of --source"},
		"a link to a file outside": {func(t *testing.T, repository, outside string) {
			link(t, "../outside/env", filepath.Join(repository, ".env"))
		}, "src/.env: it leads out of the directory of --source"},
		"a link through a directory outside": {func(t *testing.T, repository, outside string) {
			link(t, outside, filepath.Join(repository, "in"))
			link(t, "in/env", filepath.Join(repository, ".env"))
		}, "links that lead out of --source are not followed: src/in"},
		"a hard link": {func(t *testing.T, repository, outside string) {
			if err := os.Link(filepath.Join(outside, "env"), filepath.Join(repository, ".env")); err != nil {
				t.Fatal(err)
			}
		}, "src/.env: it has 2 names (hard links)"},
		"a FIFO": {func(t *testing.T, repository, _ string) {
			if err := unix.Mkfifo(filepath.Join(repository, ".env"), 0o644); err != nil {
				t.Fatal(err)
			}
		}, "src/.env: a FIFO, not a file"},
		"a loop of links": {func(t *testing.T, repository, _ string) {
			link(t, ".env", filepath.Join(repository, ".env"))
		}, "src/.env: too many levels of symbolic links"},
		"a device": {func(t *testing.T, repository, _ string) {
			link(t, "/dev/zero", filepath.Join(repository, ".env"))
		}, "src/.env: it leads out of the directory of --source"},
		"a value of its own": {func(t *testing.T, repository, _ string) {
			write(t, filepath.Join(repository, ".env"), "CANARY="+canary+"\n")
		}, "${CANARY}"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			repository, outside := filepath.Join(dir, "src"), filepath.Join(dir, "outside")
			write(t, filepath.Join(repository, "compose.yaml"), file)
			write(t, filepath.Join(outside, "env"), "CANARY="+canary+"\n")
			test.plant(t, repository, outside)
			look(t, dir, test.told)
		})
	}
}

// look has harden judge the repository src of a directory in every way, and holds it to saying what is refused and no
// canary.
func look(t *testing.T, dir, told string) {
	t.Helper()
	for _, args := range [][]string{{"check", "-v"}, {"check", "--format", "json"}, {"--dry-run"},
		{"--dry-run", "--format", "json"}} {
		cmd := exec.CommandContext(t.Context(), Binary(t), append(args, "--source", "src")...)
		cmd.Dir = dir
		cmd.Env = []string{"CANARY=" + canary, "PATH=" + os.Getenv("PATH")}
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		err := cmd.Run()
		if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), canary) {
			t.Errorf("%q tells what the reader knows:\n%s", args, around(out.String(), canary))
		}
		said := strings.Join(strings.Fields(out.String()), " ") // lines are folded
		if !strings.Contains(said, told) {
			t.Errorf("%q does not say %q:\n%s", args, told, out.String())
		}
	}
}

// around is the lines of a text that have part in them.
func around(text, part string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

func link(t *testing.T, to, name string) {
	t.Helper()
	if err := os.Symlink(to, name); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
