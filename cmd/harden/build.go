package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"slices"

	"example.com/harden/checks"
	"example.com/harden/checks/catalog"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/report"
	"example.com/harden/remediate"
	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/diff"
)

func sha256Of(data []byte) []byte { sum := sha256.Sum256(data); return sum[:] }

// report is what was found so far. Settle is still to be called.
func (s *session) report(command string) *report.Report {
	r := report.New(s.selection, s.results, s.Waivers, s.now)
	r.Version, r.Command = version(), command
	r.Host.Name, r.Host.Root = s.hostname(), s.Root
	s.describe(&r.Host)
	redacted := map[string]string{} // what is found of one container is found of many
	redact := func(text string) string {
		clean, ok := redacted[text]
		if !ok {
			clean = s.redactor.RedactText(text)
			redacted[text] = clean
		}
		return clean
	}
	for i := range r.Results {
		res := &r.Results[i]
		res.Reason = s.redactor.RedactText(res.Reason)
		for j := range res.Findings {
			f := &res.Findings[j]
			f.Got, f.Must, f.Reason = redact(f.Got), redact(f.Must), redact(f.Reason)
		}
		for j := range res.Waived {
			res.Waived[j].Got = s.redactor.RedactText(res.Waived[j].Got)
		}
	}
	return r
}

// describe says what was found of Docker, and what a reader must know before believing the rest.
func (s *session) describe(h *report.Host) {
	note := func(format string, args ...any) { h.Notes = append(h.Notes, fmt.Sprintf(format, args...)) }
	engine, err := s.host.Engine()
	switch {
	case err == nil:
		h.Engine = &report.Engine{Version: engine.ServerVersion, Endpoint: s.redactor.RedactText(engine.Host), From: engine.From,
			Local: engine.Local, Containers: engine.Containers, Running: engine.ContainersRunning}
		if !engine.Local {
			note("the Docker Engine that answers is on another machine: nothing of this host's files is judged by it")
		}
	case !errors.Is(err, facts.ErrAbsent):
		h.Engine = &report.Engine{Error: s.redactor.RedactText(err.Error())}
	}
	daemon, err := s.host.Daemon()
	switch {
	case err == nil:
		d := &report.Daemon{Flavour: daemon.Flavour, Unit: daemon.Unit, Config: daemon.File, DataRoot: daemon.DataRoot,
			Exists: daemon.Keys != nil || daemon.KeysErr != nil}
		if daemon.Process != nil {
			d.PID = daemon.Process.PID
		}
		h.Daemon = d
		if daemon.Stale {
			note("the daemon's configuration is newer than its process: what runs may differ from what is configured")
		}
	case errors.Is(err, facts.ErrAbsent):
		note("there is no Docker on this host")
	case !errors.Is(err, facts.ErrElsewhere):
		note("dockerd: %s", s.redactor.RedactText(err.Error()))
	}
	if s.Root != "/" {
		note("only files are judged: what runs here is not that host")
	} else if os.Geteuid() != 0 {
		note("not root: what user %d may not read is unknown", os.Geteuid())
	}
	if s.Root == "/" {
		if _, err := s.host.Info("/.dockerenv"); err == nil {
			note("this is inside a container: it is the container's files that are judged, and not its host's")
		}
	}
	if run, _ := apply.Unconfirmed(s.options()); run != nil && run.Outcome == apply.Applied {
		note("run %s is not confirmed yet: `harden confirm` keeps it", run.ID)
	}
	if run, err := apply.Interrupted(s.options()); err == nil && run != nil {
		note("run %s was interrupted: `harden` finishes it, `harden rollback` takes it back", run.ID)
	}
}

// unified shows a change with its secrets hidden.
func (s *session) unified(c remediate.Change) string { return diff.Unified(c, s.redactor) }

// planned is a plan as reports have it.
func (s *session) planned(p *remediate.Plan) *report.Plan {
	out := &report.Plan{Changes: s.changes(p.Changes), Updates: updates(p.Updates), Activations: activations(p.Activations),
		Held: []report.HeldBack{}, Left: []report.LeftOver{}}
	for _, h := range p.Held {
		out.Held = append(out.Held, report.HeldBack{Disruption: h.Class, Allow: report.Allow(h.Class),
			Changes: s.changes(h.Changes), Updates: updates(h.Updates), Activations: activations(h.Activations)})
	}
	for _, l := range p.Left {
		out.Left = append(out.Left, report.LeftOver{ID: l.Check.ID, Subject: l.Finding.Subject, Reason: s.redactor.RedactText(l.Reason)})
	}
	return out
}

