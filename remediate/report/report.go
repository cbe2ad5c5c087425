// Package report is what harden says of a host, as one plain value, and the formats it is written in. A format only
// writes: what a state is and what the totals are is decided here, once, for all of them.
package report

import (
	"slices"
	"time"

	"example.com/harden/checks"
	"example.com/harden/checks/catalog"
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

	// Hidden is what the plan hides until its run is rolled back, for people.
	Hidden string `json:"-"`
	exact  *exact // of Plan, for a patch

	left, failing map[place]string // of Plan and Run, while states are decided
}

// A State is where a check or one finding ends. Every selected check is in exactly one.
type State string

// The states.
const (
	Pass          State = "pass"
	Fail          State = "fail" // in an audit; a plan says more
	Planned       State = "planned"
	Fixed         State = "fixed"
	Pending       State = "pending-restart" // configured, and a service has yet to take it up
	Held          State = "held"
	Left          State = "left"
	Failed        State = "failed" // its fix was tried and taken back
	Waived        State = "waived"
	Unknown       State = "unknown"
	Manual        State = "manual"
	NotApplicable State = "n/a"
)

// States lists them in the order in which a summary counts them.
var States = []State{Pass, Fixed, Planned, Pending, Held, Left, Fail, Failed, Waived, Manual, Unknown, NotApplicable}

// worst orders what a failing check's findings may be: its own state is that of the first.
var worst = []State{Failed, Fail, Left, Held, Pending, Planned, Fixed}

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
	Status   checks.Status     `json:"status"`
	State    State             `json:"state"`
	Threats  []string          `json:"threats"`
	Findings []Finding         `json:"findings"`
	Waived   []Accepted        `json:"waived"`
	Reason   string            `json:"reason,omitempty"` // why it could not be judged
	Kept     []Finding         `json:"kept,omitempty"`   // of a look before, while it cannot be judged; only between scheduled looks
}

// A Finding is one place where the host is not as it must be.
type Finding struct {
	Subject    string     `json:"subject"`
	Got        string     `json:"got"`
	Must       string     `json:"must"`
	Fix        []string   `json:"fix"`        // what would be done, a line each; empty when a person must decide
	Disruption want.Class `json:"disruption"` // of the fix
	State      State      `json:"state"`
	Place      string     `json:"place,omitempty"`  // "app/Dockerfile:12", where it is of a source
	Reason     string     `json:"reason,omitempty"` // why it is left, or failed

	waiting bool
}

// An Accepted is a finding that somebody has waived.
type Accepted struct {
	Subject  string `json:"subject"`
	Got      string `json:"got"`
	Must     string `json:"must"`
	Reason   string `json:"reason"`
	Approver string `json:"approver,omitempty"`
	Expires  string `json:"expires,omitempty"` // "2026-12-31": its last day, UTC
}

// A Waiver is one of the configuration's, and what has become of it.
type Waiver struct {
	Check    string `json:"check"`
	Scope    string `json:"scope,omitempty"`
	Reason   string `json:"reason"`
	Approver string `json:"approver,omitempty"`
	Expires  string `json:"expires,omitempty"`
	State    string `json:"state"` // "active", "expiring" or "expired"
}

// A Summary counts. The states add up to Selected.
type Summary struct {
	Selected int           `json:"selected"`
	States   map[State]int `json:"states"`
	Open     map[State]int `json:"open"`    // those of them that somebody has to do something about
	Changes  int           `json:"changes"` // files that the plan changes
	Updates  int           `json:"updates"` // containers that it changes in place
	Verdict  string        `json:"verdict"` // "clean", "findings", "unknown", "changed" or "failed": what a reader does next
}

