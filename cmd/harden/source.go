package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"example.com/harden/checks/facts"
)

// addSource adds the flag that has files judged instead of a host.
func addSource(cmd *cobra.Command) {
	cmd.Flags().StringArray("source", nil, "judge the Dockerfiles and Compose files below `DIR` instead of a host; needs no Docker\nand no root; may be given more than once")
	_ = cmd.MarkFlagDirname("source")
}

// takeSources reads --source.
func (c *Config) takeSources(cmd *cobra.Command) error {
	if cmd.Flags().Lookup("source") == nil {
		return nil
	}
	dirs, err := cmd.Flags().GetStringArray("source")
	if err != nil || len(dirs) == 0 {
		return err
	}
	for _, dir := range dirs {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return err
		}
		if info, err := os.Stat(abs); err != nil {
			return usageError{fmt.Errorf("--source: %w", err)}
		} else if !info.IsDir() {
			return usageError{fmt.Errorf("--source: %s is not a directory", dir)}
		}
		if abs, err = filepath.EvalSymlinks(abs); err != nil { // whoever named it trusts it; nothing below it is
			return usageError{fmt.Errorf("--source: %w", err)}
		}
		c.Sources = append(c.Sources, facts.SourceDir{Path: abs, As: filepath.Clean(dir)})
	}
	c.Root, c.Query.Sources = "/", true
	return nil
}
