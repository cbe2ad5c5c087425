package guide

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"example.com/harden/remediate/linux"
)

// What a container may have filled a volume with is bounded: the walk holds two open directories a level, and a
// volume of more entries takes days.
const (
	maxDepth   = 400
	maxEntries = 50_000_000
	maxNamed   = 10 // paths that are shown of a kind
)

// A walk goes through what a volume holds. It belongs to containers, so every name is opened beneath the directory that
// was opened before it and never through a link: what a link points to, on the host, is nobody's business here.
type walk struct {
	ctx     context.Context
	mapping *Mapping // nil leaves owners as they are
	inside  bool     // owners are the host's already, as in a copy
	dev     uint64
	tree    Tree
	copier  *copier // nil to look only
}

// Measure looks at what a directory holds: how much there is and what can't be copied by a mapping.
func Measure(ctx context.Context, root, below string, m *Mapping) (Tree, error) {
	return measure(&walk{ctx: ctx, mapping: m}, root, below)
}

func measure(w *walk, root, below string) (Tree, error) {
	dir, err := openBelow(root, below)
	if err != nil {
		return Tree{}, err
	}
	defer dir.Close()
	err = w.begin(dir, -1)
	return w.tree, err
}

// openBelow opens a directory below a data root. Nobody but root can write the directories on the way, and none of them
// may be a link: a link that an administrator has made for a volume leads where nothing here is meant to write.
func openBelow(root, below string) (*os.File, error) {
	top, err := os.OpenFile(root, linux.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer top.Close()
	fd, err := linux.Openat2(int(top.Fd()), below,
		&linux.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC,
			Resolve: linux.RESOLVE_BENEATH | linux.RESOLVE_NO_SYMLINKS | linux.RESOLVE_NO_MAGICLINKS})
	name := filepath.Join(root, below)
	if err == unix.ELOOP {
		return nil, fmt.Errorf("%s: a directory of its path is a symbolic link; move it to its place below the "+
			"data root", name)
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

// begin walks the top directory; to is where it is copied to, or -1.
func (w *walk) begin(dir *os.File, to int) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &st); err != nil {
		return err
	}
	w.dev = uint64(st.Dev)
	return w.directory(dir, to, &st, ".", 0)
}

// directory walks one open directory and, at last, gives its copy the owner and mode: until then it is root's alone.
func (w *walk) directory(dir *os.File, to int, st *unix.Stat_t, rel string, depth int) error {
	if err := w.note(st, rel, ""); err != nil {
		return err
	}
	if depth > maxDepth {
		return fmt.Errorf("%s: directories are nested more than %d deep; move what is in it up", dir.Name(), maxDepth)
	}
	for {
		names, err := dir.Readdirnames(1024)
		for _, name := range names {
			if err := w.entry(dir, to, name, filepath.Join(rel, name), depth); err != nil {
				return err
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if w.copier == nil {
		return nil
	}
	return w.copier.attributes(int(dir.Fd()), to, st)
}

// entry walks one name of a directory.
func (w *walk) entry(dir *os.File, to int, name, rel string, depth int) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if w.tree.Entries >= maxEntries {
		return fmt.Errorf("%s: more than %d files; copy this volume yourself", dir.Name(), maxEntries)
	}
	from := int(dir.Fd())
	var st unix.Stat_t
	if err := unix.Fstatat(from, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &os.PathError{Op: "stat", Path: filepath.Join(dir.Name(), name), Err: err}
	}
	if uint64(st.Dev) != w.dev {
		w.tree.Mounts = named(w.tree.Mounts, rel)
		return nil
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return w.below(dir, to, name, rel, &st, depth)
	case unix.S_IFCHR, unix.S_IFBLK:
		w.tree.NDevices++
		w.tree.Devices = named(w.tree.Devices, rel)
		return nil
	case unix.S_IFLNK:
		target, err := readlink(from, name)
		if err != nil {
			return &os.PathError{Op: "readlink", Path: filepath.Join(dir.Name(), name), Err: err}
		}
		if err := w.note(&st, rel, target); err != nil || w.copier == nil {
			return err
		}
		return w.copier.link(to, name, target, &st)
	}
	if err := w.note(&st, rel, ""); err != nil || w.copier == nil {
		return err
	}
	if err := w.copier.file(w.ctx, from, to, name, &st); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(dir.Name(), name), err)
	}
	return nil
}

// below walks a directory in a directory.
func (w *walk) below(dir *os.File, to int, name, rel string, st *unix.Stat_t, depth int) error {
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: filepath.Join(dir.Name(), name), Err: err}
	}
	inner := os.NewFile(uintptr(fd), filepath.Join(dir.Name(), name))
	defer inner.Close()
	var opened unix.Stat_t
	if err := unix.Fstat(fd, &opened); err != nil {
		return err
	}
	if opened.Ino != st.Ino || opened.Dev != st.Dev {
		return fmt.Errorf("%s: it was replaced meanwhile; stop what writes to the volume", inner.Name())
	}
	if w.copier == nil {
		return w.directory(inner, -1, st, rel, depth+1)
	}
	out, err := w.copier.mkdir(to, name)
	if err != nil {
		return &os.PathError{Op: "mkdir", Path: inner.Name(), Err: err}
	}
	defer unix.Close(out)
	return w.directory(inner, out, st, rel, depth+1)
}

// note counts an entry. One without a place in the mapping is an error where it is copied.
func (w *walk) note(st *unix.Stat_t, rel, target string) error {
	t := &w.tree
	t.Entries++
	uid, ok := st.Uid, true
	gid, also := st.Gid, true
	if !w.inside {
		uid, ok = w.mapping.UID(st.Uid)
		gid, also = w.mapping.GID(st.Gid)
	}
	if !ok || !also {
		t.NForeign++
		t.Foreign = named(t.Foreign, rel)
		if w.copier != nil {
			return fmt.Errorf("%s: it belongs to %d:%d, which has no place in /etc/subuid or /etc/subgid; give "+
				"the user of the mapping more IDs, or the file another owner", rel, st.Uid, st.Gid)
		}
	}
	kind := st.Mode & unix.S_IFMT
	size := int64(0)
	if kind == unix.S_IFREG {
		size = st.Size
		t.Bytes += st.Blocks * 512
		if st.Nlink > 1 {
			t.Links++
		}
		if st.Mode&(unix.S_ISUID|unix.S_ISGID) != 0 {
			t.SetID++
		}
	} else {
		t.Bytes += 4096
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%q %o %d %d %d %q", rel, st.Mode, uid, gid, size, target)
	t.Sum += h.Sum64()
	return nil
}

// named adds a path to those that are shown, the first few.
func named(paths []string, rel string) []string {
	if len(paths) < maxNamed {
		paths = append(paths, rel)
	}
	return paths
}

// readlink reads a link of a directory; one is no longer than a path may be.
func readlink(dir int, name string) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(dir, name, buf)
	if err == nil && n == len(buf) {
		err = errors.New("longer than a path may be")
	}
	return string(buf[:max(n, 0)]), err
}

// same reports whether two trees of a volume are alike. Bytes on disk differ by file system.
func (t Tree) same(other Tree) bool {
	return t.Entries == other.Entries && t.Sum == other.Sum && slices.Equal(t.Mounts, other.Mounts)
}
