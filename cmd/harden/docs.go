package main

import (
	"github.com/spf13/cobra"

	"example.com/harden/remediate/report"
)

// docsCommand writes what packages and pages are made from, so that they say what the program does.
func docsCommand() *cobra.Command {
	docs := &cobra.Command{Use: "docs", Short: "Write documentation", Hidden: true, Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	docs.AddCommand(manCommands()...)
	docs.AddCommand(&cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of everything that --format json prints", Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(report.JSONSchema)
			return err
		},
	})
	table := &cobra.Command{
		Use: "table", Short: "Print the checks as a Markdown table", Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := open(cmd)
			if err != nil {
				return err
			}
			return report.Table(s.stdout, report.Entries(s.selection))
		},
	}
	addBenchmark(table)
	docs.AddCommand(table)
	return docs
}
