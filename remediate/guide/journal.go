package guide

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// A Journal is a move on disk, below the state directory: guide/current/move.json is what there is to do, written whole
// before anything is done, and log is one line for each step and item that is begun or done. A move that went back is
// kept as guide/ID.
type Journal struct {
	Move  *Move
	state string
	log   []entry
	noted bool // this process has written to the log, so that it ends with a whole line
}

type entry struct {
	Time  time.Time `json:"time"`
	Step  Step      `json:"step"`
	Item  string    `json:"item,omitempty"`
	State string    `json:"state"` // begun or done
	What  string    `json:"what,omitempty"`
}

// The states of a step and an item.
const (
	begun = "begun"
	done  = "done"
)

func (j *Journal) dir() string { return filepath.Join(j.state, "guide", "current") }

// Open reads the journal of a move below a state directory; nil where there is none.
func Open(state string) (*Journal, error) {
	j := &Journal{state: state}
	info, err := os.Lstat(j.dir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Lstat(j.dir(), &st); err != nil {
		return nil, err
	}
	if !info.IsDir() || info.Mode().Perm()&0o077 != 0 || int(st.Uid) != os.Geteuid() {
		return nil, fmt.Errorf("%s: must be a directory with mode 0700 of root; find out who changed it", j.dir())
	}
	data, err := os.ReadFile(filepath.Join(j.dir(), "move.json"))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &j.Move); err != nil {
		return nil, fmt.Errorf("%s: move.json: %w; go back by hand: roll userns-remap back with `harden "+
			"rollback`, and start the containers",
			j.dir(), err)
	}
	data, err = os.ReadFile(filepath.Join(j.dir(), "log"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for line := range bytes.Lines(data) {
		var e entry
		if json.Unmarshal(line, &e) == nil { // the last may be cut off by a crash
			j.log = append(j.log, e)
		}
	}
	return j, nil
}

// begin publishes a move by one rename: there is no half of one.
func begin(state string, m *Move) (*Journal, error) {
	j := &Journal{Move: m, state: state}
	data, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(filepath.Dir(j.dir()), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	staging := filepath.Join(filepath.Dir(j.dir()), "staging")
	if err := os.RemoveAll(staging); err != nil {
		return nil, err
	}
	if err := os.Mkdir(staging, 0o700); err != nil {
		return nil, err
	}
	if err := appendTo(filepath.Join(staging, "move.json"), data); err != nil {
		return nil, err
	}
	if err := os.Rename(staging, j.dir()); err != nil {
		return nil, err
	}
	return j, syncDirs(filepath.Dir(j.dir()), state)
}

// appendTo writes to the end of a file and flushes it.
func appendTo(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func syncDirs(dirs ...string) error {
	for _, dir := range dirs {
		f, err := os.Open(dir)
		if err != nil {
			return err
		}
		err = errors.Join(f.Sync(), f.Close())
		if err != nil {
			return err
		}
	}
	return nil
}

// note writes a line of the log. What it is about is done only afterwards, or was before.
func (j *Journal) note(e entry) error {
	e.Time = time.Now().UTC()
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if !j.noted {
		data = append([]byte("\n"), data...) // apart from what a crash may have cut off
	}
	if err := appendTo(filepath.Join(j.dir(), "log"), append(data, '\n')); err != nil {
		return err
	}
	j.log, j.noted = append(j.log, e), true
	return nil
}

// of returns the last line about an item of a step; the zero entry where there is none.
func (j *Journal) of(s Step, item string) entry {
	for _, e := range slices.Backward(j.log) {
		if e.Step == s && e.Item == item {
			return e
		}
	}
	return entry{}
}

// Done reports whether a step is done.
func (j *Journal) Done(s Step) bool { return j.of(s, "").State == done }

// Begun reports whether a step was begun.
func (j *Journal) Begun(s Step) bool { return j.of(s, "").State != "" }

// GoingBack reports whether going back was begun.
func (j *Journal) GoingBack() bool { return j.of(goBack, "").State != "" }

// end keeps the journal of a move that went back out of the way of the next.
func (j *Journal) end() error {
	guide := filepath.Dir(j.dir())
	if err := os.Rename(j.dir(), filepath.Join(guide, j.Move.ID)); err != nil {
		return err
	}
	return syncDirs(guide)
}
