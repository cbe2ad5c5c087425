package main

import "github.com/spf13/cobra"

func checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Audit the host and change nothing",
		Long: `Audit the host and print what was found, the most severe first. Checks that pass, do not apply or are ` +
			`unknown are
only counted; -v lists them. Nothing is written and nothing is planned.

The exit code is 0 if no check fails, 2 if a check fails, and 1 if no check fails and at least one is inconclusive.`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := open(cmd)
			if err != nil {
				return err
			}
			r, err := s.audited()
			if err != nil {
				return err
			}
			if err := s.deliver(r); err != nil {
				return err
			}
			return s.code(r)
		},
	}
	addSelection(cmd)
	addHost(cmd)
	addDeep(cmd)
	addSource(cmd)
	addOutput(cmd)
	addReading(cmd)
	addOut(cmd, "write the report to `FILE`, or, as FORMAT=FILE, in that format too")
	addExitZero(cmd)
	return cmd
}
