package remediate

import (
	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
)

// NotChosen is why a fix is left that the policy's Choose does not want.
const NotChosen = "not chosen"

// add takes a finding's fix in, unless the policy does not want it.
func (p *planner) add(c *checks.Check, found checks.Finding) {
	f := fix{c, found, Class(p.host, c, found)}
	p.fixes = append(p.fixes, f)
	if p.policy.Choose != nil && !p.policy.Choose(c, f.class) {
		p.dropped[f.key()] = NotChosen
	}
}

// alsoSettled are the fixes that are not chosen and whose findings a draft settles all the same, such as where two
// checks want the same of one file.
func (p *planner) alsoSettled(d *draft) map[string]bool {
	var unchosen []fix
	for _, f := range p.fixes {
		if p.dropped[f.key()] == NotChosen {
			unchosen = append(unchosen, f)
		}
	}
	settled := map[string]bool{}
	if len(unchosen) == 0 {
		return settled
	}
	still := p.unsettled(d, p.host, unchosen)
	for _, f := range unchosen {
		_, open := still[f.key()]
		settled[f.key()] = !open
	}
	return settled
}

// Class is what the fix of a finding disturbs.
func Class(h *facts.Host, c *checks.Check, f checks.Finding) want.Class {
	if len(h.SourceDirs) > 0 { // nothing runs from there before somebody builds or deploys it
		return want.None
	}
	return classOf(c, f)
}
