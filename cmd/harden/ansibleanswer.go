package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/diff"
	"example.com/harden/remediate/report"
)

// An answer is what the module tells Ansible. Two keys it never has: rc, by which Ansible would judge a task instead of
// by failed, and results, which Ansible keeps for loops.
type answer struct {
	Changed        bool                 `json:"changed"`
	Failed         bool                 `json:"failed"`
	Msg            string               `json:"msg"`
	ExitCode       int                  `json:"exit_code"` // of the command line, with --detailed-exitcode
	Version        string               `json:"harden_version"`
	Verdict        string               `json:"verdict,omitempty"`
	Outcome        string               `json:"outcome,omitempty"` // of the run
	Run            string               `json:"run_id,omitempty"`
	Counts         map[report.State]int `json:"counts"`
	Open           map[report.State]int `json:"open"` // those of them that somebody has to do something about
	Findings       []found              `json:"findings"`
	Unknown        []unjudged           `json:"unknown"`
	Held           []held               `json:"held"`
	Left           []report.LeftOver    `json:"left"`
	RestartPending bool                 `json:"restart_pending"`
	RestartUnits   []string             `json:"restart_units"` // systemd's names; empty where none is known
	Pending        []apply.Activated    `json:"pending"`
	Notes          []string             `json:"notes"`
	Warnings       []string             `json:"warnings,omitempty"` // printed by Ansible
	Diff           []difference         `json:"diff,omitempty"`     // printed by Ansible
	Exception      string               `json:"exception,omitempty"`

	redactor *diff.Redactor
}

// A found is a finding with what names its check.
type found struct {
	ID      string       `json:"id"`
	Number  string       `json:"number,omitempty"`
	Title   string       `json:"title"`
	State   report.State `json:"state"`
	Subject string       `json:"subject"`
	Got     string       `json:"got"`
	Must    string       `json:"must"`
	Reason  string       `json:"reason,omitempty"`
	Threats []string     `json:"threats"`
}

// An unjudged is a check that could not be judged.
type unjudged struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// A held is what one more allowed class would add.
type held struct {
	Allow   want.Class `json:"allow"`          // for the option allow
	Only    string     `json:"only,omitempty"` // for the option only, where no class allows it
	Targets []string   `json:"targets"`
	Checks  []string   `json:"checks"`
}

// A difference is one file or container, in the shape of which Ansible makes a diff.
type difference struct {
	Before       string `json:"before"`
	After        string `json:"after"`
	BeforeHeader string `json:"before_header"`
	AfterHeader  string `json:"after_header"`
}

func newAnswer() *answer {
	return &answer{redactor: redactor(), Version: version(), Counts: map[report.State]int{}, Open: map[report.State]int{},
		Findings: []found{}, Unknown: []unjudged{}, Held: []held{},
		Left: []report.LeftOver{}, RestartUnits: []string{}, Pending: []apply.Activated{}, Notes: []string{}}
}

// exitMeanings are the codes that end a task without a report.
var exitMeanings = map[int]string{exitUsage: "wrong arguments", exitConfig: "bad configuration",
	exitLocked: "another harden is running"}

func (a *answer) fail(code int, msg string) {
	a.Failed, a.ExitCode, a.Msg = true, code, msg
}

// guard answers with what f ends with, a panic included.
func (a *answer) guard(f func() error) {
	defer func() {
		if p := recover(); p != nil {
			a.fail(exitInternal, fmt.Sprintf("internal error: %v; this is a bug in harden", p))
			a.Exception = string(debug.Stack())
		}
	}()
	err := f()
	if s, ok := errors.AsType[status](err); ok {
		a.ExitCode = int(s)
	} else if err != nil {
		a.failWith(err)
	}
}

// failWith tells an error, and what its code means.
func (a *answer) failWith(err error) {
	if _, ok := errors.AsType[interruption](err); !ok && errors.Is(err, context.Canceled) {
		err = fmt.Errorf("interrupted: %w", err)
	}
	var lines []string
	for _, e := range flatten(err) {
		lines = append(lines, report.Clean(a.redactor.RedactText(e.Error())))
	}
	code := errorCode(err)
	msg := strings.Join(lines, "; ")
	if meaning := exitMeanings[code]; meaning != "" {
		msg = meaning + ": " + msg
	}
	a.fail(code, msg)
}

func (a *answer) warn(format string, args ...any) {
	a.Warnings = append(a.Warnings, fmt.Sprintf(format, args...))
}

