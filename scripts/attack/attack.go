// Package attack tries harden as those would who are not root of this host: another user, a container, a repository. Each
// test is one exploit that moved root's hand once. HARDEN_BINARY names another build to try, such as an older release.
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
	once sync.Once
	file string
	out  []byte
	err  error
}

// Binary returns the path of the harden under attack: $HARDEN_BINARY, or one built once from this tree.
func Binary(t testing.TB) string {
	t.Helper()
	if named != "" {
		return named
	}
	built.once.Do(func() {
		dir, err := os.MkdirTemp("", "attack")
		if err != nil {
			built.err = err
			return
		}
		built.file = filepath.Join(dir, "harden")
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", built.file, "example.com/harden/cmd/harden")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		built.out, built.err = cmd.CombinedOutput()
	})
	if built.err != nil {
		t.Fatalf("build harden: %v\n%s", built.err, built.out)
	}
	return built.file
}

// Clean removes what Binary built. TestMain calls it.
func Clean() {
	if built.file != "" {
		os.RemoveAll(filepath.Dir(built.file))
	}
}
