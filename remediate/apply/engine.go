package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/harden/remediate"
)

// An engine is what each call works with, whether or not there is a run: of those that change something it holds the
// lock.
type engine struct {
	Options
	store *store
	tree  *tree
	hist  *history
}

// A site is a run with the files that it is about.
type site struct {
	*txn
	tree *tree
}

// A view is a run as it is looked at before anything is changed.
type view struct {
	*engine
	tx site
}

func (e *engine) view(t *txn) view { return view{e, site{t, e.tree}} }

// An execution carries a run out, or takes it back: its journal is on disk and the history is open.
type execution struct{ view }

// open opens the history, and says in it what is about to be done with the run and by whom.
func (v view) open(event, reason string) (run execution, err error) {
	if err := v.hist.open(); err != nil {
		return run, err
	}
	who := actor()
	r := record{Run: v.tx.ID, Event: event, What: reason, Actor: &who, By: v.Version}
	return execution{v}, v.hist.append(r)
}

// defaults fills in what an Options leaves out.
func (o Options) defaults() (Options, error) {
	if o.sys == nil {
		o.sys = kernel()
	}
	if o.Containers == nil {
		o.Containers, _ = o.Services.(Containers)
	}
	root, err := filepath.Abs(o.Root)
	if o.Root == "" {
		root, err = "/", nil
	}
	o.Root = root
	return o, err
}

// begin takes the lock and opens what a run needs. A run that has its outcome, but was cut short before its journal
// was put away, is put away now; one that has none is returned.
func begin(o Options) (e *engine, interrupted *txn, err error) {
	if o, err = o.defaults(); err != nil {
		return nil, nil, err
	}
	if e, err = locked(o); err != nil {
		return nil, nil, err
	}
	if interrupted, err = e.settle(); err != nil {
		e.end()
		return nil, nil, err
	}
	return e, interrupted, nil
}

// locked takes the lock.
func locked(o Options) (*engine, error) {
	s, err := openStore(o, true)
	if err != nil {
		return nil, err
	}
	e, err := newEngine(o, s)
	if err != nil {
		s.close()
	}
	return e, err
}

func newEngine(o Options, s *store) (*engine, error) {
	tree, err := o.openTree()
	if err != nil {
		return nil, err
	}
	return &engine{Options: o, store: s, tree: tree, hist: newHistory(s)}, nil
}

func (e *engine) settle() (*txn, error) {
	t, err := current(e.store)
	if err != nil || t == nil {
		return nil, err
	}
	outcome, at := t.outcome()
	if outcome == CutShort {
		return t, nil
	}
	if err := e.hist.open(); err != nil {
		return nil, err
	}
	return nil, execution{e.view(t)}.close(outcome, at.Reason)
}

func (e *engine) end() {
	e.tree.close()
	e.store.close()
}

func (o Options) step(d Doing, subject string) {
	if o.Progress != nil {
		o.Progress(Step{d, subject})
	}
}

// Apply carries out the plan, whole or not at all. It returns ErrInterrupted, ErrDrift or a *LockedError before
// anything has been written, and ErrRolledBack when it was begun, could not be completed and has been taken back;
// the Run then tells what was tried. An activation that cannot be done here stays Pending: that is no failure. When
// taking back fails too, the run stays interrupted for Rollback or Resume.
//
// A plan with nothing in it, or with nothing that can be done here, writes nothing at all and is Unchanged.
func Apply(ctx context.Context, p *remediate.Plan, o Options) (*Run, error) {
	if p.Empty() {
		return &Run{Root: o.Root, Outcome: Unchanged, Version: o.Version}, nil
	}
	e, t, err := begin(o)
	if err != nil {
		return nil, err
	}
	defer e.end()
	if t != nil {
		return t.summary(), fmt.Errorf("%s of %s: %w; roll it back or finish it first", t.ID,
			t.Started.Format(time.RFC3339), ErrInterrupted)
	}
	if err := e.unguarded(ctx); err != nil {
		return nil, err
	}
	j, err := e.draft()
	if err != nil {
		return nil, err
	}
	if err := together(e.prepare(ctx, p, j), e.prepareUpdates(ctx, p, j)); err != nil {
		return nil, err
	}
	j.Activations = e.ahead(ctx, p)
	for _, a := range j.Activations {
		if a.Kind == remediate.RollOut && !wanted(a) && e.Services != nil { // written, it could not be kept from happening
			return nil, fmt.Errorf("%s: %s; nothing has been changed", a, a.Reason)
		}
	}
	j.Checks, j.Waiting = judged(p, j.Activations)
	if len(j.Items)+len(j.Updates) == 0 && !slices.ContainsFunc(j.Activations, wanted) {
		return &Run{Root: e.Root, Outcome: Unchanged, Activations: j.Activations, Waiting: j.Waiting, Version: o.Version}, nil
	}
	if j.Snapshot, err = e.snapshot(ctx, j.Activations); err != nil {
		return nil, err
	}
	run, err := e.publish(ctx, j, "")
	if err != nil {
		return nil, err
	}
	return run.finish(ctx)
}

// draft is a journal with nothing in it yet.
func (e *engine) draft() (*journal, error) {
	seq, err := e.store.next()
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	return &journal{
		ID: fmt.Sprintf("%04d-%s", seq, now.Format("20060102T150405Z")), Seq: seq, Root: []byte(e.Root), Started: now,
		Boot: e.sys.boot, Version: e.Version, Actor: actor(), DockerHost: e.DockerHost,
	}, nil
}

