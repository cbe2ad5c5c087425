package apply

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// asidePrefix begins the names of the directories of the state in which Repair keeps what it has set aside.
const asidePrefix = "damaged-"

// A Repaired is what Repair has done.
type Repaired struct {
	Aside   string   `json:"aside"` // the directory that holds what was set aside; empty where there was nothing to
	Damages []Damage `json:"damages"`
	Head    string   `json:"head"` // hash of the last record of the history
}

// Repair sets aside what is damaged and makes the rest usable: nothing is deleted. Seen is what Diagnose has told; with
// other damage than that nothing is done. A Repair that was cut short is finished by another one.
func Repair(seen []Damage, o Options) (*Repaired, error) {
	o, err := o.defaults()
	if err != nil {
		return nil, err
	}
	to := filepath.Join(o.State, asidePrefix+time.Now().UTC().Format("20060102T150405.000000000Z"))
	if err := asideLock(o, to); err != nil {
		return nil, err
	}
	e, err := locked(o)
	if err != nil {
		return nil, err
	}
	defer e.end()
	if err := os.Remove(e.store.historyFile() + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) { // cut short
		return nil, err
	}
	found, err := e.store.diagnose()
	if err != nil {
		return nil, err
	}
	lock := e.store.below(e.store.lockFile())
	if !sameDamage(slices.DeleteFunc(slices.Clone(seen), func(d Damage) bool { return d.File == lock }), found) {
		return nil, fmt.Errorf("%s: the damage is no longer what was shown; nothing was changed: check again", o.State)
	}
	r := &Repaired{Damages: found}
	if len(found) == 0 {
		return r, nil
	}
	r.Aside = to
	err = e.mend(found, to)
	r.Head = e.hist.head
	_ = os.Remove(to) // it is empty where nothing was set aside
	return r, err
}

// asideLock sets a lock file aside that is none, since nobody can take it.
func asideLock(o Options, to string) error {
	s := &store{dir: o.State, sys: o.sys}
	if info, err := os.Lstat(s.lockFile()); err != nil || info.Mode().IsRegular() {
		return nil
	}
	return together(s.trusted(), s.aside(s.lockFile(), filepath.Join(to, "lock")))
}

func sameDamage(a, b []Damage) bool {
	return slices.EqualFunc(a, b, func(x, y Damage) bool { return x.File == y.File && x.Why == y.Why })
}

// mend does what each damage says: the history first, so that the rest can be written there before it is done.
func (e *engine) mend(found []Damage, to string) error {
	history := e.store.below(e.store.historyFile())
	for _, d := range found {
		if d.File != history {
			continue
		}
		if err := d.mend(e, to); err != nil {
			return err
		}
	}
	if err := e.hist.open(); err != nil {
		return err
	}
	who := actor()
	for _, d := range found {
		r := record{Run: d.Run, Event: hiRepair, Actor: &who, By: e.Version}
		r.What = fmt.Sprintf("%s: %s: %s in %s; lost: %s", d.File, d.Why, d.Does, e.store.below(to),
			strings.Join(d.Lost, "; "))
		if err := e.hist.append(r); err != nil {
			return err
		}
	}
	for _, d := range found {
		if d.File == history {
			continue
		}
		if err := d.mend(e, to); err != nil {
			return fmt.Errorf("%s: %w", d.File, err)
		}
		if err := e.hist.append(record{Run: d.Run, Event: hiRepaired, What: d.File}); err != nil {
			return err
		}
	}
	e.hist.announce(fmt.Sprintf("state repaired, history record %d is %s", e.hist.seq, e.hist.head))
	return nil
}

