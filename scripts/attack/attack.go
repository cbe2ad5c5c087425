// Package attack tries harden as those would who are not root of this host: another user, a container, a repository.
// Each test is one exploit that moved root's hand once. HARDEN_BINARY names another build to try, such as an older
// release.
package attack

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// named is $HARDEN_BINARY. It is of the tests alone: what they start must not find it.
var named = func() string {
	file := os.Getenv("HARDEN_BINARY")
	os.Unsetenv("HARDEN_BINARY")
	return file
}()

var built struct {
	mu  sync.Mutex
	dir string
}

// Binary returns the path of the harden under attack: $HARDEN_BINARY, or one built once from this tree.
func Binary(t testing.TB) string {
	t.Helper()
	if named != "" {
		return named
	}
	return build(t, "cmd/harden")
}

// build returns the path of a program of this tree, built once.
func build(t testing.TB, pkg string) string {
	t.Helper()
	built.mu.Lock()
	defer built.mu.Unlock()
	if built.dir == "" {
		dir, err := os.MkdirTemp("", "attack")
		if err != nil {
			t.Fatal(err)
		}
		built.dir = dir
	}
	file := filepath.Join(built.dir, filepath.Base(pkg))
	if _, err := os.Stat(file); err == nil {
		return file
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", file, "example.com/harden/"+pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	return file
}

// Clean removes what was built. TestMain calls it.
func Clean() {
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
}
