package apply

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/harden/remediate"
)

// The test binary is also the program that is tortured: with this in its environment it does one thing and ends.
const (
	helperEnv = "HARDEN_TEST_DOES"  // apply, rollback or resume
	dropEnv   = "HARDEN_TEST_DROP"  // which flushes it leaves out, as a control that the torture must catch: dirs or all
	oldEnv    = "HARDEN_TEST_OLD"   // it does without the calls that old kernels lack
	heardEnv  = "HARDEN_TEST_HEARS" // it hears signals as harden does
	insideEnv = "HARDEN_TEST_INSIDE"
)

// marker is looked for by the helper when its start is over, and by the torture in what strace saw.
const marker = "/harden-test-begins-here"

// strace counts system calls by thread, so the helper stays on its first one.
func init() {
	if os.Getenv(helperEnv) != "" {
		runtime.LockOSThread()
	}
}

func TestMain(m *testing.M) {
	if does := os.Getenv(helperEnv); does != "" {
		if does == "race" {
			fmt.Fprintln(os.Stderr, swap(world{os.Args[1], os.Args[2]}))
			os.Exit(1)
		}
		if err := help(does, world{os.Args[1], os.Args[2]}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func help(does string, w world) error {
	o, ctx := w.options(), context.Background()
	if os.Getenv(heardEnv) != "" {
		ctx, _ = signal.NotifyContext(ctx, syscall.SIGHUP, syscall.SIGTERM)
	}
	if os.Getenv(oldEnv) != "" {
		without(unix.ENOSYS)(o.sys)
	}
	drop(os.Getenv(dropEnv), o.sys)
	var t failer
	var plan *remediate.Plan
	switch does { // later the host is no longer what the plan is of
	case "apply", "guarded":
		plan = w.plan(&t)
	case "roll-out":
		plan = w.manifests(&t)
	}
	unix.Access(marker, 0)
	var err error
	switch does {
	case "apply", "roll-out":
		_, err = Apply(ctx, plan, o)
	case "guarded":
		_, err = Apply(context.Background(), plan, w.guarded(&guard{}, &clock{"one", time.Hour}))
	case "confirm":
		_, err = Confirm("", w.guarded(&guard{}, &clock{"one", time.Hour}))
	case "expire":
		var u *Run
		if u, err = Unconfirmed(o); u != nil {
			_, err = Expire(context.Background(), u.ID, w.guarded(&guard{}, &clock{"one", time.Hour + time.Minute}))
		}
	case "rollback":
		_, err = Rollback(ctx, "", o)
	case "resume":
		_, err = Resume(ctx, o)
	case "end skip", "end ours", "end onward", "end abandon", "end repair":
		err = doEnd(strings.TrimPrefix(does, "end "), o)
	default:
		err = errors.New(does)
	}
	return err
}

// drop leaves out flushes, of directories or all.
func drop(what string, s *sys) {
	real := s.fsync
	switch what {
	case "all":
		s.fsync = func(int) error { return nil }
	case "dirs":
		s.fsync = func(fd int) error {
			var st unix.Stat_t
			if unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
				return nil
			}
			return real(fd)
		}
	}
}

// A failer lets the helper, which is no test, use what tests use: the first error ends it.
type failer struct{ testing.TB }

func (*failer) Helper() {}
func (*failer) Fatal(args ...any) {
	fmt.Fprintln(os.Stderr, args...)
	os.Exit(3)
}

// helper is the command that has the test binary do something to w.
func helper(w world, does string, env ...string) *exec.Cmd {
	self, err := os.Executable() // not /proc/self/exe: under strace that is strace
	if err != nil {
		panic(err)
	}
	c := exec.Command(self, w.root, w.state)
	c.Env = append([]string{helperEnv + "=" + does, "GOMAXPROCS=1", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, env...)
	return c
}

// inside runs the calling test once more in a mount namespace of its own, where mounts are nobody else's business. It
// returns true there, and the test does its work; false here, when that has been done.
func inside(t *testing.T) bool {
	t.Helper()
	if os.Getenv(insideEnv) != "" {
		return true
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root: it mounts")
	}
	self, err := os.Executable()
	must(t, err)
	c := exec.Command(self, "-test.run=^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$", "-test.v", "-test.count=1")
	c.Env = append(os.Environ(), insideEnv+"=1")
	c.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	out, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("inside: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "_test.go:") {
			t.Log(strings.TrimSpace(line))
		}
	}
	return false
}

// ext4 makes a small file system and mounts it; only where inside is true.
func ext4(t *testing.T, image, at string) {
	t.Helper()
	must(t, os.WriteFile(image, nil, 0o600))
	must(t, os.Truncate(image, 8<<20))
	command(t, "mkfs.ext4", "-q", image)
	must(t, os.MkdirAll(at, 0o755))
	mount(t, image, at)
}

// mount mounts an image so that the kernel flushes nothing by itself for as long as a test takes.
func mount(t *testing.T, image, at string) {
	t.Helper()
	command(t, "mount", "-o", "loop,noatime,commit=300", image, at)
}

func command(t testing.TB, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

func fresh(t testing.TB, w world) {
	t.Helper()
	must(t, os.RemoveAll(w.root))
	must(t, os.RemoveAll(w.state))
	must(t, os.MkdirAll(w.root, 0o755))
	must(t, os.Chmod(filepath.Dir(w.root), 0o755))
	w.furnish(t)
}
