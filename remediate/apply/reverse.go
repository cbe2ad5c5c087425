package apply

import (
	"context"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"example.com/harden/checks/facts"
	"example.com/harden/remediate"
)

// A Reversal is what Rollback or Resume would do to a run.
type Reversal struct {
	Run       string
	Outcome   Outcome // of the run, as it is now
	Plan      *remediate.Plan
	Kept      []Left     // what stays as somebody else made it
	Conflicts []Conflict // what nobody has decided: with any of them the run is neither rolled back nor finished
}

// RollbackPlan returns which run Rollback would choose and what it would do to the files, in the form of a plan's
// changes, and to containers, and ErrConflict where it would refuse. It writes nothing.
func RollbackPlan(ctx context.Context, id string, o Options) (run string, plan *remediate.Plan, err error) {
	r, err := Reverse(ctx, id, o)
	if err == nil && len(r.Conflicts) > 0 {
		err = &ConflictError{r.Run, r.Conflicts}
	}
	return r.Run, r.Plan, err
}

// Reverse returns what Rollback would do. It writes nothing. What could not be looked at is in the error, beside the
// rest.
func Reverse(ctx context.Context, id string, o Options) (*Reversal, error) {
	choose := func(s *store, o Options) (*txn, error) { return chosen(s, id, o) }
	return foresee(o, choose, func(v view, r *Reversal) error {
		if v.tx.amends(v.Resolve) {
			return v.foreseeAmend(r)
		}
		outcome, _ := v.tx.outcome()
		return v.foreseeBack(ctx, r, outcome == Applied)
	})
}

// Onward returns what Resume would do: back, where rolling back had begun. ErrNoRun when no run is interrupted.
func Onward(ctx context.Context, o Options) (r *Reversal, back bool, err error) {
	r, err = foresee(o, func(s *store, o Options) (*txn, error) {
		t, err := current(s)
		if err != nil {
			return nil, err
		}
		if t != nil {
			if outcome, _ := t.outcome(); outcome == CutShort {
				return t, t.below(o.Root)
			}
		}
		return nil, fmt.Errorf("%w is interrupted", ErrNoRun)
	}, func(v view, r *Reversal) error {
		reason, err := v.tx.overdue()
		if err != nil {
			return err
		}
		if back = v.tx.undoing() != nil || reason != ""; back {
			return v.foreseeBack(ctx, r, false)
		}
		return v.foreseeForward(ctx, r)
	})
	return r, back, err
}

// foresee opens the state to look at one run.
func foresee(o Options, choose func(*store, Options) (*txn, error),
	see func(view, *Reversal) error) (*Reversal, error) {
	r := &Reversal{Plan: new(remediate.Plan)}
	_, s, o, err := reading(o)
	if err != nil {
		return r, err
	}
	if s == nil {
		return r, fmt.Errorf("%w: nothing has been applied yet", ErrNoRun)
	}
	defer s.close()
	t, err := choose(s, o)
	if err != nil {
		return r, err
	}
	e, err := newEngine(o, s)
	if err != nil {
		return r, err
	}
	defer e.tree.close()
	r.Run = t.ID
	r.Outcome, _ = t.outcome()
	return r, see(e.view(t), r)
}

// decide fills in what is decided of everything that would be written.
func (v view) decide(ctx context.Context, r *Reversal, back, all bool) error {
	subjects, err := v.subjects(ctx, back, all)
	if err != nil {
		return err
	}
	ds, err := v.Resolve.decide(v.tx.ID, subjects)
	if c, ok := err.(*ConflictError); ok {
		r.Conflicts, err = c.Conflicts, nil
	}
	v.tx.log = append(v.tx.log, entry{Event: evResolved, Resolved: ds}) // in memory alone
	r.Kept = v.tx.leftOver()
	return err
}

