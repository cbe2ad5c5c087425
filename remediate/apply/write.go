package apply

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"example.com/harden/remediate/linux"
)

// A staged file lies complete beside the one that it is to replace, under a name that the journal knows.
type staged struct {
	*target
	temp  string
	fd    int
	id    ident // of the temporary file
	found sight // what it replaces
}

// stage writes data as a new file next to the target, with every attribute that it shall have, and flushes it. The
// name begins with a dot and ends like nothing: the kubelet, systemd, audit and cron each read what they find in a
// directory of theirs.
func (g *target) stage(temp string, im image, data []byte, found sight) (*staged, error) {
	if err := g.unstage(temp); err != nil {
		return nil, err
	}
	fd, err := unix.Openat(g.dir, temp, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, &fs.PathError{Op: "create " + temp + " for", Path: g.path, Err: err}
	}
	s := &staged{target: g, temp: temp, fd: fd, found: found}
	if err := s.fill(im, data); err != nil {
		unix.Close(fd)
		return nil, together(err, g.unstage(temp))
	}
	return s, nil
}

func (s *staged) fill(im image, data []byte) error {
	for len(data) > 0 {
		n, err := again(func() (int, error) { return unix.Write(s.fd, data) })
		if err != nil {
			return &fs.PathError{Op: "write", Path: s.path, Err: err}
		}
		data = data[n:]
	}
	if err := s.sys.dress(s.fd, im, true); err != nil {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(s.fd, &st); err != nil {
		return &fs.PathError{Op: "stat", Path: s.path, Err: err}
	}
	s.id = identOf(&st)
	if err := s.sys.fsync(s.fd); err != nil { // never tried twice: the kernel may take the lost page for clean
		return &fs.PathError{Op: "fsync", Path: s.path, Err: err}
	}
	return nil
}

// unstage removes what an earlier attempt left under that name.
func (g *target) unstage(temp string) error {
	if err := unix.Unlinkat(g.dir, temp, 0); err != nil && err != unix.ENOENT {
		return &fs.PathError{Op: "remove", Path: path.Join(path.Dir(g.path), temp), Err: err}
	}
	return nil
}

// unmoved checks that the name still means what was judged. It is asked at the last moment before a name changes
// hands: no system call replaces a file on the condition that it is unchanged.
func (g *target) unmoved(name string, id ident, exists bool) error {
	var st unix.Stat_t
	err := unix.Fstatat(g.dir, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	switch {
	case err == unix.ENOENT && !exists:
		return nil
	case err == nil && exists && identOf(&st) == id:
		return nil
	case err != nil && err != unix.ENOENT:
		return &fs.PathError{Op: "stat", Path: g.path, Err: err}
	}
	return fmt.Errorf("%s: %w: somebody changed it just now", g.path, ErrDrift)
}

// commit puts the staged file in its place.
func (s *staged) commit() error {
	if err := s.unmoved(s.temp, s.id, true); err != nil {
		return err
	}
	if err := s.unmoved(s.base, s.found.ident, s.found.Exists); err != nil {
		return err
	}
	err := s.rename()
	if err == unix.EEXIST {
		return fmt.Errorf("%s: %w: it has appeared", s.path, ErrDrift)
	}
	if err != nil {
		return &fs.PathError{Op: "replace", Path: s.path, Err: err}
	}
	return s.syncDir()
}

// rename is a plain one over what was there: exchanging the two would show the kubelet a manifest that comes and goes.
func (s *staged) rename() error {
	if !s.found.Exists {
		err := linux.Renameat2(s.dir, s.temp, s.dir, s.base, linux.RENAME_NOREPLACE)
		if err != unix.EINVAL && err != unix.ENOSYS {
			return err
		}
	}
	return unix.Renameat(s.dir, s.temp, s.dir, s.base)
}

func (s *staged) close() {
	unix.Close(s.fd)
	s.target.close()
}

func (g *target) syncDir() error {
	if err := g.sys.fsync(g.dir); err != nil {
		return &fs.PathError{Op: "fsync", Path: path.Dir(g.path), Err: err}
	}
	return nil
}

// remove takes away a file that a run created.
func (g *target) remove(found sight) error {
	if err := g.unmoved(g.base, found.ident, true); err != nil {
		return err
	}
	if err := unix.Unlinkat(g.dir, g.base, 0); err != nil {
		return &fs.PathError{Op: "remove", Path: g.path, Err: err}
	}
	return g.syncDir()
}

// dressUp gives the target the attributes of an image and flushes them.
func (g *target) dressUp(im image) error {
	if err := g.sys.dress(g.file, im, false); err != nil {
		return fmt.Errorf("%s: %w", g.path, err)
	}
	flush := g.sys.syncfs // what cannot be opened, a socket, is flushed with all the rest
	fd := g.dir
	if im.Type == unix.S_IFREG || im.Type == unix.S_IFDIR {
		file, err := unix.Open(procFD(g.file), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return &fs.PathError{Op: "open", Path: g.path, Err: err}
		}
		defer unix.Close(file)
		flush, fd = g.sys.fsync, file
	}
	if err := flush(fd); err != nil {
		return &fs.PathError{Op: "fsync", Path: g.path, Err: err}
	}
	return nil
}

// dress gives the file behind fd the owner, the mode and the extended attributes of an image, in this order: chown
// clears setuid, setgid and capabilities even when it changes nothing, so it is left out where it would, and comes
// first where it would not. File capabilities go where the image lacks them. With all, other attributes that the image
// lacks are removed: a directory's default access list passes to each file made in it.
func (s *sys) dress(fd int, im image, all bool) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("stat: %w", err)
	}
	if st.Uid != im.UID || st.Gid != im.GID {
		if err := unix.Fchownat(fd, "", int(im.UID), int(im.GID), linux.AT_EMPTY_PATH); err != nil {
			return fmt.Errorf("chown: %w", err)
		}
	}
	if err := s.chmod(fd, im.Mode); err != nil {
		return fmt.Errorf("chmod: %w", err)
	}
	have, err := xattrs(fd)
	if err != nil {
		return err
	}
	p := procFD(fd)
	for _, x := range im.Xattrs {
		name := string(x.Name)
		if !all && name != xattrACL && name != xattrCap {
			continue
		}
		if v, ok := find(have, name); ok && bytes.Equal(v, x.Value) {
			continue
		}
		if err := unix.Setxattr(p, name, x.Value, 0); err != nil {
			return fmt.Errorf("set extended attribute %q: %w", name, err)
		}
	}
	for _, x := range have {
		name := string(x.Name)
		if _, ok := find(im.Xattrs, name); ok || !all && name != xattrCap || im.Fresh &&
			strings.HasPrefix(name, "security.") {
			continue
		}
		if err := unix.Removexattr(p, name); err != nil {
			return fmt.Errorf("remove extended attribute %q: %w", name, err)
		}
	}
	return nil
}

