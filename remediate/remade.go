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
func (p *planner) lost(d *draft, h *facts.Host, fixes []fix) (more []fix) {
	if !slices.ContainsFunc(d.activations, func(a Activation) bool { return a.Kind == ComposeUp && a.Pending == "" }) {
		return nil
	}
	var live []*checks.Check
	for _, c := range p.order {
		if c.Live {
			live = append(live, c)
		}
	}
	known := map[string]bool{}
	for _, f := range slices.Concat(fixes, p.fixes) {
		known[f.key()] = true
	}
	for _, r := range checks.Run(p.ctx, h.With(d.overlay()), live) {
		for _, f := range r.Findings {
			next := fix{r.Check, f, classOf(r.Check, f)}
			_, gone := p.dropped[next.key()]
			if len(f.Remade) > 0 && !known[next.key()] && !gone {
				more = append(more, next)
			}
		}
	}
	return more
}
