package apply

import (
	"cmp"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"example.com/harden/scripts/child"
)

// watched are the calls of the kernel that a kernelFault can make fail: all that this package makes of files.
var watched = []uint32{
	unix.SYS_OPENAT, unix.SYS_READ, unix.SYS_PREAD64, unix.SYS_WRITE, unix.SYS_PWRITE64, unix.SYS_FSTAT,
	unix.SYS_NEWFSTATAT, unix.SYS_STATX, unix.SYS_FSTATFS, unix.SYS_LSEEK, unix.SYS_GETDENTS64, unix.SYS_READLINKAT,
	unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2, unix.SYS_LINKAT, unix.SYS_UNLINKAT, unix.SYS_MKDIRAT, unix.SYS_FCHOWN,
	unix.SYS_FCHOWNAT, unix.SYS_FCHMOD, unix.SYS_FCHMODAT, unix.SYS_FTRUNCATE, unix.SYS_FLOCK, unix.SYS_GETXATTR,
	unix.SYS_LISTXATTR, unix.SYS_SETXATTR, unix.SYS_REMOVEXATTR, unix.SYS_COPY_FILE_RANGE,
}

// A moment is one call of the kernel: which of those of its number it was, and where in this package it was made.
type moment struct {
	nr    int32
	nth   int
	where string
}

// A kernelFault makes one call fail. Without a number it makes none fail and lists the first call of each place.
type kernelFault struct {
	moment
	every     bool // each call of that number fails, as in an older kernel
	errno     unix.Errno
	calls     map[int32]int
	failed    string // where the call was made that failed
	within    string // the functions of this package that were at work then, the innermost first
	first     []moment
	seen      map[string]bool
	fd        int
	goroutine string
	over      atomic.Bool
}

// The kernel's struct seccomp_notif and its answer.
type notice struct {
	id         uint64
	pid, flags uint32
	nr         int32
	arch       uint32
	ip         uint64
	args       [6]uint64
}

type answer struct {
	id    uint64
	val   int64
	err   int32
	flags uint32
}

// during does something on a thread of its own, whose calls of the kernel are asked about here first.
func (f *kernelFault) during(t *testing.T, do func() error) error {
	t.Helper()
	f.seen, f.calls = map[string]bool{}, map[int32]int{}
	began, ended := make(chan error), make(chan error, 1)
	child.Thread(func() {
		f.goroutine = strings.Fields(string(stack(false)))[1]
		err := f.filter()
		began <- err
		if err == nil {
			ended <- do()
			f.over.Store(true)
		}
	})
	if err := <-began; err != nil {
		t.Skipf("needs a kernel that asks another thread about system calls: %v", err)
	}
	f.serve(t)
	unix.Close(f.fd)
	return <-ended
}

// filter has the kernel ask about the watched calls of this thread; of one number where that is known, since asking
// takes as long as the machine's other work lets it.
func (f *kernelFault) filter() error {
	watched := watched
	if f.nr >= 0 {
		watched = []uint32{uint32(f.nr)}
	}
	program := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}}
	for i, nr := range watched {
		program = append(program, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K,
			Jt: uint8(len(watched) - i), K: nr})
	}
	program = append(program, unix.SockFilter{Code: unix.BPF_RET, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: unix.BPF_RET, K: unix.SECCOMP_RET_USER_NOTIF})
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER,
		uintptr(unsafe.Pointer(&prog)))
	if f.fd = int(fd); errno != 0 {
		return errno
	}
	_, _, _ = unix.Syscall(unix.SYS_IOCTL, fd, unix.SECCOMP_IOCTL_NOTIF_SET_FLAGS, unix.SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP)
	return nil
}

