// Package report is what harden says of a host, as one plain value, and the formats it is written in. A format only
// writes: what a state is and what the totals are is decided here, once, for all of them.
package report

import (
	"slices"
	"time"

	"example.com/harden/checks"
	"example.com/harden/checks/catalog"
	"example.com/harden/checks/severity"
	"example.com/harden/checks/stride"
	"example.com/harden/checks/want"
	"example.com/harden/remediate/diff"
)

// Schema names the shape of the JSON. Fields are added to it, never changed.
const Schema = "harden/v1"

// A Report is one run of harden. A slice in it is never nil, so that JSON has [] where there is nothing.
type Report struct {
	Schema     string    `json:"schema"`
	Version    string    `json:"version"` // harden's own
	Time       time.Time `json:"time"`    // when the host was looked at, UTC
	Command    string    `json:"command"` // "check", "plan" or "apply"
	Host       Host      `json:"host"`
	Benchmarks []string  `json:"benchmarks"` // "docker@1.8.0": the editions that were asked
	Results    []Result  `json:"results"`
	Waivers    []Waiver  `json:"waivers"`
	Plan       *Plan     `json:"plan,omitempty"` // nil after an audit alone
	Run        *Run      `json:"run,omitempty"`  // nil when nothing was applied
	Summary    Summary   `json:"summary"`
	Score      *int      `json:"score,omitempty"`    // 0 to 100; nil where nothing was judged
	Previous   *Scored   `json:"previous,omitempty"` // nil where no score was kept

	// Hidden is what the plan hides until its run is rolled back, for people.
	Hidden string `json:"-"`
	// Reviewed says that people were shown single fixes, and not the whole report.
	Reviewed bool   `json:"-"`
	exact    *exact // of Plan, for a patch

	left, failing map[place]string // of Plan and Run, while states are decided
}

// A Result is one check on this host.
type Result struct {
	ID       string            `json:"id"`
	Items    map[string]string `json:"items"`            // number by edition
	Number   string            `json:"number,omitempty"` // in the selected edition
	Section  string            `json:"section,omitempty"`
	Heading  string            `json:"heading,omitempty"` // the section's title
	Title    string            `json:"title"`
	Why      string            `json:"why"`
	Level    int               `json:"level"`
	Severity severity.Severity `json:"severity,omitempty"`
	Status   checks.Status     `json:"status"`
	State    State             `json:"state"`
	Threats  []string          `json:"threats"`
	Findings []Finding         `json:"findings"`
	Waived   []Accepted        `json:"waived"`
	Reason   string            `json:"reason,omitempty"` // why it could not be judged
	// of a look before, while it cannot be judged; only between scheduled looks
	Kept []Finding `json:"kept,omitempty"`

	breaks map[string]bool // who will notice its fix
}

// A Finding is one place where the host is not as it must be.
type Finding struct {
	ID         FindingID         `json:"id"` // the same on every audit: see identity.go
	Subject    string            `json:"subject"`
	Got        string            `json:"got"`
	Must       string            `json:"must"`
	Fix        []string          `json:"fix"`                // what would be done, a line each; may be empty
	Disruption want.Class        `json:"disruption"`         // of the fix
	Severity   severity.Severity `json:"severity,omitempty"` // of its check
	State      State             `json:"state"`
	Place      string            `json:"place,omitempty"`  // "app/Dockerfile:12", where it is of a source
	Reason     string            `json:"reason,omitempty"` // why it is left, or failed

	waiting      bool
	key, service string // what ID is made of
}

// An Accepted is a finding that somebody has waived.
type Accepted struct {
	ID       FindingID `json:"id"`
	Subject  string    `json:"subject"`
	Got      string    `json:"got"`
	Must     string    `json:"must"`
	Reason   string    `json:"reason"`
	Approver string    `json:"approver,omitempty"`
	Expires  string    `json:"expires,omitempty"` // "2026-12-31": its last day, UTC
	Place    string    `json:"place,omitempty"`   // as of a Finding

	key, service string
}

// A Waiver is one of the configuration's, and what has become of it.
type Waiver struct {
	Check    string `json:"check"`
	Scope    string `json:"scope,omitempty"`
	Reason   string `json:"reason"`
	Approver string `json:"approver,omitempty"`
	Expires  string `json:"expires,omitempty"`
	State    string `json:"state"` // "active", "expiring" or "expired"
	// its check was judged, and no finding is in its scope
	Unmatched bool `json:"unmatched,omitempty"`
}

// A Summary counts. The states add up to Selected.
type Summary struct {
	Selected int           `json:"selected"`
	States   map[State]int `json:"states"`
	Open     map[State]int `json:"open"`    // those of them that somebody has to do something about
	Changes  int           `json:"changes"` // files that the plan changes
	Updates  int           `json:"updates"` // containers that it changes in place
	// "clean", "findings", "unknown", "changed" or "failed": what a reader does next
	Verdict string `json:"verdict"`
}

