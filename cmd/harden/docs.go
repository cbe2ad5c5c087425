package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"example.com/harden/checks/report"
)

// docsCommand writes what packages and the README are made with, so that it cannot say other than the program does.
func docsCommand() *cobra.Command {
	docs := &cobra.Command{Use: "docs", Short: "Write documentation", Hidden: true, Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	docs.AddCommand(&cobra.Command{
		Use: "man DIR", Short: "Write a man page for each command", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			root.DisableAutoGenTag = true // a date would make no two builds alike
			return doc.GenManTree(root, &doc.GenManHeader{Title: "HARDEN", Section: "8", Source: "harden", Manual: "harden"}, args[0])
		},
	}, &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of reports", Args: exactly(0),
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
