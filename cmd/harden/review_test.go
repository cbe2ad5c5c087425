package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

)

// An act is what somebody does at a terminal once it shows something.
type act struct {
	shown string // after what was shown before the act before
	types string
	size  *unix.Winsize  // or has another size from then on
	sends syscall.Signal // or sends harden a signal
}

// A stage is a terminal with harden on it.
type stage struct {
	*testing.T
	rows, columns uint16
	env           []string
}

// play runs harden on a terminal, acts on it, and returns all that was shown, and the exit code. It holds the terminal
// to have the modes of before when harden has ended.
func (s stage) play(args []string, acts ...act) (shown string, code int) {
	s.Helper()
	master, tty := pty(s.T, s.columns)
	if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: s.rows,
		Col: s.columns}); err != nil {
		s.Fatal(err)
	}
	before, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		s.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = append([]string{"harden"}, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.Env = append([]string{"HARDEN_CONFIG=none", "NO_COLOR=1"}, s.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	stuck := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		stuck.Stop()
		after, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
		if err != nil || *after != *before {
			s.Errorf("the modes of the terminal are %+v, were %+v (%v)", after, before, err)
		}
		tty.Close() // the last who holds it, so that reading ends
		close(ended)
	}()
	var screen bytes.Buffer
	seen := 0
	for buf := make([]byte, 4096); ; {
		for len(acts) > 0 && strings.Contains(screen.String()[seen:], acts[0].shown) {
			seen += strings.Index(screen.String()[seen:], acts[0].shown) + len(acts[0].shown)
			s.do(acts[0], master, cmd.Process)
			acts = acts[1:]
		}
		n, err := master.Read(buf)
		screen.Write(bytes.ReplaceAll(buf[:n], []byte("\r\n"), []byte("\n")))
		if err != nil {
			break
		}
	}
	<-ended
	if len(acts) > 0 {
		s.Errorf("it never showed %q; what it showed:\n%s", acts[0].shown, screen.String())
	}
	return screen.String(), cmd.ProcessState.ExitCode()
}

func (s stage) do(a act, master *os.File, p *os.Process) {
	s.Helper()
	var err error
	switch {
	case a.size != nil:
		err = unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, a.size)
	case a.sends != 0:
		err = p.Signal(a.sends)
	default:
		_, err = io.WriteString(master, a.types)
	}
	if err != nil {
		s.Fatal(err)
	}
}

// pressing presses a key at each fix.
func pressing(all string) (acts []act) {
	for _, k := range all {
		acts = append(acts, act{shown: "Apply this fix [", types: string(k)})
	}
	return acts
}