// diagnoseHistory tells where the history's chain breaks, and which runs it does not know.
func (s *store) diagnoseHistory(dirs []string) ([]Damage, error) {
	after := 0 // records that can be read and lie behind the break
	known, c, err := s.known()
	if err != nil && !errors.Is(err, ErrHistory) && !errors.Is(err, ErrDamaged) {
		return nil, err
	}
	var runs []string
	for _, dir := range dirs {
		if id := filepath.Base(dir); dir != s.current() && !known[id] {
			runs = append(runs, id)
		}
	}
	if err == nil && len(runs) == 0 {
		return nil, nil
	}
	d := Damage{File: s.below(s.historyFile()), Lost: []string{},
		Kept: []string{fmt.Sprintf("%d records, which still follow each other", c.seq)}}
	if err != nil {
		d.Why, d.Does = bare(err), "moves the whole history aside, and continues with a copy up to there"
		if records, err := countLines(s.historyFile()); err == nil {
			after = records - (c.line - 1)
		} else if !errors.Is(err, ErrDamaged) { // which a FIFO in its place is, or the like: it has no lines
			return nil, err
		}
		d.Lost = append(d.Lost, fmt.Sprintf("proof of the %d lines from line %d (byte %d) on: they stay readable in the "+
			"moved file", after, c.line, c.size+1))
	} else {
		d.Why, d.Does = "it has no record of "+strings.Join(runs, ", "), "records this"
	}
	if len(runs) > 0 {
		d.Lost = append(d.Lost, "proof of who ran these, when, and what they wrote: "+strings.Join(runs, ", "))
	}
	broken := err != nil
	d.mend = func(e *engine, to string) error { return e.restartHistory(c, runs, broken, to) }
	return []Damage{d}, nil
}