// makeDir makes one missing directory, 0755 root:root whatever the umask or a parent's setgid bit say.
func (t *tree) makeDir(p string) error {
	parent, err := t.dir(path.Dir(p))
	if err != nil {
		return err
	}
	defer unix.Close(parent)
	if err := unix.Mkdirat(parent, path.Base(p), 0o755); err != nil && err != unix.EEXIST {
		return &fs.PathError{Op: "mkdir", Path: p, Err: err}
	}
	fd, err := t.dir(p)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := t.sys.dress(fd, image{Mode: 0o755}, false); err != nil {
		return fmt.Errorf("%s: %w", p, err)
	}
	for _, d := range []int{fd, parent} {
		if err := t.sys.fsync(d); err != nil {
			return &fs.PathError{Op: "fsync", Path: p, Err: err}
		}
	}
	return nil
}

// dropDir removes a directory that makeDir made, if it is still as made and empty.
func (t *tree) dropDir(p string) error {
	parent, err := t.dir(path.Dir(p))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) { // others have it now
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(parent)
	var st unix.Stat_t
	err = unix.Fstatat(parent, path.Base(p), &st, unix.AT_SYMLINK_NOFOLLOW)
	ours := st.Mode&unix.S_IFMT == unix.S_IFDIR && st.Uid == 0 && st.Mode&0o7777&^(0o755|unix.S_ISGID) == 0
	if err == nil && !ours {
		return nil
	}
	if err == nil {
		err = unix.Unlinkat(parent, path.Base(p), unix.AT_REMOVEDIR)
	}
	switch err {
	case nil, unix.ENOENT: // gone already, and perhaps not yet on the disk
		if err := t.sys.fsync(parent); err != nil {
			return &fs.PathError{Op: "fsync", Path: path.Dir(p), Err: err}
		}
		return nil
	case unix.ENOTEMPTY, unix.EEXIST:
		return nil
	}
	return &fs.PathError{Op: "rmdir", Path: p, Err: err}
}
