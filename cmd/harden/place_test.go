package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestPlace writes where others than root have a say in the path: never through a link of theirs.
func TestPlace(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give directories away")
	}
	for name, c := range map[string]struct {
		make func(root string) error // root holds their/, which belongs to another user, and victim/
		file string
		says string // empty where it is written
	}{
		"in a directory of theirs": {func(string) error { return nil }, "their/x.prom", ""},
		"a link of theirs": {func(r string) error {
			return errors.Join(os.Symlink(r+"/victim", r+"/their/collector"), os.Lchown(r+"/their/collector", 1000, 1000))
		}, "their/collector/x.prom", "could have made"},
		"a link in a directory of theirs": {func(r string) error { return os.Symlink(r+"/victim", r+"/their/collector") },
			"their/collector/x.prom", "could have made"},
		"a link of root's": {func(r string) error { return os.Symlink("their", r+"/collector") }, "collector/x.prom", ""},
		"a link for the file": {func(r string) error { return os.Symlink(r+"/victim/x", r+"/their/x.prom") }, "their/x.prom",
			"not a regular file"},
		"a loop": {func(r string) error { return os.Symlink("loop", r+"/loop") }, "loop/x.prom", "too many levels"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for _, err := range []error{os.Mkdir(root+"/their", 0o755), os.Chown(root+"/their", 1000, 1000),
				os.Mkdir(root+"/victim", 0o755), c.make(root)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			err := writeFileMode(filepath.Join(root, c.file), []byte("x 1\n"), 0o644)
			data, readErr := os.ReadFile(filepath.Join(root, c.file))
			if c.says == "" && (err != nil || readErr != nil || string(data) != "x 1\n") ||
				c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("%v, and then %q, %v; want %q", err, data, readErr, c.says)
			}
			if got, _ := filepath.Glob(root + "/victim/*"); len(got) > 0 {
				t.Errorf("written to %s", got)
			}
		})
	}
}

// TestPlaceSwapped has the parent of a file swapped for a link all the time, as whoever owns what is above it can.
func TestPlaceSwapped(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give directories away")
	}
	root := t.TempDir()
	their, victim := root+"/their", root+"/victim"
	for _, err := range []error{os.Mkdir(their, 0o755), os.Mkdir(their+"/collector", 0o755), os.Mkdir(victim, 0o755),
		os.Symlink(victim, their+"/link"), os.Chown(their, 1000, 1000)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	stop := make(chan bool)
	done := make(chan bool)
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, their+"/collector", unix.AT_FDCWD, their+"/link", unix.RENAME_EXCHANGE)
			}
		}
	}()
	written := 0
	for range 500 {
		if writeFileMode(their+"/collector/x.prom", []byte("x 1\n"), 0o644) == nil {
			written++
		}
	}
	close(stop)
	<-done
	if got, _ := filepath.Glob(victim + "/*"); len(got) > 0 {
		t.Errorf("written to %s", got)
	}
	t.Logf("written %d of 500 times", written)
}
