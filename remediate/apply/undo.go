package apply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"example.com/harden/checks/want"
	"example.com/harden/remediate"
)

// undo brings every item back to what it was, and what runs with it. It judges all of them before it touches one:
// with ErrConflict nothing has been changed. It can be called at any point that an earlier one was cut off at. When
// the files are back but a service is not, the outcome is Failed and the error says why; with any other error the
// run stays interrupted.
func (e execution) undo(ctx context.Context, reason string) error {
	ds, err := e.judge(ctx, true, false)
	if err == nil {
		err = e.tx.keep(ds)
	}
	if err != nil {
		return err
	}
	e.store.back = true
	late := e.sayResolved(ds) // what must not stop the restoring: a full disk under the history, say
	en := entry{Event: evResolved, Resolved: ds}
	if e.tx.undoing() == nil {
		en = e.undoEntry(ctx, reason)
		en.Resolved = ds
	}
	if en.Event == evUndo || len(ds) > 0 {
		if err := e.tx.note(en); err != nil {
			late = together(late, err)
			e.tx.log = append(e.tx.log, en)
		}
	}
	var pods error // that are not well again, though their manifests are back
	for _, i := range e.tx.backwards() {
		unsaid, err := e.restore(i)
		late = together(late, unsaid)
		if err != nil && e.Resolve.Skip && !passing(err) {
			late = together(late, e.leave(i, err))
			continue
		}
		if err != nil {
			err = fmt.Errorf("%w; `harden rollback --theirs %s` leaves it as it is", err, e.tx.Items[i].path())
			return together(late, pods, err)
		}
		pods = together(pods, e.rollBack(ctx, i))
	}
	for _, d := range slices.Backward(e.tx.Dirs) {
		if err := e.tree.dropDir(string(d)); err != nil {
			return together(late, pods, err)
		}
	}
	err = e.restart(ctx, pods)
	return together(late, err, e.store.gone)
}

// backwards are the items in the order in which they are restored: the manifests that were written last come first.
func (t *txn) backwards() []int {
	var manifests, others []int
	as, _ := t.activations()
	late := rollOuts(as)
	for i := range slices.Backward(t.Items) {
		if _, ok := late[t.Items[i].path()]; ok {
			manifests = append(manifests, i)
		} else {
			others = append(others, i)
		}
	}
	return append(manifests, others...)
}

// restart has the services take up the old files, and closes the run. Failed is what did not come back before that.
func (e execution) restart(ctx context.Context, failed error) error {
	u := e.tx.undoing()
	before := u.Snapshot
	if u.Boot != e.sys.boot {
		before = nil
	}
	as, _ := e.tx.activations()
	err := together(failed, e.each(ctx, as, true))
	revived, errRevive := e.revive(ctx, before)
	err = together(err, errRevive, e.watch(ctx, as, before), e.giveBack(ctx))
	outcome, reason := RolledBack, strings.TrimPrefix(strings.Join(append([]string{u.Reason}, revived...), "; "), "; ")
	if err != nil {
		outcome, reason = Failed, strings.TrimPrefix(reason+"; but then: "+err.Error(), "; but then: ")
	}
	if noted := e.tx.note(entry{Event: string(outcome), Reason: reason}); noted != nil {
		return together(err, noted)
	}
	return together(err, e.close(outcome, reason))
}

// A Reviver starts again what a restart has ended.
type Reviver interface {
	// Revive starts the containers that ran, as Snapshot told, that a restart has ended and that nothing else starts
	// again. It says of each in words what became of it.
	Revive(ctx context.Context, before json.RawMessage) ([]string, error)
}

// revive has what ran before the run run after it.
func (o Options) revive(ctx context.Context, before []byte) ([]string, error) {
	r, ok := o.Services.(Reviver)
	if !ok || before == nil {
		return nil, nil
	}
	return r.Revive(ctx, before)
}

// undoEntry decides, once, what there is to activate when the files are back.
func (v view) undoEntry(ctx context.Context, reason string) entry {
	en := entry{Event: evUndo, Reason: reason, Boot: v.sys.boot}
	for _, a := range v.tx.reversals(en.Boot) {
		// whether a pod is well does not matter to taking back what it may not be well of
		if a.State == NotReached && !(a.Kind == remediate.RollOut && v.Services != nil) {
			a = v.revivable(ctx, v.ready(ctx, a))
		}
		en.Activations = append(en.Activations, a)
	}
	outcome, _ := v.tx.outcome()
	if outcome == CutShort && v.tx.Boot == en.Boot {
		en.Snapshot = v.tx.Snapshot // what ran before the run, which is what has to run after it
		return en
	}
	if text, err := v.snapshot(ctx, en.Activations); err == nil {
		en.Snapshot = text
	}
	return en
}

// revivable turns a reload that cannot be done, because the run's own has ended the daemon, into a restart.
func (o Options) revivable(ctx context.Context, a Activated) Activated {
	if a.Kind != remediate.Reload || wanted(a) {
		return a
	}
	restart := a
	restart.Kind, restart.Class = remediate.Restart, want.Restart
	if restart = o.ready(ctx, restart); wanted(restart) {
		return restart
	}
	return a
}

