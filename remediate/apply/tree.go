package apply

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"example.com/harden/remediate/linux"
)

// A tree is the host's files as they are below Options.Root. Nothing in it is ever opened through a link: the plan
// names files by where they really are, so a link on the way was put there since.
type tree struct {
	sys    *sys
	root   int
	source bool // it is a directory of sources
}

// openTree opens what is below Root. What is above a directory of sources is asked about first.
func (o Options) openTree() (*tree, error) {
	if o.Source {
		if err := owned(o.Root); err != nil {
			return nil, err
		}
	}
	fd, err := unix.Open(o.Root, linux.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: o.Root, Err: err}
	}
	return &tree{o.sys, fd, o.Source}, nil
}

func (t *tree) close() { unix.Close(t.root) }

// dir opens the directory at a host path.
func (t *tree) dir(p string) (int, error) {
	rel := strings.TrimPrefix(p, "/")
	if rel == "" {
		rel = "."
	}
	fd, err := again(func() (int, error) { return t.sys.directory(t.root, rel) })
	switch {
	case errors.Is(err, unix.ELOOP):
		return -1, fmt.Errorf("%s: a directory of this path is a symbolic link: %w", p, err)
	case err != nil:
		return -1, &fs.PathError{Op: "open", Path: p, Err: err}
	}
	return fd, nil
}

// walk opens a directory component by component, for kernels without openat2.
func walk(root int, rel string) (int, error) {
	fd, err := unix.Openat(root, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil || rel == "." {
		return fd, err
	}
	for name := range strings.SplitSeq(rel, "/") {
		if name == "" || name == "." || name == ".." {
			unix.Close(fd)
			return -1, unix.EXDEV // what RESOLVE_BENEATH answers
		}
		next, err := unix.Openat(fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err == unix.ENOTDIR {
			var st unix.Stat_t
			if unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK {
				err = unix.ELOOP
			}
		}
		unix.Close(fd)
		if err != nil {
			return -1, err
		}
		fd = next
	}
	return fd, nil
}

// missing returns the directories above p that do not exist, the topmost first.
func (t *tree) missing(p string) ([]string, error) {
	var dirs []string
	for d := path.Dir(p); ; d = path.Dir(d) {
		fd, err := t.dir(d)
		if err == nil {
			unix.Close(fd)
			return dirs, nil
		}
		if !errors.Is(err, fs.ErrNotExist) || d == "/" {
			return nil, err
		}
		dirs = append([]string{d}, dirs...)
	}
}

// addMissing adds to dirs those above p that do not exist, each once.
func (t *tree) addMissing(dirs [][]byte, p string) ([][]byte, error) {
	missing, err := t.missing(p)
	for _, d := range missing {
		if !slices.ContainsFunc(dirs, func(known []byte) bool { return string(known) == d }) {
			dirs = append(dirs, []byte(d))
		}
	}
	return dirs, err
}

// A target is one name, held open: what is judged is what is changed, whatever the name comes to mean.
type target struct {
	path string // on the host
	base string
	dir  int // its directory, open for fsync
	file int // O_PATH; -1 when there is nothing
	sys  *sys
}

// open opens the target at p. It is an error that wraps fs.ErrNotExist when its directory does not exist, and none
// when only the file does not.
func (t *tree) open(p string) (*target, error) {
	dir, err := t.dir(path.Dir(p))
	if err != nil {
		return nil, err
	}
	g := &target{path: p, base: path.Base(p), dir: dir, sys: t.sys}
	g.file, err = unix.Openat(dir, g.base, linux.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil && err != unix.ENOENT {
		unix.Close(dir)
		return nil, &fs.PathError{Op: "open", Path: p, Err: err}
	}
	if err != nil {
		g.file = -1
	}
	return g, nil
}

func (g *target) close() {
	unix.Close(g.dir)
	if g.file >= 0 {
		unix.Close(g.file)
	}
}

// stuck is an error where nothing can change p, which the target is or lies above. Content is changed by putting
// another file in its place, which is the directory's matter and fails on a mount point; attributes are the file's own.
func (g *target) stuck(p string, content bool) error {
	fds := []int{g.file}
	if content {
		fds = append(fds, g.dir)
	}
	for _, fd := range fds {
		if fd < 0 {
			continue
		}
		of := "it"
		if fd == g.dir {
			of = "its directory"
		}
		var fst unix.Statfs_t
		if err := unix.Fstatfs(fd, &fst); err != nil {
			return &fs.PathError{Op: "statfs", Path: g.path, Err: err}
		}
		var st linux.Statx_t
		if err := linux.Statx(fd, "", linux.AT_EMPTY_PATH, linux.STATX_BASIC_STATS, &st); err != nil && err != unix.ENOSYS {
			return &fs.PathError{Op: "statx", Path: g.path, Err: err}
		}
		why := ""
		switch {
		case fst.Type == linux.FUSE_SUPER_MAGIC:
			why = of + " is on a FUSE file system, which can be any user's program"
		case fst.Flags&linux.ST_RDONLY != 0:
			why = of + " is on a read-only file system"
		case st.Attributes&linux.STATX_ATTR_IMMUTABLE != 0:
			why = of + " is immutable (chattr -i)"
		case st.Attributes&linux.STATX_ATTR_APPEND != 0:
			why = of + " is append-only (chattr -a)"
		case content && fd == g.file && st.Attributes&linux.STATX_ATTR_MOUNT_ROOT != 0:
			why = "it is a mount point, so it cannot be replaced"
		}
		if why != "" {
			return fmt.Errorf("%s cannot be changed: %s", p, why)
		}
	}
	return nil
}

// volatile reports whether the target is on a file system that a boot empties, so that whoever made it makes it again.
func (g *target) volatile() bool {
	var st unix.Statfs_t
	return unix.Fstatfs(g.dir, &st) == nil && (st.Type == linux.TMPFS_MAGIC || st.Type == linux.RAMFS_MAGIC)
}
