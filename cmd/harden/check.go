package main

import "github.com/spf13/cobra"

func checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Audit the host and change nothing",
		Long: `Judge the host by the benchmark and print one line for each check. Nothing is written and nothing is planned.

The exit code is 0 when nothing fails, 2 when something does, and 1 when nothing is known to fail and yet not everything
could be judged.`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := open(cmd)
			if err != nil {
				return err
			}
			out, _ := cmd.Flags().GetString("out")
			done := s.toFile(out)
			if err := s.audit(); err != nil {
				return err
			}
			r := s.report("check")
			r.Settle()
			if err := s.show(r); err != nil {
				return err
			}
			if err := done(); err != nil {
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
	addOut(cmd, "write the report to `FILE`")
	addExitZero(cmd)
	return cmd
}
