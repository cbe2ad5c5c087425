package child_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"example.com/harden/scripts/child"
)

// TestPeak tells of the program, and not of what this process held when it started it.
func TestPeak(t *testing.T) {
	if _, err := os.Stat(child.Measured("")[0]); err != nil {
		t.Skipf("needs GNU time: %v", err)
	}
	mine := bytes.Repeat([]byte("x"), 100<<20)
	file := filepath.Join(t.TempDir(), "peak")
	argv := child.Measured(file, "/bin/sh", "-c", "exit 3")
	cmd := exec.Command(argv[0], argv[1:]...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 3 || len(out) > 0 {
		t.Fatalf("exits as the program does, and says nothing: %v, %q", err, out)
	}
	peak, err := child.Peak(file)
	if err != nil {
		t.Fatal(err)
	}
	if peak < 256<<10 || peak > 20<<20 {
		t.Errorf("a shell holds %d bytes, while the test holds %d", peak, len(mine))
	}
}