// New reports the results of a selection's checks. The caller adds what is known of the host, the plan and the run,
// and then calls Settle.
func New(s *catalog.Selection, results []checks.Result, waivers []checks.Waiver, now time.Time) *Report {
	r := &Report{Schema: Schema, Time: now.UTC().Truncate(time.Second), Benchmarks: []string{}, Results: []Result{}, Waivers: []Waiver{}}
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
		r.Waivers = append(r.Waivers, Waiver{w.Check, w.Scope, w.Reason, w.Approver, date(w.Expires), state})
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
		Status: r.Status, Threats: Threats(c.Threats), Findings: []Finding{}, Waived: []Accepted{}}
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
			Disruption: class, Place: f.Place, Reason: f.Reason, waiting: f.Pending})
	}
	for _, a := range r.Waived {
		out.Waived = append(out.Waived, Accepted{a.Finding.Subject, a.Finding.Got, a.Finding.Must, a.Waiver.Reason,
			a.Waiver.Approver, date(a.Waiver.Expires)})
	}
	if r.Err != nil {
		out.Reason = r.Err.Error()
	}
	return out
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
			f.Reason = redact(before.Reason, clean.Reason, f.Reason)
			before, clean = said, *f
		}
		for j := range res.Waived {
			res.Waived[j].Got = with.RedactText(res.Waived[j].Got)
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

// Settle decides every state, from the results, the plan and the run, and adds them up.
func (r *Report) Settle() {
	r.Summary = Summary{Selected: len(r.Results), States: map[State]int{}}
	r.left, r.failing = indexLeft(r.Plan), indexFailing(r.Run)
	for _, s := range States {
		r.Summary.States[s] = 0
	}
	for i := range r.Results {
		res := &r.Results[i]
		res.State = State(res.Status.String())
		if res.Status == checks.Fail {
			res.State = Fixed
			for j := range res.Findings {
				f := &res.Findings[j]
				f.State = r.stateOf(res.ID, f)
				if slices.Index(worst, f.State) < slices.Index(worst, res.State) {
					res.State = f.State
				}
			}
		}
		r.Summary.States[res.State]++
	}
	if r.Run != nil { // of what is still there, only what the run was to settle is its failure
		r.Run.Failing = slices.DeleteFunc(r.Run.Failing, func(l LeftOver) bool { return !r.failed(l) })
	}
	if r.Plan != nil {
		r.Summary.Changes, r.Summary.Updates = len(r.Plan.Changes), len(r.Plan.Updates)
	}
	r.Summary.Open = r.open()
	r.Summary.Verdict = r.verdict()
}

// stateOf decides where one finding ends. Held and planned are told apart by class, since permission is given for
// a check and a class.
func (r *Report) stateOf(id string, f *Finding) State {
	if r.Plan == nil {
		if f.waiting {
			return Pending
		}
		return Fail
	}
	at := place{id, f.Subject}
	if reason, ok := r.left[at]; ok {
		f.Reason = reason
		return Left
	}
	for _, h := range r.Plan.Held {
		if h.Disruption == f.Disruption && names(id, h.Changes, h.Updates, h.Activations) {
			return Held
		}
	}
	if !names(id, r.Plan.Changes, r.Plan.Updates, r.Plan.Activations) && r.Run == nil && f.waiting {
		return Pending
	}
	if r.Run == nil {
		return Planned
	}
	if slices.Contains(r.Run.Waiting, id) && r.Run.good() {
		return Pending
	}
	if reason, ok := r.failing[at]; ok {
		f.Reason = reason
		return Failed
	}
	if !r.Run.good() {
		f.Reason = r.Run.Reason
		return Failed
	}
	return Fixed
}

// A place is where a finding is told from others: ten thousand containers make too many to look through.
type place struct{ check, subject string }

func indexLeft(p *Plan) map[place]string {
	if p == nil {
		return nil
	}
	return index(p.Left)
}

func indexFailing(run *Run) map[place]string {
	if run == nil {
		return nil
	}
	return index(run.Failing)
}

func index(all []LeftOver) map[place]string {
	m := make(map[place]string, len(all))
	for _, l := range slices.Backward(all) { // of several for one place the first counts
		m[place{l.ID, l.Subject}] = l.Reason
	}
	return m
}

func (r *Report) failed(l LeftOver) bool {
	res, _ := r.Result(l.ID)
	return slices.ContainsFunc(res.Findings, func(f Finding) bool { return f.Subject == l.Subject && f.State == Failed })
}

func names(id string, changes []Change, updates []Update, activations []Activation) bool {
	return slices.ContainsFunc(updates, func(u Update) bool { return slices.Contains(u.Checks, id) }) ||
		slices.ContainsFunc(changes, func(c Change) bool { return slices.Contains(c.Checks, id) }) ||
		slices.ContainsFunc(activations, func(a Activation) bool { return slices.Contains(a.Checks, id) })
}

// Verdicts: what a whole report comes to.
const (
	Sound    = "clean"    // nothing to do
	Findings = "findings" // something fails, or is pending
	Doubt    = "unknown"  // nothing is known to fail, and not everything could be judged
	Changed  = "changed"  // a run changed something, and nothing went wrong
	Broken   = "failed"   // some fixes failed; what else a run wrote was taken back
)

func (r *Report) verdict() string {
	n := func(states ...State) (sum int) {
		for _, s := range states {
			sum += r.Summary.States[s]
		}
		return sum
	}
	switch {
	case n(Failed) > 0 || r.Run != nil && !r.Run.good():
		return Broken
	case r.Run != nil && r.Run.Outcome == "applied":
		return Changed
	case n(Fail, Planned, Pending, Held, Left) > 0:
		return Findings
	case n(Unknown) > 0:
		return Doubt
	}
	return Sound
}

// Result finds a check's result.
func (r *Report) Result(id string) (Result, bool) {
	i := slices.IndexFunc(r.Results, func(x Result) bool { return x.ID == id })
	if i < 0 {
		return Result{}, false
	}
	return r.Results[i], true
}
