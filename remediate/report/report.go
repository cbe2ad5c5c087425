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

	left, failing map[place]string // of Plan and Run, while states are decided
}

// A Host is the machine, and what was found of Docker and Kubernetes on it.
type Host struct {
	Name   string  `json:"name"`
	Root   string  `json:"root"` // "/", or the directory of --root
	Engine *Engine `json:"engine,omitempty"`
	Daemon *Daemon `json:"daemon,omitempty"`
	Node   *Node   `json:"node,omitempty"`
	// Uncounted are processes with a name that matters which do not count as this host's own.
	Uncounted []Uncounted `json:"uncounted,omitempty"`
	Sources   []string    `json:"sources,omitempty"` // the directories of --source, which are judged instead of the machine
	Notes     []string    `json:"notes"`             // what a reader must know before believing the rest
}

// An Uncounted is a process that is not believed to be what it is called.
type Uncounted struct {
	Name   string `json:"name"`
	PID    int    `json:"pid"`
	UID    uint32 `json:"uid"`
	Exe    string `json:"exe"`
	Reason string `json:"reason"`
}

// An Engine is the Docker Engine API that was asked.
type Engine struct {
	Version    string `json:"version,omitempty"`
	Containers int    `json:"containers"` // of any state
	Running    int    `json:"running"`
	Endpoint   string `json:"endpoint,omitempty"`
	From       string `json:"from,omitempty"` // who chose the endpoint
	Local      bool   `json:"local"`
	Error      string `json:"error,omitempty"` // why it does not answer
}

// A Daemon is how dockerd runs on this host.
type Daemon struct {
	Flavour  string `json:"flavour"`
	PID      int    `json:"pid,omitempty"` // 0 when none runs
	Unit     string `json:"unit,omitempty"`
	Config   string `json:"config"`
	Exists   bool   `json:"config_exists"`
	DataRoot string `json:"data_root"`
	UID      uint32 `json:"uid,omitempty"` // whose it is, where it is rootless
	// Others are further daemons of this host, which are not judged.
	Others []OtherDaemon `json:"others,omitempty"`
}

// An OtherDaemon is a Docker daemon of this host that is not judged.
type OtherDaemon struct {
	PID       int      `json:"pid,omitempty"` // 0 when none runs
	UID       uint32   `json:"uid"`
	Listeners []string `json:"listeners,omitempty"`
}

// A Node is how Kubernetes runs on this host.
type Node struct {
	Flavour    string      `json:"flavour"` // "kubeadm", "k3s", "RKE2", "MicroK8s", "Talos", "EKS", "GKE", "AKS" or "by hand"
	Config     []string    `json:"config"`  // what the kubelet's configuration is read from, each file overriding those before
	Manifests  string      `json:"manifests,omitempty"`
	Components []Component `json:"components"`
}

// A Component is one program of Kubernetes on this host.
type Component struct {
	Name  string `json:"name"`
	PID   int    `json:"pid,omitempty"` // 0 when none runs, or it is part of another program
	From  string `json:"from"`          // the manifest, unit or program that it is started by
	Error string `json:"error,omitempty"`
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

// A Plan is what is proposed.
type Plan struct {
	Changes     []Change     `json:"changes"`
	Updates     []Update     `json:"updates"`
	Activations []Activation `json:"activations"`
	Held        []HeldBack   `json:"held"`
	Left        []LeftOver   `json:"left"`
}

// A Change is one file to change.
type Change struct {
	Target     string     `json:"target"`
	Action     string     `json:"action"` // "create", "content" or "attributes"
	Diff       string     `json:"diff"`   // secrets and what could deceive a terminal replaced
	Checks     []string   `json:"checks"`
	Disruption want.Class `json:"disruption"`
	Breaks     []string   `json:"breaks"`
	Upgrade    *Upgrade   `json:"upgrade,omitempty"` // absent where kubeadm has nothing to do with the file
}

// An Upgrade is what the next "kubeadm upgrade" makes of a change.
type Upgrade struct {
	Safe bool   `json:"safe"`
	Note string `json:"note,omitempty"` // what else has to be changed where it is not
}

// An Update is one container to change in place.
type Update struct {
	Container  string     `json:"container"` // its name
	ID         string     `json:"id"`
	Diff       string     `json:"diff"` // what could deceive a terminal replaced
	Checks     []string   `json:"checks"`
	Disruption want.Class `json:"disruption"`
	Breaks     []string   `json:"breaks"`
	OneWay     []string   `json:"one_way"` // what taking it back leaves as it is
}

// An Activation is what a plan does after its changes are written.
type Activation struct {
	Kind       string     `json:"kind"`
	Unit       string     `json:"unit,omitempty"`
	Disruption want.Class `json:"disruption"`
	Checks     []string   `json:"checks"`
	Breaks     []string   `json:"breaks"`
	Pending    string     `json:"pending,omitempty"` // why it cannot be part of the run
	Diff       string     `json:"diff,omitempty"`    // of what the cluster is to keep
}

// A HeldBack is what one more allowed class would add.
type HeldBack struct {
	Disruption  want.Class   `json:"disruption"`
	Allow       string       `json:"allow"`           // the flag that allows it
	Named       string       `json:"named,omitempty"` // the check that has to be named, since no class allows it
	Changes     []Change     `json:"changes"`
	Updates     []Update     `json:"updates"`
	Activations []Activation `json:"activations"`
}

// A LeftOver is a finding that no change settles.
type LeftOver struct {
	ID      string `json:"id"`
	Subject string `json:"subject"`
	Reason  string `json:"reason"`
}

// A Run is what became of an applied plan.
type Run struct {
	ID          string      `json:"id,omitempty"`
	Outcome     string      `json:"outcome"` // "applied", "unchanged", "rolled-back" or "failed"
	Reason      string      `json:"reason,omitempty"`
	Activations []Activated `json:"activations"`
	Waiting     []string    `json:"waiting"`                     // checks that a pending activation will settle
	Failing     []LeftOver  `json:"failing"`                     // findings that are still there afterwards, and why
	Kept        []Kept      `json:"kept,omitempty"`              // what was left as somebody else made it
	Unconfirmed *time.Time  `json:"unconfirmed_until,omitempty"` // when the run is taken back unless somebody confirms it
}

// An Activated is one activation of a run.
type Activated struct {
	Kind   string `json:"kind"`
	Unit   string `json:"unit,omitempty"`
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
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

// good reports whether the run is standing: what it wrote has not been taken back.
func (r *Run) good() bool { return r.Outcome == "applied" || r.Outcome == "unchanged" }

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
