package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/want"
)

// A Resolution says what becomes of files and containers that somebody has changed since a run. Files are named by
// their path, containers by name or ID. Naming one that nobody has changed as Theirs leaves it as it is, too.
type Resolution struct {
	Skip   bool     // leave all that somebody has changed as it is, but for Ours
	Theirs []string // leave these as they are
	Ours   []string // write these all the same; what is there now is kept in the journal first
}

// ErrChoice means that a Resolution names what it cannot be said of.
var ErrChoice = errors.New("cannot be chosen")

// A resolved is what was decided of one file or container of a run.
type resolved struct {
	N      int          `json:"n"`
	Update bool         `json:"update,omitempty"` // N counts containers
	Keep   bool         `json:"keep,omitempty"`   // it stays as it is; else it is written over Found or Limits
	Why    string       `json:"why"`
	Found  *image       `json:"found,omitempty"`
	Limits *want.Limits `json:"limits,omitempty"`
}

// decided returns the last decision of item or container n; nil when there is none.
func (l log) decided(update bool, n int) *resolved {
	for i := len(l) - 1; i >= 0; i-- {
		for k := range l[i].Resolved {
			if r := &l[i].Resolved[k]; r.Update == update && r.N == n {
				return r
			}
		}
	}
	return nil
}

// keeps reports whether item i is left as somebody else made it.
func (l log) keeps(i int) bool {
	d := l.decided(false, i)
	return d != nil && d.Keep
}

// leftOver are the items and containers that are left as they are.
func (t *txn) leftOver() (left []Left) {
	for i := range t.Items {
		if t.keeps(i) {
			left = append(left, Left{t.Items[i].path(), t.decided(false, i).Why})
		}
	}
	for i, u := range t.Updates {
		if d := t.decided(true, i); d != nil && d.Keep {
			left = append(left, Left{u.String(), d.Why})
		}
	}
	return left
}

// stands judges item i by what is there. What was decided to be written over, and is kept in the journal, is in
// between.
func (t *txn) stands(i int, got image) (standing, string) {
	s, why := t.Items[i].stands(got)
	d := t.decided(false, i)
	if s == isConflict && d != nil && !d.Keep && differs(*d.Found, got, t.Items[i].Content) == "" {
		return isForeign, why
	}
	return s, why
}

// named reports whether somebody means c by a name.
func (c *Conflict) named(name string) bool {
	return name == c.Path || slices.ContainsFunc(c.ids, func(id string) bool {
		return id == name || len(name) >= 12 && strings.HasPrefix(id, name)
	})
}

// A subject is one item or container that is to be written, and its conflict, nil where there is none.
type subject struct {
	Conflict
	open     bool // somebody has changed it
	standing bool // what the run made of it has not been taken back
}

// decide says of each subject what becomes of it. What is in conflict and not decided is a *ConflictError.
func (r Resolution) decide(run string, subjects []subject) (ds []resolved, err error) {
	open := &ConflictError{Run: run}
	for i := range subjects {
		c := &subjects[i].Conflict
		theirs, ours := slices.ContainsFunc(r.Theirs, c.named), slices.ContainsFunc(r.Ours, c.named)
		d := resolved{N: c.n, Update: c.update, Why: c.Why}
		switch {
		case theirs && ours:
			return nil, fmt.Errorf("%s: %w as both ours and theirs", c.Path, ErrChoice)
		case theirs && !subjects[i].open:
			d.Keep, d.Why = true, "you chose to leave it as it is"
		case !subjects[i].open:
			continue
		case ours && len(c.Newer) > 0:
			return nil, fmt.Errorf("%s: it %w as ours: a later run has changed it: %s", c.Path, ErrChoice, order(c.Newer))
		case ours && c.Stuck != "":
			return nil, fmt.Errorf("%s: it %w as ours: %s", c.Path, ErrChoice, c.Stuck)
		case ours && c.update:
			d.Limits = c.limits
		case ours:
			im := c.found.image
			d.Found = &im
		case theirs || r.Skip:
			d.Keep = true
		default:
			open.Conflicts = append(open.Conflicts, *c)
			continue
		}
		ds = append(ds, d)
	}
	for _, name := range slices.Concat(r.Theirs, r.Ours) {
		if !slices.ContainsFunc(subjects, func(s subject) bool { return s.named(name) }) {
			return nil, fmt.Errorf("%s: it %w: run %s wrote no such file or container", name, ErrChoice, run)
		}
	}
	if len(open.Conflicts) > 0 {
		return ds, open
	}
	return ds, nil
}

// judge looks at everything that would be written, back or forward, and decides what becomes of it. Nothing is changed.
func (v view) judge(ctx context.Context, back, all bool) ([]resolved, error) {
	subjects, err := v.subjects(ctx, back, all)
	if err != nil {
		return nil, err
	}
	return v.Resolve.decide(v.tx.ID, subjects)
}

