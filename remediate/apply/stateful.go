package apply

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// ErrDamaged means that a file of the state directory is not as harden wrote it: Diagnose tells what is lost by it.
var ErrDamaged = errors.New("the journal is damaged")

// ErrNewer means that a later harden has written the state, in a form that this one does not know.
var ErrNewer = errors.New("written by a newer harden")

// damaged says that a file of the state is damaged, why, and what to do.
func damaged(name string, why any) error {
	return fmt.Errorf("%s: %w: %v; `harden repair` shows what is lost and moves it aside", name, ErrDamaged, why)
}

// maxState is the longest file of the state that is read whole, in bytes. A history can be longer: it is read by lines.
const maxState = 256 << 20

// openState opens a regular file of the state directory, and nothing else: opening a FIFO would wait for ever.
func openState(name string, flags int) (*os.File, error) {
	f, err := os.OpenFile(name, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	// What a link, a FIFO and a directory answer.
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.EISDIR) {
		return nil, damaged(name, "it is not a regular file")
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = damaged(name, "it is not a regular file")
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// readState reads a regular file of the state directory.
func readState(name string) ([]byte, error) {
	f, err := openState(name, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxState+1))
	if err == nil && len(data) > maxState {
		err = &fs.PathError{Op: "read", Path: name, Err: unix.EFBIG}
	}
	return data, err
}

// touch makes an empty file of the state directory, if it is not there.
func touch(name string) error {
	f, err := openState(name, os.O_WRONLY|os.O_CREATE)
	if err != nil {
		return err
	}
	return f.Close()
}

// still refuses to go on once the state directory has been removed or replaced: what is written there now would be
// another run's, and whoever holds its new lock does not know of this one. A run that is being taken back goes on
// without: it is not ok to write then, and no error.
func (s *store) still() (ok bool, err error) {
	if s.lock == nil {
		return true, nil
	}
	held, err := s.lock.Stat()
	if err != nil {
		return false, err
	}
	named, err := os.Lstat(s.lockFile())
	if err == nil && os.SameFile(held, named) {
		return true, nil
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s: %w", s.dir, errStateGone)
	}
	if s.back {
		s.gone = err
		return false, nil
	}
	return false, err
}

var errStateGone = errors.New("the state directory was removed or replaced while harden was at work")
