package built

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Programs are those of another project, built from a Go module of their own: what it needs must not decide about the
// versions that harden is built with.
type Programs struct {
	Kind     string            // names them in the cache
	Module   string            // the folder of the go.mod, from this module's root
	Packages map[string]string // what is built, by the name of the program
	Flags    string            // for the linker
}

// Build returns a folder of static programs, each by its name, and the key that it is kept by.
func (p Programs) Build() (dir, key string, err error) {
	root, err := Output("go", "list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return "", "", err
	}
	source := filepath.Join(strings.TrimSpace(root), p.Module)
	if key, err = p.key(source); err != nil {
		return "", "", err
	}
	dir, err = Kept("programs", p.Kind, key, func(dir string) error { return p.compile(source, dir) })
	return dir, key, err
}

// key names a build by all that decides about the outcome.
func (p Programs) key(source string) (string, error) {
	version, err := Output("go", "version")
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s%q", version, p.arguments(""))
	err = filepath.WalkDir(source, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(file)
		fmt.Fprintf(h, "%s %d\n%s", strings.TrimPrefix(file, source), len(text), text)
		return err
	})
	return hex.EncodeToString(h.Sum(nil)[:8]), err
}

// arguments are those of the one run of go build, which compiles what the programs share only once.
func (p Programs) arguments(out string) []string {
	return append([]string{"build", "-trimpath", "-ldflags", "-s -w " + p.Flags, "-o", out + "/"},
		slices.Sorted(maps.Values(p.Packages))...)
}

// major is the last element of a package's path that Go leaves out of the program's name.
var major = regexp.MustCompile(`/v[0-9]+$`)

func (p Programs) compile(source, out string) error {
	cmd := exec.Command("go", p.arguments(out)...)
	cmd.Dir, cmd.Env = source, append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, text)
	}
	for name, pkg := range p.Packages { // go build names each by its package's folder
		if err := os.Rename(filepath.Join(out, path.Base(major.ReplaceAllString(pkg, ""))),
			filepath.Join(out, name)); err != nil {
			return err
		}
	}
	return nil
}

// Output runs a program to its end. Its error carries the last of what the program said.
func Output(name string, args ...string) (string, error) {
	var said, out strings.Builder
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		all := said.String() + out.String()
		return "", fmt.Errorf("%s: %w (scripts/setup installs what the tests need)\n%s", name, err,
			all[max(0, len(all)-2000):])
	}
	return out.String(), nil
}
