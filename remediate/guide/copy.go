package guide

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"example.com/harden/remediate/linux"
)

// A copier writes what a walk finds to a new place that root alone can reach meanwhile. Owners go by the mapping; the
// set-user-ID bit goes with its owner, who is now an ordinary user of the host.
type copier struct {
	mapping *Mapping
	stash   int   // a directory of the same file system, where files with several names wait for the next one
	left    int64 // bytes that may still be written
}

// stashName is the directory beside a volume's own that holds hard links while it is copied.
const stashName = ".harden-links"

// errNoRoom means that a volume is larger than it was when the move was planned.
var errNoRoom = errors.New("not enough room on the file system of the data root")

// Copy copies what a directory below one data root holds to one below another, which is empty, and returns what it has
// copied. It writes no more than so many bytes.
func Copy(ctx context.Context, root, below, toRoot, toBelow string, m *Mapping, bytes int64) (Tree, error) {
	from, err := openBelow(root, below)
	if err != nil {
		return Tree{}, err
	}
	defer from.Close()
	to, err := openBelow(toRoot, toBelow)
	if err != nil {
		return Tree{}, err
	}
	defer to.Close()
	beside, err := openBelow(toRoot, filepath.Dir(toBelow))
	if err != nil {
		return Tree{}, err
	}
	defer beside.Close()
	stash := filepath.Join(beside.Name(), stashName)
	c := &copier{mapping: m, left: bytes}
	if c.stash, err = c.mkdir(int(beside.Fd()), stashName); err != nil {
		return Tree{}, &os.PathError{Op: "mkdir", Path: stash, Err: err}
	}
	defer unix.Close(c.stash)
	w := &walk{ctx: ctx, mapping: m, copier: c}
	if err := w.begin(from, int(to.Fd())); err != nil {
		return w.tree, err
	}
	if err := os.RemoveAll(stash); err != nil {
		return w.tree, err
	}
	return w.tree, linux.Syncfs(int(to.Fd()))
}

// empty removes what an interrupted Copy has left.
func empty(toRoot, toBelow string) error {
	to, err := openBelow(toRoot, toBelow)
	if err != nil {
		return err
	}
	defer to.Close()
	names, err := to.Readdirnames(-1)
	for _, name := range names {
		if err == nil {
			err = os.RemoveAll(filepath.Join(toRoot, toBelow, name)) // beneath its parent, never through a link
		}
	}
	if err != nil {
		return err
	}
	return os.RemoveAll(filepath.Join(toRoot, filepath.Dir(toBelow), stashName))
}

// mkdir makes a directory that root alone can enter, and opens it.
func (c *copier) mkdir(dir int, name string) (int, error) {
	if err := unix.Mkdirat(dir, name, 0o700); err != nil {
		return -1, err
	}
	return unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
}

