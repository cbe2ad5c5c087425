package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"example.com/harden/scripts/child"
)

// An act is what somebody does at a terminal once it shows something.
type act struct {
	shown string // after what was shown before the act before
	types string
	size  *unix.Winsize  // or has another size from then on
	sends syscall.Signal // or sends harden a signal
	stops bool           // or presses Ctrl-Z, and has harden go on once it has stopped
}

// A stage is a terminal with harden on it.
type stage struct {
	*testing.T
	rows, columns uint16
	env           []string
	before        *unix.Termios
}

// asBefore holds the terminal to having the modes of before.
func (s stage) asBefore(fd int) {
	s.Helper()
	if now, err := unix.IoctlGetTermios(fd, unix.TCGETS); err != nil || *now != *s.before {
		s.Errorf("the modes of the terminal are %+v, were %+v (%v)", now, s.before, err)
	}
}

// play reviews on a terminal, acts on it, and returns all that was shown, and the exit code.
func (s stage) play(args []string, acts ...act) (shown string, code int) {
	s.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = append([]string{"harden", "--review"}, args...)
	cmd.Env = append(child.Environ("TERM=dumb", "NO_COLOR=1"), s.env...)
	return s.on(cmd, acts...)
}

// on is play for any program. It holds the terminal to have the modes of before when the program has ended.
func (s stage) on(cmd *exec.Cmd, acts ...act) (shown string, code int) {
	s.Helper()
	master, tty := pty(s.T, s.columns)
	if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: s.rows,
		Col: s.columns}); err != nil {
		s.Fatal(err)
	}
	var err error
	if s.before, err = unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS); err != nil {
		s.Fatal(err)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	stuck := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		stuck.Stop()
		s.asBefore(int(tty.Fd()))
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
	case a.stops:
		_, err = io.WriteString(master, "\x1a")
		for state := ""; err == nil && state != "T"; {
			var stat []byte
			stat, err = os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Pid))
			_, rest, _ := strings.Cut(string(stat), ") ")
			state, _, _ = strings.Cut(rest, " ")
		}
		s.asBefore(int(master.Fd()))
		err = cmpErr(err, p.Signal(syscall.SIGCONT))
	default:
		_, err = io.WriteString(master, a.types)
	}
	if err != nil {
		s.Fatal(err)
	}
}

// fixAsked is the question about each fix.
const fixAsked = "Apply this fix ["

// pressing presses a key at each question about a fix.
func pressing(all string) (acts []act) {
	for _, k := range all {
		acts = append(acts, act{shown: fixAsked, types: string(k)})
	}
	return acts
}

// answering ends a review: it presses a key at each fix, and then answers the last question.
func answering(all, last string) []act {
	if last == "" {
		return pressing(all)
	}
	return append(pressing(all), act{shown: "[y/N]", types: last + "\n"})
}

// typing presses keys, types a line, presses more keys, and answers the last question.
func typing(all, line, more, last string) []act {
	return slices.Concat(pressing(all), []act{{shown: ": ", types: line + "\n"}}, answering(more, last))
}

// applies names the fixes of small that are made.
func applies(t *testing.T, root string) (done []string) {
	t.Helper()
	for _, f := range []struct{ name, file, text string }{
		{"icc", "etc/docker/daemon.json", `"icc": false`},
		{"userns-remap", "etc/docker/daemon.json", `"userns-remap"`},
		{"no-new-privileges", "etc/docker/daemon.json", `"no-new-privileges": true`},
		{"content-trust", "etc/environment", "DOCKER_CONTENT_TRUST"},
		{"live-restore", "etc/docker/daemon.json", `"live-restore": true`},
		{"userland-proxy", "etc/docker/daemon.json", `"userland-proxy": false`},
	} {
		data, err := os.ReadFile(filepath.Join(root, f.file))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if strings.Contains(string(data), f.text) {
			done = append(done, f.name)
		}
	}
	info, err := os.Stat(filepath.Join(root, "etc/default/docker"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o666 {
		done = append(done, "mode")
	}
	return done
}

// TestReviewKeys holds what is applied to what each key says. The fixes are, in this order: mode (class none), icc
// (behaviour), userns-remap (by its name alone), no-new-privileges (restart), content-trust (behaviour), live-restore
// (reload) and userland-proxy (restart).
func TestReviewKeys(t *testing.T) {
	for name, test := range map[string]struct {
		acts []act
		code int
		done []string
		says string
	}{
		"yes and finish": {answering("yf", "y"), 0, []string{"mode"}, "Review: 1 fix chosen, 6 skipped, 0 waived."},
		"no":             {answering("nnnnnyn", "y"), 0, []string{"live-restore"}, "1 fix chosen, 6 skipped"},
		"held":           {answering("nynnnnn", "y"), 0, []string{"icc"}, "--allow behaviour would"},
		"a class": {answering("nnnann", "y"), 0, []string{"no-new-privileges", "userland-proxy"},
			"2 fixes of class restart: chosen."},
		"a class but what is named": {answering("nanynn", "y"), 0, []string{"icc", "no-new-privileges", "content-trust"},
			"2 fixes of class behaviour: chosen."},
		"none of a class": {answering("ndynn", "y"), 0, []string{"no-new-privileges"},
			"3 fixes of class behaviour: skipped."},
		"back":              {pressing("ybnnnnnnn"), 0, nil, "Nothing to apply."},
		"back to the first": {answering("byf", "y"), 0, []string{"mode"}, "This is the first fix."},
		"a wrong name":      {typing("nny", "docker/userns", "f", ""), 0, nil, "Type docker/userns-remap to choose it"},
		"its name":          {typing("nny", "docker/userns-remap", "f", "y"), 0, []string{"userns-remap"}, "1 fix chosen"},
		"its class":         {pressing("nnaf"), 0, nil, "No class allows docker/userns-remap"},
		"explained":         {answering("e?xy\x1bf", "y"), 0, []string{"mode"}, "DISA STIG: V-235870"},
		"help":              {answering("?yf", "y"), 0, []string{"mode"}, "quit: apply nothing and write no waiver"},
		"no key":            {answering("xyf", "y"), 0, []string{"mode"}, "Not a key of this question"},
		"an arrow":          {answering("\x1byf", "y"), 0, []string{"mode"}, "Not a key of this question"},
		"not after all":     {answering("yf", "n"), 1, nil, "harden: nothing was applied"},
		"quit":              {pressing("yyq"), 1, nil, "harden: review ended: nothing was applied"},
		"Ctrl-D":            {pressing("yy\x04"), 1, nil, "harden: review ended: nothing was applied"},
		"nothing chosen":    {pressing("f"), 0, nil, "Nothing to apply."},
	} {
		t.Run(name, func(t *testing.T) {
			root, state := small(t)
			shown, code := stage{T: t, rows: 500, columns: 80}.play([]string{"--config", "none", "--root", root, "--state",
				state}, test.acts...)
			if diff := cmp.Diff(test.done, applies(t, root)); diff != "" || code != test.code ||
				!strings.Contains(shown, test.says) {
				t.Errorf("exit code %d, want %d; it must say %q; done (-want +got)\n%s%s", code, test.code, test.says, diff, shown)
			}
		})
	}
}
