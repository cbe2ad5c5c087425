package main

import (
	_ "embed"
	"errors"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"example.com/harden/checks/cis"
	"example.com/harden/remediate/report"
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

// addVersion has cmd print the first line of what the command version does when it is asked by --version: in cobra's
// own form, for a template of ours would link text/template, and with that all methods of all types.
func addVersion(cmd *cobra.Command) {
	cmd.Version = version()
	cmd.Flags().Bool("version", false, "print the version")
}

func versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version, the commit, and the editions of the benchmarks",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := open(cmd)
			if _, broken := errors.AsType[configError](err); broken { // a report of that needs the version
				view, err := report.ViewOf(report.Views[0].Name(), report.OfOther)
				if err != nil {
					return err
				}
				return view.Write(cmd.OutOrStdout(), hide(redactor(), thisProgram(debug.ReadBuildInfo())), report.Style{})
			}
			if err != nil {
				return err
			}
			return s.show(thisProgram(debug.ReadBuildInfo()))
		},
	}
	addOutput(cmd)
	return cmd
}

// thisProgram describes this harden by what the Go tool has written into it.
func thisProgram(info *debug.BuildInfo, _ bool) *report.Program {
	p := &report.Program{Schema: report.ProgramSchema, Version: version(), Go: runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH, Benchmarks: slices.Clone(cis.Editions)}
	if info == nil {
		return p
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			p.Commit = s.Value
		case "vcs.modified":
			p.Modified = s.Value == "true"
		}
	}
	return p
}
