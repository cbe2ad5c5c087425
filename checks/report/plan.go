package report

import (
	"fmt"
	"slices"
	"strings"

	"example.com/harden/checks/want"
)

// Allow is the flag that permits a class.
func Allow(c want.Class) string { return "--allow " + c.String() }

func (p *page) plan(r *Report) {
	plan := r.Plan
	if len(plan.Changes)+len(plan.Activations) > 0 {
		p.title("The plan: " + plural(len(plan.Changes), "change"))
		p.changes(r, plan.Changes)
		p.activations("Then", plan.Activations)
	}
	for _, h := range plan.Held {
		p.title(fmt.Sprintf("Held back (%s): %s", classText(h.Disruption), plural(len(h.Changes), "change")))
		p.block("", 0, yellow, fmt.Sprintf("%s allows it, and so does naming the items by --only", h.Allow))
		p.changes(r, h.Changes)
		p.activations("It would then", h.Activations)
	}
	p.left(r, plan.Left)
}

// left tells each thing that is left once, with all the checks that it keeps from passing.
func (p *page) left(r *Report, all []LeftOver) {
	if len(all) == 0 {
		return
	}
	p.title("Left to you")
	type thing struct{ difference, reason string }
	var order []thing
	about := map[thing][]Result{}
	for _, l := range all {
		res, _ := r.Result(l.ID)
		t := thing{reason: l.Reason}
		if i := slices.IndexFunc(res.Findings, func(f Finding) bool { return f.Subject == l.Subject }); i >= 0 {
			f := res.Findings[i]
			t.difference = placed(f)
		}
		if about[t] == nil {
			order = append(order, t)
		}
		about[t] = append(about[t], res)
	}
	margin := strings.Repeat(" ", 2+numberWidth)
	for _, t := range order {
		if rs := about[t]; len(rs) > maxNamed {
			p.block("  ", 2, "", fmt.Sprintf("%s to %s, %d checks", rs[0].Number, rs[len(rs)-1].Number, len(rs)))
		} else {
			for _, res := range rs {
				p.block("  "+pad(res.Number, numberWidth), 2+numberWidth, "", res.Title)
			}
		}
		p.block(margin, 2+numberWidth, "", t.difference)
		p.block(margin, 2+numberWidth, dim, t.reason)
	}
}

// maxNamed is how many checks that wait for one thing are named one by one.
const maxNamed = 4

func (p *page) title(text string) {
	p.line()
	p.line(p.paint(bold, Clean(text)))
}

func (p *page) changes(r *Report, changes []Change) {
	for _, c := range changes {
		p.line()
		p.line(p.paint(bold, Clean(c.Target)), "  ", p.paint(dim, classText(c.Disruption)))
		var threats []string
		for _, id := range c.Checks {
			res, _ := r.Result(id)
			p.block("  "+pad(res.Number, numberWidth), 2+numberWidth, "", res.ID+": "+res.Title)
			p.labelled("why", res.Why)
			for _, t := range res.Threats {
				if !slices.Contains(threats, t) {
					threats = append(threats, t)
				}
			}
		}
		for _, t := range threats {
			p.labelled("threat", threatLine(t))
		}
		for _, b := range c.Breaks {
			p.labelled("breaks", b)
		}
		p.diff(c.Diff)
	}
}

func (p *page) labelled(label, text string) {
	if text != "" {
		p.block("  "+p.paint(dim, pad(label, numberWidth)), 2+numberWidth, "", text)
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
			p.block("", 2, "", activation(a.Kind, a.Unit)+" stays to be done: "+a.Pending)
			continue
		}
		p.line(p.paint(bold, word+" "), activation(a.Kind, a.Unit), "  ", p.paint(dim, classText(a.Disruption)))
		for _, b := range a.Breaks {
			p.labelled("breaks", b)
		}
	}
}

func activation(kind, unit string) string {
	return strings.TrimSpace(strings.ReplaceAll(kind, "-", " ") + " " + unit)
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
	for _, l := range r.Run.Failing {
		p.block("  ", 2, red, l.ID+" still fails: "+Clean(l.Subject)+": "+Clean(l.Reason))
	}
}

// activated says of each activation of a run what became of it.
func (p *page) activated(as []Activated) {
	for _, a := range as {
		text := activation(a.Kind, a.Unit) + ": " + a.State
		if a.Reason != "" {
			text += ", " + a.Reason
		}
		p.block("  ", 2, "", text)
	}
}
