package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestFirstUse starts harden on a terminal where it was never used: it explains itself in five lines, shows the plan
// and asks. Whoever gives a flag, has a variable set or has no terminal knows it already.
func TestFirstUse(t *testing.T) {
	if lines := strings.Split(strings.TrimSpace(introduction), "\n"); len(lines) != 5 {
		t.Errorf("%d lines", len(lines))
	} else {
		for _, l := range lines {
			if len(l) > 80 {
				t.Errorf("%d columns: %s", len(l), l)
			}
		}
	}
	if _, err := os.Stat(defaultConfig); err == nil || testing.Short() || os.Geteuid() != 0 {
		t.Skip("it audits this very machine, as root, where no configuration is")
	}
	first := strings.SplitAfter(introduction, "\n")[0]
	for name, test := range map[string]struct {
		env   []string
		args  string
		shown bool
	}{
		"nothing":    {nil, "", true},
		"a flag":     {nil, "--only docker/live-restore --root /var/lib", false},
		"a variable": {[]string{"HARDEN_LEVEL=1"}, "", false},
	} {
		screen := freshly(t, test.env, test.args)
		if got := strings.Contains(strings.ReplaceAll(screen, "\r", ""), first); got != test.shown {
			t.Errorf("%s: introduced: %v\n%s", name, got, screen)
		}
		if test.shown && (!strings.Contains(screen, "The plan: ") || !strings.Contains(screen, "apply? [y/N]") ||
			!strings.Contains(screen, "nothing was applied")) {
			t.Errorf("%s: no plan, or nothing was asked:\n%s", name, screen)
		}
	}
}

// freshly runs harden on a terminal, and answers no, where nothing has been kept of a run before.
func freshly(t *testing.T, env []string, args string) string {
	t.Helper()
	master, tty := pty(t, 100)
	cmd := exec.Command("sh", "-c", "mount --make-rprivate / && mount -t tmpfs tmpfs /var/lib && exec -a harden "+
		"/proc/self/fd/3 "+args)
	if sh, err := exec.LookPath("bash"); err == nil { // exec -a is not every shell's
		cmd.Path = sh
	} else {
		t.Skip("no bash")
	}
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	cmd.ExtraFiles = []*os.File{self}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Cloneflags: syscall.CLONE_NEWNS}
	if err := cmd.Start(); err != nil {
		t.Skipf("no mount namespace: %v", err)
	}
	tty.Close()
	var screen bytes.Buffer
	for buf := make([]byte, 4096); ; {
		n, err := master.Read(buf)
		if screen.Write(buf[:n]); bytes.Contains(buf[:n], []byte("[y/N]")) {
			if _, err := io.WriteString(master, "n\n"); err != nil {
				t.Fatal(err)
			}
		}
		if err != nil {
			break
		}
	}
	_ = cmd.Wait()
	return screen.String()
}
