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
	"example.com/harden/checks/facts/docker"
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

// A comparison is of a host with what runs have left.
type comparison struct {
	*session
	found *report.Drift
}

func (s *session) drift() error {
	s.host = s.look(s.ctx)
	left, err := apply.Drifted(apply.LiveOn(s.host), s.options())
	if err != nil {
		return err
	}
	d := &report.Drift{Schema: report.DriftSchema, Version: version(), Time: s.now.UTC().Truncate(time.Second),
		Runs: left.Runs, Files: left.Files, Containers: left.Containers, Checks: len(left.Settled),
		Unconfirmed: left.Unconfirmed, Notes: []string{}, Drifted: []report.Drifted{}, Live: []report.DriftedLive{},
		Unknown: []report.NotCompared{}}
	d.Host.Name, d.Host.Root = s.hostname(), s.Root
	c := &comparison{s, d}
	for _, u := range left.Unknown {
		c.unknown(u.Subject, u.Run, u.Reason)
	}
	for _, x := range left.Drifts {
		c.file(x)
	}
	for _, x := range left.Updated {
		l := report.DriftedLive{Kind: report.LiveContainer, ID: x.Update.ID, Subject: "container " + x.Update.Name,
			Run: x.Run, Differences: x.Differences}
		if x.Update.Before != x.Update.After {
			l.Diff = diff.Container(x.Update)
		}
		c.live(l)
	}
	c.checks(left.Settled)
	c.timers(left.Timers, activate.New(activate.Options{}).Timer)
	c.records(left.Records, s.cluster())
	if daemon, err := docker.DaemonOf(s.host); err == nil && left.Runs > 0 && daemon.Stale {
		d.Notes = append(d.Notes,
			"dockerd's configuration is newer than its process: what runs may wait for a restart.")
	}
	if err := s.ctx.Err(); err != nil {
		return err
	}
	return c.tell()
}

func (c *comparison) tell() error {
	err := c.show(c.found)
	switch {
	case err != nil:
		return err
	case c.found.Found():
		return c.pending()
	case len(c.found.Unknown) > 0:
		return status(exitError)
	}
	return nil
}

func (c *comparison) unknown(subject, run, reason string) {
	c.found.Unknown = append(c.found.Unknown, report.NotCompared{Subject: subject, Run: run,
		Reason: c.redactor.RedactText(reason)})
}

func (c *comparison) live(l report.DriftedLive) { c.found.Live = append(c.found.Live, l) }

func (c *comparison) file(x apply.Drift) {
	f := report.Drifted{Path: x.Change.Path, Run: x.Run, Missing: x.Missing, Replaced: x.Replaced,
		Differences: x.Differences}
	if x.Change.Before.Path+x.Change.After.Path != "" { // the file itself differs
		f.Diff = diff.Unified(x.Change, c.redactor)
	}
	c.found.Drifted = append(c.found.Drifted, f)
}

// checks judges again what the runs have settled. A check that was left waiting, and still waits, has not
// drifted.
func (c *comparison) checks(settled []apply.Settled) {
	ids := []string{}
	for _, x := range settled {
		ids = append(ids, x.Check)
	}
	now, host := map[string]checks.Result{}, c.engineHost()
	for _, r := range c.judge(c.ctx, c.host, named(ids)) {
		now[r.Check.ID] = r
	}
	for _, x := range settled {
		r, known := now[x.Check]
		waits := x.Waiting && !x.Rebooted && r.Status == checks.Fail &&
			!slices.ContainsFunc(r.Findings, func(f checks.Finding) bool { return !f.Pending })
		switch {
		case x.DockerHost != host && strings.HasPrefix(x.Check, "docker/"):
			c.unknown(x.Check, x.Run, "it was checked with another Docker Engine; use "+optionOf(x.DockerHost))
		case !known:
			c.unknown(x.Check, x.Run, "this version of harden has no such check")
		case waits:
			c.found.Notes = append(c.found.Notes, c.redactor.RedactText(fmt.Sprintf("%s: pending, as run %s has left it: %s: %s",
				x.Check, x.Run, r.Findings[0].Subject, r.Findings[0].Got)))
		case r.Status == checks.Fail:
			ids := report.FindingIDs(report.Host{Name: c.found.Host.Name, Machine: report.MachineID(c.host)}, x.Check,
				r.Findings, c.redactor)
			for i, f := range r.Findings {
				was := apply.Difference{What: "verdict", Was: checks.Pass.String(),
					Now: c.redactor.RedactText("fail: " + f.Got + ", must be " + f.Must)}
				if x.Waiting {
					was.Was = "pending"
				}
				c.live(report.DriftedLive{Kind: report.LiveCheck, ID: x.Check, Finding: ids[i], Subject: f.Subject, Run: x.Run,
					Differences: []apply.Difference{was}})
			}
		case r.Status == checks.NotApplicable, r.Status == checks.Manual, r.Status == checks.Unknown:
			c.unknown(x.Check, x.Run, fmt.Sprintf("%s: %v", r.Status, r.Err))
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

// timers asks systemd about the timers that the runs have set going. A missing unit file is reported as a file.
func (c *comparison) timers(timers []apply.Settled,
	ask func(context.Context, string) (activate.Timer, error)) {
	for _, x := range timers {
		t, err := ask(c.ctx, x.Unit)
		if err != nil {
			c.unknown(x.Unit, x.Run, err.Error())
		} else if t.Load == "loaded" && t.Active != "active" {
			c.live(report.DriftedLive{Kind: report.LiveTimer, ID: x.Unit, Subject: x.Unit, Run: x.Run,
				Differences: []apply.Difference{{What: "state", Was: "active", Now: t.Active}}})
		}
	}
}

// records asks the cluster for what the runs have had it keep.
func (c *comparison) records(records []apply.Recorded,
	ask func(context.Context) (*remediate.Cluster, error)) {
	if len(records) == 0 {
		return
	}
	err := errors.New("no kubeconfig to ask the cluster with; name one by --kubeconfig")
	var cluster *remediate.Cluster
	if ask != nil {
		cluster, err = ask(c.ctx)
	}
	for _, x := range records {
		if err != nil {
			c.unknown(x.Record.String(), x.Run, err.Error())
			continue
		}
		now := x.Record
		now.Before = x.Record.After
		if now.After = cluster.Configuration; now.ConfigMap == "kubelet-config" {
			now.After = cluster.Kubelet
		}
		if now.Before != now.After {
			sum := func(text string) string { return fmt.Sprintf("sha256 %x", sha256Of([]byte(text))) }
			c.live(report.DriftedLive{Kind: report.LiveConfigMap, ID: now.String(), Subject: now.String(),
				Run: x.Run, Diff: diff.Unified(now.Change(), c.redactor),
				Differences: []apply.Difference{{What: "content", Was: sum(now.Before), Now: sum(now.After)}}})
		}
	}
}
