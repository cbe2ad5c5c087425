package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// work is where the builds are, once there are any.
var work string

// built returns where two builds of this source are, once both have been made.
var built = sync.OnceValues(func() (outs [2]string, err error) {
	if work, err = os.MkdirTemp("", "disttest"); err != nil {
		return outs, err
	}
	outs = [2]string{filepath.Join(work, "1"), filepath.Join(work, "2")}
	if out, err := exec.Command("bash", "-c", builds, "bash", work).CombinedOutput(); err != nil {
		return outs, fmt.Errorf("%w\n%s", err, out)
	}
	return outs, nil
})

// builds makes a repository of this source, and another at another path, and builds in each.
const builds = `set -euo pipefail
work=$1 root=$(git rev-parse --show-toplevel)
mkdir -p "$work/one" "$work/another place"
cd "$root"
git ls-files -z --cached --others --exclude-standard |
  while IFS= read -r -d '' f; do [[ ! -e $f ]] || printf '%s\0' "$f"; done |
  tar -c --null -T - | tar -x -C "$work/one"
cd "$work/one"
export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
git init -q && git add -A && git commit -qm one
git clone -q "$work/one" "$work/another place/two"
go run ./scripts/dist -out "$work/1"
cd "$work/another place/two"
umask 077
TZ=Asia/Tokyo LANG=de_DE.UTF-8 GOAMD64=v2 go run ./scripts/dist -out "$work/2"
`

func TestMain(m *testing.M) {
	code := m.Run()
	if work != "" {
		os.RemoveAll(work)
	}
	os.Exit(code)
}

// dist returns what a build has written.
func dist(t *testing.T) [2]string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds harden for two architectures, twice")
	}
	outs, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return outs
}

// one returns the only file of a build that matches a pattern.
func one(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dist(t)[0], pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %q, %v", pattern, found, err)
	}
	return found[0]
}

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// TestReproducible builds the same commit at two paths, with another umask, time zone, language and Go settings.
func TestReproducible(t *testing.T) {
	outs := dist(t)
	var names [2][]string
	for i, out := range outs {
		entries, err := os.ReadDir(out)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names[i] = append(names[i], e.Name())
		}
	}
	if diff := cmp.Diff(names[0], names[1]); diff != "" || len(names[0]) != 10 {
		t.Fatalf("%d files (-one +other):\n%s", len(names[0]), diff)
	}
	for _, name := range names[0] {
		a, errA := os.ReadFile(filepath.Join(outs[0], name))
		b, errB := os.ReadFile(filepath.Join(outs[1], name))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs between two builds: %d and %d bytes, %v, %v", name, len(a), len(b), errA, errB)
		}
	}
	cmd := exec.Command("sha256sum", "-c", "SHA256SUMS")
	cmd.Dir = outs[0]
	if out, err := cmd.CombinedOutput(); err != nil || strings.Count(string(out), ": OK\n") != 9 {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestArchive holds an archive to its content, and its notices and bill of materials to what is linked.
func TestArchive(t *testing.T) {
	for _, arch := range architectures {
		archive := one(t, "harden-*-linux-"+arch+".tar.gz")
		dir := t.TempDir()
		output(t, "tar", "-xzf", archive, "-C", dir, "--strip-components=1")
		for _, name := range []string{"harden.yaml", "man/harden.8", "man/harden.yaml.5", "units/harden-audit.timer",
			"completions/harden.bash", "completions/harden.zsh", "completions/harden.fish"} {
			if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
				t.Errorf("%s: %s: %v", arch, name, err)
			}
		}
		modules, err := linked(filepath.Join(dir, "harden"))
		if err != nil || len(modules) < 20 {
			t.Fatalf("%s: %d modules, %v", arch, len(modules), err)
		}
		notices, err := os.ReadFile(filepath.Join(dir, "NOTICES"))
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(one(t, "harden-*-linux-"+arch+".cdx.json"))
		if err != nil {
			t.Fatal(err)
		}
		var b bill
		if err := json.Unmarshal(text, &b); err != nil {
			t.Fatal(err)
		}
		if len(b.Components) != len(modules)+1 || b.Components[0].Name != "stdlib" {
			t.Errorf("%s: the bill has %d components for %d modules", arch, len(b.Components), len(modules))
		}
		for _, m := range modules {
			if !strings.Contains(string(notices), "\n"+m.Path+" "+m.Version+" (") {
				t.Errorf("%s: NOTICES has nothing of %s %s", arch, m.Path, m.Version)
			}
			if !slices.ContainsFunc(b.Components, func(c component) bool { return c.Name == m.Path && c.Version == m.Version }) {
				t.Errorf("%s: the bill has no %s %s", arch, m.Path, m.Version)
			}
		}
	}
}

// TestNoLicence: a module that comes without a licence is not packed.
func TestNoLicence(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "NOTICE"), []byte("by somebody\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"", dir} {
		if err := notice(new(bytes.Buffer), "example.com/m v1.0.0", dir); err == nil {
			t.Errorf("%q: no error", dir)
		}
	}
}

// TestPackaged: dpkg and rpm have to find a release newer than what was built on the way to it.
func TestPackaged(t *testing.T) {
	at := time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)
	for version, want := range map[string]string{"v0.2.0": "0.2.0",
		"v0.2.0+23382eb0d1c2":       "0.2.0~20270131120000.23382eb0d1c2",
		"v0.2.0+23382eb0d1c2.dirty": "0.2.0~20270131120000.23382eb0d1c2.dirty"} {
		if got := (&release{version: version, time: at}).packaged(); got != want {
			t.Errorf("%s: %s, want %s", version, got, want)
		}
	}
}
