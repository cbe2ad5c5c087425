//go:build docs

package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// manCommands writes the man pages. What it needs for that is not in the binary that travels to hosts: `make man`
// builds its own.
func manCommands() []*cobra.Command {
	return []*cobra.Command{{
		Use: "man DIR", Short: "Write a man page for each command", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			root.DisableAutoGenTag = true // a date would make no two builds alike
			return doc.GenManTree(root, &doc.GenManHeader{Title: "HARDEN", Section: "8", Source: "harden", Manual: "harden"},
				args[0])
		},
	}}
}
