package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"example.com/harden/remediate/apply"
)

// lockfile locks a file as dpkg does, says so, and keeps the lock until its input ends.
func lockfile() {
	f, err := os.OpenFile(os.Args[1], os.O_RDWR, 0)
	if err == nil {
		err = unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart})
	}
	if err != nil {
		panic(err)
	}
	os.Stdout.WriteString("locked\n")
	io.Copy(io.Discard, os.Stdin)
}

// holding is a scheduled run on r while another has the state's lock.
func holding() {
	cmd := newRoot()
	cmd.SetContext(context.Background())
	s, err := open(cmd)
	if err != nil {
		panic(err)
	}
	_, release, err := apply.Hold(s.options())
	if err != nil {
		panic(err)
	}
	defer release()
	os.Exit(run([]string{"schedule", "run", "--root", "r"}))
}

// locked is exits while another process has locked a file: locked FILE CODE PROGRAM ARGS…
func locked(ts *testscript.TestScript, neg bool, args []string) {
	release := takeLock(ts, args[0])
	defer release()
	exits(ts, neg, args[1:])
}

// released is locked with a lock that is given back when the program says that it waits.
func released(ts *testscript.TestScript, neg bool, args []string) {
	release := takeLock(ts, args[0])
	runFor(ts, neg, args[1:], &exec.Cmd{Path: "/proc/self/exe", Stderr: whenWaiting(release)})
}

// A whenWaiting is called when the program that writes to it says that it waits.
type whenWaiting func()

func (f whenWaiting) Write(said []byte) (int, error) {
	if bytes.Contains(said, []byte("waiting up to")) {
		f()
	}
	return len(said), nil
}

func takeLock(ts *testscript.TestScript, file string) (release func()) {
	cmd := exec.Command("/proc/self/exe", ts.MkAbs(file))
	cmd.Args[0] = "lockfile"
	in, err := cmd.StdinPipe()
	ts.Check(err)
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "locked\n" {
		ts.Fatalf("the lock: %q, %v", line, err)
	}
	return func() { in.Close(); cmd.Wait() }
}
