package main

import (
	"errors"

	"github.com/spf13/cobra"

	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/report"
)

func abandonCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "abandon [RUN]",
		Short: "Give up an interrupted run as it stands",
		Long: `Give the interrupted run up: what it has written stays, what it has not written is not written, and the run is no
longer in the way of others. The state of each of its files is shown first, and is written to the history. Nothing is
written to a file of the host; only harden's own temporary files beside them are removed.

The run's journal is kept: harden rollback RUN still rolls it back.`,
		Args:              atMost(1),
		ValidArgsFunction: completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, dry, yes, err := openToChange(cmd)
			if err != nil {
				return err
			}
			return s.abandon(optional(args), dry, yes)
		},
	}
	addWayOn(cmd, "show the state of each file and change nothing", "give it up without asking")
	return cmd
}

// addWayOn adds the flags of a command that goes on from a run or a state directory that is in the way: how --dry-run
// and --yes are explained, and what all of them have.
func addWayOn(cmd *cobra.Command, dry, yes string) {
	cmd.Flags().BoolP("dry-run", "n", false, dry)
	cmd.Flags().BoolP("yes", "y", false, yes)
	cmd.Flags().String("root", "/", "the host below `DIR`")
	_ = cmd.MarkFlagDirname("root")
	addState(cmd)
	addWritten(cmd)
	addOutput(cmd)
	addExitZero(cmd)
}

func (s *session) abandon(id string, dry, yes bool) error {
	run, files, err := apply.Abandonment(id, s.options())
	if errors.Is(err, apply.ErrNoRun) && id != "" {
		return usageError{err}
	} else if err != nil {
		return err
	}
	r := &report.Abandoned{Schema: report.AbandonSchema, Version: version(), Run: run.ID, Outcome: string(run.Outcome),
		Files: []apply.FileState{}}
	for _, f := range files {
		r.Files = append(r.Files, apply.FileState{Path: f.Path, State: f.State, Why: s.redactor.RedactText(f.Why)})
	}
	err = s.announce(r, dry)
	switch {
	case err != nil:
		return err
	case dry && !s.ExitZero:
		return status(exitFindings)
	case dry:
		return nil
	}
	if !yes {
		if err := s.agreed("give it up?", "nothing was changed"); err != nil {
			return err
		}
	}
	if run, err = apply.Abandon(run.ID, s.options()); err != nil {
		return err
	}
	r.Outcome = string(run.Outcome)
	return s.show(report.Ended{Document: r})
}

func repairCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "repair",
		Short: "Set damaged journals and history aside, so that the rest can be used",
		Long: `Look for damage in the state directory: a journal or a history that is not as harden wrote it. Each damage is shown
with the run, the file and the line or byte, with what is lost by it and what can still be used.

Then what is damaged is moved to a directory damaged-… in the state directory: nothing is deleted. A journal whose log
alone is damaged is made usable again. The history goes on after its last record that holds, with a record that says so
and has the SHA-256 of what was set aside. No file of the host is changed.`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, dry, yes, err := openToChange(cmd)
			if err != nil {
				return err
			}
			return s.repair(dry, yes)
		},
	}
	addWayOn(cmd, "show the damage and change nothing", "repair without asking")
	return cmd
}

func (s *session) repair(dry, yes bool) error {
	damages, err := apply.Diagnose(s.options())
	if err != nil {
		return err
	}
	r := &report.Repair{Schema: report.RepairSchema, Version: version(), State: s.State,
		Damages: append([]apply.Damage{}, damages...)}
	err = s.announce(r, dry || len(damages) == 0)
	switch {
	case err != nil || len(damages) == 0:
		return err
	case dry && !s.ExitZero:
		return status(exitFindings)
	case dry:
		return nil
	}
	if !yes {
		if err := s.agreed("set the damage aside?", "nothing was changed"); err != nil {
			return err
		}
	}
	done, err := apply.Repair(damages, s.options())
	if err != nil {
		return err
	}
	r.Aside, r.Head = done.Aside, done.Head
	return s.show(report.Ended{Document: r})
}
