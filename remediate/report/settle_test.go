package report_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks"
	"example.com/harden/checks/catalog"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/stride"
	"example.com/harden/checks/want"
	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/report"
)

// fix is a finding that a change of class c would settle.
func fix(subject string, c want.Class) checks.Finding {
	w := map[want.Class]want.Want{
		want.None:    want.Mode{File: subject, Mode: 0o644},
		want.Restart: want.Key{File: "/etc/docker/daemon.json", Key: []string{"icc"}, Value: false},
	}[c]
	return checks.Finding{Subject: subject, Got: "0666", Must: "0644 or stricter", Wants: []want.Want{w}}
}

// settled reports one check with these findings, in a plan and a run.
func settled(t *testing.T, result checks.Result, plan *report.Plan, run *report.Run) *report.Report {
	t.Helper()
	result.Check = &checks.Check{ID: "docker/x", Items: cis.Docker("3.1", "3.1", "3.1", "3.1"), Title: "x holds",
		Why: "or else", Level: 1,
		Threats: []stride.ID{"docker/host/tampering"}}
	s, err := catalog.Select([]*checks.Check{result.Check}, catalog.Query{})
	if err != nil {
		t.Fatal(err)
	}
	r := report.New(s, []checks.Result{result}, nil, now)
	r.Command, r.Host.Name, r.Host.Root = "plan", "h", "/"
	r.Plan, r.Run = plan, run
	r.Settle()
	return r
}

func planOf(changes, held []report.Change, class want.Class, left ...report.LeftOver) *report.Plan {
	p := &report.Plan{Changes: append([]report.Change{}, changes...), Updates: []report.Update{},
		Activations: []report.Activation{}, Held: []report.HeldBack{}, Left: append([]report.LeftOver{}, left...)}
	if len(held) > 0 {
		p.Held = append(p.Held, report.HeldBack{Disruption: class, Allow: report.Allow(class), Changes: held,
			Updates: []report.Update{}, Activations: []report.Activation{}})
	}
	return p
}

func runOf(outcome string, waiting []string, failing ...report.LeftOver) *report.Run {
	return &report.Run{ID: "1", Outcome: outcome, Activations: []apply.Activated{},
		Waiting: append([]string{}, waiting...), Failing: append([]report.LeftOver{}, failing...)}
}

func TestSettle(t *testing.T) {
	change := []report.Change{{Target: "/a", Action: "attributes", Checks: []string{"docker/x"}, Breaks: []string{}}}
	left := report.LeftOver{ID: "docker/x", Subject: "/a", Reason: "no"}
	fails := func(fs ...checks.Finding) checks.Result { return checks.Result{Status: checks.Fail, Findings: fs} }
	pending := fix("/a", want.Restart)
	pending.Pending = true
	tests := map[string]struct {
		result  checks.Result
		plan    *report.Plan
		run     *report.Run
		state   report.State
		finding []report.State
		verdict string
	}{
		"pass": {checks.Result{Status: checks.Pass}, nil, nil, report.Pass, nil, report.Sound},
		"n/a": {checks.Result{Status: checks.NotApplicable, Err: facts.ErrAbsent}, nil, nil,
			report.NotApplicable, nil, report.Sound},
		"manual": {checks.Result{Status: checks.Manual, Err: checks.ErrManual}, nil, nil, report.Manual, nil,
			report.Sound},
		"waived":  {checks.Result{Status: checks.Waived}, nil, nil, report.Waived, nil, report.Sound},
		"unknown": {checks.Result{Err: errors.New("e")}, nil, nil, report.Unknown, nil, report.Doubt},
		"audit": {fails(fix("/a", want.None)), nil, nil, report.Fail, []report.State{report.Fail},
			report.Findings},
		"audit, not taken up": {fails(pending), nil, nil, report.Pending, []report.State{report.Pending}, report.Findings},
		"planned": {fails(fix("/a", want.None)), planOf(change, nil, 0), nil, report.Planned,
			[]report.State{report.Planned}, report.Findings},
		"held": {fails(fix("/a", want.Restart)), planOf(nil, change, want.Restart), nil, report.Held,
			[]report.State{report.Held}, report.Findings},
		"left": {fails(fix("/a", want.None)), planOf(nil, nil, 0, left), nil, report.Left,
			[]report.State{report.Left}, report.Findings},
		"planned and held": {fails(fix("/a", want.None), fix("/b", want.Restart)),
			planOf(change, change, want.Restart), nil, report.Held, []report.State{report.Planned, report.Held},
			report.Findings},
		"left and planned": {fails(fix("/a", want.None), fix("/b", want.None)), planOf(change, nil, 0, left), nil,
			report.Left, []report.State{report.Left, report.Planned}, report.Findings},
		"not taken up, no plan": {fails(pending), planOf(nil, nil, 0), nil, report.Pending, []report.State{report.Pending},
			report.Findings},
		"fixed": {fails(fix("/a", want.None)), planOf(change, nil, 0), runOf("applied", nil), report.Fixed,
			[]report.State{report.Fixed}, report.Changed},
		"written, waiting": {fails(fix("/a", want.None)), planOf(change, nil, 0),
			runOf("applied", []string{"docker/x"}), report.Pending, []report.State{report.Pending}, report.Changed},
		"written, still failing": {fails(fix("/a", want.None)), planOf(change, nil, 0), runOf("applied", nil, left),
			report.Failed, []report.State{report.Failed}, report.Broken},
		"taken back": {fails(fix("/a", want.None)), planOf(change, nil, 0),
			runOf("rolled-back", []string{"docker/x"}, left), report.Failed, []report.State{report.Failed}, report.Broken},
		"held, other run": {fails(fix("/a", want.Restart)), planOf(nil, change, want.Restart),
			runOf("applied", nil, left), report.Held, []report.State{report.Held}, report.Changed},
		"nothing to run": {fails(fix("/a", want.Restart)), planOf(nil, change, want.Restart),
			runOf("unchanged", nil), report.Held, []report.State{report.Held}, report.Findings},
	}
	until := *runOf("applied", nil)
	until.Unconfirmed = &now
	unconfirmed := tests["fixed"]
	unconfirmed.run = &until
	tests["fixed, unconfirmed"] = unconfirmed
	schema := compiled(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := settled(t, test.result, test.plan, test.run)
			var findings []report.State
			for _, f := range r.Results[0].Findings {
				findings = append(findings, f.State)
			}
			if diff := cmp.Diff(test.finding, findings); diff != "" || r.Results[0].State != test.state {
				t.Errorf("state %s, want %s; findings (-want +got)\n%s", r.Results[0].State, test.state, diff)
			}
			if r.Summary.Verdict != test.verdict {
				t.Errorf("verdict %s, want %s", r.Summary.Verdict, test.verdict)
			}
			sum := 0
			for _, n := range r.Summary.States {
				sum += n
			}
			if sum != 1 || r.Summary.States[test.state] != 1 {
				t.Errorf("the states of one check add up to %d: %v", sum, r.Summary.States)
			}
			if r.Run != nil && test.state != report.Failed && len(r.Run.Failing) > 0 {
				t.Errorf("the run is blamed for %v", r.Run.Failing)
			}
			valid(t, schema, r)
		})
	}
}
