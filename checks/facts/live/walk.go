//go:build linux && !portable

package live

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"example.com/harden/checks/facts"
	"golang.org/x/sys/unix"
)

// maxLinks is how many links one path may lead through, as in the kernel.
const maxLinks = 40

// A place is where a path has led: an O_PATH descriptor, which opens nothing and cannot block on a FIFO or device.
type place struct {
	fd     int
	path   string // below the source's root, without links
	locked string // who could have led us elsewhere; empty when root alone could
}

func (p place) close() { unix.Close(p.fd) }

// open walks to a path, links followed. Those of an absolute target stay below the source's root.
func (s *Source) open(name string) (place, error) {
	name = path.Clean("/" + name)
	root, err := unix.Open(s.root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return place{}, &fs.PathError{Op: "open", Path: s.root, Err: err}
	}
	defer unix.Close(root)
	p, err := straight(root, name)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		// A link, a kernel before 5.6, or a container's filter that forbids openat2.
		p, err = follow(root, name, s.beneath)
	}
	if err != nil {
		return place{}, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return p, nil
}

// straight opens a path that has no links, which most have not, in one call; otherwise it is ELOOP.
func straight(root int, name string) (place, error) {
	fd, err := unix.Openat2(root, "."+name, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_SYMLINKS,
	})
	return place{fd: fd, path: name}, err
}

// follow walks to a path component by component, and notes of each link who could have made it. Where beneath is set,
// a link that leads out of root is facts.ErrOutside: the walk holds every directory open that it is in, so that none
// can be moved away under it.
func follow(root int, name string, beneath bool) (place, error) {
	w := &walk{root: root, todo: strings.Split(name, "/"), beneath: beneath}
	defer w.leave(0)
	for links := 0; len(w.todo) > 0; {
		target, err := w.step()
		if err != nil {
			return place{}, err
		}
		if target == "" {
			continue
		}
		if beneath && path.IsAbs(target) {
			return place{}, facts.ErrOutside
		}
		if target == os.DevNull && len(w.todo) == 0 {
			// A masked unit is such a link, and an offline host's /dev is empty.
			fd, err := unix.Open(os.DevNull, unix.O_PATH|unix.O_CLOEXEC, 0)
			return place{fd, os.DevNull, w.locked}, err
		}
		if links++; links > maxLinks {
			return place{}, unix.ELOOP
		}
		if path.IsAbs(target) {
			w.leave(0)
		}
		w.todo = append(strings.Split(target, "/"), w.todo...)
	}
	if len(w.dirs) == 0 {
		fd, err := unix.Openat(root, ".", unix.O_PATH|unix.O_CLOEXEC, 0)
		return place{fd, "/", w.locked}, err
	}
	last := w.dirs[len(w.dirs)-1]
	w.dirs = w.dirs[:len(w.dirs)-1]
	return place{last, "/" + strings.Join(w.names, "/"), w.locked}, nil
}

// A walk is on its way down from root.
type walk struct {
	root   int
	dirs   []int    // open, one below the other
	names  []string // theirs
	todo   []string
	locked string

	beneath bool
}

// step goes one component further. Of a link it returns the target, which is then to do, and does not move.
func (w *walk) step() (target string, err error) {
	name := w.todo[0]
	w.todo = w.todo[1:]
	switch name {
	case "", ".":
		return "", nil
	case "..":
		if w.beneath && len(w.dirs) == 0 {
			return "", facts.ErrOutside
		}
		w.leave(max(0, len(w.dirs)-1))
		return "", nil
	}
	dir := w.root
	if len(w.dirs) > 0 {
		dir = w.dirs[len(w.dirs)-1]
	}
	fd, err := unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return "", err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		w.dirs, w.names = append(w.dirs, fd), append(w.names, name)
		return "", nil
	}
	defer unix.Close(fd)
	var in unix.Stat_t
	if err := unix.Fstat(dir, &in); err != nil {
		return "", err
	}
	w.locked = cmp.Or(w.locked, w.exposed(), untrusted(&st, &in))
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", buf)
	return string(buf[:max(n, 0)]), err // that of a process that ends meanwhile has no target any more
}

// exposed says who beside root can put another directory in the place of one that has been walked through.
func (w *walk) exposed() string {
	for _, fd := range w.dirs {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) != nil {
			continue // untrusted meets the same of the last one
		}
		if who := writer(&st); who != "" && (st.Uid != 0 || st.Mode&unix.S_ISVTX == 0) {
			return fmt.Sprintf(by, who)
		}
	}
	return ""
}

// leave goes back up until only n directories are left.
func (w *walk) leave(n int) {
	for _, fd := range w.dirs[n:] {
		unix.Close(fd)
	}
	w.dirs, w.names = w.dirs[:n], w.names[:n]
}

// untrusted says who beside root can change where a link in a directory leads; empty when nobody can.
func untrusted(link, dir *unix.Stat_t) string {
	if link.Uid != 0 {
		return fmt.Sprintf(by, fmt.Sprintf("uid %d", link.Uid))
	}
	if who := writer(dir); who != "" {
		return fmt.Sprintf(by, who)
	}
	return ""
}

const by = "reached through a link that %s can change"

// writer says who beside root can write to a directory.
func writer(dir *unix.Stat_t) string {
	switch {
	case dir.Uid != 0:
		return fmt.Sprintf("uid %d", dir.Uid)
	case dir.Mode&0o002 != 0:
		return "anybody"
	case dir.Mode&0o020 != 0:
		return fmt.Sprintf("gid %d", dir.Gid)
	}
	return ""
}
