package main

import (
	"github.com/spf13/cobra"

	"example.com/harden/checks/report"
)

func threatsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "threats",
		Short: "Show the STRIDE threats: checks, fixes and the state of this host",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := open(cmd)
			if err != nil {
				return err
			}
			plan, err := s.propose()
			if err != nil {
				return err
			}
			r := s.report("plan")
			r.Plan = s.planned(plan)
			r.Settle()
			threats := report.ThreatsOf(r)
			if s.Format == "json" {
				return report.JSON(s.stdout, hide(s.redactor, threats))
			}
			return report.WriteThreats(s.stdout, hide(s.redactor, threats), s.style())
		},
	}
	addSelection(cmd)
	addAllow(cmd)
	addHost(cmd)
	addKubeconfig(cmd)
	addDeep(cmd)
	addOutput(cmd)
	addReading(cmd)
	return cmd
}