// publish says in the history what is about to happen, and writes the journal; what takes the run back by itself is
// in place before. When any of it cannot be done nothing is changed.
func (e *engine) publish(ctx context.Context, j *journal, about string) (run execution, err error) {
	e.step(Journaling, "")
	if err := e.hist.open(); err != nil {
		return run, err
	}
	r := record{Run: j.ID, Event: hiApply, What: about, Actor: &j.Actor, By: j.Version}
	if e.Within > 0 {
		r.What = fmt.Sprintf("to be confirmed within %s", e.Within)
	}
	if err := e.hist.append(r); err != nil {
		return run, err
	}
	if e.Within > 0 {
		err = e.arm(ctx, j)
	}
	var t *txn
	if err == nil {
		t, err = publish(e.store, *j)
	}
	if err != nil {
		return run, together(err, e.disarm(j.ID), e.hist.append(record{Run: j.ID, Event: hiNothing, What: err.Error()}))
	}
	return execution{e.view(t)}, nil
}

// finish rolls the run forward to its end, and takes it back when that cannot be done.
func (e execution) finish(ctx context.Context) (*Run, error) {
	err := e.forward(ctx)
	if err == nil {
		err = e.tx.note(entry{Event: string(Applied), Sums: e.tx.sums()})
	}
	if err == nil {
		err = e.close(Applied, "")
		return e.result(), err
	}
	if cause := context.Cause(ctx); errors.Is(err, context.Canceled) && errors.Is(cause, context.Canceled) {
		err = cause // which says by what
	}
	// Taking back is not to be interrupted by what interrupted the run.
	ctx = context.WithoutCancel(ctx)
	e.Resolve = Resolution{Skip: e.Resolve.Skip} // the files that were named may be none that this run has come to
	back := e.undo(ctx, err.Error())
	if outcome, _ := e.tx.outcome(); outcome == CutShort {
		return e.result(), fmt.Errorf("%w; it could not be rolled back either: %w", err, back)
	}
	err = fmt.Errorf("%w: %w", ErrRolledBack, err)
	if back != nil && back != e.store.gone {
		err = fmt.Errorf("%w; but then: %w", err, back)
	}
	return e.result(), err
}

// close writes a decided outcome to the history and puts the journal away.
func (e execution) close(o Outcome, reason string) error {
	err := e.hist.append(record{Run: e.tx.ID, Event: string(o),
		What: strings.TrimPrefix(reason+butFor(e.tx.leftOver()), ", ")})
	err = together(err, e.tx.file())
	if o != Applied && e.tx.Confirm != nil {
		err = together(err, e.disarm(e.tx.ID))
	}
	e.hist.announce(fmt.Sprintf("run %s %s, history record %d is %s", e.tx.ID, o, e.hist.seq, e.hist.head))
	return err
}

func (e execution) result() *Run {
	r := e.tx.summary()
	r.Head = e.hist.head
	return r
}

// current reads the journal of the run that is not put away; nil when there is none.
func current(s *store) (*txn, error) { return optional(readTxn(s, s.current())) }

// next is the number of the next run. A run that was set aside keeps its own.
func (s *store) next() (int, error) {
	ids, err := s.ids()
	if err != nil {
		return 0, err
	}
	last := 0
	aside, err := fs.Glob(os.DirFS(s.dir), asidePrefix+"*/runs/*") // whatever is in the state directory's own name
	for _, id := range append(ids, aside...) {
		last = max(last, sequence(path.Base(id)))
	}
	return last + 1, err
}

// sequence is the number that a run's ID begins with.
func sequence(id string) int {
	number, _, _ := strings.Cut(id, "-")
	n, err := strconv.Atoi(number)
	if err != nil {
		return 0
	}
	return n
}

// Foresee says what Apply could do here of a plan's activations, NotReached or Pending, and whether it would change
// anything at all. It writes nothing.
func Foresee(ctx context.Context, p *remediate.Plan, o Options) (as []Activated, changes bool) {
	as = o.ahead(ctx, p)
	return as, len(p.Changes)+len(p.Updates) > 0 || slices.ContainsFunc(as, wanted)
}

// ahead is a plan's activations with the states that they can hope for.
func (o Options) ahead(ctx context.Context, p *remediate.Plan) (as []Activated) {
	for _, a := range p.Activations {
		why := a.Pending
		a.State, a.Reason = Pending, why
		a.Checks, a.Breaks, a.Pending = nil, nil, "" // a run has what it takes to do it alone
		if why == "" {
			a = o.ready(ctx, a)
		}
		as = append(as, a)
	}
	return as
}

// ready returns the activation with the state that it can hope for.
func (o Options) ready(ctx context.Context, a Activated) Activated {
	a.State, a.Reason = NotReached, ""
	if o.Services == nil {
		a.State, a.Reason = Pending, "--root and --source restart nothing"
	} else if err := o.Services.Ready(ctx, a); err != nil {
		a.State, a.Reason = Pending, err.Error()
	}
	return a
}

func wanted(a Activated) bool { return a.State != Pending }

// disturbs reports whether an activation can end what runs, so that it has to be watched.
func disturbs(a Activated) bool { return a.Kind == remediate.Reload || a.Kind == remediate.Restart }

// snapshot describes what runs, where something is about to disturb it.
func (o Options) snapshot(ctx context.Context, as []Activated) ([]byte, error) {
	if !slices.ContainsFunc(as, func(a Activated) bool { return wanted(a) && disturbs(a) }) {
		return nil, nil
	}
	text, err := o.Services.Snapshot(ctx)
	if err != nil {
		return nil, fmt.Errorf("running services: %w", err)
	}
	return text, nil
}

// butFor says how many files and containers were left as others made them; empty when none was.
func butFor(left []Left) string {
	if len(left) == 0 {
		return ""
	}
	var paths []string
	for _, l := range left {
		paths = append(paths, l.Path)
	}
	return fmt.Sprintf(", except for %d left as others made them: %s", len(left), strings.Join(paths, ", "))
}
