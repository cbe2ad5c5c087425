package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/catalog"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/report"
	"example.com/harden/remediate"
	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/diff"
	"example.com/harden/remediate/guide"
)

func sha256Of(data []byte) []byte { sum := sha256.Sum256(data); return sum[:] }

// report is what was found so far. Settle is still to be called.
func (s *session) report(command string) *report.Report {
	r := report.New(s.selection, s.results, s.Waivers, s.now)
	r.Version, r.Command = version(), command
	r.Host.Name, r.Host.Root = s.hostname(), s.Root
	s.describe(&r.Host)
	redacted := map[string]string{} // what is found of one container is found of many
	redact := func(before, clean, text string) string {
		if text == before { // most are like the one before
			return clean
		}
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
		var before, clean report.Finding
		for j := range res.Findings {
			f := &res.Findings[j]
			said := *f
			f.Got, f.Must = redact(before.Got, clean.Got, f.Got), redact(before.Must, clean.Must, f.Must)
			f.Reason = redact(before.Reason, clean.Reason, f.Reason)
			before, clean = said, *f
		}
		for j := range res.Waived {
			res.Waived[j].Got = s.redactor.RedactText(res.Waived[j].Got)
		}
	}
	return r
}

// more says that a list goes on.
func more(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf("; and %d more", n)
}

// describe says what was found of Docker, and what a reader must know before believing the rest.
func (s *session) describe(h *report.Host) {
	note := func(format string, args ...any) { h.Notes = append(h.Notes, fmt.Sprintf(format, args...)) }
	if len(s.Sources) > 0 {
		h.Sources = s.sources()
		if found, err := s.host.Sources(); err != nil {
			note("%v", err)
		} else {
			note("Dockerfiles: %d, Compose files: %d; nothing that runs was looked at", len(found.Dockerfiles), len(found.Composes))
			if n := len(found.Outside); n > 0 {
				note("links that lead out of --source are not followed: %s", strings.Join(found.Outside[:min(n, 10)], ", "))
			}
			if n := len(found.Left); n > 0 {
				note("not looked at: %s%s", strings.Join(found.Left[:min(n, 10)], "; "), more(n-10))
			}
		}
		return
	}
	engine, err := s.host.Engine()
	switch {
	case err == nil:
		h.Engine = &report.Engine{Version: engine.ServerVersion, Endpoint: s.redactor.RedactText(engine.Host), From: engine.From,
			Local: engine.Local, Containers: engine.Containers, Running: engine.ContainersRunning}
		if !engine.Local {
			note("the Docker Engine that answers is on another machine: nothing of this host's files is judged by it")
		}
	case !errors.Is(err, facts.ErrAbsent):
		host, from := s.chosen()
		h.Engine = &report.Engine{Error: s.redactor.RedactText(err.Error()), Endpoint: s.redactor.RedactText(host), From: from}
	}
	if s.Root == "/" {
		h.Notes = append(h.Notes, s.environmentNotes()...)
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
		s.describeOthers(daemon, d, note)
		if daemon.Stale {
			note("the daemon's configuration is newer than its process: what runs may differ from what is configured")
		}
	case errors.Is(err, facts.ErrAbsent):
		note("there is no Docker on this host")
	case !errors.Is(err, facts.ErrElsewhere):
		note("dockerd: %s", s.redactor.RedactText(err.Error()))
	}
	s.describeNode(h, note)
	s.describeUncounted(h, daemon, note)
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
	s.describeRuns(note)
}

