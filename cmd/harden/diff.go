package main

import (
	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"

	"example.com/harden/remediate/report"
)

func diffCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Compare two saved reports",
		Long: `Compare two reports that harden has saved as JSON, and show what has changed: findings that are new,
changed, fixed, gone or waived, waivers that have expired, and checks that can no longer be judged. One of them may be
-, which reads standard input. No host is audited.

Findings are the same by their id, so that of a container that was recreated is not new. What a run has fixed counts as
fixed.

The exit code is 0 if nothing is new, changed or no longer waived, 2 if something is, and 1 if not, but a check can no
longer be judged.`,
		Example: `  harden diff monday.json today.json
  harden diff before.json after.json --format markdown`,
		Args: exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			config, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			before, err := readReport(args[0], cmd.InOrStdin())
			now, failed := readReport(args[1], cmd.InOrStdin())
			if err := multierror.Append(err, failed).ErrorOrNil(); err != nil {
				return err
			}
			t := teller{config, cmd.OutOrStdout(), redactor()}
			return t.contrast(report.Contrast(version(), args[0], before, args[1], now))
		},
	}
	addOutput(cmd)
	addOut(cmd, "write to `FILE`, or, as FORMAT=FILE, in that format too")
	addExitZero(cmd)
	return cmd
}

// contrast tells what has changed between two reports.
func (t *teller) contrast(c *report.Comparison) error {
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
