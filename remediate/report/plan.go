package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"example.com/harden/checks/secret"
	"example.com/harden/checks/severity"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
	"example.com/harden/remediate/apply"
)

// Allow is the flag that permits a class.
func Allow(c want.Class) string { return "--allow " + c.String() }

func (p *page) plan(r *Report) {
	parts := r.parts()
	for i := range parts {
		part := &parts[i]
		p.title(part.title(parts[i+1:], r.Plan.Left))
		then := "Then"
		if h := part.held; h != nil {
			then = "It would then"
			p.block("", 0, yellow, allowing(h))
			p.fixes(part.fixes, classText(h.Disruption))
		} else {
			p.fixes(part.fixes)
		}
		p.activations(then, part.activations)
	}
	p.left(r, r.Plan.Left)
}

// A part of a plan is what it does, or what one flag would allow.
type part struct {
	held        *HeldBack // nil for what the plan does
	fixes       []Fix
	changes     string // how many there are
	activations []Activation
}

func (r *Report) parts() (all []part) {
	plan := r.Plan
	if len(plan.Changes)+len(plan.Updates)+len(plan.Activations) > 0 {
		all = append(all, part{nil, r.fixes("", plan.Changes, plan.Updates, plan.Activations),
			count(plan.Changes, plan.Updates), plan.Activations})
	}
	for i := range plan.Held {
		h := &plan.Held[i]
		all = append(all, part{h, r.fixes(h.Allow, h.Changes, h.Updates, h.Activations), count(h.Changes, h.Updates),
			h.Activations})
	}
	return all
}

// title says what a part comes to. A check that needs something of a later part too is counted there in the summary.
func (q *part) title(later []part, left []LeftOver) string {
	text := "The plan: "
	if q.held != nil {
		text = fmt.Sprintf("Held back (%s): ", classText(q.held.Disruption))
	}
	of, more := 0, 0
	for i := range q.fixes {
		id := q.fixes[i].Check.ID
		if id == "" {
			continue
		}
		of++
		if slices.ContainsFunc(left, func(l LeftOver) bool { return l.ID == id }) ||
			slices.ContainsFunc(later, func(o part) bool {
				return slices.ContainsFunc(o.fixes, func(f Fix) bool { return f.Check.ID == id })
			}) {
			more++
		}
	}
	if text += q.changes; of > 0 {
		text += " for " + remediate.Count(of, "check")
	}
	switch {
	case more == 0:
		return text
	case of == 1:
		return text + ", which needs more than that: see below"
	case more == of:
		return text + ", which all need more than that: see below"
	}
	return text + fmt.Sprintf(", of which %d need more than that: see below", more)
}

// allowing says how to have what is held back applied.
func allowing(h *HeldBack) string {
	if h.Named != "" {
		return "To apply it, use " + h.Allow + "; no --allow covers it."
	}
	return fmt.Sprintf("To apply it, use %s, or name single checks with --only.", h.Allow)
}

// left tells each thing that is left once, with all the checks that it keeps from passing.
func (p *page) left(r *Report, all []LeftOver) {
	if len(all) == 0 {
		return
	}
	var ids []string
	for _, l := range all {
		ids = append(ids, l.ID)
	}
	p.title("Manual action required: " + remediate.Count(len(unique(ids)), "check"))
	all = r.bySeverity(all)
	findings := map[place]Finding{}
	for _, res := range r.Results {
		for _, f := range res.Findings {
			findings[place{res.ID, f.Subject}] = f
		}
	}
	type thing struct{ subject, got, must, reason string }
	var about groups[thing, string]
	for _, l := range all {
		f := findings[place{l.ID, l.Subject}]
		about.add(thing{placed(&f), f.Got, f.Must, l.Reason}, l.ID)
	}
	// What is the same of many, such as of each container, is told once too.
	type kind struct{ got, must, reason, checks string }
	var alike groups[kind, string]
	for t, checks := range about.all() {
		alike.add(kind{t.got, t.must, t.reason, strings.Join(checks, " ")}, t.subject)
	}
	margin := strings.Repeat(" ", 2+numberWidth)
	for k, subjects := range alike.all() {
		var rs []Result
		for id := range strings.FieldsSeq(k.checks) {
			res, _ := r.Result(id)
			rs = append(rs, res)
		}
		if len(rs) > maxNamed {
			p.block("  ", 2, "", fmt.Sprintf("%s to %s, %d checks", rs[0].short(), rs[len(rs)-1].short(), len(rs)))
		} else {
			for _, res := range rs {
				p.block("  "+pad(res.Number, numberWidth), 2+numberWidth, "", res.Title)
			}
		}
		if subjects[0] != "" {
			p.block(margin, 2+numberWidth, "", difference(p.several(subjects), k.got, k.must))
		}
		p.block(margin, 2+numberWidth, dim, k.reason)
	}
}

// bySeverity puts what matters most first.
func (r *Report) bySeverity(all []LeftOver) []LeftOver {
	of := map[string]severity.Severity{}
	for i := range r.Results {
		of[r.Results[i].ID] = severityOf(&r.Results[i])
	}
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b LeftOver) int { return cmp.Compare(of[b.ID], of[a.ID]) })
	return all
}

