package attack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/harden/scripts/child"
)

// Programs of a World, which both builds find under the same names.
const (
	Harden  = "/usr/sbin/harden"
	Sleeper = "/usr/lib/sleeper" // sleeps whatever its arguments: copied, it is any daemon by its name
	Liar    = "/usr/lib/liar"    // answers as a Docker Engine what it is told to
)

// inWorld is set where a test runs inside of its world; it names the world's control group.
const inWorld = "ATTACK_WORLD"

// A World is a copy of this machine that one test may ruin: its own processes, network, control groups and files. Every
// write goes to memory, and all of it ends with the test. What the machine itself runs can be neither seen nor reached.
type World struct {
	Patience time.Duration // how long harden may take

	t      *testing.T
	cgroup string
}

// In runs inside in a world of its own, as that world's root. It starts the test's program again in new namespaces, so
// that what the test does before it calls In is done twice. Without root, and under -short, the test is skipped.
func In(t *testing.T, inside func(w *World)) {
	t.Helper()
	if name := os.Getenv(inWorld); name != "" {
		inside(&World{2 * time.Minute, t, name})
		return
	}
	if testing.Short() {
		t.Skip("makes a world of its own")
	}
	if os.Getuid() != 0 {
		t.Skip("needs root to make a world of its own")
	}
	group := fmt.Sprintf("harden-attack-%d", os.Getpid())
	enter := ""
	for _, dir := range cgroups(group) {
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			t.Skipf("needs control groups: %v", err)
		}
		defer removeGroups(dir)
		enter += "echo $$ > " + dir + "/cgroup.procs && "
	}
	run := make([]string, 0, 2)
	for part := range strings.SplitSeq(t.Name(), "/") {
		run = append(run, "^"+part+"$")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", enter+`exec unshare --cgroup -- "$0" "$@"`, self, "-test.v", "-test.run",
		strings.Join(run, "/"))
	cmd.Env = append(os.Environ(), inWorld+"="+group, "ATTACK_BINARY="+Binary(t),
		"ATTACK_SLEEPER="+build(t, "scripts/attack/sleeper"), "ATTACK_LIAR="+build(t, "scripts/attack/liar"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET}
	out := filepath.Join(t.TempDir(), "out")
	log, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	ended, err := child.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	<-ended
	text, _ := os.ReadFile(out)
	t.Logf("%s", text)
	if !cmd.ProcessState.Success() {
		t.Fail()
	}
}

// Begin makes the world where the test's program has been started in one. TestMain calls it before anything else.
func Begin() error {
	if os.Getenv(inWorld) == "" {
		return nil
	}
	if err := enterRoot(); err != nil {
		return fmt.Errorf("make a world: %w", err)
	}
	return populate()
}

// enterRoot puts a copy-on-write picture of the root file system in its place.
func enterRoot() error {
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	const base = "/mnt" // covered from here on, in this mount namespace alone
	if err := unix.Mount("tmpfs", base, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	upper, work, root := base+"/upper", base+"/work", base+"/root"
	for _, dir := range []string{upper, work, root} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	if err := unix.Mount("overlay", root, "overlay", 0, "lowerdir=/,upperdir="+upper+",workdir="+work); err != nil {
		return err
	}
	for _, m := range []struct {
		source, target, kind string
		flags                uintptr
		data                 string
	}{
		{"proc", "/proc", "proc", 0, ""}, {"/sys", "/sys", "", unix.MS_BIND | unix.MS_REC, ""},
		{"/dev", "/dev", "", unix.MS_BIND | unix.MS_REC, ""}, {"run", "/run", "tmpfs", 0, "mode=755"},
		{"tmp", "/tmp", "tmpfs", 0, "mode=1777"},
	} {
		if err := unix.Mount(m.source, root+m.target, m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("%s: %w", m.target, err)
		}
	}
	for variable, to := range map[string]string{"ATTACK_BINARY": Harden, "ATTACK_SLEEPER": Sleeper, "ATTACK_LIAR": Liar} {
		from := os.Getenv(variable)
		if err := copyProgram(from, root+to); err != nil {
			return err
		}
	}
	if err := unix.PivotRoot(root, root+"/mnt"); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := unix.Unmount("/mnt", unix.MNT_DETACH); err != nil {
		return err
	}
	return os.Chdir(here)
}

// populate adds two users, and takes away what runs of harden on this machine have left.
func populate() error {
	named = Harden
	if err := os.RemoveAll("/var/lib/harden"); err != nil {
		return err
	}
	for uid := 1001; uid <= 1002; uid++ {
		name := fmt.Sprintf("user%d", uid-1000)
		home := "/home/" + name
		if err := errors.Join(os.MkdirAll(home, 0o755), os.Chown(home, uid, uid),
			appendLine("/etc/passwd", fmt.Sprintf("%s:x:%d:%[2]d::%s:/bin/sh", name, uid, home)),
			appendLine("/etc/group", fmt.Sprintf("%s:x:%d:", name, uid))); err != nil {
			return err
		}
	}
	return nil
}

func appendLine(file, line string) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, line)
	return errors.Join(err, f.Close())
}

