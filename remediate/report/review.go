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

func (o *Offer) text(p *page) {
	res := &o.Results[0]
	p.line(p.paint(bold, o.Head))
	p.found(res)
	for _, l := range o.Plan.Left {
		p.labelled("left", difference(Clean(l.Subject), l.Reason, ""))
	}
	switch {
	case o.Named:
		p.labelled("held", "no class allows this fix; to choose it, press y and type the name of its check")
	case o.Needs != "":
		p.labelled("held", "y allows this fix alone as "+o.Needs+" would allow all of its class")
	}
	p.offered(o)
}

// offered lays out the fix itself: what it is for, and what it changes.
func (p *page) offered(o *Offer) {
	fixes := o.Fixes()
	if len(fixes) == 0 { // alone it comes to nothing, for what is left
		fixes = []Fix{{Check: o.Results[0]}}
	}
	p.fixes(fixes)
	p.activations("Then", o.Plan.Activations)
}

// found tells what a fix is for, those that differ in their subject alone together.
func (p *page) found(res *Result) {
	type kind struct{ got, must string }
	var alike groups[kind, string]
	for i := range res.Findings {
		f := &res.Findings[i]
		alike.add(kind{f.Got, f.Must}, placed(f))
	}
	for k, subjects := range alike.all() {
		p.labelled("found", difference(p.several(subjects), k.got, k.must))
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

// changed shows what a plan changes, file by file, each with all the checks that it is changed for.
func (p *page) changed(plan *Plan) {
	target := func(name string, class want.Class, checks []string) {
		p.line()
		p.line(p.paint(bold, Clean(name)), "  ", p.paint(dim, classText(class)))
		p.labelled("for", strings.Join(checks, ", "))
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
		p.changed(plan)
	}
}

// An Edit is a file of harden's own that is about to be changed.
type Edit struct {
	Change
}

func (e *Edit) text(p *page) { p.diff(e.Diff) }
