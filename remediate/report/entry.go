package report

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// An entry is what the formats for other programs tell of: a finding, one that is waived, or a check that nobody could
// judge. Unknown is never a pass: a format that is of findings alone tells of it too.
type entry struct {
	*Finding
	report *Report
	result *Result
	waiver *Accepted // nil unless it is waived
}

// inconclusive are the states of checks that have no findings and have not passed.
var inconclusive = []State{Unknown, Manual}

// entries goes through a report in its own order.
func entries(r *Report) iter.Seq[entry] {
	return func(yield func(entry) bool) {
		for i := range r.Results {
			res := &r.Results[i]
			for _, e := range res.entries(r) {
				if !yield(e) {
					return
				}
			}
		}
	}
}

// entries are those of one check.
func (res *Result) entries(r *Report) (all []entry) {
	for j := range res.Findings {
		all = append(all, entry{&res.Findings[j], r, res, nil})
	}
	for j := range res.Waived {
		a := &res.Waived[j]
		f := &Finding{ID: a.ID, Subject: a.Subject, Got: a.Got, Must: a.Must, State: Waived, Place: a.Place}
		all = append(all, entry{f, r, res, a})
	}
	if state := State(res.Status.String()); slices.Contains(inconclusive, state) {
		f := &Finding{ID: findingIDs(r.Host, res.ID, []named{{}}, nil)[0], State: state, Reason: res.Reason}
		all = append(all, entry{f, r, res, nil})
	}
	return all
}

// open reports whether it is a finding that is still there, and that nobody has accepted.
func (e entry) open() bool {
	return e.waiver == nil && e.State != Fixed && !slices.Contains(inconclusive, e.State)
}

// sentence is what was found, on one line.
func (e entry) sentence() string {
	switch {
	case e.State == Manual:
		return "manual review: " + Clean(firstLine(e.Reason))
	case e.State == Unknown:
		return "inconclusive: " + Clean(firstLine(e.Reason))
	}
	return difference(Clean(e.Subject), e.Got, e.Must)
}

// accepted is why it is waived.
func (e entry) accepted() string {
	return waiverText(e.waiver.Reason, e.waiver.Approver, e.waiver.Expires)
}

// label names a check by its number and ID.
func (res *Result) label() string { return strings.TrimSpace(res.Number + " " + res.ID) }

// remedy is what to do about a finding, a line each.
func (e entry) remedy() []string {
	lines := slices.Clone(e.Fix)
	if e.Reason != "" && !slices.Contains(inconclusive, e.State) {
		lines = append(lines, e.Reason)
	}
	return lines
}

// changes are the file changes of the report's plan, those that are held back too.
func (r *Report) changes() (all []Change) {
	if r.Plan == nil {
		return nil
	}
	all = slices.Clone(r.Plan.Changes)
	for _, h := range r.Plan.Held {
		all = append(all, h.Changes...)
	}
	return all
}

// updates are the containers that the report's plan changes in place, those that are held back too.
func (r *Report) updates() (all []Update) {
	if r.Plan == nil {
		return nil
	}
	all = slices.Clone(r.Plan.Updates)
	for _, h := range r.Plan.Held {
		all = append(all, h.Updates...)
	}
	return all
}

// bySeverity orders entries, the most severe first, and otherwise leaves them in order.
func bySeverity(all []entry) []entry {
	slices.SortStableFunc(all, func(a, b entry) int {
		return cmp.Compare(severityOf(b.result), severityOf(a.result))
	})
	return all
}

// Reports are several hosts' reports, or one that was saved.
type Reports []*Report

func (rs Reports) text(p *page) {
	for i, r := range rs {
		if i > 0 {
			p.line()
		}
		r.text(p)
	}
}

// reportsOf are the reports that a document is of.
func reportsOf(format string, d Document) (Reports, error) {
	switch d := whole(d).(type) {
	case *Report:
		return Reports{d}, nil
	case Nothing:
		return Reports{d.Report}, nil
	case Applied:
		return Reports{d.Report}, nil
	case Reports:
		return d, nil
	}
	return nil, fmt.Errorf("--format %s: %T has no findings", format, d)
}

// oneReport is the report of a document whose format has room for one host.
func oneReport(format string, d Document) (*Report, error) {
	rs, err := reportsOf(format, d)
	if err == nil && len(rs) != 1 {
		err = fmt.Errorf("--format %s: %d reports; this format holds one host, so convert each by itself", format, len(rs))
	}
	if err != nil {
		return nil, err
	}
	return rs[0], nil
}

// A findingsView is a format for other programs: whole, and of findings unless it says otherwise.
type findingsView struct{}

func (findingsView) Of(s Subject) bool      { return s == OfReport || s == OfPlan }
func (findingsView) Talks() bool            { return false }
func (findingsView) Refuse(bool, int) error { return nil }
