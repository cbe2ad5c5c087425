// Command dist writes into dist/ what people install: archives, Debian and RPM packages, a container image, a bill of
// materials and checksums. Two runs of one commit with one release of Go write the same bytes.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// architectures are those that a release is built for, by their names in Go, which are Debian's too.
var architectures = []string{"amd64", "arm64"}

// A release is what one run makes.
type release struct {
	root    string // of the repository
	out     string // where the results go
	work    string // where everything else goes
	version string // as scripts/version prints it: v0.2.0, or v0.2.0+a492f4330523 for any commit but a release's
	time    time.Time
	made    []string // the names of the results
}

func main() {
	out := flag.String("out", "dist", "write into `DIR`")
	flag.Parse()
	if err := run(*out); err != nil {
		fmt.Fprintln(os.Stderr, "dist:", err)
		os.Exit(1)
	}
}

func run(out string) error {
	r, err := newRelease(out)
	if err != nil {
		return err
	}
	defer os.RemoveAll(r.work)
	shared, err := r.documents()
	if err != nil {
		return err
	}
	var images []image
	for _, arch := range architectures {
		t, err := r.target(arch, shared)
		if err != nil {
			return err
		}
		for _, write := range []func(*target) error{r.archive, r.packages, r.materials} {
			if err := write(t); err != nil {
				return err
			}
		}
		images = append(images, image{arch, t.image()})
	}
	if err := r.images(images); err != nil {
		return err
	}
	return r.sums()
}

func newRelease(out string) (*release, error) {
	root, err := command("", "go", "env", "GOMOD")
	if err != nil {
		return nil, err
	}
	r := &release{root: filepath.Dir(root)}
	if r.out, err = filepath.Abs(out); err != nil {
		return nil, err
	}
	if r.version, err = command(r.root, "scripts/version"); err != nil {
		return nil, err
	}
	epoch := os.Getenv("SOURCE_DATE_EPOCH")
	if epoch == "" {
		if epoch, err = command(r.root, "git", "log", "-1", "--format=%ct"); err != nil {
			return nil, fmt.Errorf("SOURCE_DATE_EPOCH: not set, and there is no commit to take the time from; set it: %w", err)
		}
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("SOURCE_DATE_EPOCH: %q is not a number of seconds; unset it to use the commit's time", epoch)
	}
	r.time = time.Unix(seconds, 0).UTC()
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return nil, err
	}
	r.work, err = os.MkdirTemp("", "dist")
	return r, err
}

// settings fix what else would go into the programs from the environment of whoever builds.
func (r *release) settings(arch string) []string {
	return []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + arch, "GOFLAGS=", "GOAMD64=v1", "GOARM64=v8.0",
		"GOEXPERIMENT=", "SOURCE_DATE_EPOCH=" + strconv.FormatInt(r.time.Unix(), 10), "TZ=UTC", "LC_ALL=C.UTF-8"}
}

// build builds harden for an architecture, or for this machine where that is empty.
func (r *release) build(name, arch string, flags ...string) (string, error) {
	file := filepath.Join(r.work, name)
	args := append([]string{"build", "-trimpath", "-ldflags", "-s -w -X main.release=" + r.version, "-o", file}, flags...)
	env := r.settings(arch)
	if arch == "" {
		env = append(env, "GOOS=", "GOARCH=")
	}
	_, err := commandIn(r.root, env, "scripts/go", append(args, "./cmd/harden")...)
	return file, err
}

// write writes a result.
func (r *release) write(name string, data []byte) error {
	r.made = append(r.made, name)
	return os.WriteFile(filepath.Join(r.out, name), data, 0o644)
}

// bare is the version without its v.
func (r *release) bare() string { return strings.TrimPrefix(r.version, "v") }

// packaged is the version as dpkg and rpm compare it: a build on the way to a release is older than the release, and
// newer than a build of an earlier commit.
func (r *release) packaged() string {
	version, commit, ok := strings.Cut(r.bare(), "+")
	if !ok {
		return version
	}
	return version + "~" + r.time.Format("20060102150405") + "." + commit
}

func command(dir, name string, args ...string) (string, error) {
	return commandIn(dir, nil, name, args...)
}

// commandIn returns what a program prints, without the last line end. A relative program is below dir.
func commandIn(dir string, env []string, name string, args ...string) (string, error) {
	if strings.Contains(name, "/") {
		name = filepath.Join(dir, name)
	}
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = errors.New(cmp.Or(strings.TrimSpace(string(exit.Stderr)), err.Error()))
	}
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", filepath.Base(name), strings.Join(args, " "), err)
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}
