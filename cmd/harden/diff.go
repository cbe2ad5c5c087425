package main

import (
	"context"
	"io"

	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"

	"example.com/harden/remediate/report"
)

func diffCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "diff [OLD [NEW]]",
		Short: "Compare two saved reports",
		Long: `Compare two reports that harden has saved as JSON, and show what has changed: findings that are new,
changed, fixed, gone or waived, waivers that have expired, and checks that can no longer be judged. One of them may be
-, which reads standard input. No host is audited.

last is the newest report that scheduled audits have kept. Without NEW, OLD is compared with it; without both, or for
last alone, it is compared with the one before. harden schedule status tells which reports are kept.

Findings are the same by their id, so that of a container that was recreated is not new. What a run has fixed counts as
fixed.

The exit code is 0 if nothing is new, changed or no longer waived, 2 if something is, and 1 if not, but a check can no
longer be judged.`,
		Example: `  harden diff                              # the last two scheduled audits
  harden diff monday.json last
  harden diff before.json after.json --format markdown`,
		Args:              atMost(2),
		ValidArgsFunction: completeReports,
		RunE: func(cmd *cobra.Command, args []string) error {
			config, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			if len(args) == 0 || len(args) == 1 && args[0] == lastKept {
				before, last, err := config.lastTwo()
				if err != nil {
					return err
				}
				args = []string{before, last}
			}
			t := teller{config, cmd.OutOrStdout(), redactor()}
			return t.contrast(cmd.Context(), append(args, lastKept)[:2], cmd.InOrStdin())
		},
	}
	addState(cmd)
	addOutput(cmd)
	addOut(cmd, "write to `FILE`, or, as FORMAT=FILE, in that format too")
	addExitZero(cmd)
	return cmd
}

// completeReports offers last beside files.
func completeReports(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 1 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []string{lastKept + "\tthe newest report of scheduled audits"}, cobra.ShellCompDirectiveDefault
}

// contrast tells what has changed between two reports.
func (t *teller) contrast(ctx context.Context, names []string, stdin io.Reader) error {
	if err := stdinOnce(names); err != nil {
		return err
	}
	var reports [2]*report.Report
	var errs *multierror.Error
	for i, name := range names {
		if name == lastKept {
			newest, err := t.config.newestKept()
			if err != nil {
				return err
			}
			names[i] = newest
			reports[i], err = readKept(newest)
			errs = multierror.Append(errs, err)
			continue
		}
		var err error
		reports[i], err = awaited(ctx, func() (*report.Report, error) { return readReport(name, stdin) })
		errs = multierror.Append(errs, err)
	}
	if err := errs.ErrorOrNil(); err != nil {
		return err
	}
	c := report.Contrast(version(), names[0], reports[0], names[1], reports[1])
	err := t.deliver(c)
	switch {
	case err != nil:
		return err
	case c.Worse():
		return t.config.pending()
	case c.Doubtful():
		return status(exitError)
	}
	return nil
}
