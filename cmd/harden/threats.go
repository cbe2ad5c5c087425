package main

import (
	"github.com/spf13/cobra"

	"example.com/harden/remediate/report"
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
			return s.show(report.ThreatsOf(s.planned(plan)))
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
