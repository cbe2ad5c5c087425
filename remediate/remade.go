package remediate

import (
	"slices"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
)

// throughSources changes each container in one way. Where fixes have Compose make a service again, what the others want
// of its containers goes into the Compose file too: made in place it would be lost at once.
func throughSources(fixes []fix) []fix {
	again := map[string]bool{}
	for _, f := range fixes {
		for _, w := range f.finding.Wants {
			if w, ok := w.(want.Compose); ok && w.Project != "" {
				again[w.Project+"/"+w.Service] = true
			}
		}
	}
	if len(again) == 0 {
		return fixes
	}
	fixes = slices.Clone(fixes)
	for i, f := range fixes {
		if len(f.finding.Remade) == 0 {
			continue
		}
		if w, ok := f.finding.Remade[0].(want.Compose); ok && again[w.Project+"/"+w.Service] {
			fixes[i].finding.Wants = f.finding.Remade
		}
	}
	return fixes
}

// lost are the fixes for what a draft would undo: limits that running containers have and the Compose files that it
// makes them again from do not.
func (p *planner) lost(d *draft, h *facts.Host, fixes []fix) []fix {
	if !slices.ContainsFunc(d.activations, func(a Activation) bool { return a.Kind == ComposeUp && a.Pending == "" }) {
		return nil
	}
	var live []*checks.Check
	for _, c := range p.order {
		if c.Live {
			live = append(live, c)
		}
	}
	return p.further(d, h, fixes, live, func(f fix) bool { return len(f.finding.Remade) > 0 })
}

// called are the fixes for what a draft would bring about: a file that it makes may be one that has to be audited, or
// that has an item of its own. Without them the next run would have more to do.
func (p *planner) called(d *draft, h *facts.Host, fixes []fix) []fix {
	if !slices.ContainsFunc(d.changes, func(c Change) bool { return c.Created }) {
		return nil
	}
	return p.further(d, h, fixes, p.settled, func(f fix) bool {
		return len(f.finding.Wants) > 0 && p.policy.Allow(f.check, f.class)
	})
}

// further are the fixes that some checks ask for once a draft is made, which nobody has asked for yet.
func (p *planner) further(d *draft, h *facts.Host, fixes []fix, of []*checks.Check, wanted func(fix) bool) []fix {
	var more []fix
	known := map[string]bool{}
	for _, f := range slices.Concat(fixes, p.fixes) {
		known[f.key()] = true
	}
	for _, r := range checks.Run(p.ctx, h.With(d.overlay()), of) {
		for _, f := range r.Findings {
			next := fix{r.Check, f, classOf(r.Check, f)}
			if _, gone := p.dropped[next.key()]; !gone && !known[next.key()] && wanted(next) {
				more = append(more, next)
			}
		}
	}
	return more
}
