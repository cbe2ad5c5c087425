package vm

import (
	"crypto/sha256"
	"embed"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/harden/scripts/built"
)

// recipe is all that decides what the image holds and which machine its memory fits, beside the packages of the day.
//
//go:embed image.sh hardware.go agent/main.go wire/wire.go
var recipe embed.FS

//go:embed careless.sh
var careless string

// Build gives the test host as it is after its first boot: dockerd and auditd running and nothing hardened. The first
// call on a machine makes it, in about three minutes, and keeps it in the user's cache; needs root.
func Build(t testing.TB, host Host) Snapshot {
	t.Helper()
	key, err := recipeKey(host)
	if err != nil {
		t.Fatalf("the test host's image: %v", err)
	}
	return kept(t, host.Name, key, func(dir string) Snapshot {
		off, err := debian(host, dir)
		if err != nil {
			t.Fatalf("the test host's image: %v", err)
		}
		m := StartIn(t, off, dir)
		if failed := m.Booted(); failed != "" {
			t.Fatalf("on the test host these do not start: %s", failed)
		}
		return m.Snapshot()
	})
}

// Careless gives the test host as hosts often are: see careless.sh.
func Careless(t testing.TB, host Host) Snapshot {
	t.Helper()
	base := Build(t, host)
	script := "store=" + host.store + "\n" + careless
	engine, key := host.engine(t)
	sum := sha256.Sum256([]byte(base.disk + script + key))
	kind := "careless" + host.store + host.built + "-" + host.Name
	return kept(t, kind, hex.EncodeToString(sum[:8]), func(dir string) Snapshot {
		m := StartIn(t, base, dir)
		m.replace(engine)
		m.OK(script)
		return m.Snapshot()
	})
}

// kept finds a snapshot in the user's cache, or makes it and puts it there.
func kept(t testing.TB, kind, key string, bake func(dir string) Snapshot) Snapshot {
	t.Helper()
	dir, err := built.Kept("vm", kind, key, func(dir string) error { return bake(dir).write(dir) })
	if err != nil {
		t.Fatalf("the test host's image: %v", err)
	}
	s, err := read(dir)
	if err != nil {
		t.Fatalf("the test host's image: %v", err)
	}
	return s
}

// debian makes the disk of a host that has never booted.
func debian(host Host, dir string) (Snapshot, error) {
	mirror, err := built.Output("apt-get", "indextargets", "--format", "$(REPO_URI)", "Identifier: Packages",
		"Origin: Debian", "Label: Debian")
	if err != nil {
		return Snapshot{}, err
	}
	mirror, _, _ = strings.Cut(mirror, "\n")
	if mirror == "" {
		return Snapshot{}, errors.New("apt knows no Debian mirror: apt-get update tells it")
	}
	agent, script := filepath.Join(dir, "agent.bin"), filepath.Join(dir, "image.sh")
	if err := Compile(agent, "example.com/harden/scripts/vm/agent"); err != nil {
		return Snapshot{}, err
	}
	text, err := recipe.ReadFile("image.sh")
	if err != nil {
		return Snapshot{}, err
	}
	if err := os.WriteFile(script, text, 0o755); err != nil {
		return Snapshot{}, err
	}
	if _, err := built.Output("/bin/bash", script, dir, agent, mirror, host.suite,
		strings.Join(host.packages, ",")); err != nil {
		return Snapshot{}, err
	}
	return Snapshot{disk: filepath.Join(dir, "disk.img"), kernel: filepath.Join(dir, "vmlinuz"),
		initrd: filepath.Join(dir, "initrd")}, nil
}

// recipeKey names an image by what made it. The emulator counts: the state of a machine is its own affair.
func recipeKey(host Host) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, host.suite, host.packages)
	err := fs.WalkDir(recipe, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := recipe.ReadFile(path)
		fmt.Fprintf(h, "%s %d\n%s", path, len(text), text)
		return err
	})
	if err != nil {
		return "", err
	}
	version, err := built.Output(emulator, "--version")
	if err != nil {
		return "", err
	}
	h.Write([]byte(version))
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}

// Compile builds the static program out from the package pkg of this module. The compiler is another process,
// whose reading go test cannot see: to have a test run again when the program has changed, each source is looked at
// here too.
func Compile(out, pkg string) error {
	module, err := built.Output("go", "list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return err
	}
	err = filepath.WalkDir(strings.TrimSpace(module), func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.IsDir() || !slices.Contains([]string{".go", ".mod", ".sum"}, filepath.Ext(path)):
			return nil
		}
		_, err = os.Stat(path)
		return err
	})
	if err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-trimpath", "-o", out, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", pkg, err, text)
	}
	return nil
}
