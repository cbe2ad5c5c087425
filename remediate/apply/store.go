package apply

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A store is the state directory:
//
//	lock          held by the one run at work; its text says who that is
//	staging/      a journal in the making: worthless until it is renamed to
//	current/      the journal of the run at work, or of one that was cut short
//	runs/ID/      journals of runs that have their outcome
//	unconfirmed/  what takes an unconfirmed run back by itself: a copy of harden, and what else was made for it
//	audit.jsonl   the history
//	damaged-…/    what Repair has set aside, each in the place that it had
type store struct {
	dir    string
	sys    *sys
	lock   *os.File
	kept   bool  // the lock is Hold's to give back
	source bool  // it is of a directory of sources
	back   bool  // a run is being taken back, with or without a record of it
	gone   error // the state directory was removed meanwhile
}

func (s *store) staging() string      { return filepath.Join(s.dir, "staging") }
func (s *store) current() string      { return filepath.Join(s.dir, "current") }
func (s *store) runs() string         { return filepath.Join(s.dir, "runs") }
func (s *store) run(id string) string { return filepath.Join(s.dir, "runs", id) }
func (s *store) historyFile() string  { return filepath.Join(s.dir, "audit.jsonl") }
func (s *store) lockFile() string     { return filepath.Join(s.dir, "lock") }

// openStore opens the state directory and takes its lock: alone, to change something, in which case it makes what is
// missing; or beside other readers. Without a state directory a reader gets an error that wraps fs.ErrNotExist.
func openStore(o Options, alone bool) (*store, error) {
	s := &store{dir: o.State, sys: o.sys, source: o.Source}
	if !filepath.IsAbs(s.dir) || filepath.Clean(s.dir) != s.dir {
		return nil, fmt.Errorf("%s: the state directory must be a clean absolute path", s.dir)
	}
	if alone {
		if err := s.make(); err != nil {
			return nil, err
		}
	}
	if err := s.trusted(); err != nil {
		return nil, err
	}
	if o.held != nil {
		s.lock, s.kept = o.held, true
		if alone {
			return s, os.RemoveAll(s.staging())
		}
		return s, nil
	}
	flags, how := os.O_RDONLY, unix.LOCK_SH
	if alone {
		flags, how = os.O_RDWR|os.O_CREATE, unix.LOCK_EX
	}
	var err error
	if s.lock, err = openState(s.lockFile(), flags); err != nil {
		return nil, err
	}
	loose, err := s.tighten(alone)
	if err == nil {
		err = s.take(how)
	}
	if err != nil {
		s.lock.Close()
		if e, ok := errors.AsType[*LockedError](err); ok && loose {
			e.Loose = s.lockFile()
		}
		return nil, err
	}
	if !alone {
		return s, nil
	}
	if err := together(s.sign(), os.RemoveAll(s.staging())); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// tighten reports whether others than the owner can open the lock, and so take it for as long as they like. Who wants
// it alone closes it to them.
func (s *store) tighten(alone bool) (loose bool, err error) {
	dir, err := os.Lstat(s.dir)
	if err != nil {
		return false, err
	}
	lock, err := s.lock.Stat()
	if err != nil {
		return false, err
	}
	if loose = dir.Mode()&0o011 != 0 && lock.Mode()&0o066 != 0; alone {
		if dir.Mode()&0o077 != 0 {
			err = os.Chmod(s.dir, 0o700)
		}
		if lock.Mode()&0o077 != 0 {
			err = together(err, s.lock.Chmod(0o600))
		}
	}
	return loose, err
}

// take locks. Readers hold the lock for a moment only, so who wants it alone waits that moment; the kernel drops the
// lock of whoever dies, so there is nothing to force.
func (s *store) take(how int) error {
	for tries := 0; ; tries++ {
		err := unix.Flock(int(s.lock.Fd()), how|unix.LOCK_NB)
		if err == nil || err != unix.EWOULDBLOCK {
			return err
		}
		if how == unix.LOCK_SH || tries == 50 {
			return s.holder()
		}
		s.sys.sleep(20 * time.Millisecond)
	}
}

// holder reads who holds the lock.
func (s *store) holder() error {
	var e LockedError
	data, err := readState(s.lockFile())
	if err == nil {
		err = json.Unmarshal(data, &e)
	}
	if err != nil {
		e.Command = "(unknown yet)"
	}
	return &e
}

// sign writes into the lock who holds it; for messages only, so it is not flushed.
func (s *store) sign() error {
	args := slices.Clone(os.Args)
	for i, a := range args {
		if a == "" || strings.ContainsFunc(a, func(r rune) bool { return r <= ' ' || !strconv.IsPrint(r) || r == '"' }) {
			args[i] = strconv.Quote(a)
		}
	}
	text, err := json.Marshal(LockedError{PID: os.Getpid(), Since: time.Now().UTC().Truncate(time.Second),
		Command: strings.Join(args, " ")})
	if err != nil {
		return err
	}
	if err := s.lock.Truncate(0); err != nil {
		return err
	}
	_, err = s.lock.WriteAt(append(text, '\n'), 0)
	return err
}

func (s *store) close() {
	if !s.kept {
		s.lock.Close()
	}
}

// make makes the state directory and what must be in it, durably.
func (s *store) make() error {
	var dirs []string
	for d := s.runs(); ; d = filepath.Dir(d) {
		if _, err := os.Lstat(d); err == nil {
			break
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		dirs = append(dirs, d)
	}
	for _, d := range slices.Backward(dirs) {
		mode := fs.FileMode(0o755)
		if d == s.dir || d == s.runs() {
			mode = 0o700
		}
		if err := os.Mkdir(d, mode); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := s.syncDir(filepath.Dir(d)); err != nil {
			return err
		}
	}
	return nil
}

// trusted refuses a state directory that anybody but root, or who runs this, could have put something into: what is
// in it tells root what to write.
func (s *store) trusted() error { return secure(s.dir, s.source, "replace the journal") }

func (s *store) syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := s.sys.fsync(int(f.Fd())); err != nil {
		return &fs.PathError{Op: "fsync", Path: dir, Err: err}
	}
	return nil
}

// write makes a new file of the journal, flushed.
func (s *store) write(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		if err = s.sys.fsync(int(f.Fd())); err != nil {
			err = &fs.PathError{Op: "fsync", Path: name, Err: err}
		}
	}
	return together(err, f.Close())
}

// put makes a new file where it is not there at all until it is whole: what would be read in part is not a journal in
// the making, which nobody reads before it is published.
func (s *store) put(name string, data []byte) error {
	if err := s.write(name+".new", data); err != nil {
		return err
	}
	return s.move(name+".new", name)
}

// move renames a file or directory of the store, durably on both sides.
func (s *store) move(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	if err := s.syncDir(filepath.Dir(to)); err != nil || filepath.Dir(to) == filepath.Dir(from) {
		return err
	}
	return s.syncDir(filepath.Dir(from))
}
