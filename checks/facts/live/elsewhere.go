//go:build !linux || portable

package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"example.com/harden/checks/facts"
)

// Here is true where this machine can be audited: on Linux. Elsewhere, and with the tag portable, harden judges what is
// below the directories of --source, and nothing else.
const Here = false

// errElsewhere is what a host that cannot be read answers.
var errElsewhere = errors.New("hosts can be audited on Linux only, and this is " + runtime.GOOS)

// DockerOptions say which Docker Engine to ask.
type DockerOptions struct{ Host, From string }

// A Packager is a package manager at work.
type Packager struct {
	File string
	UID  int
}

func (p *Packager) String() string { return p.File }

// A Source reads nothing here.
type Source struct{ beneath }

// New returns a machine of which nothing is known.
func New(string, DockerOptions) *Source { return new(Source) }

// Packaging is not known here.
func (*Source) Packaging() (*Packager, error) { return nil, errElsewhere }

// Process is not known here.
func (*Source) Process(int) (facts.Process, error) { return facts.Process{}, errElsewhere }

// Inside is not known here.
func (*Source) Inside(context.Context, int, string) ([]byte, error) { return nil, errElsewhere }

// A beneath is the files of directories, as on Linux: what it opens is inside, by links that stay inside, regular, and
// has no other name that may be outside. It goes by os.Root, which no link leads out of.
type beneath struct {
	filesAlone
	dirs []string
}

var _ facts.Source = beneath{}

// Beneath returns a facts.Source of nothing but the files below these directories. Their paths are absolute and have
// no links.
func Beneath(dirs []facts.SourceDir) facts.Source {
	var b beneath
	for _, d := range dirs {
		b.dirs = append(b.dirs, filepath.Clean(d.Path))
	}
	return b
}

// open opens a path and describes what is open. A FIFO or a device does not block it.
func (b beneath) open(name string) (*os.File, facts.Info, error) {
	name = path.Clean(name)
	for _, dir := range b.dirs {
		rest, ok := strings.CutPrefix(name, strings.TrimSuffix(dir, "/"))
		if !ok || rest != "" && rest[0] != '/' {
			continue
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			return nil, facts.Info{}, err
		}
		defer root.Close()
		within, err := resolved(root, strings.TrimPrefix(rest, "/"))
		if err != nil {
			return nil, facts.Info{}, &fs.PathError{Op: "open", Path: name, Err: err}
		}
		f, err := root.OpenFile(within, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			return nil, facts.Info{}, named(name, err)
		}
		info, err := described(f, path.Join(dir, within))
		if err != nil {
			f.Close()
		}
		return f, info, err
	}
	return nil, facts.Info{}, &fs.PathError{Op: "open", Path: name, Err: facts.ErrOutside}
}

// maxLinks is how many links one path may lead through, as in the kernel.
const maxLinks = 40

// resolved follows the links of a path, and says where it leads. A link that leads out of the directory is
// facts.ErrOutside.
func resolved(root *os.Root, name string) (string, error) {
	at, links := ".", 0
	for todo := strings.Split(name, "/"); len(todo) > 0; {
		part := todo[0]
		todo = todo[1:]
		switch {
		case part == "" || part == ".":
			continue
		case part == ".." && at == ".":
			return "", facts.ErrOutside
		case part == "..":
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, part)
		info, err := root.Lstat(next)
		if err != nil {
			return "", facts.Bare(err)
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		target, err := root.Readlink(next)
		if err != nil {
			return "", facts.Bare(err)
		}
		if links++; links > maxLinks {
			return "", syscall.ELOOP
		}
		if path.IsAbs(target) {
			return "", facts.ErrOutside
		}
		todo = append(strings.Split(target, "/"), todo...)
	}
	return at, nil
}

func named(name string, err error) error {
	return &fs.PathError{Op: "open", Path: name, Err: facts.Bare(err)}
}

func described(f *os.File, name string) (facts.Info, error) {
	info, err := f.Stat()
	if err != nil {
		return facts.Info{}, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return facts.Info{}, fmt.Errorf("%s: its owner is not known", name)
	}
	return facts.Info{Path: name, Type: info.Mode().Type(), Mode: fs.FileMode(st.Mode & 0o7777), UID: st.Uid, GID: st.Gid,
		User: fmt.Sprint(st.Uid), Group: fmt.Sprint(st.Gid), Size: info.Size(), Links: uint64(st.Nlink),
		Modified: info.ModTime()}, nil
}

func (b beneath) Stat(ctx context.Context, name string) (facts.Info, error) {
	f, info, err := b.open(name)
	if err != nil {
		return facts.Info{}, err
	}
	return info, f.Close()
}

func (b beneath) Read(ctx context.Context, name string) ([]byte, error) {
	f, info, err := b.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	switch {
	case info.Type != 0:
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("not a regular file")}
	case info.Links > 1:
		return nil, &fs.PathError{Op: "read", Path: name,
			Err: fmt.Errorf("it has %d names (hard links), of which one may be outside", info.Links)}
	case info.Size > facts.MaxFile:
		return nil, fmt.Errorf("%s has %d bytes, more than the limit of %d", name, info.Size, facts.MaxFile)
	}
	data, err := io.ReadAll(io.LimitReader(f, facts.MaxFile+1))
	if err == nil && len(data) > facts.MaxFile {
		err = fmt.Errorf("%s has more than the limit of %d bytes", name, facts.MaxFile)
	}
	return data, err
}

func (b beneath) List(ctx context.Context, dir string) ([]string, error) {
	f, _, err := b.open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return namesIn(f, dir)
}
