package main

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// writeFileMode puts a whole file in place. Most are for nobody's eyes but the owner's: a diff of a private file is
// private. What is there already has to be a regular file: as root, a rename over /dev/null would take it from
// everybody.
func writeFileMode(path string, data []byte, mode uint32) error {
	return writeFileFrom(path, mode, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// writeFileFrom is writeFileMode for what is too large to be in memory as a whole.
func writeFileFrom(path string, mode uint32, write func(io.Writer) error) (err error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	dir, err := openPlace(filepath.Dir(abs))
	if errors.Is(err, fs.ErrNotExist) {
		return usageError{fmt.Errorf("%s: there is no directory %s; make it first", path, filepath.Dir(abs))}
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	fd, name := int(dir.Fd()), filepath.Base(abs)
	var st unix.Stat_t
	switch err := unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); {
	case err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG:
		return fmt.Errorf("%s: not a regular file", path)
	case err != nil && err != unix.ENOENT:
		return &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	temp := "." + name + "-" + rand.Text()
	f, err := openAtMode(dir, temp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = unix.Unlinkat(fd, temp, 0)
		}
	}()
	if err = write(f); err == nil {
		err = cmp.Or(f.Chmod(fs.FileMode(mode)), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = unix.Renameat(fd, temp, fd, name); err != nil {
		return &fs.PathError{Op: "replace", Path: path, Err: err}
	}
	return nil
}

func openAtMode(dir *os.File, name string, flags int, mode uint32) (*os.File, error) {
	full := filepath.Join(dir.Name(), name)
	fd, err := unix.Openat(int(dir.Fd()), name, flags|unix.O_CLOEXEC, mode)
	if err != nil {
		return nil, &fs.PathError{Op: "create", Path: full, Err: err}
	}
	return os.NewFile(uintptr(fd), full), nil
}

// openPlace opens a directory to write into, whoever's it is. A link on the way is followed only where root, or the
// invoking user, made it in a directory that nobody else can write: any other could be made to lead elsewhere, at any
// moment.
func openPlace(path string) (*os.File, error) {
	dir, err := openAt(nil, "/", "/", lookAt|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	rest, links := split(path), 0
	_, unsafe := trusted(dir)
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		next, err := openAt(dir, name, filepath.Join(dir.Name(), name), lookAt|noFollow)
		if err != nil {
			dir.Close()
			return nil, err
		}
		kind, doubt := trusted(next)
		switch {
		case kind == unix.S_IFDIR:
			dir.Close()
			dir, unsafe = next, cmp.Or(unsafe, doubt)
			continue
		case kind != unix.S_IFLNK:
			err = &fs.PathError{Op: "open", Path: next.Name(), Err: unix.ENOTDIR}
		case doubt != nil || unsafe != nil:
			err = fmt.Errorf("%s: a symbolic link that another user could have made; use the real path of the directory",
				next.Name())
		default:
			var target string
			if target, err = readLink(dir, name, next); err == nil && filepath.IsAbs(target) {
				dir, err = restart(dir)
			}
			if links++; links > maxLinks {
				err = fmt.Errorf("%s: %w", path, unix.ELOOP)
			}
			rest = append(split(target), rest...)
		}
		next.Close()
		if err != nil {
			dir.Close()
			return nil, err
		}
	}
	return dir, nil
}

// makePrivate makes a directory for root's eyes alone, where it is not there yet.
func makePrivate(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// remove removes a file that harden has kept.
func remove(file string) error { return os.Remove(file) }
