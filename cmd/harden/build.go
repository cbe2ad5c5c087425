package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"example.com/harden/checks"
	"example.com/harden/checks/catalog"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/remediate"
	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/guide"
	"example.com/harden/remediate/report"
)

func sha256Of(data []byte) []byte { sum := sha256.Sum256(data); return sum[:] }

// report is what was found so far. Settle is still to be called.
func (s *session) report(command string) *report.Report {
	r := report.New(s.selection, s.results, s.Waivers, s.now)
	r.Version, r.Command, r.Reviewed = version(), command, s.reviewed
	r.Host = report.HostOf(s.host, s.looked())
	if len(s.Sources) == 0 {
		r.Host.Notes = append(r.Host.Notes, s.runNotes()...)
		r.Previous = s.previous(r)
	}
	r.Redact(s.redactor)
	return r
}

// planned is the report of a plan, with every state decided.
func (s *session) planned(p *remediate.Plan) *report.Report {
	r := s.report("plan")
	r.Propose(p, s.redactor, s.relative)
	r.Settle()
	return r
}

// looked is how the host was looked at.
func (s *session) looked() report.Look {
	l := report.Look{Name: s.hostname(), Root: s.Root, Sources: s.sources(), UID: os.Geteuid(), Redactor: s.redactor}
	l.Engine, l.EngineFrom = s.chosen()
	if s.Root == "/" {
		l.Environment, l.Kernel = s.environmentNotes(), kernelRelease()
	}
	return l
}

// kernelRelease is that of the kernel that runs here; empty where it does not say.
func kernelRelease() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}

// runNotes say what of earlier runs is still to be settled.
func (s *session) runNotes() (notes []string) {
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if run, _ := apply.Unconfirmed(s.options()); run != nil && run.Outcome == apply.Applied {
		note("run %s is not confirmed yet: `harden confirm` keeps it", run.ID)
	}
	if run, err := apply.Interrupted(s.options()); err == nil && run != nil {
		note("run %s was interrupted: `harden` finishes it, `harden rollback` rolls it back", run.ID)
	} else if errors.Is(err, apply.ErrDamaged) {
		note("%s", s.redactor.RedactText(err.Error()))
	}
	if j, err := guide.Open(s.State); s.running() && err == nil && j != nil && !j.Done(guide.Verify) {
		note("the move to userns-remap is unfinished: `harden guide userns-remap` continues it, with --back it is rolled " +
			"back")
	}
	if run, err := apply.Newest(s.options()); err == nil && run != nil && len(run.Left) > 0 {
		note("run %s is %s, except for %d that others had changed: `harden history` names them", run.ID, run.Outcome,
			len(run.Left))
	}
	return notes
}

// verify is apply's Verify: the checks judged again on a fresh look at the host, as waivers have them.
func (s *session) verify(ctx context.Context, ids []string) (map[string]string, error) {
	failing := map[string]string{}
	for _, r := range s.judgeAnew(ctx, named(ids)) {
		switch r.Status {
		case checks.Fail:
			f := r.Findings[0]
			failing[r.Check.ID] = s.redactor.RedactText(f.Subject + ": " + f.Got + ", must be " + f.Must)
		case checks.Unknown:
			if s.doubted(r.Check) {
				continue
			}
			failing[r.Check.ID] = "inconclusive: " + s.redactor.RedactText(fmt.Sprint(r.Err))
		}
	}
	return failing, ctx.Err()
}

// looks is how often a host is looked at while its Docker Engine leaves questions without an answer. One that has just
// been restarted, and has many containers to start, may take a while.
const looks = 4

// judgeAnew judges a fresh look at the host.
func (s *session) judgeAnew(ctx context.Context, cs []*checks.Check) []checks.Result {
	return patiently(ctx, func() []checks.Result { return s.judge(ctx, s.look(ctx), cs) })
}

func patiently(ctx context.Context, judge func() []checks.Result) (rs []checks.Result) {
	for range looks {
		rs = judge()
		silent := slices.ContainsFunc(rs, func(r checks.Result) bool { return errors.Is(r.Err, docker.ErrSilent) })
		if !silent || ctx.Err() != nil {
			break
		}
	}
	return rs
}

// doubted reports whether not all that a check is about could be judged in the first place, below --source: there a
// file that nobody can read stays so, and says nothing of those that were changed.
func (s *session) doubted(c *checks.Check) bool {
	return len(s.Sources) > 0 && slices.ContainsFunc(s.results,
		func(r checks.Result) bool { return r.Check == c && r.Err != nil })
}

// after judges the host once more when a run is over. It returns which findings of before are still there: nothing is
// called fixed because a write did not fail.
func (s *session) after(ctx context.Context) []report.LeftOver {
	still := []report.LeftOver{}
	now := s.judgeAnew(ctx, s.selection.Checks)
	for i, before := range s.results {
		for _, f := range before.Findings {
			if r := now[i]; r.Status == checks.Unknown && !s.doubted(r.Check) {
				still = append(still, report.LeftOver{ID: r.Check.ID, Subject: f.Subject,
					Reason: "inconclusive after the run: " + s.redactor.RedactText(fmt.Sprint(r.Err))})
			} else {
				for _, g := range r.Findings {
					if g.Subject == f.Subject {
						still = append(still, report.LeftOver{ID: r.Check.ID, Subject: f.Subject,
							Reason: s.redactor.RedactText("it is " + g.Got + ", and must be " + g.Must)})
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
