package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A deadline is until when a run must be confirmed. It holds in the boot that the journal names; any later boot is past
// it.
type deadline struct {
	Within time.Duration `json:"within_ns"`
	Uptime time.Duration `json:"uptime_ns"` // on CLOCK_BOOTTIME
}

// A Deadline is what an unconfirmed run has left.
type Deadline struct {
	Until  time.Time `json:"until"`            // wall-clock time, as the clock is set now; for people
	Passed bool      `json:"passed"`           // the run is to be taken back, by now or in a moment
	Kept   string    `json:"kept,omitempty"`   // it was tried, and why it could not be done
	Within string    `json:"within,omitempty"` // as it was asked for, such as "5m"
}

// unconfirmed reports whether the run has to be confirmed still. That it is being taken back, and that was cut short,
// changes nothing.
func (t *txn) unconfirmed() bool {
	outcome, _ := t.outcome()
	return t.Confirm != nil && (outcome == Applied || outcome == CutShort) &&
		!slices.ContainsFunc(t.log, func(e entry) bool { return e.Event == evConfirmed })
}

// left is how long the run may stay unconfirmed, zero or less when no longer.
func (t *txn) left() (time.Duration, error) {
	if t.Boot != t.store.sys.boot {
		return 0, nil
	}
	up, err := t.store.sys.uptime()
	return t.Confirm.Uptime - up, err
}

// overdue says why the run is to be taken back, empty when it is not.
func (t *txn) overdue() (string, error) {
	if !t.unconfirmed() {
		return "", nil
	}
	left, err := t.left()
	switch {
	case err != nil || left > 0:
		return "", err
	case t.Boot != t.store.sys.boot:
		return "the host rebooted before it was confirmed", nil
	}
	return "not confirmed within " + short(t.Confirm.Within), nil
}

// kept is why the run could not be taken back when its time was over, empty when that was not tried.
func (l log) kept() string {
	for _, e := range slices.Backward(l) {
		if e.Event == evKept {
			return e.Reason
		}
	}
	return ""
}

// deadline is the run's as it is told; nil where there is nothing to confirm.
func (t *txn) deadline() *Deadline {
	if !t.unconfirmed() {
		return nil
	}
	d := &Deadline{Kept: t.kept(), Within: short(t.Confirm.Within), Passed: true}
	left, err := t.left()
	if err == nil {
		d.Until, d.Passed = time.Now().Add(left).UTC().Truncate(time.Second), left <= 0
	}
	if err != nil || t.Boot != t.store.sys.boot { // nothing tells the time that another boot would have had
		d.Until = t.Started.Add(t.Confirm.Within)
	}
	return d
}

// short is a duration without the units of which there are none: 5m, not 5m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// refusal is why nothing else is begun; nil when t is.
func (t *txn) refusal() error {
	if t == nil {
		return nil
	}
	d := t.deadline()
	switch {
	case d.Kept != "":
		return fmt.Errorf("run %s: %w, and could not be rolled back: %s; keep it with `harden confirm %s`, or roll the "+
			"rest back with `harden rollback %s --skip-conflicts`",
			t.ID, ErrUnconfirmed, d.Kept, t.ID, t.ID)
	case d.Passed:
		return fmt.Errorf("run %s: %w, and its deadline has passed: it is being rolled back; `harden rollback %s` "+
			"does that now", t.ID, ErrUnconfirmed, t.ID)
	}
	return fmt.Errorf("run %s: %w: keep it with `harden confirm %s`, or roll it back with `harden rollback %s`", t.ID,
		ErrUnconfirmed, t.ID, t.ID)
}

// unconfirmed finds the run that has to be confirmed; nil when there is none. Nothing is begun while there is one, so
// it can only be the newest.
func (s *store) unconfirmed() (*txn, error) {
	t, err := current(s)
	if t == nil && err == nil {
		t, err = s.newest()
	}
	if err != nil || t == nil || !t.unconfirmed() {
		return nil, err
	}
	return t, nil
}

// Unconfirmed returns the run that has to be confirmed before another can be begun, and an error that wraps
// ErrUnconfirmed and says what to do; nil twice when there is none. It writes nothing and needs no state directory.
func Unconfirmed(o Options) (*Run, error) {
	_, s, _, err := reading(o)
	if s == nil || err != nil {
		return nil, err
	}
	defer s.close()
	t, err := s.unconfirmed()
	if t == nil || err != nil {
		return nil, err
	}
	return t.summary(), t.refusal()
}

