package main

import (
	"time"

	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"

	"example.com/harden/checks/report"
	"example.com/harden/remediate/apply"
)

func driftCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drift",
		Short: "Show what somebody has changed since harden did",
		Long: `Compare every file that applied runs have left with what is there now, and show what somebody has changed since: content as a
diff, mode, owner, extended attributes, files that are gone. What was taken back does not count. Nothing is written.

The exit code is 0 without drift, 2 with some, and 1 when something could not be compared.`,
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
	addOutput(cmd)
	addExitZero(cmd)
	return cmd
}

func (s *session) drift() error {
	s.host = s.look(s.ctx)
	c, failure := apply.Drifted(s.options())
	if failure != nil && c.Files == 0 {
		return failure
	}
	d := &report.Drift{Schema: report.DriftSchema, Version: version(), Time: s.now.UTC().Truncate(time.Second), Runs: c.Runs, Files: c.Files,
		Unconfirmed: c.Unconfirmed, Notes: []string{}, Drifted: []report.Drifted{}}
	d.Host.Name, d.Host.Root = s.hostname(), s.Root
	for _, x := range c.Drifts {
		f := report.Drifted{Path: x.Change.Path, Run: x.Run, Missing: x.Missing, Differences: []report.Difference{}, Diff: s.unified(x.Change)}
		for _, one := range x.Differences {
			f.Differences = append(f.Differences, report.Difference{What: one.What, Was: one.Was, Now: one.Now})
		}
		d.Drifted = append(d.Drifted, f)
	}
	if daemon, err := s.host.Daemon(); err == nil && c.Runs > 0 && daemon.Stale {
		d.Notes = append(d.Notes, "dockerd's configuration is newer than its process: what runs may wait for a restart.")
	}
	var err error
	if s.Format == "json" {
		err = report.JSON(s.stdout, hide(s.redactor, d))
	} else {
		err = report.DriftText(s.stdout, hide(s.redactor, d), s.style())
	}
	if err = multierror.Append(err, failure).ErrorOrNil(); err != nil {
		return err
	}
	if len(d.Drifted) > 0 && !s.ExitZero {
		return status(exitFindings)
	}
	return nil
}