// subjects are what a run would write: back only what it may have written. With all, a container that cannot be looked
// at is in conflict; without, it is not, since the Engine may be down for what its files say.
func (v view) subjects(ctx context.Context, back, all bool) (subjects []subject, err error) {
	outcome, _ := v.tx.outcome()
	var errs []error
	for i := range v.tx.Items {
		if back && !v.tx.begun(i) {
			continue
		}
		c := Conflict{Path: v.tx.Items[i].path(), n: i}
		s := subject{Conflict: c}
		if !v.tx.keeps(i) || slices.ContainsFunc(v.Resolve.Ours, c.named) {
			now, found, err := v.tx.conflict(i, back, outcome == CutShort || outcome == Abandoned)
			errs = append(errs, err)
			if found != nil {
				s.Conflict, s.open = *found, true
			}
			stands, _ := v.tx.stands(i, now.image)
			s.standing = back && stands != isBefore
		}
		subjects = append(subjects, s)
	}
	if err := together(errs...); err != nil {
		return nil, err
	}
	for i, u := range v.tx.Updates {
		if back && !v.tx.updating(i) {
			continue
		}
		s := subject{Conflict: Conflict{Path: u.String(), n: i, update: true}}
		s.ids = []string{u.ID, u.Name, docker.ShortID(u.ID)}
		if back {
			now, stale, err := v.tx.stale(ctx, v.Containers, i)
			s.standing = stale
			if errors.Is(err, ErrConflict) {
				s.open, s.limits = true, &now
				s.Why = fmt.Sprintf("it has %+v, and the run left %+v", now, u.After)
			} else if err != nil && all {
				s.open, s.Why, s.err = true, err.Error(), err
				s.Stuck = "it cannot be read"
			}
		} else if now := v.tx.foreign(ctx, v.Containers, i); now != nil {
			s.open, s.limits = true, now
			s.Why = fmt.Sprintf("it has %+v, and the run found %+v", *now, u.Before)
		}
		subjects = append(subjects, s)
	}
	return subjects, v.tx.superseded(subjects)
}

// passing reports whether an error may be gone the next time, so that what met it is not given up.
func passing(err error) bool {
	for _, e := range []error{unix.ENOSPC, unix.EDQUOT, unix.EIO, unix.ENOMEM, unix.EMFILE, unix.ENFILE, unix.ETIMEDOUT} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// leave gives item i up, which cannot be restored, so that the rest can.
func (e execution) leave(i int, why error) error {
	e.tx.Items[i].tidy(e.tree)
	ds := []resolved{{N: i, Keep: true, Why: why.Error()}}
	return together(e.sayResolved(ds), e.tx.note(entry{Event: evResolved, Resolved: ds}))
}

// keep saves in the journal what is about to be written over. It is flushed before anything is.
func (at site) keep(ds []resolved) error {
	for _, d := range ds {
		if d.Keep || d.Update || !d.Found.Exists || !at.Items[d.N].Content {
			continue
		}
		if err := at.keepOne(d); err != nil {
			return err
		}
	}
	return nil
}

func (at site) keepOne(d resolved) error {
	name := at.theirs(d)
	if data, err := readState(name); err == nil && sum(data) == d.Found.Sum {
		return at.store.syncDir(at.dir) // an attempt that was cut short may not have got to that
	}
	now, err := at.Items[d.N].look(at.tree)
	if err == nil && now.Sum != d.Found.Sum {
		err = fmt.Errorf("%s: %w just now", at.Items[d.N].path(), ErrConflict)
	}
	if err != nil {
		return err
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) { // of an attempt that was cut short
		return err
	}
	return together(at.store.write(name, now.data), at.store.syncDir(at.dir))
}

// theirs is the file of the journal that keeps what was written over.
func (t *txn) theirs(d resolved) string {
	return filepath.Join(t.dir, fmt.Sprintf("theirs.%d.%.16s", d.N, d.Found.Sum))
}

// sayResolved writes decisions to the history.
func (e execution) sayResolved(ds []resolved) error {
	var errs []error
	for _, d := range ds {
		r := record{Run: e.tx.ID, Event: hiTheirs, What: d.Why}
		if !d.Keep {
			r.Event = hiOurs
		}
		if d.Update {
			r.What = e.tx.Updates[d.N].String() + ": " + d.Why
		} else {
			r.Path = e.tx.Items[d.N].Path
		}
		if d.Found != nil && d.Found.Exists {
			found := d.Found.public()
			r.Before = &found
		}
		errs = append(errs, e.hist.append(r))
	}
	return together(errs...)
}
