package main

import (
	"errors"

	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"

	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/report"
)

func historyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "history [RUN]",
		Short: "List past runs, newest first, or show one with its diffs",
		Long: `List past runs and their outcome. The history is a chain of hashes. It is verified every time: a changed or ` +
			`missing
record is an error.

Every run has a number that it keeps. Commands that take a RUN take its number or its ID. With RUN, the files,
containers and services of that run are shown, with its diffs as it applied them. harden drift shows what has changed
since.`,
		Example: `  harden history           # the numbers
  harden history 2         # what run 2 has done
  harden rollback 2`,
		Args:              atMost(1),
		ValidArgsFunction: completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := open(cmd)
			if err != nil {
				return err
			}
			if len(args) > 0 {
				return s.past(args[0])
			}
			runs, err := apply.History(s.options())
			err = multierror.Append(err, s.show(report.HistoryOf(runs))).ErrorOrNil()
			return multierror.Append(err, apply.VerifyHistory(s.options())).ErrorOrNil()
		},
	}
	addState(cmd)
	addWritten(cmd)
	cmd.Flags().String("root", "/", "use the host whose files are in `DIR`, such as a mounted disk")
	addOutput(cmd)
	return cmd
}

// past shows one run.
func (s *session) past(name string) error {
	id, err := s.runID(name)
	if err != nil {
		return err
	}
	run, plan, damage := apply.Past(id, s.options())
	if errors.Is(damage, apply.ErrNoRun) {
		return usageError{damage}
	} else if run == nil {
		return damage
	}
	err = s.show(report.PastOf(run, plan, damage != nil, s.redactor))
	return multierror.Append(damage, err).ErrorOrNil()
}

// runID is the ID of the run that an argument names by its number or ID; empty where there is no argument.
func (s *session) runID(name string) (string, error) {
	id, err := apply.Named(name, s.options())
	if errors.Is(err, apply.ErrNoRun) {
		return "", usageError{err}
	}
	return id, err
}