// tell answers with a report, and with what becomes of its activations.
func (m *module) tell(r *report.Report, activations []apply.Activated) {
	a := m.answer
	a.Msg, a.Verdict, a.Counts, a.Notes = report.Totals(r), r.Summary.Verdict, r.Summary.States, r.Host.Notes
	a.Open = r.Summary.Open
	for _, res := range r.Results {
		for _, f := range res.Findings {
			a.Findings = append(a.Findings, found{ID: res.ID, Number: res.Number, Title: res.Title, State: f.State,
				Subject: f.Subject, Got: f.Got, Must: f.Must, Reason: f.Reason, Threats: res.Threats})
		}
		if res.State == report.Unknown {
			a.Unknown = append(a.Unknown, unjudged{res.ID, res.Reason})
		}
	}
	m.waiting(r)
	if r.Plan == nil {
		return
	}
	a.Left = r.Plan.Left
	for _, h := range r.Plan.Held {
		a.Held = append(a.Held, heldOf(h))
	}
	m.pending(activations)
}

func heldOf(h report.HeldBack) held {
	out := held{Allow: h.Disruption, Only: h.Named, Targets: []string{}, Checks: []string{}}
	for _, c := range h.Changes {
		out.Targets = append(out.Targets, c.Target)
		out.Checks = append(out.Checks, c.Checks...)
	}
	for _, u := range h.Updates {
		out.Targets = append(out.Targets, "container "+u.Container)
		out.Checks = append(out.Checks, u.Checks...)
	}
	for _, a := range h.Activations {
		out.Targets = append(out.Targets, strings.TrimSpace(string(a.Kind)+" "+a.Unit))
		out.Checks = append(out.Checks, a.Checks...)
	}
	slices.Sort(out.Checks)
	out.Checks = slices.Compact(out.Checks)
	return out
}

// waiting tells which findings of before are there for want of a restart alone, and still are.
func (m *module) waiting(r *report.Report) {
	if m.session.Root != "/" {
		return
	}
	for i, res := range m.session.results {
		for j, f := range res.Findings {
			now := r.Results[i].Findings[j]
			if !f.Pending || now.State == report.Planned || now.State == report.Fixed {
				continue
			}
			m.answer.RestartPending = true
			if d := r.Host.Daemon; d != nil {
				m.restart(d.Unit)
			}
			m.answer.Pending = append(m.answer.Pending, apply.Activated{Kind: remediate.Restart, Class: want.Restart,
				State: apply.Pending, Reason: cmp.Or(now.Reason, now.Subject+": "+now.Got)})
		}
	}
}

// pending tells what stays to be done, and whether a service has to be started anew for it.
func (m *module) pending(as []apply.Activated) {
	for _, a := range as {
		if a.State != apply.Pending {
			continue
		}
		m.answer.Pending = append(m.answer.Pending, apply.Activated{Kind: a.Kind, Unit: a.Unit, Class: a.Class,
			State:  a.State,
			Reason: m.session.redactor.RedactText(a.Reason)})
		if m.session.Root != "/" || a.Kind != remediate.Restart && a.Kind != remediate.Reload {
			continue // a host that only lies here starts nothing, and this one's services are not its own
		}
		m.answer.RestartPending = true
		m.restart(a.Unit)
	}
}

func (m *module) restart(unit string) {
	if unit != "" && !slices.Contains(m.answer.RestartUnits, unit) {
		m.answer.RestartUnits = append(m.answer.RestartUnits, unit)
	}
}

// hold fails the task for what is not as it must be, where that was asked for: also for what could not be told, and
// not for what a real run would mend.
func (m *module) hold(r *report.Report) {
	if m.answer.Failed {
		return
	}
	if m.session.openCode(r) != 0 {
		var open []string
		for _, s := range m.session.FailOn {
			if n := r.Summary.Open[s]; n > 0 {
				open = append(open, fmt.Sprintf("%d %s", n, s))
			}
		}
		m.answer.fail(exitOpen, "fail_on: "+strings.Join(open, ", ")+"; "+report.Totals(r))
		return
	}
	if !m.failOnFindings {
		return
	}
	n := 0
	for _, s := range []report.State{report.Fail, report.Pending, report.Held, report.Left, report.Failed,
		report.Unknown} {
		n += r.Summary.States[s]
	}
	if n > 0 {
		m.answer.fail(exitFindings, "open findings: "+report.Totals(r))
	}
}

// differ shows changes, where Ansible asked for that.
func (m *module) differ(plan *remediate.Plan) {
	if !m.differs {
		return
	}
	add := func(of string, checks []*checks.Check, before, after string) {
		header := report.Clean(of)
		if len(checks) > 0 {
			header += " (" + strings.Join(remediate.IDs(checks), ", ") + ")"
		}
		m.answer.Diff = append(m.answer.Diff, difference{before, after, header, header})
	}
	for _, c := range plan.Changes {
		before, after := diff.Sides(c, m.session.redactor)
		add(c.Path, c.Checks, before, after)
	}
	for _, u := range plan.Updates {
		before, after := diff.ContainerSides(u)
		add("container "+u.Name, u.Checks, before, after)
	}
}
