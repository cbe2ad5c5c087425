package program

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestTrusted asks for each way in which somebody besides root could have written a program.
func TestTrusted(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it changes owners")
	}
	for _, c := range []struct {
		name string
		mode os.FileMode
		uid  int
	}{
		{"its group can write it", 0o775, 0},
		{"others can write it", 0o757, 0},
		{"another owns it", 0o755, 65534},
	} {
		file := filepath.Join(t.TempDir(), "program")
		if err := os.WriteFile(file, []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(file, c.uid, 0); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, c.mode); err != nil {
			t.Fatal(err)
		}
		if got, err := Find([]string{"/nonexistent", file}); err == nil {
			t.Errorf("%s: taken: %s", c.name, got)
		}
		if out, err := Run(t.Context(), time.Minute, file); err == nil {
			t.Errorf("%s: run: %q", c.name, out)
		}
	}
	if err := Trusted("/bin"); err == nil {
		t.Error("a directory is taken for a program")
	}
	if got, err := Find([]string{"/nonexistent", "/usr/bin/env"}); got != "/usr/bin/env" || err != nil {
		t.Errorf("the system's own program: %q, %v", got, err)
	}
}