// New reports the results of a selection's checks. The caller adds what is known of the host, the plan and the run,
// and then calls Settle.
func New(s *catalog.Selection, results []checks.Result, waivers []checks.Waiver, now time.Time) *Report {
	r := &Report{Schema: Schema, Time: now.UTC().Truncate(time.Second), Benchmarks: []string{}, Results: []Result{},
		Waivers: []Waiver{}}
	r.Host.Notes = []string{}
	for _, b := range s.Benchmarks {
		r.Benchmarks = append(r.Benchmarks, string(b))
	}
	for _, result := range results {
		r.Results = append(r.Results, resultOf(s, result))
	}
	for _, w := range waivers {
		state := "active"
		switch {
		case w.Expired(now):
			state = "expired"
		case w.Expiring(now):
			state = "expiring"
		}
		r.Waivers = append(r.Waivers, Waiver{w.Check, w.Scope, w.Reason, w.Approver, date(w.Expires), state,
			w.Unmatched(results)})
	}
	return r
}

func date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.DateOnly)
}

func resultOf(s *catalog.Selection, r checks.Result) Result {
	c := r.Check
	edition, number := s.Number(c)
	out := Result{ID: c.ID, Items: map[string]string{}, Number: number, Title: c.Title, Why: c.Why, Level: c.Level,
		Severity: c.Severity(), Status: r.Status, Threats: Threats(c.Threats), Findings: []Finding{}, Waived: []Accepted{}}
	for b, n := range c.Items {
		out.Items[string(b)] = n
	}
	if number != "" {
		out.Section, out.Heading = edition.Heading(number)
	}
	out.Findings = slices.Grow(out.Findings, len(r.Findings))
	for _, f := range r.Findings {
		class := c.Class
		fix := []string{}
		for _, w := range f.Wants {
			class = max(class, w.Class())
			fix = append(fix, Describe(w))
		}
		out.Findings = append(out.Findings, Finding{Subject: f.Subject, Got: f.Got, Must: f.Must, Fix: fix,
			Disruption: class, Severity: out.Severity, Place: f.Place, Reason: f.Reason, waiting: f.Pending, key: f.Named(),
			service: f.Service})
	}
	for _, a := range r.Waived {
		out.Waived = append(out.Waived, Accepted{Subject: a.Finding.Subject, Got: a.Finding.Got, Must: a.Finding.Must,
			Reason: a.Waiver.Reason, Approver: a.Waiver.Approver, Expires: date(a.Waiver.Expires), Place: a.Finding.Place,
			key: a.Finding.Named(), service: a.Finding.Service})
	}
	if r.Err != nil {
		out.Reason = r.Err.Error()
	}
	out.breaks = breaksOf(r)
	return out
}

// breaksOf is what a check and its findings say of who will notice the fix.
func breaksOf(r checks.Result) map[string]bool {
	breaks := map[string]bool{r.Check.Breaks: true}
	for _, f := range r.Findings {
		breaks[f.Breaks] = true
	}
	return breaks
}

// Redact hides the secrets in what was found. Most findings are like the one before, and what is found of one container
// is found of many.
func (r *Report) Redact(with *diff.Redactor) {
	redacted := map[string]string{}
	redact := func(before, clean, text string) string {
		if text == before {
			return clean
		}
		clean, ok := redacted[text]
		if !ok {
			clean = with.RedactText(text)
			redacted[text] = clean
		}
		return clean
	}
	for i := range r.Results {
		res := &r.Results[i]
		res.Reason = with.RedactText(res.Reason)
		var before, clean Finding
		for j := range res.Findings {
			f := &res.Findings[j]
			said := *f
			f.Got, f.Must = redact(before.Got, clean.Got, f.Got), redact(before.Must, clean.Must, f.Must)
			f.Reason, f.key = redact(before.Reason, clean.Reason, f.Reason), redact(before.key, clean.key, f.key)
			before, clean = said, *f
		}
		for j := range res.Waived {
			res.Waived[j].Got = with.RedactText(res.Waived[j].Got)
			res.Waived[j].key = with.RedactText(res.Waived[j].key)
		}
	}
}

// Threats spells threat IDs as text.
func Threats(ids []stride.ID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = string(id)
	}
	return out
}

// Result finds a check's result.
func (r *Report) Result(id string) (Result, bool) {
	i := slices.IndexFunc(r.Results, func(x Result) bool { return x.ID == id })
	if i < 0 {
		return Result{}, false
	}
	return r.Results[i], true
}
