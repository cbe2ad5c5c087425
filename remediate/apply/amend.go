package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"example.com/harden/remediate"
)

// A run that was rolled back can be amended, file by file: what was written over by Resolution.Ours is given back, and
// what was left by Theirs is restored after all. That is a run of its own, written ahead like any other, so it can be
// rolled back.

// amends reports whether a Resolution asks for that of a run.
func (l log) amends(r Resolution) bool {
	outcome, _ := l.outcome()
	return outcome == RolledBack && len(r.Theirs)+len(r.Ours) > 0
}

// amendment is the journal of the run that amends the one in view, in the making.
func (v view) amendment() (*journal, error) {
	j, err := v.draft()
	if err != nil {
		return nil, err
	}
	for _, theirs := range []bool{true, false} {
		paths := v.Resolve.Ours
		if theirs {
			paths = v.Resolve.Theirs
		}
		for _, p := range paths {
			it, err := v.tx.amended(p, theirs)
			if err != nil {
				return nil, err
			}
			if it.Content {
				it.Temp = fmt.Sprintf(".harden-%s-%d", j.ID, len(j.Items))
			}
			j.Items = append(j.Items, *it)
		}
	}
	return j, nil
}

// amended is one file of an amendment: from what is there now to what somebody else had written, or to what it was
// before the run.
func (at site) amended(p string, theirs bool) (*item, error) {
	i := slices.IndexFunc(at.Items, func(it item) bool { return it.path() == p })
	var d *resolved
	if i >= 0 {
		d = at.decided(false, i)
	}
	if d == nil || d.Keep == theirs {
		what := "was not written over"
		if !theirs {
			what = "was not left as somebody else made it"
		}
		return nil, fmt.Errorf("%s: it %w: when run %s was rolled back it %s", p, ErrChoice, at.ID, what)
	}
	of := &at.Items[i]
	now, err := of.look(at.tree)
	if err != nil {
		return nil, err
	}
	if err := at.tree.sheltered(p, now); err != nil {
		return nil, err
	}
	to, data := of.Before, []byte(nil)
	if theirs {
		if why := differs(of.Before, now.image, of.Content); why != "" {
			return nil, fmt.Errorf("%s: %w: %s", p, ErrConflict, why)
		}
		to = *d.Found
	} else if err := at.inOrder(p); err != nil {
		return nil, err
	} else if why := of.stuck(at.tree, now); why != "" {
		return nil, fmt.Errorf("%s: it %w as ours: %s", p, ErrChoice, why)
	}
	if of.Content && to.Exists {
		if data, err = at.bytes("before", i); theirs {
			if data, err = readState(at.theirs(*d)); err == nil && sum(data) != to.Sum {
				err = damaged(at.theirs(*d), "sha256 "+sum(data)+", not "+to.Sum)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	if to.Exists && !of.Content {
		to.Sum = ""
	}
	from := now.image
	from.Owner, to.Owner = of.Before.Owner, of.Before.Owner
	if from.Exists && (from.UID != of.Before.UID || from.GID != of.Before.GID) {
		from.Owner = fmt.Sprintf("%d:%d", from.UID, from.GID)
	}
	if to.Exists && (to.UID != of.Before.UID || to.GID != of.Before.GID) {
		to.Owner = fmt.Sprintf("%d:%d", to.UID, to.GID)
	}
	return &item{Path: of.Path, Content: of.Content, Before: from, After: to, before: now.data, after: data}, nil
}

// sheltered refuses to restore a file where somebody besides root could put something else in its place.
func (t *tree) sheltered(p string, now sight) error {
	g, err := t.open(p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // its directory is gone, and is made anew
	}
	if err != nil {
		return err
	}
	defer g.close()
	why, err := t.exposure(g, now)
	if err == nil && why != "" {
		err = fmt.Errorf("%s: it %w: %s; correct that first", p, ErrChoice, why)
	}
	return err
}

// inOrder refuses to restore what a later run has changed, which stands.
func (t *txn) inOrder(p string) error {
	s := []subject{{Conflict: Conflict{Path: p}, open: true}}
	if err := t.superseded(s); err != nil || len(s[0].Newer) == 0 {
		return err
	}
	return fmt.Errorf("%s: it %w as ours: a later run has changed it: %s", p, ErrChoice, order(s[0].Newer))
}

// amend carries an amendment out, and has what runs take it up as the run would have.
func (e *engine) amend(ctx context.Context, t *txn) (*Run, error) {
	j, err := e.view(t).amendment()
	if err != nil {
		return nil, err
	}
	for _, a := range t.Activations {
		amended := slices.ContainsFunc(j.Items, func(it item) bool { return it.path() == a.Unit })
		if a.Kind == remediate.RecordInCluster || a.Kind == remediate.RollOut && !amended {
			continue
		}
		j.Activations = append(j.Activations, e.ready(ctx, Activated{Kind: a.Kind, Unit: a.Unit, Class: a.Class}))
	}
	for i := range j.Items {
		if j.Dirs, err = e.tree.addMissing(j.Dirs, j.Items[i].path()); err != nil {
			return nil, err
		}
	}
	if j.Snapshot, err = e.snapshot(ctx, j.Activations); err != nil {
		return nil, err
	}
	run, err := e.publish(ctx, j, "amends run "+t.ID)
	if err != nil {
		return nil, err
	}
	return run.finish(ctx)
}

// foreseeAmend tells what an amendment would change.
func (v view) foreseeAmend(r *Reversal) error {
	j, err := v.amendment()
	if err != nil {
		return err
	}
	for i := range j.Items {
		it := &j.Items[i]
		c := remediate.Change{Path: it.path(), Created: !it.Before.Exists, Removed: !it.After.Exists}
		c.Before, c.After = it.Before.file(it, it.before), it.After.file(it, it.after)
		r.Plan.Changes = append(r.Plan.Changes, c)
	}
	return nil
}
