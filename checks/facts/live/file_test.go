//go:build linux && !portable

package live_test

import (
	"context"
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

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/live"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

var machine = live.New("/", live.DockerOptions{})

// must stops the test where its own preparation does not work.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// asRoot skips what only root can prepare: files of other owners, immutable files, kernel audit rules.
func asRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
}

func TestStat(t *testing.T) {
	asRoot(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "daemon.json")
	must(t, os.WriteFile(file, []byte("{}\n"), 0o600))
	must(t, os.Chown(file, 0, 65533))
	must(t, unix.Chmod(file, 0o4666))
	when := time.Unix(1700000000, 123)
	must(t, os.Chtimes(file, when, when))
	must(t, os.Link(file, file+".second"))
	got, err := machine.Stat(t.Context(), file)
	must(t, err)
	want := facts.Info{Path: file, Mode: 0o4666, UID: 0, GID: 65533, User: "root", Group: "65533", Size: 3, Links: 2,
		Modified: when}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestStatTypes(t *testing.T) {
	dir := t.TempDir()
	must(t, unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	must(t, err)
	defer unix.Close(fd)
	t.Chdir(dir) // the directory's name is too long for a socket's address
	must(t, unix.Bind(fd, &unix.SockaddrUnix{Name: "socket"}))
	for path, want := range map[string]fs.FileMode{
		dir: fs.ModeDir, "/": fs.ModeDir, "/dev/null": fs.ModeDevice | fs.ModeCharDevice,
		dir + "/fifo": fs.ModeNamedPipe, dir + "/socket": fs.ModeSocket, "/proc/self/exe": 0,
	} {
		if i, err := machine.Stat(t.Context(), path); err != nil || i.Type != want {
			t.Errorf("%s is %v, %v; want %v", path, i.Type, err, want)
		}
	}
	for _, path := range []string{dir + "/gone", dir + "/gone/below"} {
		if i, err := machine.Stat(t.Context(), path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s gives %v, %v", path, i, err)
		}
	}
}

func TestLinks(t *testing.T) {
	asRoot(t)
	dir := t.TempDir()
	must(t, os.Chmod(filepath.Dir(dir), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	for _, d := range []string{"root", "user", "open", "group"} {
		must(t, os.Mkdir(filepath.Join(dir, d), 0o755))
		must(t, os.Symlink("../file", filepath.Join(dir, d, "link")))
		must(t, os.Symlink("..", filepath.Join(dir, d, "up")))
	}
	must(t, os.Chown(filepath.Join(dir, "user"), 1234, 0))
	must(t, os.Chmod(filepath.Join(dir, "open"), 0o777|fs.ModeSticky))
	must(t, os.Chown(filepath.Join(dir, "group"), 0, 1235))
	must(t, os.Chmod(filepath.Join(dir, "group"), 0o775))
	must(t, os.Symlink(filepath.Join(dir, "user/link"), filepath.Join(dir, "root/through")))
	must(t, os.Symlink("../file", filepath.Join(dir, "root/theirs")))
	must(t, os.Lchown(filepath.Join(dir, "root/theirs"), 1236, 0))
	must(t, os.Symlink("loop", filepath.Join(dir, "root/loop")))
	by := func(who string) string { return "reached through a link that " + who + " can change" }
	for path, want := range map[string]string{
		"root/link": "", "root/up/file": "", "root/up/root/link": "", "user/link": by("uid 1234"), "open/link": by("anybody"),
		"group/up/file": by("gid 1235"), "root/through": by("uid 1234"), "root/theirs": by("uid 1236"),
	} {
		i, err := machine.Stat(t.Context(), filepath.Join(dir, path))
		if err != nil || i.Locked != want || i.Path != filepath.Join(dir, "file") {
			t.Errorf("%s leads to %s, locked %q, error %v; want locked %q", path, i.Path, i.Locked, err, want)
		}
	}
	if i, err := machine.Stat(t.Context(), filepath.Join(dir, "root/loop")); !errors.Is(err, unix.ELOOP) {
		t.Errorf("a loop gives %v, %v", i, err)
	}
}

// TestLinkWithoutTarget looks through a link that leads nowhere, not even by name: that of a process that has ended.
func TestLinkWithoutTarget(t *testing.T) {
	cmd := exec.Command("true")
	must(t, cmd.Start())
	defer func() { _ = cmd.Wait() }()
	link := fmt.Sprintf("/proc/%d/exe", cmd.Process.Pid)
	for _, err := os.Readlink(link); err == nil; _, err = os.Readlink(link) {
		time.Sleep(time.Millisecond)
	}
	if i, err := machine.Stat(t.Context(), link); err == nil {
		t.Errorf("%s leads to %s", link, i.Path)
	}
}

func TestLocked(t *testing.T) {
	asRoot(t)
	dir := t.TempDir()
	file := func(name string) string {
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, nil, 0o644))
		return path
	}
	attribute := func(path string, bits int) {
		fd, err := unix.Open(path, unix.O_RDONLY, 0)
		must(t, err)
		t.Cleanup(func() { unix.Close(fd) })
		if err := unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, bits); err != nil {
			t.Skipf("%s: this file system has no attributes: %v", dir, err)
		}
		t.Cleanup(func() { unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, 0) })
	}
	immutable, appendOnly, inside, mounted := file("immutable"), file("append"), file("fixed/inside"), file("mounted")
	readOnly := file("ro/file")
	acl := file("acl")
	attribute(immutable, unix.STATX_ATTR_IMMUTABLE)
	attribute(appendOnly, unix.STATX_ATTR_APPEND)
	attribute(filepath.Dir(inside), unix.STATX_ATTR_IMMUTABLE)
	mount := func(path string, flags uintptr) {
		must(t, unix.Mount(path, path, "", unix.MS_BIND, ""))
		t.Cleanup(func() { unix.Unmount(path, unix.MNT_DETACH) })
		must(t, unix.Mount("", path, "", unix.MS_BIND|unix.MS_REMOUNT|flags, ""))
	}
	mount(mounted, 0)
	mount(filepath.Dir(readOnly), unix.MS_RDONLY)
	// Version 2, then tag, permission and id of: owner, user 1234, group, mask, others. Source: linux/posix_acl_xattr.h.
	must(t, unix.Setxattr(acl, "system.posix_acl_access", []byte("\x02\x00\x00\x00"+
		"\x01\x00\x06\x00\xff\xff\xff\xff"+"\x02\x00\x06\x00\xd2\x04\x00\x00"+"\x04\x00\x04\x00\xff\xff\xff\xff"+
		"\x10\x00\x06\x00\xff\xff\xff\xff"+"\x20\x00\x04\x00\xff\xff\xff\xff"), 0))
	for path, want := range map[string]string{
		immutable: "immutable", appendOnly: "append-only", inside: "in an immutable directory", mounted: "mount point",
		readOnly: "read-only file system", acl: "", filepath.Dir(inside): "immutable",
	} {
		if i, err := machine.Stat(t.Context(), path); err != nil || i.Locked != want || i.ACL != (path == acl) {
			t.Errorf("%s is locked %q, ACL %v, error %v; want locked %q", path, i.Locked, i.ACL, err, want)
		}
	}
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	must(t, os.WriteFile(file, []byte("content"), 0o600))
	must(t, os.Symlink("file", filepath.Join(dir, "link")))
	for _, path := range []string{file, filepath.Join(dir, "link")} {
		if data, err := machine.Read(t.Context(), path); string(data) != "content" || err != nil {
			t.Errorf("%s holds %q, %v", path, data, err)
		}
	}
	if data, err := machine.Read(t.Context(), "/proc/self/status"); err != nil || len(data) == 0 {
		t.Errorf("a file that says it is empty and is not: %q, %v", data, err)
	}
	big, fifo := filepath.Join(dir, "big"), filepath.Join(dir, "fifo")
	must(t, os.WriteFile(big, nil, 0o600))
	must(t, os.Truncate(big, 1<<30))
	must(t, unix.Mkfifo(fifo, 0o600))
	for path, want := range map[string]string{
		big: "1073741824 bytes", fifo: "a FIFO", dir: "a directory", "/dev/null": "a character device",
		"/dev/zero": "a character device",
	} {
		if data, err := machine.Read(t.Context(), path); err == nil || !strings.Contains(err.Error(), want) ||
			!strings.Contains(err.Error(), path) || data != nil {
			t.Errorf("%s gives %d bytes, %v; want an error that says %q", path, len(data), err, want)
		}
	}
	must(t, os.WriteFile(big, make([]byte, facts.MaxFile), 0o600))
	if data, err := machine.Read(t.Context(), big); len(data) != facts.MaxFile || err != nil {
		t.Errorf("the longest file that is read gives %d bytes, %v", len(data), err)
	}
	if _, err := machine.Read(t.Context(), filepath.Join(dir, "gone")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there gives %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := machine.Read(ctx, filepath.Join(dir, "gone")); err == nil {
		t.Error("reading goes on after its context has ended")
	}
}

func TestList(t *testing.T) {
	dir := t.TempDir()
	if names, err := machine.List(t.Context(), dir); err != nil || len(names) != 0 {
		t.Errorf("an empty directory lists %v, %v", names, err)
	}
	for _, name := range []string{"b", "a", ".c"} {
		must(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	names, err := machine.List(t.Context(), dir)
	must(t, err)
	if diff := cmp.Diff([]string{".c", "a", "b"}, names); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if names, err := machine.List(t.Context(), filepath.Join(dir, "a")); err == nil {
		t.Errorf("a file lists %v", names)
	}
}

// Below another root everything is that root's: links, names, and nothing runs.
func TestRoot(t *testing.T) {
	asRoot(t)
	root := t.TempDir()
	for name, content := range map[string]string{
		"etc/passwd": "keeper:x:4321:0::/:/bin/sh\n", "etc/group": "keepers:x:4322:\n", "etc/real": "theirs",
	} {
		must(t, os.MkdirAll(filepath.Join(root, filepath.Dir(name)), 0o755))
		must(t, os.WriteFile(filepath.Join(root, name), []byte(content), 0o644))
	}
	must(t, os.Chown(filepath.Join(root, "etc/real"), 4321, 4322))
	must(t, os.Symlink("/etc/real", filepath.Join(root, "etc/absolute")))
	must(t, os.Symlink("../../../../../etc/real", filepath.Join(root, "etc/upwards")))
	must(t, os.Symlink("/dev/null", filepath.Join(root, "etc/masked")))
	offline := live.New(root, live.DockerOptions{})
	for _, path := range []string{"/etc/real", "/etc/absolute", "/etc/upwards", "/../etc/real"} {
		i, err := offline.Stat(t.Context(), path)
		if err != nil || i.Path != "/etc/real" || i.Owner() != "keeper:keepers" {
			t.Errorf("%s is %s of %s, %v", path, i.Path, i.Owner(), err)
		}
		if data, err := offline.Read(t.Context(), path); string(data) != "theirs" || err != nil {
			t.Errorf("%s holds %q, %v", path, data, err)
		}
	}
	if i, err := offline.Stat(t.Context(), "/etc/masked"); i.Path != "/dev/null" || err != nil {
		t.Errorf("a masked unit is %s, %v", i.Path, err)
	}
	_, processErr := offline.Processes(t.Context(), "dockerd")
	_, listenErr := offline.Listeners(t.Context(), os.Getpid())
	_, auditErr := offline.Audit(t.Context())
	_, _, engineErr := offline.Engine(t.Context())
	for i, err := range []error{processErr, listenErr, auditErr, engineErr} {
		if !errors.Is(err, facts.ErrAbsent) {
			t.Errorf("question %d of what runs gives %v", i, err)
		}
	}
}

// asNobody runs one test function again as a user who may do nothing. That takes a process of its own: privileges
// belong to threads, and goroutines change theirs.
func asNobody(t *testing.T, dir string) bool {
	t.Helper()
	const mark = "HARDEN_TEST_AS_NOBODY"
	if os.Getenv(mark) != "" {
		return true
	}
	asRoot(t)
	self, err := os.Open("/proc/self/exe")
	must(t, err)
	defer self.Close()
	cmd := exec.Command("/proc/self/fd/3", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.ExtraFiles = []*os.File{self} // by descriptor: the path to a test's binary is closed to others
	cmd.Env, cmd.Dir = append(os.Environ(), mark+"="+dir), "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
	return false
}

func TestNobody(t *testing.T) {
	dir := os.Getenv("HARDEN_TEST_AS_NOBODY")
	if dir == "" {
		dir = t.TempDir()
		must(t, os.MkdirAll(filepath.Join(dir, "closed"), 0o700))
		must(t, os.Chmod(filepath.Dir(dir), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, "closed/file"), nil, 0o644))
		must(t, os.WriteFile(filepath.Join(dir, "secret"), nil, 0o600))
	}
	if !asNobody(t, dir) {
		return
	}
	_, below := machine.Stat(t.Context(), dir+"/closed/file")
	_, read := machine.Read(t.Context(), dir+"/secret")
	_, list := machine.List(t.Context(), dir+"/closed")
	_, audit := machine.Audit(t.Context())
	comm, err := os.ReadFile("/proc/1/comm")
	must(t, err)
	_, process := machine.Processes(t.Context(), strings.TrimSpace(string(comm)))
	_, listeners := machine.Listeners(t.Context(), 1)
	for what, err := range map[string]error{
		"stat below a closed directory": below, "read": read, "list": list, "audit": audit, "process": process,
		"listeners": listeners,
	} {
		if !errors.Is(err, fs.ErrPermission) || errors.Is(err, facts.ErrAbsent) {
			t.Errorf("%s gives %v", what, err)
		}
	}
	if i, err := machine.Stat(t.Context(), dir+"/secret"); err != nil || i.Mode != 0o600 {
		t.Errorf("what may be looked at gives %v, %v", i, err)
	}
}
