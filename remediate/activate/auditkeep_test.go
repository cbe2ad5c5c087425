package activate

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestKeeping has what stands in for augenrules write its copy of the rules that it replaced.
func TestKeeping(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.rules.prev")
	failure := errors.New("no")
	copies := func() error { return errors.Join(failure, os.WriteFile(file, []byte("its own"), 0o640)) }
	if err := keeping(file, copies); !errors.Is(err, failure) {
		t.Errorf("the error is lost: %v", err)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the copy stays, though there was none: %v", err)
	}
	write(t, file, "earlier")
	_ = keeping(file, copies)
	if data, err := os.ReadFile(file); err != nil || string(data) != "earlier" {
		t.Errorf("it is %q, %v; want what was there", data, err)
	}
	if err := keeping(file, func() error { return os.Remove(file) }); err != nil {
		t.Error(err)
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "earlier" {
		t.Errorf("removed, it is %q, %v", data, err)
	}
}
