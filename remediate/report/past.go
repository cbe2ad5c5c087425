package report

import (
	"fmt"
	"strings"
	"time"

	"example.com/harden/remediate"
	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/diff"
)

// Past is one run, with what it was to do as diffs.
type Past apply.Run

// PastOf is a run with the diffs of its plan, the secrets in them hidden by r. A file of which the journal is damaged,
// so that its content is not known, has none.
func PastOf(run *apply.Run, plan *remediate.Plan, damaged bool, r *diff.Redactor) *Past {
	for i := range run.Changes {
		if !damaged || run.Changes[i].Kind == apply.Attributes {
			run.Changes[i].Diff = diff.Unified(plan.Changes[i], r)
		}
	}
	for i, u := range run.Updates {
		run.Updates[i].Diff = diff.Container(remediate.Update{ID: u.ID, Name: u.Name, Before: u.Before, After: u.After})
	}
	for i, a := range plan.Activations {
		if a.Record != nil {
			run.Activations[i].Diff = diff.Unified(a.Record.Change(), r)
		}
	}
	return (*Past)(run)
}

func (r *Past) text(p *page) {
	p.line(p.paint(bold, fmt.Sprintf("Run %d", r.Number)), "  ", r.ID)
	at := func(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 MST") }
	p.labelled("outcome", outcome(apply.Run(*r)))
	p.labelled("reason", Clean(firstLine(r.Reason)))
	p.labelled("started", at(r.Started)+" by "+by(r.Actor)+", harden "+r.Version)
	if !r.Finished.IsZero() {
		p.labelled("ended", at(r.Finished))
	}
	if r.Root != "/" {
		p.labelled("root", r.Root)
	}
	for _, l := range r.Left {
		p.labelled("left", Clean(l.Path)+": "+Clean(l.Why))
	}
	p.labelled("checks", strings.Join(r.Checks, ", "))
	for _, c := range r.Changes {
		p.title(c.Path)
		p.labelled("for", strings.Join(c.Checks, ", "))
		p.diff(c.Diff)
	}
	for _, u := range r.Updates {
		p.title("container " + u.Name)
		p.labelled("for", strings.Join(u.Checks, ", "))
		p.diff(u.Diff)
	}
	if len(r.Activations) > 0 {
		p.title("Then")
		p.activated(r.Activations)
	}
	for _, a := range r.Activations {
		p.diff(a.Diff)
	}
	if r.Outcome == apply.Applied {
		p.line()
		p.line(fmt.Sprintf("harden rollback %d rolls it back.", r.Number))
	}
}

// by is who started a run.
func by(a apply.Actor) string {
	text := fmt.Sprintf("uid %d", a.UID)
	if a.LoginUID != nil {
		text += fmt.Sprintf(", login uid %d", *a.LoginUID)
	}
	if a.TTY != "" {
		text += ", " + Clean(a.TTY)
	}
	return text
}
