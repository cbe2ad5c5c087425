package main

import (
	"github.com/spf13/cobra"

	"example.com/harden/checks/report"
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
			entries := report.Entries(s.selection)
			if s.Format == "json" {
				return report.JSON(s.stdout, entries)
			}
			return report.List(s.stdout, entries, s.style())
		},
	}
	addSelection(cmd)
	addOutput(cmd)
	return cmd
}

func explainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:               "explain ID",
		Short:             "Explain one check, with its result on this host",
		Long:              `Explain a check: its number in each edition, the reason for it, what its fix breaks, and its result on this host.`,
		Example:           "  harden explain docker/icc\n  harden explain docker@1.2.0:2.1",
		Args:              exactly(1),
		ValidArgsFunction: completeChecks,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := openOnly(cmd, args)
			if err != nil {
				return err
			}
			if err := s.audit(); err != nil {
				return err
			}
			r := s.report("check")
			r.Settle()
			if s.Format == "json" {
				return report.JSON(s.stdout, hide(s.redactor, explained(s, r)))
			}
			for i, c := range s.selection.Checks {
				if i > 0 {
					if _, err := s.stdout.Write([]byte("\n")); err != nil {
						return err
					}
				}
				if err := report.Explain(s.stdout, c, hide(s.redactor, r.Results[i]), s.style()); err != nil {
					return err
				}
			}
			return nil
		},
	}
	addBenchmark(cmd)
	addHost(cmd)
	addDeep(cmd)
	addOutput(cmd)
	return cmd
}

// An explanation is a check of the catalogue beside its result on this host.
type explanation struct {
	report.Entry
	Result report.Result `json:"result"`
}

func explained(s *session, r *report.Report) []explanation {
	var out []explanation
	for i, e := range report.Entries(s.selection) {
		out = append(out, explanation{e, r.Results[i]})
	}
	return out
}
