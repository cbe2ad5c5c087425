package report

import (
	"slices"

	"example.com/harden/checks"
)

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

// Settle decides every state, from the results, the plan and the run, and adds them up.
func (r *Report) Settle() {
	r.identify()
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
	r.Score = score(r.Results)
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
