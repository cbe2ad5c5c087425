package remediate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/want"
)

// An Update changes one container in place, by one call of the Engine, and only while what it changes still is Before.
type Update struct {
	ID      string // whole
	Name    string
	Before  want.Limits // of what After says something: as it is, and 0 for a memory limit that is not set
	After   want.Limits
	Because []string // where values come from
	OneWay  []string // what taking it back leaves as it is, and why
	Class   want.Class
	Checks  []*checks.Check
	Wants   []want.Want
	Breaks  []string
}

// Back is what the Engine can be asked for to take the update back: all but a memory limit where there was none.
func (u Update) Back() want.Limits { return Back(u.Before) }

// Back leaves out of limits what the Engine cannot be asked for: that there is no memory limit.
func Back(before want.Limits) want.Limits {
	if before.Memory == 0 {
		before.MemorySwap = 0
	}
	return before
}

func (u *Update) changes() bool { return u.Before != u.After }

var _ = editor((*draft).update)

// update works a want into the update of its container.
func (d *draft) update(f fix, w want.Container) error {
	u := d.updates[w.ID]
	if u == nil {
		u = &Update{ID: w.ID, Name: w.Name}
	}
	now, err := d.limits(w.ID)
	if err != nil {
		return err
	}
	u.After = u.After.With(w.Limits)
	u.Before = now.Of(u.After)
	if w.Because != "" {
		u.Because = appendNew(u.Because, w.Limits.Name()+": "+w.Because)
	}
	if w.Limits.Memory != 0 && u.Before.Memory == 0 {
		u.OneWay = appendNew(u.OneWay, "memory: the Engine cannot remove a limit, only change it")
	}
	u.Checks, u.Wants = addCheck(u.Checks, f.check), append(u.Wants, w)
	u.Class = max(u.Class, f.class)
	u.Breaks = appendNew(u.Breaks, f.check.Breaks, f.finding.Breaks)
	d.updates[w.ID] = u
	return nil
}

// limits are a container's as they are on the draft's host.
func (d *draft) limits(id string) (want.Limits, error) {
	if d.containers == nil { // asked once for a draft: there may be ten thousand
		all, err := docker.Containers(d.host)
		if err != nil && len(all) == 0 {
			return want.Limits{}, err
		}
		d.containers = make(map[string]*docker.Container, len(all))
		for i := range all {
			d.containers[all[i].ID] = &all[i]
		}
	}
	c := d.containers[id]
	if c == nil {
		return want.Limits{}, fmt.Errorf("container %s: %w", facts.ShortID(id), facts.ErrAbsent)
	}
	e, err := docker.EngineSays(d.host)
	if err != nil {
		return want.Limits{}, err
	}
	return c.Limits(docker.Shares(e.Info)), nil
}

// sortedUpdates are those of the draft that change something, by name.
func (d *draft) sortedUpdates() (out []Update) {
	for u := range maps.Values(d.updates) {
		if u.changes() {
			out = append(out, *u)
		}
	}
	slices.SortFunc(out, func(a, b Update) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return out
}