// describeOthers says whose daemon is judged, and which others are not. The rule: the one at --docker-host or DOCKER_HOST;
// else the one that serves the usual socket; else the eldest of root's own; else a user's.
func (s *session) describeOthers(daemon *facts.Daemon, d *report.Daemon, note func(string, ...any)) {
	if daemon.Flavour == "rootless" {
		d.UID = daemon.UID
		note("the Docker of this host is rootless: it is uid %d's own, so its fixes are for that user to run", daemon.UID)
	}
	for n, o := range daemon.Others {
		listeners := make([]string, len(o.Sockets))
		for i, at := range o.Sockets {
			listeners[i] = s.redactor.RedactText(report.Clean(at))
		}
		d.Others = append(d.Others, report.OtherDaemon{PID: o.PID, UID: o.UID, Listeners: listeners})
		if n >= maxUncounted {
			continue
		}
		which := fmt.Sprintf("the dockerd with PID %d (uid %d)", o.PID, o.UID)
		if o.PID == 0 {
			which = fmt.Sprintf("the rootless Docker of uid %d, which does not run,", o.UID)
		}
		how := ""
		if len(listeners) > 0 {
			how = "; to judge it, use --docker-host " + listeners[0]
		}
		note("not judged: %s%s", which, how)
	}
	if more := len(daemon.Others) - maxUncounted; more > 0 {
		note("%d more Docker daemons are not judged; the JSON lists them", more)
	}
}

// describeRuns says what of earlier runs is still to be settled.
func (s *session) describeRuns(note func(string, ...any)) {
	if run, _ := apply.Unconfirmed(s.options()); run != nil && run.Outcome == apply.Applied {
		note("run %s is not confirmed yet: `harden confirm` keeps it", run.ID)
	}
	if run, err := apply.Interrupted(s.options()); err == nil && run != nil {
		note("run %s was interrupted: `harden` finishes it, `harden rollback` takes it back", run.ID)
	} else if errors.Is(err, apply.ErrDamaged) {
		note("%s", s.redactor.RedactText(err.Error()))
	}
	if j, err := guide.Open(s.State); s.running() && err == nil && j != nil && !j.Done(guide.Verify) {
		note("the move to userns-remap is unfinished: `harden guide userns-remap` goes on, with --back it goes back")
	}
	if run, err := apply.Newest(s.options()); err == nil && run != nil && len(run.Left) > 0 {
		note("run %s is %s, but for %d that others had changed: `harden history` names them", run.ID, run.Outcome, len(run.Left))
	}
}

// maxUncounted is how many processes that do not count are told of in words: any user can start thousands.
const maxUncounted = 5

// describeUncounted tells of processes that bear the name of a program which is judged, and do not count.
func (s *session) describeUncounted(h *report.Host, daemon *facts.Daemon, note func(string, ...any)) {
	for _, p := range s.host.Uncounted() {
		if daemon != nil && daemon.Process != nil && daemon.Process.PID == p.PID {
			continue // a rootless daemon is judged, as its user's
		}
		u := report.Uncounted{Name: path.Base(p.Exe), PID: p.PID, UID: p.UID, Exe: p.Exe, Reason: p.Doubted}
		h.Uncounted = append(h.Uncounted, u)
		if len(h.Uncounted) <= maxUncounted {
			note("a process called %s (PID %d, uid %d) is not counted: %s", report.Clean(u.Name), u.PID, u.UID, report.Clean(u.Reason))
		}
	}
	if more := len(h.Uncounted) - maxUncounted; more > 0 {
		note("%d more processes are not counted; the JSON lists them", more)
	}
}

// describeNode says what was found of Kubernetes.
func (s *session) describeNode(h *report.Host, note func(string, ...any)) {
	n, err := s.host.Node()
	if errors.Is(err, facts.ErrAbsent) {
		return
	}
	if err != nil {
		note("kubernetes: %s", s.redactor.RedactText(err.Error()))
		return
	}
	h.Node = &report.Node{Flavour: string(n.Flavour), Manifests: n.Manifests, Config: []string{}, Components: []report.Component{}}
	stale := false
	if k := n.Kubelet; k != nil {
		c := report.Component{Name: "kubelet", From: cmp.Or(k.Unit, k.Within, "no unit of its own")}
		if k.Unit == "" && k.Process == nil && n.Flavour == facts.Kubeadm {
			c.From = "kubeadm's unit, which is not here"
		}
		if k.Process != nil {
			c.PID = k.Process.PID
		}
		if k.Err != nil {
			c.Error = s.redactor.RedactText(k.Err.Error())
		}
		h.Node.Components = append(h.Node.Components, c)
		for _, d := range k.Documents {
			h.Node.Config = append(h.Node.Config, d.File)
		}
		stale = k.Stale
	}
	for _, name := range facts.Programs {
		c, err := n.Component(name)
		switch {
		case err == nil:
			out := report.Component{Name: name, From: c.Where()}
			if c.Process != nil {
				out.PID = c.Process.PID
			}
			h.Node.Components = append(h.Node.Components, out)
			stale = stale || c.Stale
		case !errors.Is(err, facts.ErrAbsent):
			h.Node.Components = append(h.Node.Components, report.Component{Name: name, Error: s.redactor.RedactText(err.Error())})
		}
	}
	if stale {
		note("what is configured of Kubernetes is newer than what runs of it, or differs from it")
	}
	if n.Flavour.Generated() {
		note("%s makes the files of Kubernetes itself: fixes are shown for the place that it reads, and left to you", n.Flavour)
	}
}

