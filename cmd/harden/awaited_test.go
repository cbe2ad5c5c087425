package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/harden/scripts/child"
)

// TestInterruptedReading ends commands that wait for a report which never comes: each is over at the first signal.
func TestInterruptedReading(t *testing.T) {
	for _, args := range [][]string{{"report", "-"}, {"report", "/dev/stdin"}, {"diff", "-", "x"}, {"merge", "-"},
		{"merge", "--files-from", "-"}} {
		cmd := exec.Command("/proc/self/exe", append(args, "--config", "none")...)
		cmd.Args[0], cmd.Env = "harden", child.Environ("TESTSCRIPT_COMMAND=harden")
		out, in, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		cmd.Stdin = out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		out.Close()
		ended := make(chan int, 1)
		go func() { _ = cmd.Wait(); ended <- cmd.ProcessState.ExitCode() }()
		if _, err := in.Write([]byte("{")); err != nil {
			t.Fatal(err)
		}
		fd := int(in.Fd())
		for left := 1; left > 0; time.Sleep(time.Millisecond) { // until it waits for more
			if left, err = unix.IoctlGetInt(fd, unix.TIOCINQ); err != nil {
				t.Fatal(err)
			}
		}
		if err := cmd.Process.Signal(unix.SIGINT); err != nil {
			t.Fatal(err)
		}
		select {
		case code := <-ended:
			if code != 130 {
				t.Errorf("harden %q exited %d, want 130", args, code)
			}
		case <-time.After(time.Minute):
			t.Errorf("harden %q goes on", args)
			_ = cmd.Process.Kill()
		}
	}
}

// TestMergePassesOverPipes merges beside a pipe that nobody writes to.
func TestMergePassesOverPipes(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openGist(pipe, nil); err == nil {
		t.Error("a pipe is a report")
	}
}
