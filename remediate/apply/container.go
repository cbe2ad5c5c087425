package apply

import (
	"context"
	"errors"
	"fmt"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
)

// Containers changes containers in place.
type Containers interface {
	// Limits returns what a container has; facts.ErrAbsent when it is gone.
	Limits(ctx context.Context, id string) (want.Limits, error)
	// Update asks for limits, all in one call. An error means that none of them has changed.
	Update(ctx context.Context, id string, l want.Limits) error
	// Engine identifies the engine that is asked: a container that another one does not have is not gone.
	Engine(ctx context.Context) (docker.EngineID, error)
}

// A ContainerChange is one container of a run.
type ContainerChange struct {
	ID     string      `json:"id"`
	Name   string      `json:"name"`
	Before want.Limits `json:"before"`
	After  want.Limits `json:"after"`
	Checks []string    `json:"checks"`
	Diff   string      `json:"diff,omitempty"` // only where one run is told
}

func (u ContainerChange) String() string {
	return fmt.Sprintf("container %s (%s)", u.Name, docker.ShortID(u.ID))
}

// prepareUpdates compares what a plan changes of containers with what they have. One that is gone needs no change.
func (o Options) prepareUpdates(ctx context.Context, p *remediate.Plan, j *journal) error {
	seen := map[string]bool{}
	if len(p.Updates) > 0 && o.Containers != nil {
		id, err := o.Containers.Engine(ctx)
		if err != nil {
			return err
		}
		j.Engine, j.EngineHome, j.EngineRoot = id.ID, id.Home, id.Root
	}
	for _, p := range p.Updates {
		u := ContainerChange{ID: p.ID, Name: p.Name, Before: p.Before, After: p.After, Checks: remediate.IDs(p.Checks)}
		switch {
		case o.Containers == nil:
			return fmt.Errorf("%s: it cannot be changed here", u)
		case u.ID == "" || seen[u.ID]:
			return fmt.Errorf("%s: the plan changes it twice, or does not identify it", u)
		case u.After == want.Limits{} || u.Before.Of(u.After) != u.Before:
			return fmt.Errorf("%s: the plan has no change for it", u)
		}
		seen[u.ID] = true
		o.step(Checking, u.String())
		now, err := o.Containers.Limits(ctx, u.ID)
		if errors.Is(err, facts.ErrAbsent) {
			continue
		}
		if err != nil {
			return err
		}
		if now = now.Of(u.After); now != u.Before {
			return fmt.Errorf("%s: %w: it has %+v, not %+v", u, ErrDrift, now, u.Before)
		}
		j.Updates = append(j.Updates, u)
	}
	return nil
}

// update changes container i, and looks whether it has changed: what the Engine does not know it takes and does not do.
func (e execution) update(ctx context.Context, i int) error {
	u := e.tx.Updates[i]
	if d := e.tx.decided(true, i); d != nil && d.Keep {
		return nil
	}
	if e.Containers == nil {
		return fmt.Errorf("%s: it cannot be changed here any more", u)
	}
	e.step(Writing, u.String())
	if engine, err := e.Containers.Engine(ctx); err != nil || !engine.Same(e.tx.engine()) {
		return together(err, fmt.Errorf("%s belongs to another Docker Engine", u))
	}
	now, err := e.Containers.Limits(ctx, u.ID)
	if errors.Is(err, facts.ErrAbsent) {
		return e.hist.append(record{Run: e.tx.ID, Event: hiWritten, What: u.String() + ": it is gone"})
	}
	if err != nil {
		return err
	}
	if now = now.Of(u.After); now == u.After { // an earlier attempt got here
		return nil
	} else if d := e.tx.decided(true, i); now != u.Before && (d == nil || d.Limits == nil || now != *d.Limits) {
		return fmt.Errorf("%s: %w: it has %+v, not %+v", u, ErrDrift, now, u.Before)
	}
	if err := e.hist.append(record{Run: e.tx.ID, Event: hiWrite,
		What: fmt.Sprintf("%s %s: %+v -> %+v", u, u.ID, u.Before, u.After)}); err != nil {
		return err
	}
	if err := e.tx.note(entry{Event: evUpdate, N: i}); err != nil {
		return err
	}
	if err := u.set(ctx, e.Containers, u.After); err != nil {
		return err
	}
	return e.hist.append(record{Run: e.tx.ID, Event: hiWritten, What: u.String()})
}

