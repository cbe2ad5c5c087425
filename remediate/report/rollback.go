package report

import (
	"fmt"

	"example.com/harden/remediate/apply"
)

// RollbackSchema names the shape of a Rollback as JSON, ResumeSchema that of one of a run that is finished.
const (
	RollbackSchema = "harden-rollback/v1"
	ResumeSchema   = "harden-resume/v1"
)

// A Rollback is a run rolled back, or an interrupted one finished.
type Rollback struct {
	Schema    string           `json:"schema"`
	Version   string           `json:"version"` // harden's own
	Changes   []Change         `json:"changes"` // what it writes
	Updates   []Update         `json:"updates"` // what it changes of containers in place
	Kept      []apply.Left     `json:"kept"`    // what stays as somebody else made it
	Conflicts []apply.Conflict `json:"conflicts"`
	Run       *Run             `json:"run,omitempty"`
}

// text is what rolling a run back, or finishing it, would do.
func (r *Rollback) text(p *page) {
	doing := "Rolling back: "
	if r.Schema == ResumeSchema {
		doing = "Finishing the run: "
	}
	p.line(p.paint(bold, doing+count(r.Changes, r.Updates)))
	for _, c := range r.Changes {
		p.line()
		p.diff(c.Diff)
	}
	for _, u := range r.Updates {
		p.line()
		p.diff(u.Diff)
	}
	p.kept(r.Kept)
}

// outcome is what a run that is rolled back or finished has come to, and what of it stays to be done.
func (r *Rollback) outcome(p *page) {
	outcome := " is rolled back"
	if r.Schema == ResumeSchema || r.Run.Outcome == "applied" {
		outcome = " is now " + r.Run.Outcome
	}
	if n := len(r.Kept); n > 0 {
		outcome += fmt.Sprintf(", except for %d that others had changed", n)
	}
	p.title("Run " + r.Run.ID + outcome)
	if r.Run.Reason != "" && r.Schema == RollbackSchema {
		p.block("  ", 2, "", Clean(r.Run.Reason))
	}
	p.activated(r.Run.Activations)
}

func (p *page) kept(all []apply.Left) {
	for i, k := range all {
		if i == 0 {
			p.title("Left as others changed them")
		}
		p.block("  ", 2, "", Clean(k.Path)+": "+Clean(k.Why))
	}
}

// AbandonSchema names the shape of an Abandoned as JSON.
const AbandonSchema = "harden-abandon/v1"

// An Abandoned is an interrupted run that is given up, or would be.
type Abandoned struct {
	Schema  string            `json:"schema"`
	Version string            `json:"version"` // harden's own
	Run     string            `json:"run"`
	Outcome string            `json:"outcome"` // "interrupted" before, "abandoned" afterwards
	Files   []apply.FileState `json:"files"`
}

var fileStates = map[string]string{
	"before": "as before the run", "after": "as the run writes it", "partly": "partly changed",
	"theirs": "changed by somebody else", "unknown": "unknown",
}

// text is what would be given up.
func (a *Abandoned) text(p *page) {
	p.line(p.paint(bold, "Run "+a.Run+" was interrupted. Its files are left as they are:"))
	for _, f := range a.Files {
		text := Clean(f.Path) + ": " + fileStates[f.State]
		if f.Why != "" {
			text += ": " + Clean(f.Why)
		}
		p.block("  ", 2, "", text)
	}
}

func (a *Abandoned) outcome(p *page) {
	p.line()
	p.line("Run " + a.Run + " is abandoned.")
}

// RepairSchema names the shape of a Repair as JSON.
const RepairSchema = "harden-repair/v1"

// A Repair is a state directory whose damage is set aside, or would be.
type Repair struct {
	Schema  string         `json:"schema"`
	Version string         `json:"version"` // harden's own
	State   string         `json:"state"`
	Damages []apply.Damage `json:"damages"`
	Aside   string         `json:"aside,omitempty"` // the directory that holds what was set aside
	Head    string         `json:"head,omitempty"`  // hash of the last record of the history
}

// text is what is damaged, what is lost by it, and what a repair would do.
func (r *Repair) text(p *page) {
	if len(r.Damages) == 0 {
		p.line("No damage in " + Clean(r.State) + ".")
	} else {
		p.line(p.paint(bold, "Damage in "+Clean(r.State)))
	}
	for _, d := range r.Damages {
		p.title(Clean(d.File))
		p.labelled("damaged", Clean(d.Why))
		for _, l := range d.Lost {
			p.labelled("lost", Clean(l))
		}
		for _, k := range d.Kept {
			p.labelled("kept", Clean(k))
		}
		p.labelled("repair", Clean(d.Does))
	}
}

func (r *Repair) outcome(p *page) {
	p.line()
	p.line("Repaired. Damaged files are kept in " + Clean(r.Aside) + ".")
}