// Confirm keeps an unconfirmed run, the only one there is when id is empty. A run that is confirmed already is no
// error. ErrNoRun tells that there is nothing to confirm, and what became of the run; ErrUnconfirmed that its time is
// over: it is about to be taken back. When taking it back was tried and refused, it can still be kept.
func Confirm(id string, o Options) (*Run, error) {
	e, _, err := begin(o)
	if err != nil {
		return nil, err
	}
	defer e.end()
	t, err := e.store.unconfirmed()
	if err != nil {
		return nil, err
	}
	if t == nil || id != "" && id != t.ID {
		return e.store.became(id)
	}
	if err := t.below(e.Root); err != nil {
		return nil, err
	}
	outcome, _ := t.outcome()
	if outcome == CutShort {
		return t.summary(), fmt.Errorf("run %s: %w: it is neither finished nor undone, so it cannot be confirmed yet", t.ID,
			ErrInterrupted)
	}
	if d := t.deadline(); d.Passed && d.Kept == "" {
		return t.summary(), t.refusal()
	}
	run, err := e.view(t).open(hiConfirm, "")
	if err != nil {
		return nil, err
	}
	if err := t.note(entry{Event: evConfirmed}); err != nil {
		return nil, err
	}
	run.hist.announce(fmt.Sprintf("run %s confirmed, history record %d is %s", t.ID, run.hist.seq, run.hist.head))
	return run.result(), run.disarm(t.ID)
}

// became tells of a run that is not to be confirmed, the newest when id is empty, what became of it.
func (s *store) became(id string) (*Run, error) {
	ids, err := s.ids()
	if err != nil {
		return nil, err
	}
	if id == "" && len(ids) > 0 {
		id = ids[len(ids)-1]
	}
	if id == "" {
		return nil, fmt.Errorf("%w to confirm: nothing has been applied yet", ErrNoRun)
	}
	if !slices.Contains(ids, id) {
		return nil, fmt.Errorf("%s: %w", id, ErrNoRun)
	}
	t, err := readTxn(s, s.run(id))
	if err != nil {
		return nil, err
	}
	outcome, at := t.outcome()
	switch {
	case outcome == Applied && t.Confirm != nil:
		return t.summary(), nil
	case outcome == Applied:
		return t.summary(), fmt.Errorf("run %s: %w to confirm: it was started without --confirm-within", id, ErrNoRun)
	case at.Reason != "":
		return t.summary(), fmt.Errorf("run %s: %w to confirm: it is %s since %s: %s", id, ErrNoRun, outcome,
			at.Time.Format(time.RFC3339), at.Reason)
	}
	return t.summary(), fmt.Errorf("run %s: %w to confirm: it is %s since %s", id, ErrNoRun, outcome,
		at.Time.Format(time.RFC3339))
}

// Expire takes run id back when its time is over and nobody has confirmed it. It waits for its time, and for whoever is
// at work, and is what a Guard's Call leads to. With no id it is what the boot unit does: in the boot in which the run
// was made it does nothing at all, since systemd may start the unit then too, and what waits for it would wait for
// harden; in a later one it takes back whatever is unconfirmed. The run is nil where there was nothing to do. What
// somebody has changed of it since stays as it is: Run.Left lists that.
func Expire(ctx context.Context, id string, o Options) (*Run, error) {
	o, err := o.defaults()
	if err != nil {
		return nil, err
	}
	if id == "" {
		s := &store{dir: o.State, sys: o.sys}
		if a, err := s.readArmed(); err != nil || a == nil || a.Boot == o.sys.boot {
			if a != nil {
				err = touch(s.triedFile())
			}
			return nil, err
		}
	}
	for {
		run, wait, err := expire(ctx, id, o)
		var locked *LockedError
		if errors.As(err, &locked) && id != "" {
			wait, err = 200*time.Millisecond, nil
		}
		if err != nil || wait <= 0 {
			return run, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(min(wait, time.Second)): // it goes by another clock, which a sleeping machine stops
		}
	}
}

// expire is one try of Expire; wait is positive when it is too early.
func expire(ctx context.Context, id string, o Options) (run *Run, wait time.Duration, err error) {
	e, _, err := begin(o)
	if err != nil {
		return nil, 0, err
	}
	defer e.end()
	t, err := e.store.unconfirmed()
	switch {
	case err != nil:
		return nil, 0, err
	case t == nil: // settled meanwhile, or never begun
		return nil, 0, e.disarm(id)
	case t.kept() != "":
		return nil, 0, e.disarm(t.ID)
	case id != "" && id != t.ID:
		return nil, 0, nil
	}
	reason, err := t.overdue()
	if err != nil {
		return nil, 0, err
	}
	if reason == "" {
		wait, err = t.left()
		return nil, wait, err
	}
	if err := t.below(e.Root); err != nil {
		return nil, 0, err
	}
	e.Resolve = Resolution{Skip: true} // nobody is there to be asked, and most of a way back is better than none
	run, err = e.takeBack(ctx, t, hiExpire, reason)
	return run, 0, err
}

// unguarded refuses to begin another run while one is unconfirmed, and one to be confirmed that nothing here could
// take back. What an arming that was cut short has left is taken away.
func (e *engine) unguarded(ctx context.Context) error {
	t, err := e.store.unconfirmed()
	if err != nil || t != nil {
		return together(err, t.refusal())
	}
	if err := e.disarm(""); err != nil {
		return err
	}
	if e.Within <= 0 {
		return nil
	}
	if e.Guard == nil || e.sys.boot == "" {
		return fmt.Errorf("automatic rollback is not possible here: it needs the running host, its systemd and the " +
			"kernel's boot ID")
	}
	if err := e.Guard.Ready(ctx); err != nil {
		return fmt.Errorf("automatic rollback is not possible here: %w", err)
	}
	return nil
}
