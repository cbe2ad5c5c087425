//go:build linux && !portable

// Package live is the facts.Source that is this machine: its files, /proc, the kernel's audit system and the Docker
// Engine API. It starts no program and writes nothing.
package live

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"runtime/debug"
	"sync"
	"time"

	"example.com/harden/checks/facts"
)

// Here is true where this machine can be audited: on Linux.
const Here = true

// fileTimeout is how long one look at a file may take. Files of NFS and FUSE can block for ever in the kernel; the
// look is then given up on, and its thread left behind.
const fileTimeout = 10 * time.Second

// A Source reads this machine, or a file system of another one that is mounted here.
type Source struct {
	root    string // "/" or the directory that stands for it
	beneath bool   // no link leads out of root; else those of an absolute target stay below it
	options DockerOptions
	users   func() map[uint32]string
	groups  func() map[uint32]string
	engine  func() (*engine, error)
}

var _ facts.Source = (*Source)(nil)

// New returns the machine below root. Of any root but "/" only files are read: what runs here belongs to another
// machine, so that processes, listeners, the kernel's audit rules and, unless docker names it, the engine are
// facts.ErrAbsent.
func New(root string, docker DockerOptions) *Source {
	s := &Source{root: path.Clean(root), options: docker}
	s.users = sync.OnceValue(func() map[uint32]string { return s.names("/etc/passwd") })
	s.groups = sync.OnceValue(func() map[uint32]string { return s.names("/etc/group") })
	s.engine = sync.OnceValues(s.connect)
	return s
}

// running is facts.ErrAbsent where only files can be read.
func (s *Source) running() error {
	if s.root == "/" {
		return nil
	}
	return fmt.Errorf("%s is not the running system: %w", s.root, facts.ErrAbsent)
}

// names reads who an id is; where the file cannot be read ids stay numbers.
func (s *Source) names(file string) map[uint32]string {
	data, err := s.readFile(file)
	if err != nil {
		return nil
	}
	return facts.Names(data)
}

// Stat describes a path, links followed.
func (s *Source) Stat(ctx context.Context, path string) (facts.Info, error) {
	return bounded(ctx, "stat", path, func() (facts.Info, error) { return s.stat(path) })
}

// Read returns a regular file's content.
func (s *Source) Read(ctx context.Context, path string) ([]byte, error) {
	return bounded(ctx, "read", path, func() ([]byte, error) { return s.readFile(path) })
}

// List returns the names in a directory, sorted.
func (s *Source) List(ctx context.Context, dir string) ([]string, error) {
	return bounded(ctx, "list", dir, func() ([]string, error) { return s.list(dir) })
}

// bounded runs f and gives up on it after fileTimeout or when ctx is done. A panic of f is the caller's, who knows what
// to make of it: nobody recovers one of a goroutine, and the exit code would be that of findings.
func bounded[T any](ctx context.Context, op, path string, f func() (T, error)) (T, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, fileTimeout, fmt.Errorf("no answer within %s", fileTimeout))
	defer cancel()
	done := make(chan func() (T, error), 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				bug := fmt.Sprintf("%v\n%s", p, debug.Stack())
				done <- func() (T, error) { panic(bug) }
			}
		}()
		v, err := f()
		done <- func() (T, error) { return v, err }
	}()
	select {
	case answer := <-done:
		return answer()
	case <-ctx.Done():
		var none T
		return none, &fs.PathError{Op: op, Path: path, Err: context.Cause(ctx)}
	}
}
