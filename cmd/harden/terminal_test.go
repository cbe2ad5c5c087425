package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// pty opens a terminal of so many columns: what is written to tty is read from master.
func pty(t *testing.T, columns uint16) (master, tty *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns})
	}
	if err != nil {
		t.Fatal(err)
	}
	if tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	// Ctrl-C must not have the kernel throw away what is on its way to the screen: harden may have said already what
	// became of it.
	modes, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err == nil {
		modes.Lflag |= unix.NOFLSH
		err = unix.IoctlSetTermios(int(tty.Fd()), unix.TCSETS, modes)
	}
	if err != nil {
		t.Fatal(err)
	}
	return master, tty
}

// onTerminal runs harden with all its files on a terminal, types input when it asks, and returns what that shows.
func onTerminal(t *testing.T, columns uint16, env []string, input string, args ...string) string {
	t.Helper()
	screen, _ := atTerminal(t, columns, env, input, args...)
	return screen
}

// hangUp is the input of whose connection is lost.
const hangUp = "hang up"

// atTerminal is onTerminal with the exit code.
func atTerminal(t *testing.T, columns uint16, env []string, input string, args ...string) (shown string, code int) {
	t.Helper()
	master, tty := pty(t, columns)
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = append([]string{"harden"}, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.Env = append([]string{"HARDEN_CONFIG=none"}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true} // so that its keys make signals
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tty.Close()
	var screen bytes.Buffer
	for buf := make([]byte, 4096); ; {
		n, err := master.Read(buf)
		screen.Write(buf[:n])
		if input == hangUp && bytes.Contains(screen.Bytes(), []byte("[y/N]")) {
			break
		}
		if input != "" && bytes.Contains(screen.Bytes(), []byte("[y/N]")) {
			if _, err := io.WriteString(master, input); err != nil {
				t.Fatal(err)
			}
			input = ""
		}
		if err != nil { // EIO: the last who held the terminal is gone
			break
		}
	}
	if input == hangUp {
		master.Close()
	}
	_ = cmd.Wait()
	return screen.String(), cmd.ProcessState.ExitCode()
}

// TestTerminal holds colour to terminals that want it, and lines to the terminal's width.
func TestTerminal(t *testing.T) {
	for name, test := range map[string]struct {
		env   []string
		args  []string
		color bool
	}{
		"a terminal":      {nil, nil, true},
		"NO_COLOR":        {[]string{"NO_COLOR=1"}, nil, false},
		"NO_COLOR, empty": {[]string{"NO_COLOR="}, nil, true},
		"a dumb one":      {[]string{"TERM=dumb"}, nil, false},
		"never":           {nil, []string{"--color", "never"}, false},
		"always":          {[]string{"NO_COLOR=1"}, []string{"--color", "always"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			screen := onTerminal(t, 60, test.env, "", append([]string{"list", "--only", "docker:3"}, test.args...)...)
			if got := strings.Contains(screen, "\x1b["); got != test.color {
				t.Errorf("colour: %v\n%q", got, screen)
			}
			if !strings.Contains(screen, "docker/daemon-json-owner") {
				t.Errorf("the list is not there:\n%s", screen)
			}
		})
	}
	for l := range strings.Lines(onTerminal(t, 60, []string{"NO_COLOR=1"}, "", "check", "--root", t.TempDir())) {
		if l = strings.TrimRight(l, "\r\n"); len([]rune(l)) > 60 {
			t.Errorf("%d columns: %q", len([]rune(l)), l)
		}
	}
}

// TestQuestion holds harden to asking, and to taking nothing but yes for yes.
func TestQuestion(t *testing.T) {
	for answer, want := range map[string]int{"y\n": 0, "yes\n": 0, "Y\n": 0, "n\n": exitError, "\n": exitError,
		"yet\n": exitError,
		"\x04":  exitError, "\x03": 130, hangUp: 129} {
		applied := want == 0
		root := t.TempDir()
		for path, text := range map[string]string{
			"etc/passwd": "root:x:0:0::/root:/bin/sh\n", "etc/group": "root:x:0:\n", "etc/docker/daemon.json": "{}\n",
			"usr/bin/dockerd":                       "",
			"usr/lib/systemd/system/docker.service": "[Service]\nExecStart=/usr/bin/dockerd -H fd://\n",
		} {
			file := root + "/" + path
			if err := os.MkdirAll(file[:strings.LastIndexByte(file, '/')], 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		screen, code := atTerminal(t, 100, nil, answer, "--root", root, "--state", t.TempDir()+"/state", "--only",
			"docker/live-restore")
		if !strings.Contains(screen, "apply? [y/N]") {
			t.Errorf("%q: nothing was asked:\n%s", answer, screen)
		}
		data, err := os.ReadFile(root + "/etc/docker/daemon.json")
		if err != nil {
			t.Fatal(err)
		}
		if got := bytes.Contains(data, []byte("live-restore")); got != applied {
			t.Errorf("%q: applied: %v\n%s", answer, got, screen)
		}
		if code != want && !(answer == hangUp && code == exitError) { // that nobody is there any more may be read first
			t.Errorf("%q: exit code %d, want %d", answer, code, want)
		}
		said := map[bool]string{true: "Applied as run", false: "nothing was applied"}[applied]
		if answer == "\x03" {
			said = "harden: interrupted; nothing changed"
		}
		if answer != hangUp && !strings.Contains(screen, said) {
			t.Errorf("%q: what became of it is not said:\n%s", answer, screen)
		}
	}
}
