package apply

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"example.com/harden/remediate/linux"
)

// A Damage is one thing of the state directory that is not as harden wrote it.
type Damage struct {
	File string   `json:"file"`          // below the state directory
	Run  string   `json:"run,omitempty"` // whose it is
	Why  string   `json:"why"`           // with the line, the byte or the record, where that is known
	Does string   `json:"does"`          // what Repair does about it
	Lost []string `json:"lost"`          // what cannot be done, or is not known, any more
	Kept []string `json:"kept"`          // what of it can still be used

	mend func(e *engine, to string) error
}

// Diagnose looks for damage in the state directory. It writes nothing, and finds nothing where there is no state
// directory. A journal of a newer harden is an error that wraps ErrNewer: it is not damaged.
func Diagnose(o Options) ([]Damage, error) {
	o, err := o.defaults()
	if err != nil {
		return nil, err
	}
	s, err := openStore(o, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if errors.Is(err, ErrDamaged) { // the lock itself
		s, err = &store{dir: o.State, sys: o.sys}, nil
	} else if err == nil {
		defer s.close()
	}
	if err != nil {
		return nil, err
	}
	return s.diagnose()
}

func (s *store) diagnose() (all []Damage, err error) {
	ids, err := s.ids()
	if err != nil {
		return nil, err
	}
	dirs := []string{}
	for _, id := range ids {
		dirs = append(dirs, s.run(id))
	}
	if _, err := os.Lstat(s.current()); err == nil {
		dirs = append(dirs, s.current())
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	h, err := s.diagnoseHistory(dirs)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{s.lockFile(), s.lastFile()} {
		if info, err := os.Lstat(name); err == nil && !info.Mode().IsRegular() {
			all = append(all, s.strange(name))
		}
	}
	all = append(all, h...)
	for _, dir := range dirs {
		ds, err := s.diagnoseRun(dir)
		if err != nil {
			return nil, err
		}
		all = append(all, ds...)
	}
	if _, err := s.readArmed(); err != nil {
		all = append(all, s.diagnoseArmed(err))
	}
	return all, nil
}

// lastFile is where the command keeps what its last scheduled run has seen.
func (s *store) lastFile() string { return filepath.Join(s.dir, "last.json") }

// below is a path as it is below the state directory.
func (s *store) below(name string) string { return strings.TrimPrefix(name, s.dir+"/") }

// strange is what is not a regular file and has to be one.
func (s *store) strange(name string) Damage {
	return Damage{File: s.below(name), Why: "it is not a regular file", Does: "moves it aside",
		Lost: []string{}, Kept: []string{},
		mend: func(e *engine, to string) error { return e.store.aside(name, filepath.Join(to, filepath.Base(name))) }}
}

// diagnoseRun tells what is damaged of one journal.
func (s *store) diagnoseRun(dir string) ([]Damage, error) {
	t, err := readTxn(s, dir)
	switch {
	case errors.Is(err, ErrNewer):
		return nil, err
	case err == nil:
		return t.diagnoseBlobs(), nil
	case !errors.Is(err, ErrDamaged):
		return nil, err
	}
	if t, lines, ok := s.salvage(dir); ok {
		return append([]Damage{s.diagnoseLog(t, lines, err)}, t.diagnoseBlobs()...), nil
	}
	id := s.nameOf(dir)
	d := Damage{File: s.below(dir), Run: id, Why: bare(err), Does: "moves the whole journal aside", Kept: []string{},
		Lost: []string{fmt.Sprintf("run %s can no longer be rolled back", id)}}
	if dir == s.current() {
		d.Lost = []string{fmt.Sprintf("run %s, which was interrupted, can no longer be finished or rolled back", id),
			"where its temporary files are: any .harden-" + id + "-* beside a configuration file can be removed"}
	}
	d.Kept, d.Lost = s.remains(dir, id, d.Kept, d.Lost)
	d.mend = func(e *engine, to string) error { return e.store.aside(dir, filepath.Join(to, "runs", id)) }
	return []Damage{d}, nil
}

// bare is an error of damage without the advice, which leads here.
func bare(err error) string {
	text, _, _ := strings.Cut(err.Error(), "; `harden repair`")
	return strings.Replace(strings.Replace(text, ErrDamaged.Error()+": ", "", 1), ErrHistory.Error()+": ", "", 1)
}

// nameOf is the ID of the run in dir, also where its journal does not tell it any more: the history has it then.
func (s *store) nameOf(dir string) string {
	if dir != s.current() {
		return filepath.Base(dir)
	}
	last := ""
	_, _ = scanHistory(s.historyFile(), func(r record, _ string) {
		if r.Event == hiApply || r.Event == hiRollback || r.Event == hiExpire {
			last = r.Run
		}
	})
	if !runID.MatchString(last) {
		return "9999-unknown"
	}
	return last
}

// remains tells, of a journal that cannot be read any more, which files its run has written by the history, and where
// what they were before still is.
func (s *store) remains(dir, id string, kept, lost []string) ([]string, []string) {
	blobs := map[string]string{}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if name := e.Name(); strings.HasPrefix(name, "before.") {
			if data, err := readState(filepath.Join(dir, name)); err == nil {
				blobs[sum(data)] = name
			}
		}
	}
	seen := map[string]bool{}
	_, _ = scanHistory(s.historyFile(), func(r record, _ string) {
		if r.Run != id || r.Event != hiWrite || len(r.Path) == 0 || seen[string(r.Path)] {
			return
		}
		seen[string(r.Path)] = true
		switch b := r.Before; {
		case b == nil || b.Owner == "" && b.Mode == 0:
			kept = append(kept, fmt.Sprintf("%s: created by the run", r.Path))
		case b.SHA256 == "":
			kept = append(kept, fmt.Sprintf("%s: before the run: mode %04o, owner %d:%d",
				r.Path, uint32(b.Mode), b.UID, b.GID))
		case blobs[b.SHA256] != "":
			kept = append(kept, fmt.Sprintf("%s: its content from before the run is in runs/%s/%s (mode %04o, owner %d:%d)",
				r.Path, id, blobs[b.SHA256], uint32(b.Mode), b.UID, b.GID))
		default:
			lost = append(lost, fmt.Sprintf("%s: what it was before the run", r.Path))
		}
	})
	return kept, lost
}

// diagnoseBlobs tells which bytes of a journal that can be read are damaged, and were not set aside yet.
func (t *txn) diagnoseBlobs() (all []Damage) {
	for i := range t.Items {
		it := &t.Items[i]
		for _, when := range []string{"before", "after"} {
			there := it.Before.Exists && when == "before" || it.After.Exists && when == "after"
			known := slices.ContainsFunc(t.log, func(e entry) bool {
				return e.Event == evLost && e.N == i && e.State == when
			})
			if !it.Content || !there || known {
				continue
			}
			_, err := t.bytes(when, i)
			if err == nil {
				continue
			}
			d := Damage{File: t.store.below(t.blob(when, i)), Run: t.ID, Why: bare(err), Does: "moves it aside",
				Kept: []string{"all other files of the run"},
				Lost: []string{fmt.Sprintf("%s: what run %s has written, for drift to show", it.path(), t.ID)}}
			if when == "before" {
				d.Lost = []string{fmt.Sprintf("%s: what it was before run %s; rolling that back leaves this file "+
					"(--skip-conflicts)", it.path(), t.ID)}
			}
			d.mend = func(e *engine, to string) error {
				if err := t.note(entry{Event: evLost, N: i, State: when}); err != nil {
					return err
				}
				return e.store.aside(t.blob(when, i), filepath.Join(to, "runs", t.ID, filepath.Base(t.blob(when, i))))
			}
			all = append(all, d)
		}
	}
	return all
}

func (s *store) diagnoseArmed(err error) Damage {
	return Damage{File: s.below(s.armedFile()), Why: bare(err),
		Does: "moves it aside, and removes the unit that would roll a run back after a reboot",
		Lost: []string{"an unconfirmed run is no longer rolled back after a reboot"}, Kept: []string{},
		mend: func(e *engine, to string) error {
			for _, f := range slices.Backward(e.planted()) {
				if err := e.tree.unplant(f); err != nil {
					return err
				}
			}
			return e.store.aside(e.store.armedDir(), filepath.Join(to, "unconfirmed"))
		}}
}

// aside moves a file or directory of the state to where it is in nobody's way. That it is gone already is no error.
func (s *store) aside(from, to string) error {
	if _, err := os.Lstat(from); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := s.makeAll(filepath.Dir(to)); err != nil {
		return err
	}
	err := linux.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, linux.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		err = os.Rename(from, to)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return together(s.syncDir(filepath.Dir(to)), s.syncDir(filepath.Dir(from)))
}

// makeAll makes a directory below the state directory, and those above it, durably.
func (s *store) makeAll(dir string) error {
	if dir == s.dir {
		return nil
	}
	if err := s.makeAll(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return s.syncDir(filepath.Dir(dir))
}
