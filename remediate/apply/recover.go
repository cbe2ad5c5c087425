package apply

import (
	"context"
	"fmt"
)

// Rollback takes a run back: every byte, mode, owner and extended attribute is as it was before, what the run made is
// gone, and what runs has taken that up. An empty id means the interrupted run, or else the newest applied one of
// Options.Root. A *ConflictError lists what somebody has changed since, unless Options.Resolve says what becomes of it;
// nothing has been changed then. A run that was rolled back already is amended by that. When a service does not come
// back, the run is Failed and the error says why.
func Rollback(ctx context.Context, id string, o Options) (*Run, error) {
	e, _, err := begin(o)
	if err != nil {
		return nil, err
	}
	defer e.end()
	t, err := chosen(e.store, id, e.Options)
	if err != nil {
		return nil, err
	}
	if t.amends(e.Resolve) {
		return e.amend(ctx, t)
	}
	return e.takeBack(ctx, t, hiRollback, "")
}

// takeBack undoes a run from beginning to end, for a reason unless somebody has asked for it.
func (e *engine) takeBack(ctx context.Context, t *txn, event, reason string) (*Run, error) {
	v := e.view(t)
	outcome, _ := t.outcome()
	if _, err := v.judge(ctx, true, event == hiRollback && outcome == Applied); err != nil {
		return t.summary(), err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx) // half a rollback helps nobody
	run, err := v.open(event, reason)
	if err != nil {
		return nil, err
	}
	if t.dir != e.store.current() {
		if err := e.store.move(t.dir, e.store.current()); err != nil {
			return nil, together(err, run.hist.append(record{Run: t.ID, Event: hiNothing, What: err.Error()}))
		}
		t.dir = e.store.current()
	}
	err = run.undo(ctx, reason)
	return run.result(), err
}

// Resume finishes an interrupted run: it rolls it forward, or goes on taking it back where that had begun. What
// fails on the way is as with Apply. ErrNoRun when no run is interrupted.
func Resume(ctx context.Context, o Options) (*Run, error) {
	e, t, err := begin(o)
	if err != nil {
		return nil, err
	}
	defer e.end()
	if t == nil {
		return nil, fmt.Errorf("%w is interrupted", ErrNoRun)
	}
	if err := t.below(e.Root); err != nil {
		return nil, err
	}
	reason, err := t.overdue()
	if err != nil {
		return nil, err
	}
	v, back := e.view(t), t.undoing() != nil || reason != ""
	ds, err := v.judge(ctx, back, false)
	if err != nil {
		return t.summary(), err
	}
	run, err := v.open(hiResume, "")
	if err != nil {
		return nil, err
	}
	if back {
		err = run.undo(context.WithoutCancel(ctx), reason)
		return run.result(), err
	}
	if len(ds) > 0 {
		if err := together(run.tx.keep(ds), run.sayResolved(ds)); err != nil {
			return run.result(), err
		}
		if err := t.note(entry{Event: evResolved, Resolved: ds}); err != nil {
			return run.result(), err
		}
	}
	return run.finish(ctx)
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
