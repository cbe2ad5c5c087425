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
	e, err := begin(o)
	if err != nil {
		return nil, err
	}
	defer e.end()
	if e.tx, err = chosen(e.store, id, e.Options); err != nil {
		return nil, err
	}
	if t := e.tx; t.amends(e.Resolve) {
		return e.amend(ctx, t)
	}
	return e.takeBack(ctx, hiRollback, "")
}

// takeBack undoes the engine's run from beginning to end, for a reason unless somebody has asked for it.
func (e *engine) takeBack(ctx context.Context, event, reason string) (*Run, error) {
	outcome, _ := e.tx.outcome()
	if _, err := e.judge(ctx, true, event == hiRollback && outcome == Applied); err != nil {
		return e.tx.summary(), err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx) // half a rollback helps nobody
	if err := e.hist.open(); err != nil {
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
	ds, err := e.judge(ctx, back, false)
	if err != nil {
		return e.tx.summary(), err
	}
	if err := e.hist.open(); err != nil {
		return nil, err
	}
	who := actor()
	if err := e.hist.append(record{Run: e.tx.ID, Event: hiResume, Actor: &who, By: e.Version}); err != nil {
		return nil, err
	}
	if back {
		err = e.undo(context.WithoutCancel(ctx), reason)
		return e.result(), err
	}
	if len(ds) > 0 {
		if err := together(e.keep(ds), e.sayResolved(ds)); err != nil {
			return e.result(), err
		}
		if err := e.tx.note(entry{Event: evResolved, Resolved: ds}); err != nil {
			return e.result(), err
		}
	}
	return e.finish(ctx)
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
