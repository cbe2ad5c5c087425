package main

import (
	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"

	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/report"
)

func historyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "history",
		Short: "List past runs, newest first",
		Long: `List past runs and their outcome. The history is a chain of hashes. It is verified every time: a changed or ` +
			`missing
record is an error.`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := open(cmd)
			if err != nil {
				return err
			}
			runs, err := apply.History(s.options())
			err = multierror.Append(err, s.show(report.HistoryOf(runs))).ErrorOrNil()
			return multierror.Append(err, apply.VerifyHistory(s.options())).ErrorOrNil()
		},
	}
	addState(cmd)
	addWritten(cmd)
	cmd.Flags().String("root", "/", "use the host whose files are in `DIR`, such as a mounted disk")
	addFormat(cmd)
	return cmd
}