func copyProgram(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, data, 0o755), os.Chmod(to, 0o755))
}

// cgroups are the directories of a control group that systemd would name a service by: one in the unified hierarchy,
// one in its own of version 1.
func cgroups(group string) (dirs []string) {
	for _, top := range []string{"/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"} {
		if _, err := os.Stat(top + "/cgroup.procs"); err == nil {
			dirs = append(dirs, filepath.Join(top, group))
		}
	}
	return dirs
}

// removeGroups removes a control group and those below it, which all are empty by now.
func removeGroups(dir string) {
	below, _ := filepath.Glob(dir + "/*/cgroup.procs")
	for _, b := range below {
		removeGroups(filepath.Dir(b))
	}
	for range 100 {
		if err := unix.Rmdir(dir); err != unix.EBUSY {
			return
		}
		time.Sleep(10 * time.Millisecond) // what ran in it is still being buried
	}
}

// Cgroup moves a process to a control group, as systemd or the kubelet would: "/system.slice/kubelet.service".
func (w *World) Cgroup(pid int, group string) {
	w.t.Helper()
	for _, dir := range cgroups(filepath.Join(w.cgroup, group)) {
		if err := errors.Join(os.MkdirAll(dir, 0o755),
			os.WriteFile(dir+"/cgroup.procs", fmt.Append(nil, pid), 0)); err != nil {
			w.t.Fatal(err)
		}
	}
}

// Command is a program run as a user, by its uid; 0 is root.
func (w *World) Command(uid int, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	home := "/root"
	if uid != 0 {
		home = fmt.Sprintf("/home/user%d", uid-1000)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	}
	cmd.Dir = home
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + home, "LC_ALL=C", "TERM=dumb"}
	return cmd
}

// Shell runs a script as a user and returns what it printed. The script stops at the first command that fails, and with
// it the test.
func (w *World) Shell(uid int, script string) string {
	w.t.Helper()
	out, err := w.Command(uid, "sh", "-ec", script).CombinedOutput()
	if err != nil {
		w.t.Fatalf("uid %d: %s: %v\n%s", uid, script, err, out)
	}
	return string(out)
}

// Sleep starts a user's copy of Sleeper, at a path that names the daemon that it pretends to be, and returns its PID.
func (w *World) Sleep(uid int, program string, args ...string) int {
	w.t.Helper()
	w.Shell(uid, "mkdir -p "+filepath.Dir(program)+"; cp "+Sleeper+" "+program)
	return w.Start(w.Command(uid, program, args...))
}

// Start starts a program and returns its PID. It ends with the world.
func (w *World) Start(cmd *exec.Cmd) int {
	w.t.Helper()
	if _, err := child.StartIn(cmd, func() error { return nil }); err != nil {
		w.t.Fatal(err)
	}
	return cmd.Process.Pid
}

// Harden runs harden as root and returns what it printed and its exit code.
func (w *World) Harden(args ...string) (string, int) {
	w.t.Helper()
	cmd := w.Command(0, Harden, args...)
	done := time.AfterFunc(w.Patience, func() { cmd.Process.Kill() })
	defer done.Stop()
	out, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		w.t.Fatal(err)
	}
	w.t.Logf("harden %s: %s\n%s", strings.Join(args, " "), cmd.ProcessState, out)
	return string(out), cmd.ProcessState.ExitCode()
}
