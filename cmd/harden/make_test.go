package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A checkout is what make needs of this repository, in a directory of its own, and a PATH with the programs that make
// calls and no Go.
type checkout struct {
	*testing.T
	dir, bin string
}

func newCheckout(t *testing.T) checkout {
	t.Helper()
	c := checkout{t, t.TempDir(), t.TempDir()}
	for _, dir := range []string{"Makefile", "go.mod", "cmd/harden/VERSION", "scripts/go", "scripts/version",
		"scripts/ansible"} {
		c.copy(dir)
	}
	for _, name := range []string{"awk", "bash", "chmod", "cp", "dirname", "env", "find", "make", "mkdir", "readlink",
		"rm", "sed", "sh"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Skipf("there is no %s", name)
		}
		if err := os.Symlink(path, filepath.Join(c.bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (c checkout) copy(name string) {
	c.Helper()
	to := filepath.Join(c.dir, name)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		c.Fatal(err)
	}
	if out, err := exec.Command("cp", "-r", filepath.Join("../..", name), to).CombinedOutput(); err != nil {
		c.Fatalf("%v: %s", err, out)
	}
}

// program puts a shell script into the PATH.
func (c checkout) program(name, text string) {
	c.Helper()
	if err := os.WriteFile(filepath.Join(c.bin, name), []byte("#!"+filepath.Join(c.bin, "bash")+"\n"+text),
		0o755); err != nil {
		c.Fatal(err)
	}
}

func (c checkout) make(args ...string) (stdout, stderr string, err error) {
	c.Helper()
	cmd := exec.Command(filepath.Join(c.bin, "make"), append([]string{"SHELL=" + filepath.Join(c.bin, "bash")},
		args...)...)
	cmd.Dir, cmd.Env = c.dir, []string{"PATH=" + c.bin, "HOME=" + c.bin, "CACHE=" + filepath.Join(c.bin, "cache")}
	var out, said strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &said
	err = cmd.Run()
	return out.String(), said.String(), err
}

// newGo builds, whatever it is given, a harden that has found something.
const newGo = `
[[ $1 == env && $2 == GOVERSION ]] && { echo go1.24.4; exit; }
while [[ $1 != -o ]]; do shift; done
echo $'#!/bin/sh\necho the plan\nexit 2' >"$2"
chmod +x "$2"
`

// oldGo is as Debian 12 has it: it cannot read go.mod, and can download a module, which has no file that may be run.
const oldGo = `
case "$*" in
"env GOVERSION") echo go1.19.8 ;;
"env GOHOSTOS") echo linux ;;
"env GOHOSTARCH") echo amd64 ;;
"env GOMODCACHE") echo "$CACHE" ;;
"mod download golang.org/toolchain@v0.0.1-go"*)
  [[ $PWD == / ]] || { echo "go: errors parsing go.mod: invalid go version" >&2; exit 1; }
  mkdir -p "$CACHE/$3/bin" "$CACHE/$3/pkg/tool/linux_amd64"
  cp "$CACHE.go" "$CACHE/$3/bin/go"
  echo >"$CACHE/$3/pkg/tool/linux_amd64/compile"
  chmod -x "$CACHE/$3/bin/go" ;;
*) echo "go: errors parsing go.mod: invalid go version '1.26.5': must match format 1.23" >&2; exit 1 ;;
esac
`

// TestMakeRun: make run works with the Go of Debian 12 and 13, and says in one line what to install where there is
// none.
func TestMakeRun(t *testing.T) {
	t.Run("Debian 13", func(t *testing.T) {
		c := newCheckout(t)
		c.program("go", newGo)
		if out, said, err := c.make("run"); err != nil || !strings.HasSuffix(out, "the plan\n") || said != "" {
			t.Errorf("%v\n%s%s", err, out, said)
		}
	})
	t.Run("Debian 12", func(t *testing.T) {
		c := newCheckout(t)
		c.program("go", oldGo)
		c.program("cache.go", newGo)
		for i, want := range []string{"go: go1.19.8 is too old for go.mod; fetching 1.26.5.linux-amd64\n", ""} {
			out, said, err := c.make("run")
			if err != nil || !strings.HasSuffix(out, "the plan\n") || said != want {
				t.Errorf("run %d: %v\n%s%s", i, err, out, said)
			}
		}
	})
	t.Run("no Go", func(t *testing.T) { newCheckout(t).refused("go: not found; install it: apt-get install golang-go") })
	t.Run("Debian 12 without a network", func(t *testing.T) {
		c := newCheckout(t)
		c.program("go", strings.Replace(oldGo, `"mod download`, `"none`, 1))
		c.refused("go: go1.19.8 is too old and its successor could not be fetched; install Go 1.21 or newer: ")
	})
}

// refused holds make run to failing with one line that begins like this, beside make's own and that of the fetching.
func (c checkout) refused(want string) {
	c.Helper()
	_, said, err := c.make("run")
	var lines []string
	for line := range strings.Lines(said) {
		if !strings.HasPrefix(line, "make: ") && !strings.Contains(line, "; fetching ") {
			lines = append(lines, line)
		}
	}
	if err == nil || len(lines) != 1 || !strings.HasPrefix(lines[0], want) {
		c.Errorf("%v: %q, want one line that begins with %q", err, lines, want)
	}
}

// TestMakeAnsible: make ansible puts the programs into the collection, and the version into its manifest.
func TestMakeAnsible(t *testing.T) {
	c := newCheckout(t)
	c.program("go", newGo)
	if out, said, err := c.make("ansible"); err != nil || said != "" {
		t.Fatalf("%v\n%s%s", err, out, said)
	}
	hosts := filepath.Join(c.dir, "dist/ansible/ansible_collections/harden/hosts") // as the README has it
	for _, name := range []string{"harden", "harden_aarch64"} {
		info, err := os.Stat(filepath.Join(hosts, "plugins/modules", name))
		if err != nil || info.Mode()&0o111 == 0 {
			t.Errorf("%s is not in the collection: %v", name, err)
		}
		if _, err := os.Stat("/" + name); err == nil {
			t.Errorf("/%s is in the root directory", name)
		}
	}
	galaxy, err := os.ReadFile(filepath.Join(hosts, "galaxy.yml"))
	if err != nil {
		t.Fatal(err)
	}
	want := "\nversion: " + strings.TrimPrefix(strings.TrimSpace(next), "v") + "\n"
	if !strings.Contains(string(galaxy), want) {
		t.Errorf("galaxy.yml has no line %q:\n%s", want, galaxy)
	}
}

// TestMakeTimeouts: go test gives up after ten minutes, which a machine with other work exceeds. Each target gives
// more.
func TestMakeTimeouts(t *testing.T) {
	text, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	tests := regexp.MustCompile(`(?m)^\t.*\b(?:go|GO\)) test .*$`).FindAllString(string(text), -1)
	if len(tests) < 4 {
		t.Fatalf("%q", tests)
	}
	for _, line := range tests {
		limit := regexp.MustCompile(` -timeout ([0-9]+)([mh]) `).FindStringSubmatch(line)
		if limit == nil {
			t.Errorf("%q has no -timeout", line)
		} else if n, _ := strconv.Atoi(limit[1]); limit[2] == "m" && n < 30 {
			t.Errorf("%q gives up after %d minutes", line, n)
		}
	}
}
