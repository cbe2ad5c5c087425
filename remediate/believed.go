package remediate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
)

// believed settles the fixes that are allowed, without those after which harden would believe what others may have
// written. A file that only root can write any more looks like one that root wrote, and the next run would change what
// it names. Only a person can tell the two apart, so the file is left as it is, and the next run says the same.
func (p *planner) believed() (*draft, error) {
	for {
		base, err := p.settle(p.host, p.allowed(true))
		if err != nil || p.policy.rehearsal {
			return base, err
		}
		bad, err := p.believing(base)
		if err != nil || len(bad) == 0 {
			return base, err
		}
		maps.Copy(p.dropped, bad)
	}
}

// believing returns the fixes of modes and owners after which the next run would do more than without them.
func (p *planner) believing(base *draft) (map[string]string, error) {
	var closed []Change
	for _, c := range base.changes {
		if !c.Created && facts.Writable(c.Before.Info) != "" && facts.Writable(c.After.Info) == "" {
			closed = append(closed, c)
		}
	}
	if len(closed) == 0 || len(p.host.SourceDirs) > 0 {
		return nil, nil
	}
	without, err := p.next(base, closed, nil)
	if err != nil {
		return nil, err
	}
	bad := map[string]string{}
	return bad, p.blameBelief(base, closed, closed, without, bad)
}

// blameBelief finds those of some files that make the next run do more, by halves.
func (p *planner) blameBelief(base *draft, closed, some []Change, without []string, bad map[string]string) error {
	more, err := p.next(base, closed, some)
	if err != nil {
		return err
	}
	more = slices.DeleteFunc(more, func(what string) bool { return slices.Contains(without, what) })
	if len(more) == 0 {
		return nil
	}
	before := len(bad)
	if half := len(some) / 2; half > 0 {
		for _, part := range [][]Change{some[:half], some[half:]} {
			if err := p.blameBelief(base, closed, part, without, bad); err != nil {
				return err
			}
		}
	}
	if len(bad) > before {
		return nil
	}
	for _, c := range some { // no half does by itself
		p.leaveOpen(c, more[0], bad)
	}
	return nil
}

// next says what a run after a draft would change, if the draft closed only some of the files that it closes to others.
func (p *planner) next(base *draft, closed, some []Change) (all []string, err error) {
	overlay := base.overlay()
	for _, c := range closed {
		if !slices.ContainsFunc(some, func(s Change) bool { return s.Path == c.Path }) {
			open := c.After
			open.Mode, open.UID, open.GID, open.User, open.Group = c.Before.Mode, c.Before.UID, c.Before.GID, c.Before.User,
				c.Before.Group
			overlay.Files[c.Path] = open
		}
	}
	judge, policy := p.policy.Judge, p.policy
	if judge == nil {
		judge = checks.Run
	}
	policy.rehearsal = true
	host := p.host.With(overlay)
	plan, err := Propose(p.ctx, host, judge(p.ctx, host, p.order), policy)
	if err != nil {
		return nil, err
	}
	add := func(what string, by []*checks.Check) {
		for _, c := range by {
			all = append(all, fmt.Sprintf("%s (%s)", what, c.ID))
		}
	}
	for _, c := range plan.Changes {
		add(c.Path, c.Checks)
	}
	for _, u := range plan.Updates {
		add("container "+u.Name, u.Checks)
	}
	for _, a := range plan.Activations {
		add(strings.TrimSpace(string(a.Kind)+" "+a.Unit), a.Checks)
	}
	return all, nil
}

// leaveOpen drops the fixes that close a file to others.
func (p *planner) leaveOpen(c Change, more string, bad map[string]string) {
	for _, f := range p.allowed(true) {
		for _, w := range f.finding.Wants {
			file := ""
			switch w := w.(type) {
			case want.Mode:
				file = w.File
			case want.Owner:
				file = w.File
			}
			if info, err := p.host.Info(file); file == "" || err != nil || info.Path != c.Path {
				continue
			}
			bad[f.key()] = fmt.Sprintf("%s: not changed, because %s: harden would trust its content like root's and change "+
				"%s; read it, then run harden --only %s", c.Path, facts.Writable(c.Before.Info), more, f.check.ID)
		}
	}
}