func (c *copier) link(dir int, name, target string, st *unix.Stat_t) error {
	if err := unix.Symlinkat(target, dir, name); err != nil {
		return &os.PathError{Op: "symlink", Path: name, Err: err}
	}
	uid, _ := c.mapping.UID(st.Uid)
	gid, _ := c.mapping.GID(st.Gid)
	if err := unix.Fchownat(dir, name, int(uid), int(gid), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	return times(dir, name, st)
}

// file copies a regular file, a FIFO or a socket, or links to the copy of one that has several names.
func (c *copier) file(ctx context.Context, from, to int, name string, st *unix.Stat_t) error {
	key := fmt.Sprintf("%x", st.Ino)
	if st.Nlink > 1 {
		if err := unix.Linkat(c.stash, key, to, name, 0); err != unix.ENOENT {
			return err
		}
	}
	if err := c.fresh(ctx, from, to, name, st); err != nil {
		return err
	}
	if st.Nlink > 1 {
		return unix.Linkat(to, name, c.stash, key, 0)
	}
	return nil
}

// fresh makes a file's copy.
func (c *copier) fresh(ctx context.Context, from, to int, name string, st *unix.Stat_t) error {
	if kind := st.Mode & unix.S_IFMT; kind != unix.S_IFREG {
		if err := linux.Mknodat(to, name, uint32(kind|0o600), 0); err != nil {
			return err
		}
		fd, err := unix.Openat(to, name, linux.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return c.owner(fmt.Sprintf("/proc/self/fd/%d", fd), st)
	}
	in, err := unix.Openat(from, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|linux.O_NOATIME|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	source := os.NewFile(uintptr(in), name)
	defer source.Close()
	var opened unix.Stat_t
	if err := unix.Fstat(in, &opened); err != nil {
		return err
	}
	if opened.Ino != st.Ino || opened.Dev != st.Dev || opened.Size != st.Size {
		return errors.New("it was changed meanwhile; stop what writes to the volume")
	}
	out, err := unix.Openat(to, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	copied := os.NewFile(uintptr(out), name)
	defer copied.Close()
	if err := c.content(ctx, source, copied, st.Size); err != nil {
		return err
	}
	return c.attributes(in, out, st)
}

// content copies what is written of a file, and leaves its holes as they are: a file of terabytes may be all hole.
func (c *copier) content(ctx context.Context, from, to *os.File, size int64) error {
	const piece = 64 << 20
	for at := int64(0); at < size; {
		data, err := from.Seek(at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break // nothing but a hole to the end
		}
		if err != nil {
			return err
		}
		end, err := from.Seek(data, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		n := min(end, size, data+piece) - data
		if c.left -= n; c.left < 0 {
			return errNoRoom
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := from.Seek(data, io.SeekStart); err != nil {
			return err
		}
		if _, err := to.Seek(data, io.SeekStart); err != nil {
			return err
		}
		if _, err := io.CopyN(to, from, n); err != nil {
			return err
		}
		at = data + n
	}
	return to.Truncate(size)
}

// owner gives a node that can't be opened its owner, mode and times; path is of a descriptor that is held open.
func (c *copier) owner(path string, st *unix.Stat_t) error {
	uid, _ := c.mapping.UID(st.Uid)
	gid, _ := c.mapping.GID(st.Gid)
	if err := unix.Chown(path, int(uid), int(gid)); err != nil {
		return err
	}
	if err := unix.Chmod(path, uint32(st.Mode&0o7777)); err != nil {
		return err
	}
	return unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{st.Atim, st.Mtim}, 0)
}

// attributes gives an open copy the owner, then the mode, which a change of the owner takes the set-user-ID bit of,
// then the extended attributes, of which it takes the capabilities.
func (c *copier) attributes(from, to int, st *unix.Stat_t) error {
	uid, _ := c.mapping.UID(st.Uid)
	gid, _ := c.mapping.GID(st.Gid)
	if err := unix.Fchown(to, int(uid), int(gid)); err != nil {
		return err
	}
	if err := unix.Fchmod(to, uint32(st.Mode&0o7777)); err != nil {
		return err
	}
	if err := c.extended(from, to); err != nil {
		return err
	}
	return unix.UtimesNanoAt(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", to), []unix.Timespec{st.Atim, st.Mtim}, 0)
}

// extended copies the extended attributes that a container can set. SELinux's are set anew by the Engine, and
// "trusted." is the host's own.
func (c *copier) extended(from, to int) error {
	n, err := unix.Flistxattr(from, nil)
	if err == unix.ENOTSUP || n <= 0 {
		return nil
	}
	buf := make([]byte, n+1024)
	if n, err = unix.Flistxattr(from, buf); err != nil {
		return err
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(buf[:n]), "\x00"), "\x00") {
		acl := name == "system.posix_acl_access" || name == "system.posix_acl_default"
		if !strings.HasPrefix(name, "user.") && name != "security.capability" && !acl {
			continue
		}
		value := make([]byte, 64<<10) // the most that the kernel keeps
		size, err := unix.Fgetxattr(from, name, value)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		value = value[:size]
		switch {
		case acl:
			value, err = c.acl(value)
		case name == "security.capability":
			value, err = c.capability(value)
		}
		if err == nil {
			err = unix.Fsetxattr(to, name, value, 0)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// acl maps the users and groups that an access control list names. Source: linux/posix_acl_xattr.h.
func (c *copier) acl(value []byte) ([]byte, error) {
	const user, group = 0x02, 0x08
	if len(value) < 4 || (len(value)-4)%8 != 0 || binary.LittleEndian.Uint32(value) != 2 {
		return nil, errors.New("not an access control list that the kernel makes")
	}
	for e := value[4:]; len(e) > 0; e = e[8:] {
		id, ok := binary.LittleEndian.Uint32(e[4:]), true
		switch binary.LittleEndian.Uint16(e) {
		case user:
			id, ok = c.mapping.UID(id)
		case group:
			id, ok = c.mapping.GID(id)
		}
		if !ok {
			return nil, fmt.Errorf("it names ID %d, which has no place in the mapping", id)
		}
		binary.LittleEndian.PutUint32(e[4:], id)
	}
	return value, nil
}

// capability binds a file's capabilities to root of the mapping: as they are they would be of the host's root.
// Source: linux/capability.h, struct vfs_ns_cap_data.
func (c *copier) capability(value []byte) ([]byte, error) {
	const revision, two, three = 0xff000000, 0x02000000, 0x03000000
	if c.mapping == nil {
		return value, nil
	}
	if len(value) != 20 || binary.LittleEndian.Uint32(value)&revision != two {
		return nil, errors.New("capabilities of another user namespace; set them anew in the container")
	}
	root, ok := c.mapping.UID(0)
	if !ok {
		return nil, errors.New("the mapping has no root")
	}
	binary.LittleEndian.PutUint32(value, binary.LittleEndian.Uint32(value)&^revision|three)
	return binary.LittleEndian.AppendUint32(value, root), nil
}

// times gives a link its times.
func times(dir int, name string, st *unix.Stat_t) error {
	return unix.UtimesNanoAt(dir, name, []unix.Timespec{st.Atim, st.Mtim}, unix.AT_SYMLINK_NOFOLLOW)
}
