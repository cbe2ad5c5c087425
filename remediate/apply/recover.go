package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"example.com/harden/checks/facts"
	"example.com/harden/remediate"
)

// Rollback takes a run back: every byte, mode, owner and extended attribute is as it was before, what the run made is
// gone, and what runs has taken that up. An empty id means the interrupted run, or else the newest applied one of
// Options.Root. ErrConflict means that somebody has changed a file since; nothing has been changed then. When a
// service does not come back, the run is Failed and the error says why.
func Rollback(ctx context.Context, id string, o Options) (*Run, error) {
	e, err := begin(o)
	if err != nil {
		return nil, err
	}
	defer e.end()
	if e.tx, err = chosen(e.store, id, e.Root); err != nil {
		return nil, err
	}
	return e.takeBack(ctx, hiRollback, "")
}

// takeBack undoes the engine's run from beginning to end, for a reason unless somebody has asked for it.
func (e *engine) takeBack(ctx context.Context, event, reason string) (*Run, error) {
	outcome, _ := e.tx.outcome()
	standing := outcome == Applied
	if err := together(e.judge(), e.judgeUpdates(ctx, event == hiRollback && standing)); err != nil {
		return e.tx.summary(), err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx) // half a rollback helps nobody
	if err := e.open(); err != nil {
		return nil, err
	}
	who := actor()
	if err := e.hist.append(record{Run: e.tx.ID, Event: event, What: reason, Actor: &who, By: e.Version}); err != nil {
		return nil, err
	}
	if e.tx.dir != e.store.current() {
		if err := e.store.move(e.tx.dir, e.store.current()); err != nil {
			return nil, together(err, e.hist.append(record{Run: e.tx.ID, Event: hiNothing, What: err.Error()}))
		}
		e.tx.dir = e.store.current()
	}
	err := e.undo(ctx, reason)
	return e.result(), err
}

// Resume finishes an interrupted run: it rolls it forward, or goes on taking it back where that had begun. What
// fails on the way is as with Apply. ErrNoRun when no run is interrupted.
func Resume(ctx context.Context, o Options) (*Run, error) {
	e, err := begin(o)
	if err != nil {
		return nil, err
	}
	defer e.end()
	if e.tx == nil {
		return nil, fmt.Errorf("%w is interrupted", ErrNoRun)
	}
	if err := e.tx.below(e.Root); err != nil {
		return nil, err
	}
	reason, err := e.tx.overdue()
	if err != nil {
		return nil, err
	}
	back := e.tx.undoing() != nil || reason != ""
	if err := together(e.judge(), e.resumable(back)); err != nil {
		return e.tx.summary(), err
	}
	if err := e.open(); err != nil {
		return nil, err
	}
	who := actor()
	if err := e.hist.append(record{Run: e.tx.ID, Event: hiResume, Actor: &who, By: e.Version}); err != nil {
		return nil, err
	}
	if !back {
		return e.finish(ctx)
	}
	err = e.undo(context.WithoutCancel(ctx), reason)
	return e.result(), err
}

// resumable looks at the items that the run had not come to: going on must not write over what somebody has changed.
func (e *engine) resumable(back bool) error {
	var errs []error
	for i := range e.tx.Items {
		if back || e.tx.begun(i) {
			continue
		}
		_, err := e.tx.conflict(e.tree, i, true)
		errs = append(errs, err)
	}
	return together(errs...)
}

// Interrupted returns the run that neither finished nor was undone; nil when there is none. It writes nothing and
// needs no state directory. A run that is still at work is a *LockedError.
func Interrupted(o Options) (*Run, error) {
	t, s, _, err := reading(o)
	if s == nil || err != nil {
		return nil, err
	}
	defer s.close()
	if t == nil {
		return nil, nil
	}
	if outcome, _ := t.outcome(); outcome != CutShort {
		return nil, nil
	}
	return t.summary(), nil
}