func (v view) foreseeBack(ctx context.Context, r *Reversal, all bool) error {
	if err := v.decide(ctx, r, true, all); err != nil {
		return err
	}
	var errs []error
	for i := range v.tx.Items {
		it := &v.tx.Items[i]
		if !v.tx.begun(i) || v.tx.keeps(i) || r.conflicting(it.path()) {
			continue
		}
		now, err := it.look(v.tree)
		if err == nil {
			err = v.tx.foreseeItem(r, i, now, "before", it.Before, isBefore)
		}
		errs = append(errs, err)
	}
	updates, err := v.tx.reverseUpdates(ctx, v.Containers)
	for _, u := range updates {
		if !r.conflicting(ContainerChange{ID: u.ID, Name: u.Name}.String()) {
			r.Plan.Updates = append(r.Plan.Updates, u)
		}
	}
	if !all || len(r.Conflicts) > 0 { // a container that cannot be looked at is among the conflicts, or does not matter
		err = nil
	}
	return together(append(errs, err)...)
}

func (v view) foreseeForward(ctx context.Context, r *Reversal) error {
	if err := v.decide(ctx, r, false, false); err != nil {
		return err
	}
	var errs []error
	for i := range v.tx.Items {
		it := &v.tx.Items[i]
		if v.tx.keeps(i) || r.conflicting(it.path()) {
			continue
		}
		now, err := it.look(v.tree)
		if err == nil {
			err = v.tx.foreseeItem(r, i, now, "after", it.After, isAfter)
		}
		errs = append(errs, err)
	}
	for i, u := range v.tx.Updates {
		d := v.tx.decided(true, i)
		if d != nil && d.Keep || r.conflicting(u.String()) {
			continue
		}
		next := remediate.Update{ID: u.ID, Name: u.Name, Before: u.Before, After: u.After}
		if d != nil && d.Limits != nil {
			next.Before = *d.Limits
		}
		r.Plan.Updates = append(r.Plan.Updates, next)
	}
	return together(errs...)
}

func (r *Reversal) conflicting(path string) bool {
	for _, c := range r.Conflicts {
		if c.Path == path {
			return true
		}
	}
	return false
}

// foreseeItem adds the change that makes item i what it was or what it shall be; none when it is that already.
func (t *txn) foreseeItem(r *Reversal, i int, now sight, when string, to image, done standing) error {
	it := &t.Items[i]
	stands, _ := t.stands(i, now.image)
	if stands == done || stands == isConflict || it.Volatile && !now.Exists {
		return nil
	}
	c := remediate.Change{Path: it.path(), Before: now.image.file(it, now.data), After: to.file(it, nil)}
	if it.Content && to.Exists {
		data, err := t.bytes(when, i)
		if err != nil {
			return err
		}
		c.After = to.file(it, data)
	}
	switch {
	case !to.Exists:
		c.Removed, c.After = true, facts.File{}
	case !now.Exists:
		c.Created, c.Before = true, facts.File{}
	}
	r.Plan.Changes = append(r.Plan.Changes, c)
	return nil
}

// file is the image as facts tell it. Names of owners are the plan's: it resolved them on the host they belong to.
func (im image) file(it *item, data []byte) facts.File {
	f := facts.File{Info: facts.Info{Path: it.path(), Mode: fs.FileMode(im.Mode), UID: im.UID, GID: im.GID,
		User: strconv.Itoa(int(im.UID)), Group: strconv.Itoa(int(im.GID)), Size: int64(len(data)), Links: 1}, Data: data}
	switch im.Type {
	case unix.S_IFDIR:
		f.Type = fs.ModeDir
	case unix.S_IFSOCK:
		f.Type = fs.ModeSocket
	}
	for _, known := range []image{it.Before, it.After} {
		user, group, _ := strings.Cut(known.Owner, ":")
		if known.Exists && known.UID == im.UID {
			f.User = user
		}
		if known.Exists && known.GID == im.GID {
			f.Group = group
		}
	}
	if it.Content && data == nil {
		f.Data = []byte{} // an empty file has content, of no bytes
	}
	return f
}
