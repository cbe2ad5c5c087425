package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.com/harden/checks/stride"
	"example.com/harden/checks/want"
)

// A Fix is what a plan does for one check, or would do if it were allowed. A change that serves several checks is part
// of the first of their fixes; the others refer to it.
type Fix struct {
	Check       Result
	Allow       string     // the flag that allows it; empty where the plan does it
	Disruption  want.Class // the most that anything of it disturbs
	Breaks      []string   // who will notice
	Changes     []Change
	Updates     []Update
	Shared      []Shared     // what is part of an earlier fix
	Activations []Activation // what follows, once for all fixes
}

// A Shared is a change that serves several checks and is shown with another one.
type Shared struct {
	Target string
	With   string // that check's number, or its ID where it has none
}

// Fixes groups a plan by check: first what it does, then what it holds back, in each the most severe first.
func (r *Report) Fixes() []Fix {
	if r.Plan == nil {
		return nil
	}
	fixes := r.fixes("", r.Plan.Changes, r.Plan.Updates, r.Plan.Activations)
	for _, h := range r.Plan.Held {
		fixes = append(fixes, r.fixes(h.Allow, h.Changes, h.Updates, h.Activations)...)
	}
	return fixes
}

// fixes groups what one flag allows. Whatever names no check is a fix without one: nothing of a plan may be lost.
func (r *Report) fixes(allow string, changes []Change, updates []Update, activations []Activation) []Fix {
	var fixes []Fix
	for _, res := range r.served(changes, updates, activations) {
		fixes = append(fixes, Fix{Check: res, Allow: allow})
	}
	with := make([]string, len(changes)+len(updates)) // the fix that each is part of
	for i := range fixes {
		f := &fixes[i]
		for n, c := range changes {
			if f.takes(&with[n], c.Target, c.Checks, c.Breaks, c.Disruption, fixes) {
				f.Changes = append(f.Changes, c)
			}
		}
		for n, u := range updates {
			if f.takes(&with[len(changes)+n], "container "+u.Container, u.Checks, u.Breaks, u.Disruption, fixes) {
				f.Updates = append(f.Updates, u)
			}
		}
		f.Breaks = unique(f.Breaks)
		for _, a := range activations {
			if !slices.Contains(a.Checks, f.Check.ID) {
				continue
			}
			if f.Activations = append(f.Activations, a); !f.changes() {
				f.Disruption = max(f.Disruption, a.Disruption)
			}
		}
	}
	return fixes
}

// takes reports whether a change is part of this fix. One that is part of another already is noted as shared.
func (f *Fix) takes(with *string, target string, checks, breaks []string, class want.Class, fixes []Fix) bool {
	if !f.of(checks) {
		return false
	}
	f.Disruption = max(f.Disruption, class)
	first := *with == ""
	if first {
		*with = cmp.Or(f.Check.Number, f.Check.ID, "the others")
	} else {
		f.Shared = append(f.Shared, Shared{target, *with})
	}
	for _, b := range breaks {
		others := func(o Fix) bool { return o.of(checks) && o.Check.breaks[b] }
		if b != "" && (f.Check.breaks[b] || first && !slices.ContainsFunc(fixes, others)) {
			f.Breaks = append(f.Breaks, b)
		}
	}
	return first
}

// changes reports whether something is written for the fix, and not only done.
func (f *Fix) changes() bool { return len(f.Changes)+len(f.Updates)+len(f.Shared) > 0 }

// of reports whether the fix is of one of these checks; without a check it is of what has none.
func (f *Fix) of(ids []string) bool {
	if f.Check.ID == "" {
		return len(ids) == 0
	}
	return slices.Contains(ids, f.Check.ID)
}

// served are the checks that something is changed for, the most severe first.
func (r *Report) served(changes []Change, updates []Update, activations []Activation) (all []Result) {
	ids, nameless := map[string]bool{}, false
	add := func(checks []string, changes bool) {
		for _, id := range checks {
			ids[id] = true
		}
		nameless = nameless || changes && len(checks) == 0
	}
	for _, c := range changes {
		add(c.Checks, true)
	}
	for _, u := range updates {
		add(u.Checks, true)
	}
	for _, a := range activations {
		add(a.Checks, false)
	}
	for i := range r.Results {
		if res := &r.Results[i]; ids[res.ID] {
			all = append(all, *res)
			delete(ids, res.ID)
		}
	}
	slices.SortStableFunc(all, func(a, b Result) int { return cmp.Compare(severityOf(&b), severityOf(&a)) })
	for _, id := range slices.Sorted(maps.Keys(ids)) { // of a report that another harden has saved
		all = append(all, Result{ID: id})
	}
	if nameless {
		all = append(all, Result{})
	}
	return all
}

// text is one fix alone: its check, the threats that it answers, who will notice, its diffs and what follows.
func (f *Fix) text(p *page) {
	p.fix(f, map[string]bool{})
	if f.changes() {
		p.follows(f)
	}
	if f.Allow != "" {
		p.labelled("allow", f.Allow)
	}
}

// fix shows one fix. Of what told has, which was shown above, a threat is named only, and a consequence or a class is
// left out.
func (p *page) fix(f *Fix, told map[string]bool) {
	res := &f.Check
	head := res.ID
	if res.Title != "" {
		head += fmt.Sprintf(": %s (%s)", res.Title, severityOf(res))
	}
	p.block(p.paint(bold, pad(res.Number, labelWidth)), labelWidth, bold, cmp.Or(head, "for no check of this report"))
	p.labelled("why", res.Why)
	p.labelled("threat", known(res.Threats, told))
	for _, t := range res.Threats {
		if !told[t] {
			p.labelled("threat", threatLine(t))
		}
		told[t] = true
	}
	for _, b := range f.Breaks {
		if !told[b] {
			p.labelled("breaks", b)
		}
		told[b] = true
	}
	if class := classText(f.Disruption); !told[class] {
		p.labelled("class", class)
	}
	p.shared(f.Shared)
	for _, c := range f.Changes {
		if c.Upgrade != nil {
			p.labelled("upgrade", upgradeText(*c.Upgrade))
		}
		p.diff(c.Diff)
	}
	for _, u := range f.Updates {
		p.diff(u.Diff)
	}
	if !f.changes() {
		p.follows(f)
	}
}

// shared names what is shown with each other fix.
func (p *page) shared(all []Shared) {
	var of groups[string, string]
	for _, s := range all {
		of.add(s.With, s.Target)
	}
	for with, targets := range of.all() {
		p.labelled("change", p.several(targets)+": shown with "+with)
	}
}

// follows names what is done once the fix is written.
func (p *page) follows(f *Fix) {
	for _, a := range f.Activations {
		text := activation(a.Kind, a.Unit)
		if a.Pending != "" {
			text += ", by you: " + a.Pending
		}
		p.labelled("then", text)
	}
}

// known names the threats that were shown above.
func known(threats []string, told map[string]bool) string {
	var names []string
	for _, id := range threats {
		if !told[id] {
			continue
		}
		if t, err := stride.Get(stride.ID(id)); err == nil {
			id = t.ID.Category().Letter() + " " + id
		}
		names = append(names, id)
	}
	return strings.Join(names, ", ")
}