// serve answers until the thread is over.
func (f *kernelFault) serve(t *testing.T) {
	t.Helper()
	for {
		poll := []unix.PollFd{{Fd: int32(f.fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(poll, 100); err != nil && err != unix.EINTR {
			t.Fatal(err)
		}
		if poll[0].Revents&unix.POLLIN == 0 {
			if f.over.Load() {
				return
			}
			continue
		}
		var n notice
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(f.fd), unix.SECCOMP_IOCTL_NOTIF_RECV,
			uintptr(unsafe.Pointer(&n))); errno != 0 {
			continue // a signal took the question back
		}
		a := answer{id: n.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
		if !ofGo(n) && f.ask(n.nr) {
			a.err, a.flags = -int32(cmp.Or(f.errno, unix.EIO)), 0
		}
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(f.fd), unix.SECCOMP_IOCTL_NOTIF_SEND,
			uintptr(unsafe.Pointer(&a)))
		if errno == unix.ENOENT { // a signal, such as the runtime sends to stop a thread, has the call begin anew
			f.calls[n.nr]--
		}
	}
}

// ofGo tells what go test itself writes beside the test, for its cache.
func ofGo(n notice) bool {
	name, _ := os.Readlink(procFD(int(n.args[0])))
	return n.nr == unix.SYS_WRITE && filepath.Base(name) == "testlog.txt"
}

// ask counts a call and reports whether it is to fail.
func (f *kernelFault) ask(nr int32) bool {
	if f.every {
		return true
	}
	f.calls[nr]++
	if f.nth != 0 && f.calls[nr] != f.nth {
		return false
	}
	where, within := f.where()
	if f.nth != 0 {
		f.failed, f.within = where, within
		return true
	}
	if where != "" && !f.seen[where] {
		f.seen[where] = true
		f.first = append(f.first, moment{nr, f.calls[nr], where})
	}
	return false
}

// where is the place of the call that is asked about: the call's own, and those that led to it, as far as the first in
// another file of this package, since the nearest are often the same helper's whoever wanted it. Within are the
// functions of this package that are at work.
func (f *kernelFault) where() (place, within string) {
	var places, all []string
	mine, over, called := false, false, ""
	for text := range strings.Lines(string(stack(true))) {
		if rest, ok := strings.CutPrefix(text, "goroutine "); ok {
			id, _, _ := strings.Cut(rest, " ")
			mine = id == f.goroutine
			continue
		}
		file, _, ok := strings.Cut(strings.TrimSpace(text), " +0x")
		switch {
		case !mine:
		case !strings.HasPrefix(text, "\t"):
			called = text
		case ok && strings.Contains(file, "/remediate/apply/") && !strings.Contains(file, "_test.go:"):
			all = append(all, function.FindStringSubmatch(closure.ReplaceAllString(called, ""))[1])
			if over {
				continue
			}
			places = append(places, filepath.Base(file))
			name, _, _ := strings.Cut(places[0], ":")
			over = !strings.HasPrefix(filepath.Base(file), name+":")
		}
	}
	return strings.Join(places, " < "), strings.Join(all, " < ")
}

// function finds the name of a function or method in a line of a stack; closure what it has after that of a closure.
var (
	function = regexp.MustCompile(`apply\.(?:\(?\*?\w+\)?\.)?(\w+)`)
	closure  = regexp.MustCompile(`\.(?:func|deferwrap)\d+.*`)
)

func stack(all bool) []byte {
	buf := make([]byte, 1<<20)
	return buf[:runtime.Stack(buf, all)]
}

func listing() *kernelFault { return &kernelFault{moment: moment{nr: -1}} }

// A template is a world as something begins with it, to be had again and again.
type template struct {
	world
	copy string
}

func (w world) template(t *testing.T) template {
	t.Helper()
	dir := t.TempDir()
	command(t, "cp", "-a", w.root, filepath.Join(dir, "host"))
	if _, err := os.Lstat(w.state); err == nil {
		command(t, "cp", "-a", w.state, filepath.Join(dir, "state"))
	}
	return template{w, dir}
}

func (m template) again(t *testing.T) {
	t.Helper()
	must(t, os.RemoveAll(m.root))
	must(t, os.RemoveAll(m.state))
	command(t, "cp", "-a", "--", m.copy+"/.", filepath.Dir(m.root))
}
