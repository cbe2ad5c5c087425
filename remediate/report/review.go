package report

import (
	"slices"
	"strings"

	"example.com/harden/checks/want"
)

// An Offer is one fix by itself, for somebody to decide about: a report of its check alone, with the plan that this fix
// alone comes to.
type Offer struct {
	*Report
	Head string // "Fix 3 of 17"
	// the flag that would allow it, empty where it is allowed; and whether its check has to be named
	Needs string
	Named bool
}

func (o *Offer) text(p *page) { p.offered(o) }

// offered lays out one fix: what it is for, what it takes, and what it changes.
func (p *page) offered(o *Offer) {
	res, plan := &o.Results[0], o.Plan
	p.line(p.paint(bold, o.Head+": "+severityOf(res).String()+", "+Clean(res.label())))
	p.block("  ", 2, "", res.Title)
	p.labelled("why", res.Why)
	for _, t := range res.Threats {
		p.labelled("threat", threatLine(t))
	}
	for _, b := range plan.breaks() {
		p.labelled("breaks", b)
	}
	switch {
	case o.Named:
		p.labelled("held", "no class allows this fix; to choose it, press y and type the name of its check")
	case o.Needs != "":
		p.labelled("held", "y allows this fix alone as "+o.Needs+" would allow all of its class: "+
			classPhrases[o.Results[0].Findings[0].Disruption])
	}
	p.found(res)
	for _, l := range plan.Left {
		p.labelled("left", difference(Clean(l.Subject), l.Reason, ""))
	}
	p.changed(plan, false)
}

// found tells what a fix is for, those that differ in their subject alone together.
func (p *page) found(res *Result) {
	var kinds [][2]string
	subjects := map[[2]string][]string{}
	for i := range res.Findings {
		f := &res.Findings[i]
		k := [2]string{f.Got, f.Must}
		if subjects[k] == nil {
			kinds = append(kinds, k)
		}
		subjects[k] = append(subjects[k], placed(f))
	}
	for _, k := range kinds {
		p.labelled("found", difference(p.several(subjects[k]), k[0], k[1]))
	}
}

// breaks are who will notice a plan, each told once.
func (plan *Plan) breaks() (all []string) {
	add := func(more []string) {
		for _, b := range more {
			if !slices.Contains(all, b) {
				all = append(all, b)
			}
		}
	}
	for _, c := range plan.Changes {
		add(c.Breaks)
	}
	for _, u := range plan.Updates {
		add(u.Breaks)
	}
	for _, a := range plan.Activations {
		add(a.Breaks)
	}
	return all
}

// changed shows what a plan changes, and of which checks where they are more than the one that was told.
func (p *page) changed(plan *Plan, whose bool) {
	target := func(name string, class want.Class, checks []string) {
		p.line()
		p.line(p.paint(bold, Clean(name)), "  ", p.paint(dim, classText(class)))
		if whose {
			p.labelled("for", strings.Join(checks, ", "))
		}
	}
	for _, c := range plan.Changes {
		target(c.Target, c.Disruption, c.Checks)
		if c.Upgrade != nil {
			p.labelled("upgrade", upgradeText(*c.Upgrade))
		}
		p.diff(c.Diff)
	}
	for _, u := range plan.Updates {
		target("container "+u.Container, u.Disruption, u.Checks)
		p.diff(u.Diff)
	}
	after := slices.Clone(plan.Activations)
	for i := range after { // which are told above
		after[i].Breaks = nil
	}
	p.activations("Then", after)
}

// A Chosen is what a review comes to: the plan of what was chosen.
type Chosen struct {
	*Report
	Line  string   // how many fixes were chosen, skipped and waived
	Notes []string // what does not follow from that alone
}

func (c *Chosen) text(p *page) {
	p.line(p.paint(bold, c.Line))
	for _, n := range c.Notes {
		p.block("  ", 2, "", n)
	}
	if plan := c.Plan; len(plan.Changes)+len(plan.Updates)+len(plan.Activations) > 0 {
		p.title("The plan: " + count(plan.Changes, plan.Updates))
		for _, b := range plan.breaks() {
			p.labelled("breaks", b)
		}
		p.changed(plan, true)
	}
}

// An Edit is a file of harden's own that is about to be changed.
type Edit struct {
	Change
}

func (e *Edit) text(p *page) { p.diff(e.Diff) }
