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
		Short: "Leave an interrupted run as it is",
		Long: `Give up an interrupted run: written files stay, the other files of the run are not written, and the run no ` +
			`longer blocks
other runs. The state of each file is shown first and recorded in the history. No file of the host is written; only
harden's own temporary files are removed.

The journal is kept: harden rollback RUN still rolls the run back.`,
		Args:              atMost(1),
		ValidArgsFunction: completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, dry, yes, err := openToChange(cmd)
			if err != nil {
				return err
			}
			id, err := s.runID(optional(args))
			if err != nil {
				return err
			}
			return s.abandon(id, dry, yes)
		},
	}
	addWayOn(cmd, "show the state of each file and change nothing", "do it without asking")
	return cmd
}

// addWayOn adds the flags of a command that goes on from a run or a state directory that is in the way: how --dry-run
// and --yes are explained, and what all of them have.
func addWayOn(cmd *cobra.Command, dry, yes string) {
	addAsking(cmd, dry, yes)
	cmd.Flags().String("root", "/", "use the host whose files are in `DIR`, such as a mounted disk")
	_ = cmd.MarkFlagDirname("root")
	addState(cmd)
	addWritten(cmd)
	addOutput(cmd)
	addExitZero(cmd)
}

func (s *session) abandon(id string, dry, yes bool) error {
	run, files, err := apply.Abandonment(id, s.options())
	if errors.Is(err, apply.ErrNoRun) && id != "" {
		return noSuchRun(err)
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
	case dry:
		return s.pending()
	}
	if err := s.agreed(yes, "give it up?", "nothing was changed"); err != nil {
		return err
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
		Short: "Move damaged journals and history aside, so that the rest can be used",
		Long: `Look for damage in the state directory: a journal or a history that is not as harden wrote it. Each damage ` +
			`is shown
with the run, the file, the line or byte, what is lost and what can still be used.

Damaged files are then moved to a directory damaged-… in the state directory; nothing is deleted. If only the log of a
journal is damaged, the journal becomes usable again. The history continues after its last valid record, with a record
that has the SHA-256 of the part that was moved. No file of the host is changed.`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, dry, yes, err := openToChange(cmd)
			if err != nil {
				return err
			}
			return s.repair(dry, yes)
		},
	}
	addWayOn(cmd, "show the damage and change nothing", "do it without asking")
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
	case dry:
		return s.pending()
	}
	if err := s.agreed(yes, "move the damaged files aside?", "nothing was changed"); err != nil {
		return err
	}
	done, err := apply.Repair(damages, s.options())
	if err != nil {
		return err
	}
	r.Aside, r.Head = done.Aside, done.Head
	return s.show(report.Ended{Document: r})
}