func (s *session) changes(cs []remediate.Change) []report.Change {
	out := []report.Change{}
	for _, c := range cs {
		breaks := []string{}
		out = append(out, report.Change{Target: c.Path, Action: c.Action(), Diff: s.unified(c),
			Checks: remediate.IDs(c.Checks), Disruption: c.Class, Breaks: append(breaks, c.Breaks...)})
	}
	return out
}

func updates(us []remediate.Update) []report.Update {
	out := []report.Update{}
	for _, u := range us {
		out = append(out, report.Update{Container: u.Name, ID: u.ID, Diff: diff.Container(u), Checks: remediate.IDs(u.Checks),
			Disruption: u.Class, Breaks: append([]string{}, u.Breaks...), OneWay: append([]string{}, u.OneWay...)})
	}
	return out
}

func activations(as []remediate.Activation) []report.Activation {
	out := []report.Activation{}
	for _, a := range as {
		out = append(out, report.Activation{Kind: string(a.Kind), Unit: a.Unit, Disruption: a.Class,
			Checks: remediate.IDs(a.Checks), Breaks: append([]string{}, a.Breaks...), Pending: a.Pending})
	}
	return out
}

// ran is a run as reports have it, with what is still there of the findings that it was to settle.
func (s *session) ran(run *apply.Run, failing []report.LeftOver) *report.Run {
	out := &report.Run{ID: run.ID, Outcome: string(run.Outcome), Reason: s.redactor.RedactText(run.Reason),
		Activations: []report.Activated{}, Waiting: append([]string{}, run.Waiting...), Failing: failing}
	if d := run.Unconfirmed; d != nil {
		out.Unconfirmed = &d.Until
	}
	for _, a := range run.Activations {
		out.Activations = append(out.Activations, report.Activated{Kind: string(a.Kind), Unit: a.Unit, State: a.State,
			Reason: s.redactor.RedactText(a.Reason)})
	}
	return out
}

// verify is apply's Verify: the checks judged again on a fresh look at the host, as waivers have them.
func (s *session) verify(ctx context.Context, ids []string) (map[string]string, error) {
	failing := map[string]string{}
	for _, r := range s.judge(ctx, s.look(ctx), named(ids)) {
		switch r.Status {
		case checks.Fail:
			f := r.Findings[0]
			failing[r.Check.ID] = s.redactor.RedactText(f.Subject + ": " + f.Got + ", must be " + f.Must)
		case checks.Unknown:
			failing[r.Check.ID] = "could not be judged: " + s.redactor.RedactText(fmt.Sprint(r.Err))
		}
	}
	return failing, ctx.Err()
}

// after judges the host once more when a run is over. It returns which findings of before are still there: nothing is
// called fixed because a write did not fail.
func (s *session) after(ctx context.Context) []report.LeftOver {
	still := []report.LeftOver{}
	now := s.judge(ctx, s.look(ctx), s.selection.Checks)
	for i, before := range s.results {
		for _, f := range before.Findings {
			if r := now[i]; r.Status == checks.Unknown {
				still = append(still, report.LeftOver{ID: r.Check.ID, Subject: f.Subject, Reason: "could not be judged again: " + s.redactor.RedactText(fmt.Sprint(r.Err))})
			} else {
				for _, g := range r.Findings {
					if g.Subject == f.Subject {
						still = append(still, report.LeftOver{ID: r.Check.ID, Subject: f.Subject, Reason: s.redactor.RedactText("it is " + g.Got + ", and must be " + g.Must)})
					}
				}
			}
		}
	}
	return still
}

// named finds checks by their IDs, selected or not: an interrupted run had a selection of its own.
func named(ids []string) []*checks.Check {
	var cs []*checks.Check
	for _, c := range catalog.All {
		if slices.Contains(ids, c.ID) {
			cs = append(cs, c)
		}
	}
	return cs
}