// unified shows a change with its secrets hidden.
func (s *session) unified(c remediate.Change) string { return diff.Unified(c, s.redactor) }

// planned is a plan as reports have it.
func (s *session) planned(p *remediate.Plan) *report.Plan {
	out := &report.Plan{Changes: s.changes(p.Changes), Updates: updates(p.Updates), Activations: s.activations(p.Activations),
		Held: []report.HeldBack{}, Left: []report.LeftOver{}}
	for _, h := range p.Held {
		back := report.HeldBack{Disruption: h.Class, Allow: report.Allow(h.Class),
			Changes: s.changes(h.Changes), Updates: updates(h.Updates), Activations: s.activations(h.Activations)}
		if h.Named != nil {
			back.Named, back.Allow = h.Named.ID, "--only "+h.Named.ID
		}
		out.Held = append(out.Held, back)
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
		rc := report.Change{Target: c.Path, Action: c.Action(), Diff: s.unified(c),
			Checks: remediate.IDs(c.Checks), Disruption: c.Class, Breaks: append(breaks, c.Breaks...)}
		if c.Upgrade != nil {
			rc.Upgrade = &report.Upgrade{Safe: c.Upgrade.Safe, Note: s.redactor.RedactText(c.Upgrade.Note)}
		}
		out = append(out, rc)
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

func (s *session) activations(as []remediate.Activation) []report.Activation {
	out := []report.Activation{}
	for _, a := range as {
		ra := report.Activation{Kind: string(a.Kind), Unit: a.Unit, Disruption: a.Class,
			Checks: remediate.IDs(a.Checks), Breaks: append([]string{}, a.Breaks...), Pending: a.Pending}
		if a.Record != nil {
			ra.Diff = s.unified(a.Record.Change())
		}
		out = append(out, ra)
	}
	return out
}

// ended is a run with the reason for its end, which is failure's where the run itself has none.
func (s *session) ended(run *apply.Run, failure error, failing []report.LeftOver) *report.Run {
	out := s.ran(run, failing)
	if failure != nil && out.Reason == "" {
		out.Reason = s.redactor.RedactText(failure.Error())
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
	out.Kept = s.kept(run.Left)
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
			if s.doubted(r.Check) {
				continue
			}
			failing[r.Check.ID] = "could not be judged: " + s.redactor.RedactText(fmt.Sprint(r.Err))
		}
	}
	return failing, ctx.Err()
}

// doubted reports whether not all that a check is about could be judged in the first place, below --source: there a file
// that nobody can read stays so, and says nothing of those that were changed.
func (s *session) doubted(c *checks.Check) bool {
	return len(s.Sources) > 0 && slices.ContainsFunc(s.results, func(r checks.Result) bool { return r.Check == c && r.Err != nil })
}

// after judges the host once more when a run is over. It returns which findings of before are still there: nothing is
// called fixed because a write did not fail.
func (s *session) after(ctx context.Context) []report.LeftOver {
	still := []report.LeftOver{}
	now := s.judge(ctx, s.look(ctx), s.selection.Checks)
	for i, before := range s.results {
		for _, f := range before.Findings {
			if r := now[i]; r.Status == checks.Unknown && !s.doubted(r.Check) {
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

// kept are files as reports have them that are left as somebody else made them; nil where there are none.
func (s *session) kept(left []apply.Left) (out []report.Kept) {
	for _, l := range left {
		out = append(out, report.Kept{Path: l.Path, Why: s.redactor.RedactText(l.Why)})
	}
	return out
}