// foreign returns what somebody has given to container i since the run was prepared; nil where nobody has, or where the
// Engine does not tell: update asks it again.
func (t *txn) foreign(ctx context.Context, c Containers, i int) *want.Limits {
	u, d := t.Updates[i], t.decided(true, i)
	if c == nil || d != nil && d.Keep {
		return nil
	}
	if engine, err := c.Engine(ctx); err != nil || !engine.Same(t.engine()) {
		return nil
	}
	now, err := c.Limits(ctx, u.ID)
	now = now.Of(u.After)
	if err != nil || now == u.After || now == u.Before || d != nil && d.Limits != nil && now == *d.Limits {
		return nil
	}
	return &now
}

// set brings a container to limits; one that goes meanwhile needs none.
func (u ContainerChange) set(ctx context.Context, c Containers, l want.Limits) error {
	err := c.Update(ctx, u.ID, l)
	if err == nil {
		var now want.Limits
		if now, err = c.Limits(ctx, u.ID); err == nil && now.Of(l) != l {
			return fmt.Errorf("%s: the Engine accepted the change, but it has %+v, not %+v", u, now.Of(l), l)
		}
	}
	if errors.Is(err, facts.ErrAbsent) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", u, err)
	}
	return nil
}

// engine is the Docker Engine that has the run's containers.
func (j *journal) engine() docker.EngineID {
	return docker.EngineID{ID: j.Engine, Home: j.EngineHome, Root: j.EngineRoot}
}

// updating reports whether the run may have changed container i.
func (l log) updating(i int) bool {
	for _, e := range l {
		if e.Event == evUpdate && e.N == i {
			return true
		}
	}
	return false
}

// stale returns what container i has of what the run changed, whether there is anything to take back, and an error
// where somebody has changed it since.
func (t *txn) stale(ctx context.Context, c Containers, i int) (now want.Limits, stale bool, err error) {
	u := t.Updates[i]
	d := t.decided(true, i)
	if !t.updating(i) || d != nil && d.Keep {
		return now, false, nil
	}
	if c == nil {
		return now, false, fmt.Errorf("%s: its change cannot be rolled back here", u)
	}
	engine, err := c.Engine(ctx)
	if err != nil {
		return now, false, err
	}
	back := remediate.Back(u.Before)
	if engine.Hides(t.engine()) { // until the files are back, and then it is looked at
		return u.After, back != want.Limits{}, nil
	}
	if !engine.Same(t.engine()) {
		return now, false, fmt.Errorf("%s belongs to another Docker Engine; use --docker-host", u)
	}
	now, err = c.Limits(ctx, u.ID)
	if errors.Is(err, facts.ErrAbsent) {
		return now, false, nil
	}
	if err != nil {
		return now, false, err
	}
	now = now.Of(u.After)
	switch {
	case now == u.After:
		return now, back != want.Limits{}, nil
	case now == u.Before, now.Of(back) == back:
		return now, false, nil
	case d != nil && d.Limits != nil && now == *d.Limits:
		return now, true, nil
	}
	return now, false, fmt.Errorf("%s: %w: it has %+v, and the run left %+v", u, ErrConflict, now, u.After)
}

// giveBack gives every container of the run what it had, as far as the Engine can be asked for that.
func (e execution) giveBack(ctx context.Context) error {
	var errs []error
	for i := range e.tx.Updates {
		_, stale, err := e.tx.stale(ctx, e.Containers, i)
		if err == nil && stale {
			u := e.tx.Updates[i]
			if engine, errEngine := e.Containers.Engine(ctx); errEngine == nil && engine.Hides(e.tx.engine()) {
				errs = append(errs, fmt.Errorf("%s: dockerd still keeps its data in %s and does not see it; restart dockerd, "+
					"and roll back again", u, engine.Root))
				continue
			}
			e.step(Restoring, u.String())
			err = together(e.hist.append(record{Run: e.tx.ID, Event: hiRestore, What: u.String()}),
				u.set(ctx, e.Containers, remediate.Back(u.Before)))
		}
		errs = append(errs, err)
	}
	return together(errs...)
}

// reverseUpdates are the updates that take a run back.
func (t *txn) reverseUpdates(ctx context.Context, c Containers) (updates []remediate.Update, err error) {
	var errs []error
	for i, u := range t.Updates {
		now, stale, err := t.stale(ctx, c, i)
		errs = append(errs, err)
		if !stale {
			continue
		}
		back := remediate.Back(u.Before)
		r := remediate.Update{ID: u.ID, Name: u.Name, Before: now.Of(back), After: back, Class: want.Reload}
		if u.Before.Memory == 0 && u.After.Memory != 0 {
			r.OneWay = []string{"memory: its limit stays: the Engine cannot remove it, only change it (`docker update " +
				"--memory`)"}
		}
		updates = append(updates, r)
	}
	return updates, together(errs...)
}
