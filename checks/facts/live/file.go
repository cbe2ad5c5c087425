//go:build linux && !portable

package live

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"time"

	"example.com/harden/checks/facts"
	"golang.org/x/sys/unix"
)

func (s *Source) stat(name string) (facts.Info, error) {
	p, err := s.open(name)
	if err != nil {
		return facts.Info{}, err
	}
	defer p.close()
	var st unix.Statx_t
	const want = unix.STATX_BASIC_STATS
	if err := unix.Statx(p.fd, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, want, &st); err != nil {
		return facts.Info{}, &fs.PathError{Op: "statx", Path: name, Err: err}
	}
	i := facts.Info{
		Path:     p.path,
		Type:     fileType(st.Mode),
		Mode:     fs.FileMode(st.Mode & 0o7777),
		UID:      st.Uid,
		GID:      st.Gid,
		User:     cmp.Or(s.users()[st.Uid], strconv.FormatUint(uint64(st.Uid), 10)),
		Group:    cmp.Or(s.groups()[st.Gid], strconv.FormatUint(uint64(st.Gid), 10)),
		Size:     int64(st.Size),
		Links:    uint64(st.Nlink),
		Modified: time.Unix(st.Mtime.Sec, int64(st.Mtime.Nsec)),
		Locked:   p.locked,
	}
	i.ACL, err = hasAttr(p.fd, "system.posix_acl_access")
	if err == nil && i.Type == 0 {
		i.Capable, err = hasAttr(p.fd, "security.capability")
	}
	if err != nil {
		return facts.Info{}, &fs.PathError{Op: "getxattr", Path: name, Err: err}
	}
	if i.Locked == "" {
		i.Locked, err = s.locked(p, &st)
	}
	return i, err
}

// fileType translates the kernel's type bits into fs's.
func fileType(mode uint16) fs.FileMode {
	switch uint32(mode) & unix.S_IFMT {
	case unix.S_IFREG:
		return 0
	case unix.S_IFDIR:
		return fs.ModeDir
	case unix.S_IFSOCK:
		return fs.ModeSocket
	case unix.S_IFIFO:
		return fs.ModeNamedPipe
	case unix.S_IFCHR:
		return fs.ModeDevice | fs.ModeCharDevice
	case unix.S_IFBLK:
		return fs.ModeDevice
	}
	return fs.ModeIrregular
}

// locked says why nothing can change what is open, though permissions allow it. A regular file is replaced by a
// rename in its directory, so that the directory's attributes hold for it too, and that a mount point refuses.
func (s *Source) locked(p place, st *unix.Statx_t) (string, error) {
	var f unix.Statfs_t
	if err := unix.Fstatfs(p.fd, &f); err != nil {
		return "", &fs.PathError{Op: "statfs", Path: p.path, Err: err}
	}
	regular := uint32(st.Mode)&unix.S_IFMT == unix.S_IFREG
	switch {
	case st.Attributes&unix.STATX_ATTR_IMMUTABLE != 0:
		return "immutable", nil
	case st.Attributes&unix.STATX_ATTR_APPEND != 0:
		return "append-only", nil
	case f.Type == unix.FUSE_SUPER_MAGIC:
		return "on a FUSE file system, which can be any user's program", nil
	case f.Flags&unix.ST_RDONLY != 0:
		return "read-only file system", nil
	case regular && st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0:
		return "mount point", nil
	case !regular:
		return "", nil
	}
	parent, err := s.open(path.Dir(p.path))
	if err != nil {
		return "", err
	}
	defer parent.close()
	var dir unix.Statx_t
	if err := unix.Statx(parent.fd, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, unix.STATX_TYPE, &dir); err != nil {
		return "", &fs.PathError{Op: "statx", Path: parent.path, Err: err}
	}
	switch {
	case dir.Attributes&unix.STATX_ATTR_IMMUTABLE != 0:
		return "in an immutable directory", nil
	case dir.Attributes&unix.STATX_ATTR_APPEND != 0:
		return "in an append-only directory", nil
	}
	return "", nil
}

// hasAttr reports whether a file has an extended attribute. An access ACL is stored only where it says more than the
// mode.
func hasAttr(fd int, name string) (bool, error) {
	_, err := unix.Getxattr(self(fd), name, nil) // fgetxattr refuses O_PATH descriptors
	switch {
	case errors.Is(err, unix.ENODATA), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOENT):
		return false, nil // none, a file system without ACLs, or no /proc to ask through
	}
	return err == nil, err
}

// self names an open descriptor, so that it can be opened again for more than O_PATH.
func self(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// reopen opens for reading what p has found, and nothing else in its place. O_NONBLOCK is for mandatory locks and
// leases, which make even a regular file's open wait.
func (p place) reopen(flags int) (*os.File, error) {
	fd, err := unix.Open(self(p.fd), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC|flags, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: p.path, Err: err}
	}
	return os.NewFile(uintptr(fd), p.path), nil
}

func (s *Source) readFile(name string) ([]byte, error) {
	p, err := s.open(name)
	if err != nil {
		return nil, err
	}
	defer p.close()
	var st unix.Stat_t
	if err := unix.Fstat(p.fd, &st); err != nil {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	if err := s.outside(p, &st); err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, fmt.Errorf("%s is %s, not a file", name, kinds[fileType(uint16(st.Mode))])
	}
	if st.Size > facts.MaxFile {
		return nil, fmt.Errorf("%s has %d bytes, more than the limit of %d", name, st.Size, facts.MaxFile)
	}
	f, err := p.reopen(0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var b bytes.Buffer
	b.Grow(int(st.Size) + bytes.MinRead)
	n, err := b.ReadFrom(io.LimitReader(f, facts.MaxFile+1))
	if err == nil && n > facts.MaxFile {
		err = fmt.Errorf("%s has more than the limit of %d bytes", name, facts.MaxFile)
	}
	return b.Bytes(), err
}

var kinds = map[fs.FileMode]string{
	fs.ModeDir: "a directory", fs.ModeSocket: "a socket", fs.ModeNamedPipe: "a FIFO",
	fs.ModeDevice: "a block device", fs.ModeDevice | fs.ModeCharDevice: "a character device",
	fs.ModeIrregular: "something unknown",
}

func (s *Source) list(dir string) ([]string, error) {
	p, err := s.open(dir)
	if err != nil {
		return nil, err
	}
	defer p.close()
	f, err := p.reopen(unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return namesIn(f, dir)
}