// reversals are the activations that make what runs forget the run. A restart undoes a restart, and the reload before
// it too. Where the run has only reloaded, taking it back does not restart what the run was not allowed to: a reload of
// the old file sets what that says, and what it does not say stays as it is until a restart, which is left to do. What
// the run has not begun needs nothing undone, unless a boot has done it since.
func (t *txn) reversals(boot string) []Activated {
	as, tried := t.activations()
	outcome, _ := t.outcome()
	var back []Activated
	for n, a := range as {
		i := slices.IndexFunc(back, func(b Activated) bool { return b.Kind == a.Kind && b.Unit == a.Unit })
		if a.Kind == remediate.RollOut && a.State != Pending {
			if t.begunPath(a.Unit) { // the kubelet takes up what is written, whether it was announced or not
				a.State, a.Reason = NotReached, ""
				back = append(back, a)
			}
			continue
		}
		if a.Kind == remediate.RecordInCluster && a.State != Pending {
			if tried[n] && a.State != Failure { // what failed is not what the cluster keeps
				a.State, a.Reason, a.Record = NotReached, "", a.Record.Undo()
				back = append(back, a)
			}
			continue
		}
		if a.Reads != nil {
			a.Reads = a.Reads.Undo()
			if outcome != CutShort { // whoever has stopped them since meant it
				a.Reads.Ran = 0
			}
		}
		took := tried[n] || t.Boot != boot && t.touched()
		switch {
		case took:
			a.State, a.Reason = NotReached, ""
		case a.State == Pending:
			a.Reason = "not done by the run; if you did it since, do it again"
		default:
			continue // the run ended before it
		}
		switch {
		case i < 0:
			back = append(back, a)
		case took:
			back[i] = a
		}
	}
	return withRestarts(back)
}

// withRestarts leaves out the reloads that a restart makes needless, and says of the others what they do not undo.
func withRestarts(back []Activated) []Activated {
	const kept = "a reload does not reset what the old configuration leaves out, such as live-restore"
	for _, a := range slices.Clone(back) {
		if a.Kind != remediate.Reload || !wanted(a) {
			continue
		}
		i := slices.IndexFunc(back, func(b Activated) bool { return b.Kind == remediate.Restart && b.Unit == a.Unit })
		switch {
		case i < 0:
			back = append(back, Activated{Kind: remediate.Restart, Unit: a.Unit, Class: want.Restart, State: Pending,
				Reason: kept})
		case wanted(back[i]):
			back = slices.DeleteFunc(back, func(b Activated) bool { return b.Kind == a.Kind && b.Unit == a.Unit })
		default:
			back[i].Reason = kept
		}
	}
	return back
}

// touched reports whether the run may have written anything.
func (t *txn) touched() bool {
	for i := range t.Items {
		if t.begun(i) {
			return true
		}
	}
	return len(t.Items) == 0
}

// look is target.look for an item whose directory may be gone with it.
func (it *item) look(tree *tree) (sight, error) {
	g, err := tree.open(it.path())
	if errors.Is(err, fs.ErrNotExist) {
		return sight{}, nil
	}
	if err != nil {
		return sight{}, err
	}
	defer g.close()
	return g.look(it.Content)
}

// restore brings item i back to what it was. What could not be said in the history meanwhile is unsaid.
func (e execution) restore(i int) (unsaid, err error) {
	it := &e.tx.Items[i]
	keeps := e.tx.keeps(i)
	g, err := e.tree.open(it.path())
	if errors.Is(err, fs.ErrNotExist) || keeps && err != nil {
		return nil, nil // a directory that the run was to make, and did not
	}
	if err != nil {
		return nil, err
	}
	defer g.close()
	if it.Content {
		if err := together(g.unstage(it.Temp), g.syncDir()); err != nil {
			return nil, err
		}
	}
	if keeps || !e.tx.begun(i) {
		return nil, nil
	}
	now, err := g.look(it.Content)
	if err != nil {
		return nil, err
	}
	stands, why := e.tx.stands(i, now.image)
	if it.Volatile && (stands == isConflict || !now.Exists) {
		return nil, nil
	}
	if stands == isBefore {
		if !it.Content {
			return nil, g.dressUp(it.Before) // whoever was here before may not have got to flushing it
		}
		return nil, nil
	}
	if stands == isConflict {
		return nil, fmt.Errorf("%s: %w: %s", it.path(), ErrConflict, why)
	}
	if now.links > 1 && now.Type == unix.S_IFREG {
		return nil, fmt.Errorf("%s: %w: it has %d names (hard links); restoring it would change or unlink the others",
			it.path(), ErrConflict, now.links)
	}
	if err := e.tree.exposed(g, now); err != nil {
		return nil, err
	}
	e.step(Restoring, it.path())
	r := record{Run: e.tx.ID, Event: hiRestore, Path: it.Path}
	unsaid = e.hist.append(r)
	if err := e.tx.putBack(i, g, now); err != nil {
		return unsaid, err
	}
	r.Event = hiRestored
	return together(unsaid, e.hist.append(r)), nil
}

func (at site) putBack(i int, g *target, now sight) error {
	it := &at.Items[i]
	switch {
	case !it.Content:
		if err := g.dressUp(it.Before); err != nil {
			return err
		}
	case !it.Before.Exists:
		return g.remove(now)
	default:
		data, err := at.bytes("before", i)
		if err != nil {
			return err
		}
		s, err := g.stage(it.Temp, it.Before, data, now)
		if err != nil {
			return err
		}
		err = s.commit()
		unix.Close(s.fd)
		if err != nil {
			return err
		}
	}
	return it.confirm(at.tree, it.Before)
}
