package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/harden/remediate/apply"
	"example.com/harden/scripts/child"
)

// signalled is `harden --yes`, which gets signals as the nth step of its run begins: signalled NTH SIGNAL,SIGNAL… ARGS…
func signalled() {
	nth, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	ctx := withSignals(context.Background())
	heard := make(chan os.Signal, 8) // as the program itself hears them
	cmd := newRoot()
	cmd.SetContext(ctx)
	if err := cmd.ParseFlags(os.Args[3:]); err != nil {
		panic(err)
	}
	s, err := open(cmd)
	if err != nil {
		panic(err)
	}
	plan, err := s.propose()
	if err != nil {
		panic(err)
	}
	o := s.acting(noProgress(0))
	watch := o.Progress
	o.Progress = func(step apply.Step) {
		watch(step)
		if nth--; nth != 0 {
			return
		}
		for name := range strings.SplitSeq(os.Args[2], ",") {
			number := unix.SignalNum(name)
			if signal.Ignored(number) {
				_ = syscall.Kill(os.Getpid(), number)
				return
			}
			signal.Notify(heard, number)
			_ = syscall.Kill(os.Getpid(), number)
			<-heard
		}
		<-ctx.Done()
	}
	o.Verify = s.verify
	run, err := apply.Apply(ctx, plan, o)
	os.Exit(exitCode(interrupted(ctx, s.conclude(plan, run, err))))
}

// twoFixes are what is to be fixed on a small host.
const twoFixes = "docker/live-restore,docker/etc-default-mode"

// small makes a host below a directory with a few fixes to make.
func small(t *testing.T) (root, state string) {
	t.Helper()
	root = t.TempDir()
	for path, text := range map[string]string{
		"etc/passwd": "root:x:0:0::/root:/bin/sh\n", "etc/group": "root:x:0:\n", "etc/docker/daemon.json": "{}\n",
		"usr/bin/dockerd": "", "etc/default/docker": "",
		"usr/lib/systemd/system/docker.service": "[Service]\nExecStart=/usr/bin/dockerd -H fd://\n",
	} {
		file := filepath.Join(root, path)
		err := os.MkdirAll(filepath.Dir(file), 0o755)
		if err = errors.Join(err, os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(root, "etc/default/docker"), 0o666); err != nil {
		t.Fatal(err)
	}
	return root, filepath.Join(t.TempDir(), "state")
}

// applied counts which of the fixes of small are made.
func applied(t *testing.T, root string) (n int) {
	t.Helper()
	text, err := os.ReadFile(root + "/etc/docker/daemon.json")
	if err == nil && bytes.Contains(text, []byte("live-restore")) {
		n++
	}
	info, other := os.Stat(root + "/etc/default/docker")
	if err = errors.Join(err, other); err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o666 {
		n++
	}
	return n
}

// TestTortureSignals has signals arrive at each step of a run, as a lost connection, sudo and systemd send them: the
// run is finished or taken back, and never half done.
func TestTortureSignals(t *testing.T) {
	for _, signals := range []string{"SIGHUP", "SIGTERM", "SIGINT", "SIGHUP,SIGHUP,SIGTERM", "SIGPIPE,SIGHUP"} {
		heard := 0
		for nth := 1; nth < 40; nth++ {
			root, state := small(t)
			_, said, code := ran(t, "signalled", nil, noFile, strconv.Itoa(nth), signals, "--yes", "--root", root, "--state",
				state,
				"--only", twoFixes)
			n := applied(t, root)
			if code == 0 && n == 2 {
				break // there were no more steps
			}
			heard++
			fits := map[int]bool{exitOK: n == 2, exitFailed: n == 0} // and where nothing was begun
			if right, ok := fits[code]; ok && !right || !ok && (n != 0 || !strings.Contains(said, "interrupted")) {
				t.Errorf("%s at step %d: %d of 2 fixes, %d\n%s", signals, nth, n, code, said)
			}
			if strings.Contains(said, "context canceled") {
				t.Errorf("%s at step %d: %s", signals, nth, said)
			}
			if run, err := apply.Interrupted(apply.Options{State: state, Root: root}); run != nil || err != nil {
				t.Errorf("%s at step %d: left interrupted: %v, %v", signals, nth, run, err)
			}
		}
		if heard < 4 {
			t.Errorf("%s: only %d steps", signals, heard)
		}
	}
}

// TestNohup has a signal that was ignored from the start, as by nohup, stay ignored.
func TestNohup(t *testing.T) {
	root, state := small(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", "-c", `trap "" HUP; exec -a signalled "$@"`, "bash", self, "4", "SIGHUP",
		"--yes", "--root", root, "--state", state, "--only", twoFixes)
	cmd.Env = child.Environ(noFile...)
	if out, err := cmd.CombinedOutput(); err != nil || applied(t, root) != 2 {
		t.Errorf("%v, %d fixes\n%s", err, applied(t, root), out)
	}
}

// TestSecondInterrupt holds a second Ctrl-C to what it always did.
func TestSecondInterrupt(t *testing.T) {
	root, state := small(t)
	_, said, code := ran(t, "signalled", nil, noFile, "4", "SIGINT,SIGINT", "--yes", "--root", root, "--state", state,
		"--only", twoFixes)
	if code != -1 || !strings.Contains(said, "a second Ctrl-C stops immediately") {
		t.Errorf("%d, %s", code, said)
	}
}

// ran runs one of the test binary's programs and returns what it says, and its exit code.
func ran(t *testing.T, name string, stdout io.Writer, env []string, args ...string) (out, said string, code int) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Args[0] = name
	cmd.Env = child.Environ(env...)
	var o, e bytes.Buffer
	if cmd.Stdout, cmd.Stderr = stdout, &e; stdout == nil {
		cmd.Stdout = &o
	}
	_ = cmd.Run()
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

// noFile is the environment of a harden that reads no configuration file.
var noFile = []string{"HARDEN_CONFIG=none"}

// TestUnread holds a run whose reader is gone to being made or not made, and told of.
func TestUnread(t *testing.T) {
	gone := func() *os.File {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.Close() })
		r.Close()
		return w
	}
	root, state := small(t)
	host := []string{"--yes", "--root", root, "--state", state}
	for _, test := range []struct {
		args []string
		code int
		says string
		left int // of the fixes
	}{
		{[]string{"list"}, exitUnheard, "", 0},
		{append(host, "--only", twoFixes), exitUnheard, "nothing was applied", 0},
		// In JSON nothing is said before the end.
		{append(host, "--only", twoFixes, "--format", "json"), exitError, "is applied, and its report could not be written",
			2},
		{append([]string{"rollback", "--format", "json"}, host...), exitError, "is rolled-back, and its report could not be",
			0},
	} {
		_, said, code := ran(t, "harden", gone(), noFile, test.args...)
		if n := applied(t, root); code != test.code || !strings.Contains(said, test.says) || n != test.left {
			t.Errorf("harden %q: %d, %d fixes, %s", test.args, code, n, said)
		}
	}
}
