package main

import (
	"errors"
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

// takeSources reads --source, and refuses what goes with a host alone.
func (c *Config) takeSources(cmd *cobra.Command) error {
	if cmd.Flags().Lookup("source") == nil {
		return nil
	}
	dirs, err := cmd.Flags().GetStringArray("source")
	if err != nil || len(dirs) == 0 {
		return err
	}
	for _, flag := range []string{"root", "docker-host", "kubeconfig"} {
		if f := cmd.Flags().Lookup(flag); f != nil && f.Changed {
			return usageError{fmt.Errorf("--source judges files, and --%s names a host: one of the two", flag)}
		}
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

// onlyLook refuses to write to sources: a repository has its own ways of taking a change, and of taking it back.
func (c *Config) onlyLook(dry bool, out string) error {
	switch {
	case len(c.Sources) == 0:
		return nil
	case !dry:
		return usageError{errors.New("--source looks only: say --dry-run, and take the diff over with `patch -p1 -d /`")}
	case out != "":
		return usageError{errors.New("--out saves a plan for `harden apply`, which changes hosts and no sources: keep what --dry-run prints")}
	}
	return nil
}
