package main

import (
	"github.com/spf13/cobra"

	"example.com/harden/remediate/report"
)

func listCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the checks",
		Long:  `List the selected checks with their numbers in one edition. No host is read.`,
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := open(cmd)
			if err != nil {
				return err
			}
			return s.show(report.Entries(s.selection))
		},
	}
	addSelection(cmd)
	addOutput(cmd)
	return cmd
}

func explainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain ID",
		Short: "Explain one check, with its result on this host",
		Long: `Explain a check: its number in each edition, the reason for it, what its fix breaks, and its ` +
			`result on this host.`,
		Example:           "  harden explain docker/icc\n  harden explain docker@1.2.0:2.1",
		Args:              exactly(1),
		ValidArgsFunction: completeChecks,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := openOnly(cmd, args)
			if err != nil {
				return err
			}
			r, err := s.audited()
			if err != nil {
				return err
			}
			return s.show(report.Explain(s.selection, r))
		},
	}
	addBenchmark(cmd)
	addHost(cmd)
	addDeep(cmd)
	addOutput(cmd)
	return cmd
}
