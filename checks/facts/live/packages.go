//go:build linux && !portable

package live

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A Packager is a package manager at work: what it is about to replace must not be changed meanwhile.
type Packager struct {
	Name    string // "dpkg", "rpm", "dnf" or "apk"
	File    string // the lock that it holds, below the source's root
	PID     int    // 0 where the kernel does not tell: another PID namespace, or an open file that several processes share
	UID     int    // whose process that is
	Command string // what that process calls itself; empty when not known
}

func (p *Packager) String() string {
	who := "an unknown process"
	if p.PID > 0 {
		who = fmt.Sprintf("PID %d of root", p.PID)
		if p.UID != 0 {
			who = fmt.Sprintf("PID %d of user %d", p.PID, p.UID)
		}
	}
	if p.Command != "" {
		who += ", " + p.Command
	}
	return fmt.Sprintf("%s is at work (%s holds %s)", p.Name, who, p.File)
}

// packageLocks are the files that package managers lock while they change a host. dpkg, apt, rpm, dnf 5 and apk 3 lock
// by fcntl, which takes a file that is open for writing; apk 2 by flock, which any reader of the file can do. Sources:
// dpkg lib/dpkg/dbmodify.c, rpm lib/rpmlock.c, libdnf5 utils/locker.cpp, apk-tools src/database.c. rpm's moved with its
// database in Fedora 36.
var packageLocks = []struct {
	name, file string
	flock      bool
}{
	{"dpkg", "/var/lib/dpkg/lock-frontend", false},
	{"dpkg", "/var/lib/dpkg/lock", false},
	{"rpm", "/var/lib/rpm/.rpm.lock", false},
	{"rpm", "/usr/lib/sysimage/rpm/.rpm.lock", false},
	{"dnf", "/run/dnf/rpmtransaction.lock", false},
	{"apk", "/lib/apk/db/lock", true},
	{"apk", "/usr/lib/apk/db/lock", true},
}

// Packaging returns the package manager that is at work on the host, nil when none is. It only asks the kernel: no lock
// is taken, not for a moment, so that a package manager that starts just then is not turned away. A lock that another
// user than root holds, or could hold, is no package manager's: it would keep harden from its work for ever.
func (s *Source) Packaging() (*Packager, error) {
	for _, l := range packageLocks {
		pid, held, err := s.lockedBy(l.file, l.flock)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if held {
			p := &Packager{Name: l.name, File: l.file, PID: pid}
			if comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); err == nil && pid > 0 {
				p.Command = strings.TrimSpace(string(comm))
			}
			if ids, err := usersOf(fmt.Sprintf("/proc/%d", pid)); err == nil {
				p.UID = int(ids[1])
			}
			return p, nil
		}
	}
	return nil, nil
}

// lockedBy asks who holds a lock for writing on a file: one of fcntl, and with flock one of that too.
func (s *Source) lockedBy(name string, flock bool) (pid int, held bool, err error) {
	p, err := s.open(name)
	if err != nil {
		return 0, false, err
	}
	defer p.close()
	var st unix.Stat_t
	if err := unix.Fstat(p.fd, &st); err != nil {
		return 0, false, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return 0, false, nil // nobody locks that
	}
	f, err := p.reopen(0)
	if err != nil {
		return 0, false, err
	}
	defer f.Close()
	// Asked for a lock for reading, the kernel names one for writing alone: a query of rpm's changes nothing. The
	// length 0 is the whole file.
	lock := unix.Flock_t{Type: unix.F_RDLCK, Whence: io.SeekStart}
	if err := unix.FcntlFlock(f.Fd(), unix.F_GETLK, &lock); err != nil {
		return 0, false, &fs.PathError{Op: "ask for the lock of", Path: name, Err: err}
	}
	if lock.Type != unix.F_UNLCK {
		pid = max(int(lock.Pid), 0) // -1 is a lock of an open file
		return pid, believed(pid, &st, 0o022), nil
	}
	if !flock {
		return 0, false, nil
	}
	locks, err := os.Open("/proc/locks")
	if err != nil {
		return 0, false, err
	}
	defer locks.Close()
	pid, held, err = flocked(locks, &st)
	return pid, held && believed(pid, &st, 0o066), err
}

// believed reports whether root, or who runs this, holds the lock: because nobody else can open the file in a way that
// can be locked, or because the process that has it open runs as root in every way. A set-user-ID program does not: its
// real user is whoever started it, and it inherits what they had locked.
func believed(pid int, st *unix.Stat_t, others uint32) bool {
	mine := func(uid uint32) bool { return uid == 0 || int(uid) == os.Geteuid() }
	if mine(st.Uid) && st.Mode&others == 0 {
		return true
	}
	ids, err := usersOf(fmt.Sprintf("/proc/%d", pid))
	return err == nil && mine(ids[0]) && mine(ids[1]) && mine(ids[2]) && hasOpen(pid, st)
}

// hasOpen reports whether a process has a file open: the kernel names who took a lock, whose number another may have by
// now.
func hasOpen(pid int, st *unix.Stat_t) bool {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	fds, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, fd := range fds {
		var open unix.Stat_t
		if unix.Stat(dir+"/"+fd.Name(), &open) == nil && open.Dev == st.Dev && open.Ino == st.Ino {
			return true
		}
	}
	return false
}

// flocked looks for a flock of a file in /proc/locks, whose lines are such as
// "1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF"; "->" before the kind is one who waits.
func flocked(locks io.Reader, st *unix.Stat_t) (pid int, held bool, err error) {
	file := fmt.Sprintf("%02x:%02x:%d", unix.Major(st.Dev), unix.Minor(st.Dev), st.Ino)
	in := bufio.NewScanner(locks)
	for in.Scan() {
		f := strings.Fields(in.Text())
		if len(f) >= 6 && f[1] == "FLOCK" && f[3] == "WRITE" && f[5] == file {
			pid, _ := strconv.Atoi(f[4]) // of a process that is not seen from here it is 0
			return max(pid, 0), true, nil
		}
	}
	return 0, false, in.Err()
}