// RollbackPlan returns which run Rollback would choose and what it would do to the files, in the form of a plan's
// changes, and to containers, and ErrConflict where it would refuse. It writes nothing.
func RollbackPlan(ctx context.Context, id string, o Options) (run string, plan *remediate.Plan, err error) {
	plan = new(remediate.Plan)
	_, s, o, err := reading(o)
	if err != nil {
		return "", plan, err
	}
	if s == nil {
		return "", plan, fmt.Errorf("%w: nothing has been applied yet", ErrNoRun)
	}
	defer s.close()
	t, err := chosen(s, id, o.Root)
	if err != nil {
		return "", plan, err
	}
	tree, err := openTree(o.Root, o.sys)
	if err != nil {
		return "", plan, err
	}
	defer tree.close()
	outcome, _ := t.outcome()
	var errs []error
	for i := range t.Items {
		if !t.begun(i) {
			continue
		}
		now, err := t.conflict(tree, i, outcome == CutShort)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		c, err := t.reverse(i, now)
		if err != nil {
			errs = append(errs, err)
		} else if c != nil {
			plan.Changes = append(plan.Changes, *c)
		}
	}
	plan.Updates, err = (&engine{Options: o}).reverseUpdates(ctx, t)
	return t.ID, plan, together(append(errs, err)...)
}

// reverse is the change that takes item i back from what is there now; nil when it is back already.
func (t *txn) reverse(i int, now sight) (*remediate.Change, error) {
	it := &t.Items[i]
	stands, _ := it.stands(now.image)
	if stands == isBefore || stands == isConflict || !now.Exists && it.After.Exists {
		return nil, nil
	}
	c := &remediate.Change{Path: it.path(), Before: now.image.file(it, now.data), After: it.Before.file(it, nil)}
	switch {
	case !it.Before.Exists:
		c.Removed, c.After = true, facts.File{}
	case !it.After.Exists:
		data, err := t.bytes("before", i)
		if err != nil {
			return nil, err
		}
		c.Created, c.Before, c.After = true, facts.File{}, it.Before.file(it, data)
	case it.Content:
		data, err := t.bytes("before", i)
		if err != nil {
			return nil, err
		}
		c.After = it.Before.file(it, data)
	}
	return c, nil
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
	if err := readHistory(s.historyFile(), func(r record, hash string) { heads[r.Run] = hash }); err != nil && !errors.Is(err, ErrHistory) {
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

// VerifyHistory checks the history's chain from its first record on, and that every run there is appears in it.
// ErrHistory tells that it does not hold, with the line where it breaks.
func VerifyHistory(o Options) error {
	o, err := o.defaults()
	if err != nil {
		return err
	}
	s := &store{dir: o.State, sys: o.sys}
	known := map[string]bool{}
	if err := readHistory(s.historyFile(), func(r record, _ string) { known[r.Run] = true }); err != nil {
		return err
	}
	ids, err := s.ids()
	if err != nil {
		return err
	}
	for _, id := range ids {
		if !known[id] {
			return fmt.Errorf("%s: %w: run %s is not in it", s.historyFile(), ErrHistory, id)
		}
	}
	return nil
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
func chosen(s *store, id, root string) (*txn, error) {
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
			return nil, fmt.Errorf("%s: %w; settle it before another is taken back", t.ID, ErrInterrupted)
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
		case outcome != Applied:
			return nil, fmt.Errorf("%s: %w to take back: it is %s", id, ErrNoRun, outcome)
		}
		return t, t.below(root)
	}
	return nil, fmt.Errorf("%w: nothing that was applied is left to take back", ErrNoRun)
}

// below refuses to carry a run of one host's files over to another's.
func (t *txn) below(root string) error {
	if string(t.Root) == root {
		return nil
	}
	return fmt.Errorf("%s: this run was made below %s, not below %s", t.ID, t.Root, root)
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

// optional makes nothing of a journal that is not there.
func optional(t *txn, err error) (*txn, error) {
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return t, err
}
