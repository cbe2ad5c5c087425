package apply

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// History returns the runs, newest first, an interrupted one included and one at work not.
func History(o Options) ([]Run, error) {
	o, err := o.defaults()
	if err != nil {
		return nil, err
	}
	s, err := openStore(o, false)
	var locked *LockedError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.As(err, &locked):
		s = &store{dir: o.State, sys: o.sys}
	case err != nil:
		return nil, err
	default:
		defer s.close()
	}
	heads := map[string]string{}
	err = readHistory(s.historyFile(), func(r record, hash string) { heads[r.Run] = hash })
	if err != nil && !errors.Is(err, ErrHistory) && !errors.Is(err, ErrDamaged) {
		return nil, err // a broken chain is VerifyHistory's to tell
	}
	ids, err := s.ids()
	if err != nil {
		return nil, err
	}
	var runs []Run
	var errs []error
	if locked == nil {
		t, err := current(s)
		errs = append(errs, err)
		if t != nil {
			runs = append(runs, *t.summary())
		}
	}
	for _, id := range slices.Backward(ids) {
		t, err := optional(readTxn(s, s.run(id)))
		errs = append(errs, err)
		if t != nil {
			runs = append(runs, *t.summary())
		}
	}
	for i := range runs {
		runs[i].Head = heads[runs[i].ID]
	}
	return runs, together(errs...)
}

// Newest returns the last run that has its outcome; nil when there is none. It writes nothing and needs no state
// directory.
func Newest(o Options) (*Run, error) {
	_, s, o, err := reading(o)
	if s == nil || err != nil {
		return nil, err
	}
	defer s.close()
	t, err := s.newest()
	if t == nil || err != nil || string(t.Root) != o.Root {
		return nil, err
	}
	return t.summary(), nil
}

// VerifyHistory checks the history's chain from its first record on, and that every run there is appears in it.
// ErrHistory tells that it does not hold, with the line where it breaks.
func VerifyHistory(o Options) error {
	o, err := o.defaults()
	if err != nil {
		return err
	}
	s := &store{dir: o.State, sys: o.sys}
	known, _, err := s.known()
	if err != nil {
		return err
	}
	ids, err := s.ids()
	if err != nil {
		return err
	}
	for _, id := range ids {
		if !known[id] {
			return broken(s.historyFile(), fmt.Errorf("run %s is not in it", id))
		}
	}
	return nil
}

// known are the runs of which the history tells, as far as its chain holds.
func (s *store) known() (known map[string]bool, c chain, err error) {
	known = map[string]bool{}
	c, err = scanHistory(s.historyFile(), func(r record, _ string) {
		known[r.Run] = true
		for _, id := range r.Runs {
			known[id] = true
		}
	})
	return known, c, err
}

// reading opens the state to look at it; the store is nil when there is no state directory.
func reading(o Options) (*txn, *store, Options, error) {
	o, err := o.defaults()
	if err != nil {
		return nil, nil, o, err
	}
	s, err := openStore(o, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, o, nil
	}
	if err != nil {
		return nil, nil, o, err
	}
	t, err := current(s)
	if err != nil {
		s.close()
		return nil, nil, o, err
	}
	return t, s, o, nil
}

// chosen finds the run to take back.
func chosen(s *store, id string, o Options) (*txn, error) {
	root := o.Root
	t, err := current(s)
	if err != nil {
		return nil, err
	}
	if id != "" {
		if u, err := s.unconfirmed(); err != nil || u != nil && u.ID != id {
			return nil, together(err, u.refusal())
		}
	}
	if t != nil {
		if outcome, _ := t.outcome(); outcome == CutShort && id != "" && id != t.ID {
			return nil, fmt.Errorf("%s: %w; finish it or roll it back first", t.ID, ErrInterrupted)
		}
		if o, _ := t.outcome(); (o == CutShort || o == Applied) && (id == "" || id == t.ID) {
			return t, t.below(root)
		}
	}
	ids, err := s.ids()
	if err != nil {
		return nil, err
	}
	if id != "" && !slices.Contains(ids, id) {
		return nil, fmt.Errorf("%s: %w", id, ErrNoRun)
	}
	for _, known := range slices.Backward(ids) {
		if id != "" && id != known {
			continue
		}
		t, err := readTxn(s, s.run(known))
		if err != nil {
			return nil, err
		}
		outcome, _ := t.outcome()
		switch {
		case id == "" && (outcome != Applied || string(t.Root) != root):
			continue
		case outcome != Applied && outcome != Abandoned && !t.amends(o.Resolve):
			return nil, fmt.Errorf("%s: %w to roll back: it is %s", id, ErrNoRun, outcome)
		}
		return t, t.below(root)
	}
	return nil, fmt.Errorf("%w: nothing left to roll back", ErrNoRun)
}

// below refuses to carry a run of one host's files over to another's.
func (j *journal) below(root string) error {
	if string(j.Root) == root {
		return nil
	}
	return fmt.Errorf("%s: this run was made below %s, not below %s", j.ID, j.Root, root)
}

// ids lists the runs that were put away, oldest first.
func (s *store) ids() ([]string, error) {
	entries, err := os.ReadDir(s.runs())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var ids []string
	for _, e := range entries {
		if sequence(e.Name()) > 0 {
			ids = append(ids, e.Name())
		}
	}
	slices.SortFunc(ids, func(a, b string) int { return sequence(a) - sequence(b) })
	return ids, nil
}

// newest is the last run that was put away; nil when there is none.
func (s *store) newest() (*txn, error) {
	ids, err := s.ids()
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return optional(readTxn(s, s.run(ids[len(ids)-1])))
}

// optional makes nothing of a journal that is not there.
func optional(t *txn, err error) (*txn, error) {
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return t, err
}
