package report

import (
	"time"

	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/diff"
)

// A Run is what became of an applied plan.
type Run struct {
	ID          string            `json:"id,omitempty"`
	Outcome     string            `json:"outcome"` // "applied", "unchanged", "rolled-back" or "failed"
	Reason      string            `json:"reason,omitempty"`
	Activations []apply.Activated `json:"activations"`
	Waiting     []string          `json:"waiting"`        // checks that a pending activation will settle
	Failing     []LeftOver        `json:"failing"`        // findings that are still there afterwards, and why
	Kept        []apply.Left      `json:"kept,omitempty"` // what was left as somebody else made it
	// when the run is taken back unless somebody confirms it
	Unconfirmed *time.Time `json:"unconfirmed_until,omitempty"`
}

// RunOf is a run as reports have it, its secrets hidden by r, with what is still there of the findings that it was to
// settle. The reason for its end is failure's where the run itself has none.
func RunOf(run *apply.Run, failure error, failing []LeftOver, r *diff.Redactor) *Run {
	out := &Run{ID: run.ID, Outcome: string(run.Outcome), Reason: r.RedactText(run.Reason),
		Activations: []apply.Activated{},
		Waiting:     append([]string{}, run.Waiting...), Failing: failing, Kept: KeptOf(run.Left, r)}
	if failure != nil && out.Reason == "" {
		out.Reason = r.RedactText(failure.Error())
	}
	if d := run.Unconfirmed; d != nil {
		out.Unconfirmed = &d.Until
	}
	for _, a := range run.Activations {
		a.Reason = r.RedactText(a.Reason)
		out.Activations = append(out.Activations, a)
	}
	return out
}

// KeptOf are files and containers that are left as somebody else made them, their secrets hidden by r; nil where there
// are none.
func KeptOf(left []apply.Left, r *diff.Redactor) (out []apply.Left) {
	for _, l := range left {
		out = append(out, apply.Left{Path: l.Path, Why: r.RedactText(l.Why)})
	}
	return out
}

// good reports whether the run is standing: what it wrote has not been taken back.
func (r *Run) good() bool { return r.Outcome == "applied" || r.Outcome == "unchanged" }
