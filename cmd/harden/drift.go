package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"example.com/harden/checks"
	"example.com/harden/remediate"
	"example.com/harden/remediate/activate"
	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/diff"
	"example.com/harden/remediate/report"
)

func driftCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drift",
		Short: "Show what somebody has changed since harden did",
		Long: `Compare what applied runs have left with the host as it is now, and show the differences:

  - files: content as a diff, mode, owner, access lists and other extended attributes; missing files. If harden has set
    only mode and owner, new content is shown as "replaced";
  - containers changed in place: limits and restart policy; containers that are gone or were recreated;
  - units and drop-ins that another file overrides;
  - audit rules that are no longer loaded, timers that are no longer active, changed ConfigMaps of kubeadm;
  - checks: each check that a run fixed is judged again, with what is running now.

The newest run counts for each; runs that were rolled back do not. Use the same --docker-host as those runs.
Nothing is written.

The exit code is 0 without drift, 2 with drift, and 1 without known drift if something could not be compared.`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := open(cmd)
			if err != nil {
				return err
			}
			return s.drift()
		},
	}
	addHost(cmd)
	addKubeconfig(cmd)
	addOutput(cmd)
	addExitZero(cmd)
	return cmd
}

func (s *session) drift() error {
	s.host = s.look(s.ctx)
	c, err := apply.Drifted(s.host, s.options())
	if err != nil {
		return err
	}
	d := &report.Drift{Schema: report.DriftSchema, Version: version(), Time: s.now.UTC().Truncate(time.Second),
		Runs: c.Runs, Files: c.Files, Containers: c.Containers, Checks: len(c.Settled), Unconfirmed: c.Unconfirmed,
		Notes: []string{}, Drifted: []report.Drifted{}, Live: []report.DriftedLive{}, Unknown: []report.NotCompared{}}
	d.Host.Name, d.Host.Root = s.hostname(), s.Root
	for _, u := range c.Unknown {
		s.notCompared(d, u.Subject, u.Run, u.Reason)
	}
	for _, x := range c.Drifts {
		d.Drifted = append(d.Drifted, s.driftedFile(x))
	}
	for _, x := range c.Updated {
		l := report.DriftedLive{Kind: report.LiveContainer, ID: x.Update.ID, Subject: "container " + x.Update.Name,
			Run: x.Run, Differences: x.Differences}
		if x.Update.Before != x.Update.After {
			l.Diff = diff.Container(x.Update)
		}
		d.Live = append(d.Live, l)
	}
	s.driftedChecks(d, c.Settled)
	s.driftedTimers(d, c.Timers, activate.New(activate.Options{}).Timer)
	s.driftedRecords(d, c.Records, s.cluster())
	if daemon, err := s.host.Daemon(); err == nil && c.Runs > 0 && daemon.Stale {
		d.Notes = append(d.Notes, "dockerd's configuration is newer than its process: what runs may wait for a restart.")
	}
	if err := s.ctx.Err(); err != nil {
		return err
	}
	return s.tellDrift(d)
}

func (s *session) tellDrift(d *report.Drift) error {
	err := s.show(d)
	switch {
	case err != nil:
		return err
	case d.Found() && s.ExitZero:
		return nil
	case d.Found():
		return status(exitFindings)
	case len(d.Unknown) > 0:
		return status(exitError)
	}
	return nil
}

func (s *session) notCompared(d *report.Drift, subject, run, reason string) {
	d.Unknown = append(d.Unknown, report.NotCompared{Subject: subject, Run: run, Reason: s.redactor.RedactText(reason)})
}

func (s *session) driftedFile(x apply.Drift) report.Drifted {
	f := report.Drifted{Path: x.Change.Path, Run: x.Run, Missing: x.Missing, Replaced: x.Replaced,
		Differences: x.Differences}
	if x.Change.Before.Path+x.Change.After.Path != "" { // the file itself differs
		f.Diff = diff.Unified(x.Change, s.redactor)
	}
	return f
}

