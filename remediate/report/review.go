package report

import (
	"slices"
	"strings"
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

func (o *Offer) text(p *page) {
	p.offered(o.Report, o.Head)
	switch {
	case o.Named:
		p.block("", 0, yellow, "Held back: no class allows it. To choose it, press y and type the name of the check.")
	case o.Needs != "":
		p.block("", 0, yellow, "Held back: choosing it here allows it as "+o.Needs+" would, for this fix alone ("+
			classText(o.Results[0].Findings[0].Disruption)+").")
	}
}

// offered lays out the fix of a report's only check.
func (p *page) offered(r *Report, head string) {
	res, plan := &r.Results[0], r.Plan
	p.line(p.paint(bold, head+": "+severityOf(res).String()+", "+Clean(res.label())))
	p.block("  ", 2, "", res.Title)
	p.labelled("why", res.Why)
	for _, t := range res.Threats {
		p.labelled("threat", threatLine(t))
	}
	for _, b := range plan.breaks() {
		p.labelled("breaks", b)
	}
	p.found(res)
	for _, l := range plan.Left {
		p.labelled("left", difference(Clean(l.Subject), l.Reason, ""))
	}
	p.changed(plan)
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

// changed shows what a plan changes, without what it is for.
func (p *page) changed(plan *Plan) {
	target := func(name string, class string) { p.line("\n", p.paint(bold, Clean(name)), "  ", p.paint(dim, class)) }
	for _, c := range plan.Changes {
		target(c.Target, classText(c.Disruption))
		if c.Upgrade != nil {
			p.labelled("upgrade", upgradeText(*c.Upgrade))
		}
		p.diff(c.Diff)
	}
	for _, u := range plan.Updates {
		target("container "+u.Container, classText(u.Disruption))
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
		p.changed(plan)
	}
}

// An Edit is a file of harden's own that is about to be changed.
type Edit struct {
	Change
}

func (e *Edit) text(p *page) {
	p.line(p.paint(bold, strings.TrimSpace(e.Action+" "+Clean(e.Target))))
	p.diff(e.Diff)
}
