package apply

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"example.com/harden/remediate/linux"
)

// owned refuses a directory of sources of which somebody else could exchange a part: whoever runs harden there, root
// among them, would write where that person leads it.
func owned(dir string) error {
	return secure(dir, true, "replace the files that harden writes")
}

// secure refuses a directory that anybody but root, or who runs this, could put something into, or lead elsewhere. The
// descriptors are checked and not the names; no link is followed. sources are anybody's, and so may be in directories
// that their owner's own group can write to.
func secure(dir string, sources bool, harm string) error {
	fd, err := unix.Open("/", linux.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { unix.Close(fd) }()
	at := "/"
	for name := range strings.SplitSeq(strings.TrimPrefix(dir, "/"), "/") {
		if name == "" {
			break // the root directory itself
		}
		next, err := unix.Openat(fd, name, linux.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		at = filepath.Join(at, name)
		if err == unix.ENOTDIR {
			return fmt.Errorf("%s: not a directory, or a symbolic link; use the real path of the directory", at)
		}
		if err != nil {
			return &fs.PathError{Op: "open", Path: at, Err: err}
		}
		unix.Close(fd)
		fd = next
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return &fs.PathError{Op: "stat", Path: at, Err: err}
		}
		if st.Uid != 0 && int(st.Uid) != os.Geteuid() {
			return fmt.Errorf("%s: it belongs to uid %d, who could %s; run harden as that user", at, st.Uid, harm)
		}
		open := st.Mode & 0o022
		if sources && private(fd, st.Gid) {
			open &^= 0o020
		}
		if sticky := st.Mode&unix.S_ISVTX != 0 && at != dir; open != 0 && !sticky {
			return fmt.Errorf("%s: mode %04o lets others %s; remove their write permission (chmod go-w)",
				at, st.Mode&0o7777, harm)
		}
	}
	return nil
}

// private reports whether the group of what is open is that of whoever runs harden alone, as many distributions give
// each user one. An access list may let others in by the same bits, so there must be none.
func private(fd int, gid uint32) bool {
	if os.Geteuid() == 0 || int(gid) != os.Getegid() {
		return false
	}
	if n, err := unix.Getxattr(procFD(fd), "system.posix_acl_access", nil); n > 0 || err != unix.ENODATA &&
		err != unix.EOPNOTSUPP {
		return false
	}
	users, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return false
	}
	groups, err := os.ReadFile("/etc/group")
	return err == nil && alone(users, groups, strconv.Itoa(os.Geteuid()), strconv.Itoa(int(gid)))
}

// alone reports whether a group is listed, and nobody but one user has it.
func alone(users, groups []byte, uid, gid string) bool {
	name, listed := "", false
	for u := range fields(users, 4) {
		switch {
		case u[2] == uid:
			name = u[0]
		case u[3] == gid:
			return false
		}
	}
	for g := range fields(groups, 4) {
		if g[2] != gid {
			continue
		}
		listed = true
		for member := range strings.SplitSeq(g[3], ",") {
			if member != "" && member != name {
				return false
			}
		}
	}
	return listed && name != ""
}

// fields gives the lines of an account file, apart at their colons, that have so many fields.
func fields(text []byte, least int) func(func([]string) bool) {
	return func(yield func([]string) bool) {
		for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
			if f := strings.Split(s.Text(), ":"); len(f) >= least && !yield(f) {
				return
			}
		}
	}
}

// plain refuses an item of a journal that no run below a directory of sources makes: such a journal came with the
// sources, and would have harden give a file to somebody, or a set-user-ID bit.
func (it *item) plain() string {
	before, after := it.Before, it.After
	switch {
	case !it.Content || !before.Exists || !after.Exists || before.Type != unix.S_IFREG || after.Type != unix.S_IFREG:
		return "it does not change a file's content"
	case (before.Mode|after.Mode)&^0o777 != 0 || before.Mode != after.Mode:
		return "it is about set-user-ID bits, or another mode"
	case int(before.UID) != os.Geteuid() || before.UID != after.UID || before.GID != after.GID:
		return "it is about another owner"
	}
	for _, x := range append(before.Xattrs[:len(before.Xattrs):len(before.Xattrs)], after.Xattrs...) {
		if string(x.Name) == xattrCap {
			return "it is about file capabilities"
		}
	}
	return ""
}
