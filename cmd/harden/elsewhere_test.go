package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/scripts/child"
)

// TestElsewhere builds harden as it is on macOS. There is no macOS here to run it on: for that it is only compiled. The
// tag portable has Linux read --source and refuse everything else in the same way, and that is run.
func TestElsewhere(t *testing.T) {
	if testing.Short() {
		t.Skip("builds harden three times")
	}
	bin := t.TempDir()
	build := func(name string, env []string, flags ...string) string {
		t.Helper()
		file := filepath.Join(bin, name)
		cmd := exec.Command("go", append([]string{"build", "-o", file}, append(flags, ".")...)...)
		cmd.Env = append(os.Environ(), env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		return file
	}
	build("darwin", []string{"CGO_ENABLED=0", "GOOS=darwin", "GOARCH=arm64"})
	here, there := build("here", nil), build("there", nil, "-tags", "portable")
	run := func(program, dir string, args ...string) (string, int) {
		cmd := exec.Command(program, append(args, "--config", "none")...)
		cmd.Dir, cmd.Env = dir, child.Environ()
		out, err := cmd.CombinedOutput()
		if _, ok := err.(*exec.ExitError); err != nil && !ok {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	dir := elsewhereRepository(t)
	for _, args := range [][]string{{"check"}, {"check", "-v"}, {"--dry-run"}, {"--dry-run", "--format", "patch"}} {
		args = append(args, "--source", ".")
		want, code := run(here, dir, args...)
		got, gotCode := run(there, dir, args...)
		if diff := cmp.Diff(want, got); diff != "" || code != gotCode || code != exitFindings {
			t.Errorf("%q: exit %d and %d (-here +there):\n%s", args, code, gotCode, diff)
		}
	}
	for _, args := range [][]string{{"check"}, {"--dry-run"}, {"--yes", "--source", "."}, {"schedule", "install", "--yes"},
		{"rollback", "--yes"}, {"guide", "userns-remap"}, {"threats"}, {"explain", "docker/icc"}} {
		out, code := run(there, dir, args...)
		if code != exitUsage || !strings.Contains(out, "harden audits and changes Linux hosts; here use") {
			t.Errorf("%q: exit %d: %s", args, code, out)
		}
	}
}

// elsewhereRepository is a source with findings, and with links in and out of it.
func elsewhereRepository(t *testing.T) string {
	t.Helper()
	outside, dir := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{
		outside + "/Dockerfile":     "FROM debian\nUSER root\n",
		dir + "/Dockerfile":         "FROM debian:12\nADD a /b\n",
		dir + "/sub/compose.yaml":   "services:\n  a:\n    image: x:1\n    privileged: true\n    ports: ['80:80']\n",
		dir + "/twice/Dockerfile":   "FROM debian:12\n",
		dir + "/sub/.env":           "PASSWORD=\n",
		dir + "/real/Containerfile": "FROM debian:12\nUSER 1000\n",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{
		"docker-compose.yml": "sub/compose.yaml", "Dockerfile.out": outside + "/Dockerfile", "Dockerfile.gone": "nowhere",
		"sub/Dockerfile": "../../../../etc/passwd", "Dockerfile.loop": "Dockerfile.loop",
		"Dockerfile.in": "./sub/../Dockerfile",
	} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(dir+"/twice/Dockerfile", outside+"/other"); err != nil {
		t.Fatal(err)
	}
	return dir
}
