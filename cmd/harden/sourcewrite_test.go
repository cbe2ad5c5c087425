package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const webService = "services:\n  web:\n    image: nginx:1  # kept\n    restart: always\n"

// A repository is a directory of sources of the tests, below one that nobody else can write to.
type repository struct {
	*testing.T
	dir string
}

func newRepository(t *testing.T, files map[string]string) repository {
	t.Helper()
	r := repository{t, filepath.Join(t.TempDir(), "repo")}
	if err := os.MkdirAll(filepath.Join(r.dir, ".git"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(r.at(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		r.write(name, text)
	}
	return r
}

func (r repository) at(name string) string { return filepath.Join(r.dir, name) }

func (r repository) write(name, text string) {
	r.Helper()
	if err := os.WriteFile(r.at(name), []byte(text), 0o644); err != nil {
		r.Fatal(err)
	}
}

func (r repository) read(name string) string {
	r.Helper()
	data, err := os.ReadFile(r.at(name))
	if err != nil {
		r.Fatal(err)
	}
	return string(data)
}

// run runs harden, and holds it to an exit code.
func (r repository) run(code int, args ...string) (stdout, stderr string) {
	r.Helper()
	out, said, got := ran(r.T, "harden", nil, noFile, args...)
	if got != code {
		r.Fatalf("harden %q: %d, want %d\n%s%s", args, got, code, out, said)
	}
	return out, said
}

// TestSourceWritten writes below a directory of sources: by a saved plan, by --yes, and takes it back byte for byte.
func TestSourceWritten(t *testing.T) {
	r := newRepository(t, map[string]string{"app/compose.yaml": webService,
		"Dockerfile": "FROM debian:12\nUSER 1\nADD a /a\n", "a": "a\n"})
	plan := filepath.Join(t.TempDir(), "plan.json")
	r.run(2, "--source", r.dir, "--dry-run", "--out", plan)
	if _, err := os.Stat(r.at(".git/harden")); err == nil {
		t.Error("looking has left a trace")
	}
	_, said := r.run(64, "--source", r.dir)
	if !strings.Contains(said, "stdin is not a terminal") {
		t.Error(said)
	}
	r.run(0, "apply", plan)
	written := r.read("app/compose.yaml")
	if !strings.Contains(written, "restart: on-failure:5") || !strings.Contains(written, "# kept") ||
		!strings.Contains(r.read("Dockerfile"), "COPY a /a") {
		t.Errorf("%s\n%s", written, r.read("Dockerfile"))
	}
	if out, _ := r.run(0, "--source", r.dir, "--yes"); !strings.Contains(out, "Nothing to apply") {
		t.Error(out)
	}
	if out, _ := r.run(0, "history", "--source", r.dir); strings.Count(out, "applied") != 1 {
		t.Error(out)
	}
	r.run(2, "rollback", "--source", r.dir, "--dry-run")
	r.run(0, "rollback", "--source", r.dir, "--yes")
	if got := r.read("app/compose.yaml"); got != webService {
		t.Errorf("rolled back to\n%s", got)
	}
	_, said = r.run(64, "rollback", "--source", filepath.Join(r.dir, "app"), "0001")
	if !strings.Contains(said, "no such run") {
		t.Error(said)
	}
	r.run(2, "--source", r.dir, "--yes", "--detailed-exitcode")
	r.write("app/compose.yaml", webService+"# mine\n")
	if _, said := r.run(1, "rollback", "--source", r.dir, "--yes"); !strings.Contains(said, "/app/compose.yaml") {
		t.Error(said)
	}
	state := t.TempDir()
	r.run(0, "--source", r.dir, "--yes", "--state", state)
	if out, _ := r.run(0, "history", "--source", r.dir, "--state", state); strings.Count(out, "applied") != 1 {
		t.Error(out)
	}
}

// TestSourceRefused holds what is not written, with the reason, and nothing else written either.
func TestSourceRefused(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(r repository) error
		why   string
	}{
		"others may write": {func(r repository) error { return os.Chmod(r.at("app"), 0o777) }, "everybody can write to /app"},
		"others may write above": {func(r repository) error { return os.Chmod(filepath.Dir(r.dir), 0o777) },
			"mode 0777 lets others replace the journal"},
		"another's directory": {func(r repository) error { return os.Chown(r.at("app"), 65534, 65534) },
			"uid 65534 owns /app"},
		"another's repository": {func(r repository) error { return os.Chown(r.dir, 65534, 65534) },
			"belongs to uid 65534, who could replace the journal; run harden as that user"},
		"another's file": {func(r repository) error { return os.Chown(r.at("app/compose.yaml"), 65534, 65534) },
			"belongs to uid 65534"},
		"set-user-ID": {func(r repository) error { return os.Chmod(r.at("app/compose.yaml"), os.ModeSetuid|0o755) },
			"special bits"},
		"a worktree": {func(r repository) error {
			return cmpErr(os.Remove(r.at(".git")), os.WriteFile(r.at(".git"), []byte("gitdir: /x\n"), 0o644))
		}, ".git: it names \"/x\": "},
		"no repository": {func(r repository) error { return os.Remove(r.at(".git")) }, "not in a git repository"},
		"a link for the journal": {func(r repository) error { return os.Symlink("/tmp", r.at(".git/harden")) },
			"not a directory, or a symbolic link"},
	} {
		t.Run(name, func(t *testing.T) {
			if os.Geteuid() != 0 {
				t.Skip("only root can give files away")
			}
			r := newRepository(t, map[string]string{"app/compose.yaml": webService, "b/compose.yaml": webService})
			if err := test.spoil(r); err != nil {
				t.Fatal(err)
			}
			_, said, code := ran(t, "harden", nil, noFile, "--source", r.dir, "--yes")
			if code == 0 || !strings.Contains(said, test.why) {
				t.Errorf("%d %s", code, said)
			}
			if r.read("app/compose.yaml") != webService || r.read("b/compose.yaml") != webService {
				t.Error("something was written")
			}
		})
	}
}

func cmpErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// TestSourceLinks holds that nothing is written through a link, nor by a name that is also outside.
func TestSourceLinks(t *testing.T) {
	r := newRepository(t, map[string]string{"b/compose.yaml": webService})
	outside := filepath.Join(filepath.Dir(r.dir), "outside.yaml")
	if err := cmpErr(os.WriteFile(outside, []byte(webService), 0o644), os.Symlink(outside, r.at("compose.yaml")),
		os.Link(outside, r.at("docker-compose.yml"))); err != nil {
		t.Fatal(err)
	}
	ran(t, "harden", nil, noFile, "--source", r.dir, "--yes")
	if data, _ := os.ReadFile(outside); string(data) != webService {
		t.Errorf("outside: %s", data)
	}
	if r.read("b/compose.yaml") == webService {
		t.Error("what could be written was not")
	}
}

// TestPatch holds --format patch to what patch(1) and git apply make of it: the very bytes that harden would write.
func TestPatch(t *testing.T) {
	files := map[string]string{
		"compose.yaml":        webService,
		"a b/compose.yaml":    webService,
		"crlf/compose.yaml":   strings.ReplaceAll(webService, "\n", "\r\n"),
		"noeol/compose.yaml":  strings.TrimSuffix(webService, "\n"),
		"ümlaut/compose.yaml": webService,
		"Dockerfile":          "FROM debian:12\nADD conf /conf\n",
		"conf":                "x\n",
		"near/compose.yaml": "services:\n  web:\n    environment: {DB_PASSWORD: hunter2}\n    image: x\n    user: '1'\n " +
			"   restart: always\n",
	}
	want := newRepository(t, files)
	want.run(0, "--source", want.dir, "--yes")
	for name, tool := range map[string][]string{"patch": {"patch", "-s", "-p1"}, "git": {"git", "apply"}} {
		t.Run(name, func(t *testing.T) {
			r := newRepository(t, files)
			os.RemoveAll(r.at(".git"))
			out, _ := r.run(2, "--source", r.dir, "--dry-run", "--format", "patch")
			cmd := exec.Command(tool[0], tool[1:]...)
			cmd.Dir, cmd.Stdin = r.dir, strings.NewReader(out)
			if said, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v %s\n%s", err, said, out)
			}
			for file := range files {
				if got := r.read(file); got != want.read(file) {
					t.Errorf("%s: %q, want %q", file, got, want.read(file))
				}
			}
		})
	}
	r := newRepository(t, map[string]string{"ok/compose.yaml": webService,
		"compose.yaml": webService + "    environment: {DB_PASSWORD: hunter2}\n"})
	out, said := r.run(1, "--source", r.dir, "--dry-run", "--format", "patch")
	if out != "" || !strings.Contains(said, "compose.yaml: no exact patch can be given") ||
		strings.Contains(said, "hunter2") {
		t.Errorf("%s%s", out, said)
	}
}
