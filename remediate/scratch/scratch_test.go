package scratch

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestKeep has what stands in for augenrules write its copy of the rules that it replaced.
func TestKeep(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.rules.prev")
	failure := errors.New("no")
	copies := func() error { return errors.Join(failure, os.WriteFile(file, []byte("its own"), 0o640)) }
	if err := Keep(file, copies); !errors.Is(err, failure) {
		t.Errorf("the error is lost: %v", err)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the copy stays, though there was none: %v", err)
	}
	if err := os.WriteFile(file, []byte("earlier"), 0o644); err != nil {
		t.Fatal(err)
	}
	_ = Keep(file, copies)
	if data, err := os.ReadFile(file); err != nil || string(data) != "earlier" {
		t.Errorf("it is %q, %v; want what was there", data, err)
	}
	if err := Keep(file, func() error { return os.Remove(file) }); err != nil {
		t.Error(err)
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "earlier" {
		t.Errorf("removed, it is %q, %v", data, err)
	}
}

// TestFile makes what root alone can read, and what is gone afterwards.
func TestFile(t *testing.T) {
	path, remove, err := File("harden-test-*", []byte("x"))
	if errors.Is(err, os.ErrPermission) {
		t.Skip("needs root")
	}
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 || info.Size() != 1 {
		t.Errorf("%v %v", info, err)
	}
	remove()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it stays: %v", err)
	}
}

// TestDropIn refuses what would outlive the next boot.
func TestDropIn(t *testing.T) {
	for _, path := range []string{"/etc/systemd/system/docker.service.d/x.conf",
		"/run/systemd/system/../../../etc/x.conf"} {
		if err := DropIn(path, ""); err == nil {
			t.Errorf("%s is written", path)
		}
	}
}
