package main

import (
	_ "embed"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// next is the version that this source is, or is on its way to: the one place that says it.
//
//go:embed VERSION
var next string

// release is what scripts/version prints, where the build passes it on: -ldflags "-X main.release=v0.2.0".
var release string

// version is the release, or else VERSION with what the Go tool knows of the source that it built.
func version() string {
	if release != "" {
		return release
	}
	info, _ := debug.ReadBuildInfo()
	return built(strings.TrimSpace(next), info)
}

// built is v where info, which may be nil, says that the source is tagged so; otherwise v with the commit.
func built(v string, info *debug.BuildInfo) string {
	if info == nil {
		return v + "+devel"
	}
	if info.Main.Version == v {
		return v
	}
	commit, dirty := "devel", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = ".dirty"
		}
	}
	return v + "+" + commit + dirty
}

// addVersion has cmd print what the command version does when it is asked by --version: in cobra's own form, for a
// template of ours would link text/template, and with that all methods of all types.
func addVersion(cmd *cobra.Command) {
	cmd.Version = version()
	cmd.Flags().Bool("version", false, "print the version")
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "harden version", version())
			return err
		},
	}
}
