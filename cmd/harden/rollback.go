package main

import (
	"errors"

	"github.com/spf13/cobra"

	"example.com/harden/checks/report"
	"example.com/harden/remediate"
	"example.com/harden/remediate/apply"
)

func rollbackCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rollback [RUN]",
		Short: "Take a run back, byte for byte",
		Long: `Give every file of a run back its bytes, mode, owner and extended attributes, take away what it made, and have the services take
that up. Without RUN it is the interrupted run, or else the newest. It is shown as a diff first, and refused where somebody
has changed a file since.`,
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, dry, yes, err := openToChange(cmd)
			if err != nil {
				return err
			}
			return s.rollback(optional(args), dry, yes)
		},
	}
	cmd.Flags().BoolP("dry-run", "n", false, "show what would be restored and change nothing")
	cmd.Flags().BoolP("yes", "y", false, "take it back without asking")
	addHost(cmd)
	addKubeconfig(cmd)
	addApply(cmd)
	addOutput(cmd)
	addExitZero(cmd)
	return cmd
}

func (s *session) rollback(id string, dry, yes bool) error {
	chosen, plan, err := s.rollbackPlan(id)
	if errors.Is(err, apply.ErrNoRun) && id != "" {
		return usageError{err}
	} else if err != nil {
		return err
	}
	r := &report.Rollback{Schema: report.RollbackSchema, Version: version(), Changes: s.changes(plan.Changes),
		Updates: updates(plan.Updates)}
	if s.Format == "text" {
		if err := report.RollbackText(s.stdout, r, s.style()); err != nil {
			return err
		}
	}
	if dry {
		if s.Format == "json" {
			if err := report.JSON(s.stdout, r); err != nil {
				return err
			}
		}
		if !plan.Empty() && !s.ExitZero {
			return status(exitFindings)
		}
		return nil
	}
	if !yes {
		if err := s.agreed("take it back?", "nothing was taken back"); err != nil {
			return err
		}
	}
	run, failure := s.takeBack(chosen, len(plan.Changes)+len(plan.Updates)) // the one that was shown, whatever has run since
	return s.rolledBack(r, run, failure)
}

// rollbackPlan looks at the host, and tells which run would be taken back and how.
func (s *session) rollbackPlan(id string) (string, *remediate.Plan, error) {
	s.host = s.look(s.ctx)
	p := s.progress(0)
	defer p.end()
	return apply.RollbackPlan(s.ctx, id, s.acting(p))
}

// takeBack takes a run of so many changes back.
func (s *session) takeBack(id string, changes int) (*apply.Run, error) {
	p := s.progress(changes)
	defer p.end()
	return apply.Rollback(s.ctx, id, s.acting(p))
}

func (s *session) rolledBack(r *report.Rollback, run *apply.Run, failure error) error {
	if run == nil {
		return failure
	}
	r.Run = s.ended(run, failure, []report.LeftOver{})
	var err error
	if s.Format == "json" {
		err = report.JSON(s.stdout, r)
	} else if failure == nil {
		err = report.TakenBack(s.stdout, r, s.style())
	}
	switch {
	case failure != nil && run.Outcome == apply.Failed:
		exitCode(failure)
		return status(exitFailed)
	case failure != nil:
		return failure
	case s.Detailed && !s.ExitZero:
		return s.unread(err, run, status(exitFindings))
	}
	return s.unread(err, run, nil)
}
