package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
)

// addSource adds the flag that has files judged, and changed, instead of a host.
func addSource(cmd *cobra.Command) {
	cmd.Flags().StringArray("source", nil,
		"audit the Dockerfiles and Compose files in `DIR` instead of a host; needs neither Docker\nnor root; several are "+
			"allowed if nothing is written")
	_ = cmd.MarkFlagDirname("source")
}

// addWritten adds the flag that says of which directory of sources a run is.
func addWritten(cmd *cobra.Command) {
	cmd.Flags().StringArray("source", nil, "use the runs that changed files in `DIR`, not those of the host")
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
	if err := c.sources(cmd, dirs); err != nil {
		return err
	}
	if looks := cmd.Flags().Lookup("only") != nil; !looks && c.Stateless != nil { // nothing but what is remembered
		return usageError{c.Stateless}
	}
	return nil
}

// sources has these directories judged instead of a host.
func (c *Config) sources(cmd *cobra.Command, dirs []string) error {
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
	c.Root, c.Query.Sources, c.DockerHost, c.Kubeconfig = "/", true, "", ""
	c.HostState = c.State
	c.State, c.Stateless = c.sourceState(cmd)
	return nil
}

// sourceState is where it is remembered what was written below the directory of --source: where --state says, or else
// in its repository, where git keeps its own and takes nothing from what it fetches.
func (c *Config) sourceState(cmd *cobra.Command) (string, error) {
	if len(c.Sources) != 1 {
		return "", errors.New("--source: one directory at a time is written to, and has a history; name one")
	}
	_, byEnvironment := variables()["state"]
	if f := cmd.Flags().Lookup("state"); f != nil && f.Changed || byEnvironment {
		return filepath.Abs(c.State)
	}
	for dir := c.Sources[0].Path; ; dir = filepath.Dir(dir) {
		git := filepath.Join(dir, ".git")
		info, err := os.Lstat(git)
		switch {
		case err == nil && info.IsDir():
			return filepath.Join(git, "harden"), nil
		case err == nil:
			own, err := gitDir(git)
			if err != nil {
				return "", err
			}
			return filepath.Join(own, "harden"), nil
		case !errors.Is(err, fs.ErrNotExist):
			return "", err
		case dir == "/":
			return "", fmt.Errorf("%s: not in a git repository, so there is no default state directory; use --state DIR",
				c.Sources[0].As)
		}
	}
}

// written are the directories of --source by their real paths, as a saved plan keeps them.
func (c *Config) written() []string {
	var dirs []string
	for _, d := range c.Sources {
		dirs = append(dirs, d.Path)
	}
	return dirs
}

// beneath is a plan as apply takes it: of --source, with paths below its directory, above which apply opens nothing.
// Who named the directory has chosen what is in it.
func (s *session) beneath(p *remediate.Plan) *remediate.Plan {
	if len(s.Sources) == 0 {
		return p
	}
	below := *p
	below.Changes = slices.Clone(p.Changes)
	for i := range below.Changes {
		c := &below.Changes[i]
		c.Path = "/" + s.relative(c.Path)
		c.Warrants = []want.Warrant{{By: want.Root, From: "--source"}}
	}
	return &below
}

// relative is a path below the directory of --source that it is in.
func (c *Config) relative(path string) string {
	for _, d := range c.Sources {
		if facts.Within(path, d.Path) {
			return strings.TrimPrefix(strings.TrimPrefix(path, d.Path), "/")
		}
	}
	return path
}
