package apply

import (
	"fmt"
)

// The states of a file of an interrupted run.
const (
	StateBefore = "before" // as it was before the run
	StateAfter  = "after"  // as the run makes it
	StatePartly = "partly" // a change of attributes that was cut short
	StateTheirs = "theirs" // as somebody else made it since
	StateHidden = "unknown"
)

// A FileState is one file or container of an interrupted run, as it is now.
type FileState struct {
	Path  string `json:"path"`
	State string `json:"state"`
	Why   string `json:"why,omitempty"` // what differs, or why it is not known
}

// Abandonment returns the run that Abandon would give up and what its files are like now. ErrNoRun when no run is
// interrupted, or another one than id. It writes nothing.
func Abandonment(id string, o Options) (*Run, []FileState, error) {
	t, s, o, err := reading(o)
	if err != nil {
		return nil, nil, err
	}
	if s != nil {
		defer s.close()
	}
	if err := t.abandonable(id); err != nil {
		return nil, nil, err
	}
	if err := t.below(o.Root); err != nil {
		return nil, nil, err
	}
	tree, err := o.openTree()
	if err != nil {
		return nil, nil, err
	}
	defer tree.close()
	var states []FileState
	for i := range t.Items {
		states = append(states, site{t, tree}.state(i))
	}
	for i, u := range t.Updates {
		f := FileState{Path: u.String(), State: StateBefore, Why: "the run had not reached it"}
		if t.updating(i) {
			f.State, f.Why = StateHidden, fmt.Sprintf("the run may have changed it to %+v", u.After)
		}
		states = append(states, f)
	}
	return t.summary(), states, nil
}

// abandonable refuses to give up what is not interrupted.
func (t *txn) abandonable(id string) error {
	if t == nil {
		if id != "" {
			return fmt.Errorf("run %s: %w to abandon: only an interrupted run can be, and none is", id, ErrNoRun)
		}
		return fmt.Errorf("%w is interrupted", ErrNoRun)
	}
	if outcome, _ := t.outcome(); outcome != CutShort {
		return fmt.Errorf("%w is interrupted", ErrNoRun)
	}
	if id != "" && id != t.ID {
		return fmt.Errorf("run %s: %w to abandon: run %s is the interrupted one", id, ErrNoRun, t.ID)
	}
	return nil
}

// state says what item i is like now.
func (at site) state(i int) FileState {
	it := &at.Items[i]
	f := FileState{Path: it.path()}
	now, err := it.look(at.tree)
	if err != nil {
		f.State, f.Why = StateHidden, err.Error()
		return f
	}
	s, why := at.stands(i, now.image)
	switch s {
	case isBefore:
		f.State = StateBefore
	case isAfter:
		f.State = StateAfter
	case isBetween:
		f.State, f.Why = StatePartly, why
	default:
		f.State, f.Why = StateTheirs, why
	}
	return f
}

// Abandon gives the interrupted run up as it stands: nothing is finished and nothing restored, and the run is no longer
// in the way of others. Only harden's own temporary files beside the targets are removed. What the files are like is
// written to the history. The run's journal is kept: Rollback can still be asked for it by its ID.
func Abandon(id string, o Options) (*Run, error) {
	e, t, err := begin(o)
	if err != nil {
		return nil, err
	}
	defer e.end()
	if err := t.abandonable(id); err != nil {
		return nil, err
	}
	if err := t.below(e.Root); err != nil {
		return nil, err
	}
	run, err := e.view(t).open(hiAbandon, "")
	if err != nil {
		return nil, err
	}
	for i := range t.Items {
		f := run.tx.state(i)
		what := f.State
		if f.Why != "" {
			what += ": " + f.Why
		}
		r := record{Run: t.ID, Event: hiAbandon, Path: t.Items[i].Path, What: what}
		if err := run.hist.append(r); err != nil {
			return nil, err
		}
		t.Items[i].tidy(e.tree)
	}
	if err := t.note(entry{Event: string(Abandoned)}); err != nil {
		return nil, err
	}
	err = run.close(Abandoned, "")
	return run.result(), err
}

// tidy removes what harden has left beside the item. Where that cannot be done it stays: nothing reads it.
func (it *item) tidy(tree *tree) {
	if it.Temp == "" {
		return
	}
	g, err := tree.open(it.path())
	if err != nil {
		return
	}
	defer g.close()
	if g.unstage(it.Temp) == nil {
		_ = g.syncDir()
	}
}
