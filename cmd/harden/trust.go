package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"example.com/harden/checks/facts"
)

// readTrusted reads a file that tells root what to do. It is refused when anybody but root and the invoking user could
// have written it, or any directory or link on the way to it. What is checked is what was opened, so there is no
// moment between looking and reading.
func readTrusted(path string) ([]byte, error) {
	f, err := openTrusted(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, facts.MaxFile+1))
	if err == nil && len(data) > facts.MaxFile {
		err = &fs.PathError{Op: "read", Path: path, Err: unix.EFBIG}
	}
	return data, err
}

// maxLinks is how many symbolic links the kernel itself would follow.
const maxLinks = 40

func openTrusted(path string) (*os.File, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	dir, err := openAt(nil, "/", "/", lookAt|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer func() { dir.Close() }()
	if _, err := trusted(dir); err != nil {
		return nil, err
	}
	rest, links := split(path), 0
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		next, err := openAt(dir, name, filepath.Join(dir.Name(), name), lookAt|noFollow)
		if err != nil {
			return nil, err
		}
		kind, err := trusted(next)
		if err != nil {
			next.Close()
			return nil, err
		}
		switch kind {
		case unix.S_IFDIR:
			dir.Close()
			dir = next
		case unix.S_IFLNK:
			target, err := readLink(dir, name, next)
			next.Close()
			if links++; err != nil || links > maxLinks {
				return nil, fmt.Errorf("%s: too many links, or an unreadable link: %w", path, unix.ELOOP)
			}
			if filepath.IsAbs(target) {
				if dir, err = restart(dir); err != nil {
					return nil, err
				}
			}
			rest = append(split(target), rest...)
		case unix.S_IFREG:
			next.Close()
			if len(rest) > 0 {
				return nil, &fs.PathError{Op: "open", Path: path, Err: unix.ENOTDIR}
			}
			return openFile(dir, name)
		default:
			next.Close()
			return nil, fmt.Errorf("%s: not a regular file", path)
		}
	}
	return nil, &fs.PathError{Op: "read", Path: path, Err: unix.EISDIR}
}

// openFile opens a regular file to read it, and looks once more at the very file that it opened.
func openFile(dir *os.File, name string) (*os.File, error) {
	f, err := openAt(dir, name, filepath.Join(dir.Name(), name), unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK)
	if err != nil {
		return nil, err
	}
	if kind, err := trusted(f); err != nil || kind != unix.S_IFREG {
		f.Close()
		return nil, fmt.Errorf("%s: changed while it was opened", f.Name())
	}
	return f, nil
}

// restart closes a directory and opens the topmost one.
func restart(dir *os.File) (*os.File, error) {
	dir.Close()
	return openAt(nil, "/", "/", lookAt|unix.O_DIRECTORY)
}

func split(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

func openAt(dir *os.File, name, full string, flags int) (*os.File, error) {
	at := unix.AT_FDCWD
	if dir != nil {
		at = int(dir.Fd())
	}
	fd, err := unix.Openat(at, name, flags|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: full, Err: err}
	}
	return os.NewFile(uintptr(fd), full), nil
}

// trusted says what f is, and refuses what another user could have written. A directory that everybody may write to
// is as good as another while its sticky bit lets nobody replace what is not theirs.
func trusted(f *os.File) (kind uint32, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return 0, &fs.PathError{Op: "stat", Path: f.Name(), Err: err}
	}
	kind = uint32(st.Mode & unix.S_IFMT)
	if me := os.Geteuid(); st.Uid != 0 && st.Uid != uint32(me) {
		return kind, fmt.Errorf("%s belongs to user %d: it must belong to root or to you (user %d)", f.Name(), st.Uid, me)
	}
	open := st.Mode&0o022 != 0 && kind != unix.S_IFLNK // a link's mode means nothing
	if open && !(kind == unix.S_IFDIR && st.Mode&unix.S_ISVTX != 0) {
		return kind, fmt.Errorf("%s has mode %04o: only its owner may have write permission", f.Name(), st.Mode&0o7777)
	}
	return kind, nil
}
