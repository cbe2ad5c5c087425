package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"example.com/harden/remediate"
	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/gate"
	"example.com/harden/remediate/report"
)

func rollbackCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rollback [RUN]",
		Short: "Roll back a run, byte for byte",
		Long: `Restore the bytes, mode, owner and extended attributes of every file of a run, remove the files that it ` +
			`created, and
reload or restart the services. Without RUN, the interrupted run is rolled back, or else the newest. The rollback is
shown as a diff first.

If somebody has changed a file since the run, nothing is rolled back, and each such file is named: --skip-conflicts
leaves all of them as they are, --theirs leaves one, and --ours restores one anyway. The content that --ours replaces is
kept in the run's journal. If a later run has changed the file, roll back that run first. For a RUN that is already
rolled back, --theirs restores what --ours replaced, and --ours restores what was left, as a run of its own.`,
		Example: `  harden rollback 2 --dry-run      # run 2 of harden history
  harden rollback --ours /etc/docker/daemon.json --yes`,
		Args:              atMost(1),
		ValidArgsFunction: completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, dry, yes, err := openToResolve(cmd)
			if err != nil {
				return err
			}
			id, err := s.runID(optional(args))
			if err != nil {
				return err
			}
			return s.rollback(id, dry, yes)
		},
	}
	addAsking(cmd, "show what would be restored and change nothing", "roll back without asking")
	addResolving(cmd)
	return cmd
}

func resumeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "resume",
		Short: "Finish an interrupted run",
		Long: `Finish an interrupted run: write the files that are not written yet, and reload or restart the services. If ` +
			`the run was
being rolled back, the rollback is finished. The changes are shown as a diff first.

If somebody has changed a file meanwhile, nothing is written, and each such file is named. To continue, use
--skip-conflicts, --theirs or --ours, as with harden rollback. harden rollback rolls the run back instead; harden
abandon leaves it as it is.`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, dry, yes, err := openToResolve(cmd)
			if err != nil {
				return err
			}
			return s.finishRun(dry, yes)
		},
	}
	addAsking(cmd, "show what would be written and change nothing", "finish the run without asking")
	addResolving(cmd)
	addWait(cmd, 0)
	return cmd
}

// addResolving adds the flags of a command that brings a run back or forward.
func addResolving(cmd *cobra.Command) {
	addResolution(cmd)
	addHost(cmd)
	addWritten(cmd)
	addKubeconfig(cmd)
	addApply(cmd)
	addRestart(cmd)
	addOutput(cmd)
	addExitZero(cmd)
}

// openToResolve is openToChange for a command with the flags of addResolving.
func openToResolve(cmd *cobra.Command) (s *session, dry, yes bool, err error) {
	resolve, err := resolution(cmd)
	if err != nil {
		return nil, false, false, err
	}
	if s, dry, yes, err = openToChange(cmd); s != nil {
		s.resolve = resolve
	}
	return s, dry, yes, err
}

func (s *session) rollback(id string, dry, yes bool) error {
	s.host = s.look(s.ctx)
	p := s.progress(0)
	back, err := apply.Reverse(s.ctx, id, s.acting(p))
	p.end()
	switch {
	case errors.Is(err, apply.ErrNoRun) && id != "":
		return noSuchRun(err)
	case errors.Is(err, apply.ErrChoice):
		return usageError{err}
	case err != nil:
		return err
	}
	if err := s.orphans(back.Run, back.Plan); err != nil {
		return err
	}
	return s.carryBack(back, report.RollbackSchema, dry, func() error {
		return s.agreed(yes, "roll it back?", "nothing was rolled back")
	}, func() (*apply.Run, error) { // the one that was shown, whatever has run since
		return s.takeBack(back.Run, len(back.Plan.Changes)+len(back.Plan.Updates))
	})
}

// finishRun finishes the interrupted run.
func (s *session) finishRun(dry, yes bool) error {
	if !dry {
		if err := s.awaitPackages(); err != nil {
			return err
		}
	}
	s.host = s.look(s.ctx)
	p := s.progress(0)
	onward, _, err := apply.Onward(s.ctx, s.acting(p))
	p.end()
	if errors.Is(err, apply.ErrChoice) {
		return usageError{err}
	} else if err != nil {
		return err
	}
	return s.carryBack(onward, report.ResumeSchema, dry, func() error {
		return s.agreed(yes, "finish it?", "nothing was written")
	}, s.resume)
}

// carryBack shows what a run is to be brought back or forward to, asks, and does it.
func (s *session) carryBack(back *apply.Reversal, schema string, dry bool, ask func() error,
	do func() (*apply.Run, error)) error {
	r := &report.Rollback{Schema: schema, Version: version(), Changes: report.ChangesOf(back.Plan.Changes, s.redactor),
		Updates: report.UpdatesOf(back.Plan.Updates), Kept: append([]apply.Left{}, report.KeptOf(back.Kept, s.redactor)...),
		Conflicts: append([]apply.Conflict{}, back.Conflicts...)}
	conflicts := len(back.Conflicts) > 0
	err := s.announce(r, dry || conflicts)
	switch {
	case err != nil:
		return err
	case conflicts:
		return &apply.ConflictError{Run: back.Run, Conflicts: back.Conflicts}
	case dry && !back.Plan.Empty():
		return s.pending()
	case dry:
		return nil
	}
	if err := ask(); err != nil {
		return err
	}
	run, failure := do()
	return s.rolledBack(r, run, failure)
}

// rollbackPlan looks at the host, and tells which run would be taken back and how.
func (s *session) rollbackPlan(id string) (string, *remediate.Plan, error) {
	s.host = s.look(s.ctx)
	p := s.progress(0)
	defer p.end()
	run, plan, err := apply.RollbackPlan(s.ctx, id, s.acting(p))
	if err == nil {
		err = s.orphans(run, plan)
	}
	return run, plan, err
}

// orphans refuses to take back what would leave containers running that no Docker Engine knows any more.
func (s *session) orphans(run string, plan *remediate.Plan) error {
	if s.Root != "/" || plan == nil {
		return nil
	}
	names, err := gate.Orphans(s.host, s.host.With(plan.After()))
	if err != nil {
		return fmt.Errorf("run %s: which containers would continue without a Docker Engine is not known: %w", run, err)
	}
	if len(names) > 0 {
		return fmt.Errorf("run %s: these containers were started under userns-remap and would continue without a Docker "+
			"Engine: "+
			"%s; stop them first", run, strings.Join(names, ", "))
	}
	return nil
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
	r.Run = report.RunOf(run, failure, []report.LeftOver{}, s.redactor)
	r.Kept = append([]apply.Left{}, report.KeptOf(run.Left, s.redactor)...)
	var err error
	if failure == nil || !s.View.Talks() {
		err = s.show(report.Ended{Document: r})
	}
	switch {
	case failure != nil && (run.Outcome == apply.Failed || errors.Is(failure, apply.ErrRolledBack)):
		exitCode(failure)
		return status(exitFailed)
	case failure != nil:
		return failure
	case s.Detailed && !s.ExitZero:
		return unread(err, run, status(exitFindings))
	}
	return unread(err, run, nil)
}
