package docker

import (
	"maps"
	"slices"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/source"
	"example.com/harden/checks/want"
)

// asked is what findings want for the containers of each Compose service: the most for any, since all of them are made
// from one text.
func asked(findings []checks.Finding, containers map[string]*facts.Container) map[string]want.Limits {
	all := map[string]want.Limits{}
	for _, f := range findings {
		c := containers[f.Subject]
		if c == nil {
			continue
		}
		for _, w := range f.Wants {
			if w, ok := w.(want.Container); ok {
				unit := c.ComposeUnit()
				all[unit] = most(all[unit], w.Limits)
			}
		}
	}
	return all
}

// most is what neither of two containers has less of. Of policies the first counts.
func most(a, b want.Limits) want.Limits {
	l := b.With(a)
	l.Memory, l.CPUShares, l.PIDs = max(a.Memory, b.Memory), max(a.CPUShares, b.CPUShares), max(a.PIDs, b.PIDs)
	if a.Memory < b.Memory {
		l.MemorySwap = b.MemorySwap
	}
	return l
}

// remade is what gives the Compose file of a container limits; nil where the file cannot be given them, so that they can
// only be given to the container itself.
func remade(h *facts.Host, c *facts.Container, l want.Limits) []want.Want {
	if (l == want.Limits{}) {
		return nil
	}
	s, doubt := h.ComposeService(c)
	if s == nil || doubt != nil || s.File.Unset() {
		return nil
	}
	wants, err := source.Limited(s, l)
	if err != nil {
		return nil
	}
	for i, w := range wants {
		if w, ok := w.(want.Compose); ok {
			w.Project, w.Warrant = c.Config.Labels[facts.LabelComposeProject], composeFile(h, w.File)
			wants[i] = w
		}
	}
	return wants
}

// lost finds the containers that satisfy the rule by a limit of their own, and that a plan would make again from a file
// that does not have it.
func (r inCompose) lost(h *facts.Host, findings []checks.Finding, containers map[string]*facts.Container) (all []checks.Finding) {
	if r.live == nil {
		return nil
	}
	known := map[string]bool{}
	for _, f := range findings {
		known[f.Subject] = true
	}
	kept := map[string]want.Limits{}
	e, err := h.Engine()
	if err != nil {
		return nil
	}
	for subject, c := range containers {
		if h.Recreated(c) && !known[subject] {
			kept[c.ComposeUnit()] = most(kept[c.ComposeUnit()], r.live(c.Limits(facts.Shares(e.Info))))
		}
	}
	for _, subject := range slices.Sorted(maps.Keys(containers)) {
		c := containers[subject]
		if known[subject] || !h.Recreated(c) {
			continue
		}
		s, doubt := h.ComposeService(c)
		if s == nil || doubt != nil {
			continue
		}
		if in, err := r.service.One(h, s); err != nil || len(in) == 0 {
			continue
		}
		wants := remade(h, c, kept[c.ComposeUnit()])
		all = append(all, checks.Finding{Subject: subject, Got: "limited, but not by its Compose file: making it again would lose that",
			Must: "limited by its Compose file too", Wants: wants, Remade: wants})
	}
	return all
}
