package report

import (
	"fmt"
	"path/filepath"
	"time"

	"example.com/harden/remediate"
)

// ScheduleSchema names the shape of a Schedule as JSON.
const ScheduleSchema = "harden-schedule/v1"

// A Schedule is a change of the scheduled runs.
type Schedule struct {
	Schema      string       `json:"schema"`
	Version     string       `json:"version"` // harden's own
	Manager     string       `json:"manager"` // "systemd" or "cron"
	Changes     []Change     `json:"changes"`
	Activations []Activation `json:"activations"`
	Notes       []string     `json:"notes"`
	Run         *Run         `json:"run,omitempty"` // nil before it was applied
}

// text is what would be changed.
func (r *Schedule) text(p *page) {
	if len(r.Changes) == 0 {
		p.line("The schedule is already up to date.")
	} else {
		p.line(p.paint(bold, "Schedule, with "+r.Manager+": "+remediate.Count(len(r.Changes), "change")))
	}
	for _, n := range r.Notes {
		p.block("  "+p.paint(yellow, pad("note", numberWidth)), 2+numberWidth, "", n)
	}
	for _, c := range r.Changes {
		p.line()
		p.diff(c.Diff)
	}
	p.activations("Then", r.Activations)
}

// outcome is what became of it.
func (r *Schedule) outcome(p *page) {
	p.run(&Report{Run: r.Run})
}

// ScheduleStatusSchema names the shape of a ScheduleStatus as JSON.
const ScheduleStatusSchema = "harden-schedule-status/v1"

// A ScheduleStatus tells of the scheduled runs, and what the last one found.
type ScheduleStatus struct {
	Schema  string    `json:"schema"`
	Files   []string  `json:"files"` // of the schedule; none when there is none
	Timers  []Timer   `json:"timers"`
	Looked  time.Time `json:"looked,omitzero"`   // of the last scheduled run, UTC
	Summary *Summary  `json:"summary,omitempty"` // of that look
	// of the scheduled runs, the oldest first
	Reports []KeptReport `json:"reports"`
}

// A KeptReport is the report of a scheduled run, as a file.
type KeptReport struct {
	File string    `json:"file"`
	Time time.Time `json:"time"` // UTC
}

// A Timer is one of systemd's.
type Timer struct {
	Unit     string    `json:"unit"`
	Calendar string    `json:"calendar"`
	State    string    `json:"state"` // "active", "inactive", "failed", or "unknown" for a reason
	Reason   string    `json:"reason,omitempty"`
	Last     time.Time `json:"last,omitzero"`
	Next     time.Time `json:"next,omitzero"`
}

// text is it for people.
func (r *ScheduleStatus) text(p *page) {
	field := func(name, text string) { p.block(p.paint(dim, pad(name, 11)), 11, "", text) }
	if len(r.Files) == 0 {
		p.line("No scheduled audits. Run `harden schedule install` to schedule them.")
	}
	for _, f := range r.Files {
		field("file", f)
	}
	at := func(t time.Time, never string) string {
		if t.IsZero() {
			return never
		}
		return t.Format(time.RFC3339)
	}
	for _, t := range r.Timers {
		if t.Reason != "" {
			field("timer", t.Unit+", "+t.Calendar+": "+t.State+", "+t.Reason)
			continue
		}
		field("timer", fmt.Sprintf("%s, %s: %s, last %s, next %s", t.Unit, t.Calendar, t.State, at(t.Last, "never"),
			at(t.Next, "not at all")))
	}
	if n := len(r.Reports); n > 0 {
		field("reports", fmt.Sprintf("%d kept in %s, from %s to %s; `harden diff` compares the last two", n,
			filepath.Dir(r.Reports[0].File), at(r.Reports[0].Time, ""), at(r.Reports[n-1].Time, "")))
	}
	if r.Summary == nil {
		field("last audit", "none yet")
	} else {
		field("last audit", at(r.Looked, ""))
		p.summary(&Report{Summary: *r.Summary})
	}
}