func countLines(name string) (n int, err error) {
	f, err := openState(name, os.O_RDONLY)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	buf := make([]byte, 64<<10)
	for {
		k, err := f.Read(buf)
		n += bytes.Count(buf[:k], []byte("\n"))
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// restartHistory makes a history that holds of the beginning of one that does not: what was there is set aside whole,
// and a record says where, with its SHA-256, so that nobody can put another in its place. One rename makes the change.
func (e *engine) restartHistory(c chain, runs []string, broken bool, to string) error {
	s := e.store
	if !broken {
		if err := e.hist.open(); err != nil {
			return err
		}
		return e.hist.append(record{Event: hiRestart, Runs: runs, What: "no record of these runs", By: e.Version})
	}
	fresh := s.historyFile() + ".new" // what an earlier attempt left of it, Repair has removed
	kept := filepath.Join(to, filepath.Base(s.historyFile()))
	err := func() error {
		if err := s.write(fresh, nil); err != nil {
			return err
		}
		old, err := s.copyHistory(fresh, c.size)
		if err != nil {
			return err
		}
		h := &history{store: s, name: fresh, seq: c.seq, head: c.head}
		who := actor()
		return h.append(record{Event: hiRestart, Runs: runs, Actor: &who, By: e.Version,
			What: fmt.Sprintf("%s: sha256 %s, broken from line %d on", s.below(kept), old, c.line)})
	}()
	if err != nil {
		return together(err, os.Remove(fresh))
	}
	if err := s.makeAll(to); err != nil {
		return together(err, os.Remove(fresh))
	}
	if info, err := os.Lstat(s.historyFile()); err == nil && !info.Mode().IsRegular() {
		return together(s.aside(s.historyFile(), kept), s.move(fresh, s.historyFile()))
	}
	if err := os.Link(s.historyFile(), kept); err != nil {
		return together(err, os.Remove(fresh))
	}
	return together(s.syncDir(to), s.move(fresh, s.historyFile()))
}

// copyHistory copies the first bytes of the history and returns the SHA-256 of all of it.
func (s *store) copyHistory(to string, size int64) (string, error) {
	in, err := openState(s.historyFile(), os.O_RDONLY)
	if errors.Is(err, ErrDamaged) { // a FIFO, or the like: there is nothing to copy
		return "unknown", nil
	}
	if err != nil {
		return "", err
	}
	defer in.Close()
	out, err := openState(to, os.O_WRONLY)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	_, err = io.CopyN(out, io.TeeReader(in, h), size)
	if err == nil {
		_, err = io.Copy(h, in)
	}
	return hex.EncodeToString(h.Sum(nil)), together(err, out.Close())
}

// salvage reads a journal whose plan is whole and whose log is not. It returns what a new log would be.
func (s *store) salvage(dir string) (t *txn, lines [][]byte, ok bool) {
	t = &txn{store: s, dir: dir}
	plan, err := readState(filepath.Join(dir, planFile))
	if err != nil {
		return nil, nil, false
	}
	name := filepath.Join(dir, logFile)
	text, err := readState(name)
	if err != nil || vouched(name, text, plan) != nil {
		return nil, nil, false
	}
	if t.journal, err = parseJournal(filepath.Join(dir, planFile), plan); err != nil {
		return nil, nil, false
	}
	for line := range bytes.Lines(text) {
		e, whole, err := parseEntry(line)
		if err != nil { // a newer harden's
			return nil, nil, false
		}
		if !whole {
			continue
		}
		t.log, lines = append(t.log, e), append(lines, line)
	}
	lines = t.supplement(lines)
	return t, lines, t.check(dir) == nil
}

// supplement adds to the lines of a log what the lost ones may have said: whatever may have been written counts as
// begun, for its content tells what it is.
func (t *txn) supplement(lines [][]byte) [][]byte {
	var add []entry
	for i := range t.Items {
		if !slices.ContainsFunc(t.log, func(e entry) bool {
			return e.N == i && (e.Event == evWrite || e.Event == evUnwritten)
		}) {
			add = append(add, entry{Event: evWrite, N: i})
		}
	}
	for i := range t.Updates {
		if !t.updating(i) {
			add = append(add, entry{Event: evUpdate, N: i})
		}
	}
	for n, a := range t.Activations {
		if wanted(a) {
			add = append(add, entry{Event: evActivate, N: n})
		}
	}
	var more [][]byte
	line := func(e entry) {
		e.Time = t.log[0].Time
		body, _ := json.Marshal(e) // of plain fields
		more = append(more, logLine(body))
	}
	for _, e := range add {
		line(e)
	}
	t.log = slices.Insert(t.log, 1, add...)
	lines = slices.Insert(lines, 1, more...)
	if outcome, _ := t.outcome(); outcome == CutShort && t.dir != t.store.current() {
		more = nil
		e := entry{Event: string(t.store.outcomeOf(t.ID)), Reason: "from the history: the journal's own entry was damaged"}
		line(e)
		t.log, lines = append(t.log, e), append(lines, more[0])
	}
	return lines
}

// outcomeOf is what became of a run by the history; Abandoned when that does not tell either.
func (s *store) outcomeOf(id string) Outcome {
	o := Abandoned
	_, _ = scanHistory(s.historyFile(), func(r record, _ string) {
		if x := Outcome(r.Event); r.Run == id && (x == Applied || x == RolledBack || x == Failed || x == Abandoned) {
			o = x
		}
	})
	return o
}

func (s *store) diagnoseLog(t *txn, lines [][]byte, why error) Damage {
	dir := t.dir
	d := Damage{File: s.below(filepath.Join(dir, logFile)), Run: t.ID, Why: bare(why),
		Does: "moves it aside and writes its good lines to a new file",
		Lost: []string{"the damaged lines: the files' content shows how far the run had come"},
		Kept: []string{"the run can still be rolled back"}}
	if o, _ := t.outcome(); dir != s.current() {
		d.Kept = append(d.Kept, fmt.Sprintf("outcome: %s", o))
	}
	d.mend = func(e *engine, to string) error {
		fresh, log := filepath.Join(dir, logFile+".new"), filepath.Join(dir, logFile)
		if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := s.write(fresh, bytes.Join(lines, nil)); err != nil {
			return together(err, os.Remove(fresh))
		}
		kept := filepath.Join(to, "runs", t.ID)
		if err := s.makeAll(kept); err != nil {
			return err
		}
		if err := os.Link(log, filepath.Join(kept, logFile)); err != nil {
			return err
		}
		return together(s.syncDir(kept), s.move(fresh, log))
	}
	return d
}
