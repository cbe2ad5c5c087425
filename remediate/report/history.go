package report

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"example.com/harden/remediate/apply"
)

// A History is past runs, newest first.
type History []apply.Run

// HistoryOf are runs as reports have them.
func HistoryOf(runs []apply.Run) History { return append(History{}, runs...) }

func (runs History) text(p *page) {
	if len(runs) == 0 {
		p.line("No runs yet.")
		return
	}
	w := tabwriter.NewWriter(p, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NO\tRUN\tSTARTED\tOUTCOME\tFILES\tCONTAINERS\tBY\tREASON")
	for _, r := range runs {
		if d := r.Unconfirmed; d != nil && r.Reason == "" {
			r.Reason = d.Kept
		}
		reason, _, _ := strings.Cut(r.Reason, "\n")
		for _, l := range r.Left {
			reason = strings.TrimPrefix(reason+"; left: "+l.Path, "; ")
		}
		who := r.Actor
		who.TTY = "" // which one run alone tells
		started := r.Started.Local().Format("2006-01-02 15:04")
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%d\t%d\t%s\t%s\n", r.Number, r.ID, started, outcome(r), len(r.Changes),
			len(r.Updates), by(who), Clean(reason))
	}
	w.Flush() // to a page, which takes everything
}

// outcome is what became of a run, and whether it still has to be confirmed.
func outcome(r apply.Run) string {
	d, said := r.Unconfirmed, string(r.Outcome)
	if n := len(r.Left); n > 0 {
		said += fmt.Sprintf(" but for %d", n)
	}
	if d == nil {
		return said
	}
	if said = said + ", unconfirmed"; r.Outcome == apply.Applied {
		said = "unconfirmed"
	}
	switch {
	case d.Kept != "":
		return said + ", could not be rolled back"
	case d.Passed:
		return said + ", overdue"
	}
	return said + ", until " + d.Until.Local().Format("15:04:05")
}

// Confirmed is a run that stays.
type Confirmed apply.Run

func (r *Confirmed) text(p *page) { p.line("Run " + r.ID + " is confirmed.") }
