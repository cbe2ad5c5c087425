//go:build linux && !portable

package live_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/harden/checks/facts/live"
)

const lockEnv = "HARDEN_TEST_LOCKS"

// TestLocker is no test: it is the process that locks a file, in one of the ways in which package managers do.
func TestLocker(t *testing.T) {
	how, file, ok := strings.Cut(os.Getenv(lockEnv), " ")
	if !ok {
		t.Skip("the process that TestPackaging starts")
	}
	flags := os.O_RDWR
	if how == "user-flock" || how == "user-reading" {
		flags = os.O_RDONLY
	}
	f, err := os.OpenFile(file, flags, 0)
	must(t, err)
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	switch how {
	case "posix":
		must(t, unix.FcntlFlock(f.Fd(), unix.F_SETLK, &lock))
	case "reading", "user-reading":
		lock.Type = unix.F_RDLCK
		must(t, unix.FcntlFlock(f.Fd(), unix.F_SETLK, &lock))
	case "ofd":
		must(t, unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lock))
	case "flock", "user-flock":
		must(t, unix.Flock(int(f.Fd()), unix.LOCK_EX))
	}
	os.Stdout.WriteString("locked\n")
	io.Copy(io.Discard, os.Stdin)
}

func TestPackaging(t *testing.T) {
	for _, test := range []struct{ how, name, file string }{
		{"posix", "dpkg", "/var/lib/dpkg/lock-frontend"},
		{"posix", "dpkg", "/var/lib/dpkg/lock"},
		{"posix", "rpm", "/var/lib/rpm/.rpm.lock"},
		{"reading", "", "/var/lib/rpm/.rpm.lock"}, // as a query does
		{"posix", "dnf", "/run/dnf/rpmtransaction.lock"},
		{"ofd", "apk", "/lib/apk/db/lock"},
		{"flock", "apk", "/lib/apk/db/lock"},
		{"flock", "", "/var/lib/dpkg/lock"}, // dpkg does not
		{"user-flock", "", "/var/lib/rpm/.rpm.lock"},
		{"user-flock", "", "/lib/apk/db/lock"},
		{"user-reading", "", "/var/lib/dpkg/lock-frontend"},
	} {
		t.Run(test.how+" "+test.file, func(t *testing.T) {
			user := strings.HasPrefix(test.how, "user-")
			if user && os.Geteuid() != 0 {
				t.Skip("only root can become another user")
			}
			root := t.TempDir()
			host := live.New(root, live.DockerOptions{})
			idle := func(when string) {
				t.Helper()
				if p, err := host.Packaging(); p != nil || err != nil {
					t.Errorf("%s: %v, %v", when, p, err)
				}
			}
			idle("without such a file")
			file := filepath.Join(root, test.file)
			must(t, os.MkdirAll(filepath.Dir(file), 0o755))
			must(t, os.WriteFile(file, nil, 0o640))
			idle("unlocked")

			locker := exec.Command(os.Args[0], "-test.run=^TestLocker$")
			locker.Env = append(os.Environ(), lockEnv+"="+test.how+" "+file)
			if user { // who can read the file, and no more
				for dir := file; dir != os.TempDir(); dir = filepath.Dir(dir) {
					must(t, os.Chmod(dir, 0o755))
				}
				program := filepath.Join(root, "locker")
				self, err := os.ReadFile(os.Args[0])
				must(t, err)
				must(t, os.WriteFile(program, self, 0o755))
				locker.Path = program
				locker.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			}
			in, err := locker.StdinPipe()
			must(t, err)
			out, err := locker.StdoutPipe()
			must(t, err)
			must(t, locker.Start())
			t.Cleanup(func() { in.Close(); locker.Wait() })
			if line, err := bufio.NewReader(out).ReadString('\n'); line != "locked\n" {
				t.Fatalf("the locker: %q, %v", line, err)
			}
			if test.name == "" {
				idle("while somebody locks who is no package manager")
				return
			}
			p, err := host.Packaging()
			must(t, err)
			want := live.Packager{Name: test.name, File: test.file, PID: locker.Process.Pid, UID: os.Geteuid(),
				Command: "live.test"}
			if test.how == "ofd" { // such a lock is not a process's
				want.PID, want.UID, want.Command = 0, 0, ""
			}
			if p == nil || *p != want {
				t.Errorf("got %+v, want %+v", p, want)
			}
			in.Close()
			must(t, locker.Wait())
			idle("once it has ended")
		})
	}
}