// several names the subjects of findings that are otherwise the same: the first few of many.
func (p *page) several(subjects []string) string {
	most := maxNamed
	if p.Verbose {
		most = len(subjects)
	}
	return listed(subjects[:min(most, len(subjects))], len(subjects))
}

// listed names the first of so many things.
func listed(names []string, of int) string {
	clean := make([]string, len(names))
	for i, n := range names {
		clean[i] = Clean(n)
	}
	text := strings.Join(clean, ", ")
	if more := of - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// maxNamed is how many checks that wait for one thing are named one by one, and how many things that are alike.
const maxNamed = 4

// count says how much a plan changes.
func count(changes []Change, updates []Update) string {
	text := remediate.Count(len(changes)+len(updates), "change")
	if len(updates) == 0 {
		return text
	}
	parts := remediate.Count(len(updates), "container") + " in place"
	if len(changes) > 0 {
		parts = remediate.Count(len(changes), "file") + ", " + parts
	}
	return text + " (" + parts + ")"
}

func (p *page) title(text string) {
	p.line()
	p.block("", 0, bold, text)
}

// fixes shows them one after the other. What many of them share is told once; above is what was said before.
func (p *page) fixes(fixes []Fix, above ...string) {
	told := map[string]bool{}
	for _, text := range above {
		told[text] = true
	}
	for i := range fixes {
		p.line()
		p.fix(&fixes[i], told)
	}
}

func upgradeText(u Upgrade) string {
	if u.Safe {
		return "upgrade-safe: yes"
	}
	return "upgrade-safe: no: " + u.Note
}

func (p *page) labelled(label, text string) {
	if text != "" {
		p.block("  "+p.paint(dim, pad(label, numberWidth)), labelWidth, "", text)
	}
}

func (p *page) diff(text string) {
	for l := range strings.Lines(text) {
		l = strings.TrimSuffix(l, "\n")
		color := ""
		switch {
		case strings.HasPrefix(l, "@@"):
			color = cyan
		case strings.HasPrefix(l, "+++"), strings.HasPrefix(l, "---"):
			color = bold
		case strings.HasPrefix(l, "+"):
			color = green
		case strings.HasPrefix(l, "-"):
			color = red
		case strings.HasPrefix(l, "#"):
			color = dim
		}
		if p.ASCII {
			l = secret.Marked().ReplaceAllStringFunc(l, p.plain)
		}
		p.WriteString(p.paint(color, l) + "\n")
	}
}

func (p *page) activations(word string, as []Activation) {
	if len(as) == 0 {
		return
	}
	p.line()
	for _, a := range as {
		if a.Pending != "" {
			p.block("", 2, "", activation(a.Kind, a.Unit)+" still to do: "+a.Pending)
			continue
		}
		p.line(p.paint(bold, word+" "), activation(a.Kind, a.Unit), "  ", p.paint(dim, classText(a.Disruption)))
		for _, b := range a.Breaks {
			p.labelled("breaks", b)
		}
		if a.Diff != "" {
			p.diff(a.Diff)
		}
	}
}

func activation(kind remediate.Kind, unit string) string {
	return strings.TrimSpace(strings.ReplaceAll(string(kind), "-", " ") + " " + unit)
}

func (p *page) run(r *Report) {
	if r.Run == nil {
		return
	}
	switch r.Run.Outcome {
	case "unchanged":
		p.title("Nothing was changed")
	case "applied":
		p.title("Applied as run " + r.Run.ID)
	case "rolled-back":
		p.title("Taken back, run " + r.Run.ID)
	default:
		p.title("Failed, run " + r.Run.ID)
	}
	if r.Run.Reason != "" {
		p.block("  ", 2, red, r.Run.Reason)
	}
	p.activated(r.Run.Activations)
	if n := len(r.Run.Failing); n > 0 && r.Run.Outcome == "rolled-back" { // nothing else was to be expected
		p.block("  ", 2, "", remediate.Count(n, "finding")+" as before the run")
		return
	}
	for _, l := range r.Run.Failing {
		p.block("  ", 2, red, l.ID+" still fails: "+Clean(l.Subject)+": "+Clean(l.Reason))
	}
}

// activated says of each activation of a run what became of it.
func (p *page) activated(as []apply.Activated) {
	for _, a := range once(as) {
		text := activation(a.Kind, a.Unit) + ": " + a.State
		if a.Reason != "" {
			text += ", " + a.Reason
		}
		p.block("  ", 2, "", text)
	}
}

// once tells what stays to be done once, with all its reasons: a restart may wait for more than one thing.
func once(as []apply.Activated) (all []apply.Activated) {
	for _, a := range as {
		i := slices.IndexFunc(all, func(b apply.Activated) bool {
			return a.Kind == b.Kind && a.Unit == b.Unit && a.State == b.State
		})
		switch {
		case i < 0:
			all = append(all, a)
		case !strings.Contains(all[i].Reason, a.Reason):
			all[i].Reason = strings.TrimPrefix(all[i].Reason+"; "+a.Reason, "; ")
		}
	}
	return all
}
