//go:build linux && !portable

package live

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"golang.org/x/sys/unix"
)

// A beneath is the files of directories that somebody else has filled, such as a repository's: the one way in which
// any file of --source is opened. What it opens is inside, by links that stay inside, regular, and has no other name
// that may be outside. Nothing runs there.
type beneath struct {
	filesAlone
	below []*Source
}

var _ facts.Source = beneath{}

// Beneath returns a facts.Source of nothing but the files below these directories. Their paths are absolute and have
// no links.
func Beneath(dirs []facts.SourceDir) facts.Source {
	var b beneath
	nobody := func() map[uint32]string { return nil } // who an id is there nobody can tell
	for _, d := range dirs {
		b.below = append(b.below, &Source{root: path.Clean(d.Path), beneath: true, users: nobody, groups: nobody})
	}
	return b
}

var _ docker.Insider = (*Source)(nil)

// Inside reads a file below what a process sees as its root directory, opened as those of a source are: a container's
// links and its other file systems lead nowhere else.
func (s *Source) Inside(ctx context.Context, pid int, name string) ([]byte, error) {
	if err := s.running(); err != nil {
		return nil, err
	}
	root := fmt.Sprintf("/proc/%d/root", pid)
	return Beneath([]facts.SourceDir{{Path: root}}).Read(ctx, path.Join(root, path.Clean("/"+name)))
}

// of is the directory that a path is in, and the path below it.
func (b beneath) of(name string) (*Source, string, error) {
	name = path.Clean(name)
	for _, s := range b.below {
		if rest, ok := strings.CutPrefix(name, strings.TrimSuffix(s.root, "/")); ok && (rest == "" || rest[0] == '/') {
			return s, "/" + strings.TrimPrefix(rest, "/"), nil
		}
	}
	return nil, "", &fs.PathError{Op: "open", Path: name, Err: facts.ErrOutside}
}

// whole names the path in an error as it was asked for.
func whole(name string, err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return &fs.PathError{Op: e.Op, Path: name, Err: e.Err}
	}
	return err
}

func (b beneath) Stat(ctx context.Context, name string) (facts.Info, error) {
	s, rest, err := b.of(name)
	if err != nil {
		return facts.Info{}, err
	}
	info, err := s.Stat(ctx, rest)
	info.Path = path.Join(s.root, info.Path)
	return info, whole(name, err)
}

func (b beneath) Read(ctx context.Context, name string) ([]byte, error) {
	s, rest, err := b.of(name)
	if err != nil {
		return nil, err
	}
	data, err := s.Read(ctx, rest)
	return data, whole(name, err)
}

func (b beneath) List(ctx context.Context, dir string) ([]string, error) {
	s, rest, err := b.of(dir)
	if err != nil {
		return nil, err
	}
	names, err := s.List(ctx, rest)
	return names, whole(dir, err)
}

// File systems of what the kernel says: /proc/self/environ is a regular file, and there when the root directory is the
// source.
var kernelFiles = map[int64]bool{unix.PROC_SUPER_MAGIC: true, unix.SYSFS_MAGIC: true, unix.DEBUGFS_MAGIC: true,
	unix.TRACEFS_MAGIC:    true,
	unix.SECURITYFS_MAGIC: true, unix.CGROUP_SUPER_MAGIC: true, unix.CGROUP2_SUPER_MAGIC: true, unix.BPF_FS_MAGIC: true,
	unix.DEVPTS_SUPER_MAGIC: true, unix.PSTOREFS_MAGIC: true, unix.EFIVARFS_MAGIC: true}

// outside says why a file is not read, or may not be what it seems, where only files beneath a directory are read.
func (s *Source) outside(p place, st *unix.Stat_t) error {
	if !s.beneath {
		return nil
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return fmt.Errorf("%s, not a file", kinds[fileType(uint16(st.Mode))])
	}
	if st.Nlink > 1 {
		return fmt.Errorf("it has %d names (hard links), of which one may be outside", st.Nlink)
	}
	var f unix.Statfs_t
	if err := unix.Fstatfs(p.fd, &f); err != nil {
		return err
	}
	if kernelFiles[int64(f.Type)] {
		return errors.New("it is a file of the kernel's")
	}
	return nil
}
