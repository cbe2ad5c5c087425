package main

import (
	"cmp"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"example.com/harden/checks/report"
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
			dry, _ := cmd.Flags().GetBool("dry-run")
			yes, _ := cmd.Flags().GetBool("yes")
			s, err := open(cmd)
			switch {
			case err != nil:
				return err
			case dry && yes:
				return usageError{errors.New("--dry-run and --yes contradict each other")}
			case s.Format == "json" && !dry && !yes:
				return usageError{errors.New("--format json cannot ask: say --dry-run or --yes")}
			}
			id := ""
			if len(args) > 0 {
				id = args[0]
			}
			return s.rollback(id, dry, yes)
		},
	}
	cmd.Flags().BoolP("dry-run", "n", false, "show what would be restored and change nothing")
	cmd.Flags().BoolP("yes", "y", false, "take it back without asking")
	addHost(cmd)
	addApply(cmd)
	addOutput(cmd)
	addExitZero(cmd)
	return cmd
}

func (s *session) rollback(id string, dry, yes bool) error {
	s.host = s.look(s.ctx)
	o := s.options()
	p := newProgress(0)
	o.Services = s.services(p)
	chosen, plan, err := apply.RollbackPlan(s.ctx, id, o)
	p.end()
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
		if !isTerminal(os.Stdin) {
			return usageError{errors.New("nothing was taken back: there is no terminal to ask on; say --yes, or --dry-run to look only")}
		}
		if ok, err := s.confirm("take it back?"); err != nil || !ok {
			return cmp.Or(err, errors.New("nothing was taken back"))
		}
	}
	run, failure := s.takeBack(chosen, len(plan.Changes)+len(plan.Updates)) // the one that was shown, whatever has run since
	return s.rolledBack(r, run, failure)
}

// takeBack takes a run of so many changes back.
func (s *session) takeBack(id string, changes int) (*apply.Run, error) {
	o := s.options()
	p := s.progress(changes)
	defer p.end()
	o.Services, o.Progress = s.services(p), p.applyStep
	return apply.Rollback(s.ctx, id, o)
}

func (s *session) rolledBack(r *report.Rollback, run *apply.Run, failure error) error {
	if run == nil {
		return failure
	}
	r.Run = s.ran(run, []report.LeftOver{})
	if failure != nil && r.Run.Reason == "" {
		r.Run.Reason = s.redactor.RedactText(failure.Error())
	}
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
	case err == nil && s.Detailed && !s.ExitZero:
		return status(exitFindings)
	}
	return err
}