// driftedChecks judges again what the runs have settled. A check that was left waiting, and still waits, has not
// drifted.
func (s *session) driftedChecks(d *report.Drift, settled []apply.Settled) {
	ids := []string{}
	for _, x := range settled {
		ids = append(ids, x.Check)
	}
	now, host := map[string]checks.Result{}, s.engineHost()
	for _, r := range s.judge(s.ctx, s.host, named(ids)) {
		now[r.Check.ID] = r
	}
	for _, x := range settled {
		r, known := now[x.Check]
		waits := x.Waiting && !x.Rebooted && r.Status == checks.Fail &&
			!slices.ContainsFunc(r.Findings, func(f checks.Finding) bool { return !f.Pending })
		switch {
		case x.DockerHost != host && strings.HasPrefix(x.Check, "docker/"):
			s.notCompared(d, x.Check, x.Run, "it was judged with another Docker Engine; use "+optionOf(x.DockerHost))
		case !known:
			s.notCompared(d, x.Check, x.Run, "this version of harden has no such check")
		case waits:
			d.Notes = append(d.Notes, s.redactor.RedactText(fmt.Sprintf("%s: pending, as run %s has left it: %s: %s",
				x.Check, x.Run, r.Findings[0].Subject, r.Findings[0].Got)))
		case r.Status == checks.Fail:
			for _, f := range r.Findings {
				was := apply.Difference{What: "verdict", Was: checks.Pass.String(),
					Now: s.redactor.RedactText("fail: " + f.Got + ", must be " + f.Must)}
				if x.Waiting {
					was.Was = "pending"
				}
				d.Live = append(d.Live, report.DriftedLive{Kind: report.LiveCheck, ID: x.Check, Subject: f.Subject, Run: x.Run,
					Differences: []apply.Difference{was}})
			}
		case r.Status == checks.NotApplicable, r.Status == checks.Manual, r.Status == checks.Unknown:
			s.notCompared(d, x.Check, x.Run, fmt.Sprintf("%s: %v", r.Status, r.Err))
		}
	}
}

// optionOf is how to have a host judged with the Docker Engine that is there.
func optionOf(engineHost string) string {
	if engineHost == "" {
		return "no --docker-host and no DOCKER_HOST"
	}
	return "--docker-host " + engineHost
}

// driftedTimers asks systemd about the timers that the runs have set going. A missing unit file is reported as a file.
func (s *session) driftedTimers(d *report.Drift, timers []apply.Settled,
	ask func(context.Context, string) (activate.Timer, error)) {
	for _, x := range timers {
		t, err := ask(s.ctx, x.Unit)
		if err != nil {
			s.notCompared(d, x.Unit, x.Run, err.Error())
		} else if t.Load == "loaded" && t.Active != "active" {
			d.Live = append(d.Live, report.DriftedLive{Kind: report.LiveTimer, ID: x.Unit, Subject: x.Unit, Run: x.Run,
				Differences: []apply.Difference{{What: "state", Was: "active", Now: t.Active}}})
		}
	}
}

// driftedRecords asks the cluster for what the runs have had it keep.
func (s *session) driftedRecords(d *report.Drift, records []apply.Recorded,
	ask func(context.Context) (*remediate.Cluster, error)) {
	if len(records) == 0 {
		return
	}
	err := errors.New("no kubeconfig to ask the cluster with; name one by --kubeconfig")
	var cluster *remediate.Cluster
	if ask != nil {
		cluster, err = ask(s.ctx)
	}
	for _, x := range records {
		if err != nil {
			s.notCompared(d, x.Record.String(), x.Run, err.Error())
			continue
		}
		now := x.Record
		now.Before = x.Record.After
		if now.After = cluster.Configuration; now.ConfigMap == "kubelet-config" {
			now.After = cluster.Kubelet
		}
		if now.Before != now.After {
			sum := func(text string) string { return fmt.Sprintf("sha256 %x", sha256Of([]byte(text))) }
			d.Live = append(d.Live, report.DriftedLive{Kind: report.LiveConfigMap, ID: now.String(), Subject: now.String(),
				Run: x.Run, Diff: diff.Unified(now.Change(), s.redactor),
				Differences: []apply.Difference{{What: "content", Was: sum(now.Before), Now: sum(now.After)}}})
		}
	}
}
