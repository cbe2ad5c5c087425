package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"

	"example.com/harden/remediate"
	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/report"
	"example.com/harden/remediate/schedule"
)

// scheduledWait is how long a scheduled run waits for a package manager.
const scheduledWait = 10 * time.Minute

func scheduleRunCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run a scheduled audit: report changes, keep the report, write metrics (started by a timer)",
		Long: `Audit the host and print only what has changed since the last scheduled run: findings that are new,
fixed, gone or waived, waivers that have expired, and checks that can no longer be judged. Without a change nothing is
printed.

With --apply, fixes are applied first, without asking: those of class none, and more if the configuration's "allow"
says so. Scheduled runs never overlap. A run waits for an active package manager, and exits with 75 when --wait-lock is
over.`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			every, _ := cmd.Flags().GetDuration("every")
			if cmd.Flags().Changed("every") && every < shortest {
				return usageError{fmt.Errorf("--every: %s is too short; minimum %s", every, shortest)}
			}
			return repeated(cmd.Context(), every, func() error { return scheduledOnce(cmd) })
		},
	}
	cmd.Flags().Bool("apply", false, "apply what the configuration allows")
	cmd.Flags().Duration("every", 0, "do not end: audit again after each `TIME`, such as 6h, for a container")
	addMetrics(cmd)
	addHost(cmd)
	addKubeconfig(cmd)
	addDeep(cmd)
	addOutput(cmd)
	addWait(cmd, scheduledWait)
	addRestart(cmd)
	return cmd
}

// shortest is the least time between two audits.
const shortest = time.Minute

// repeated runs once, or again and again until ctx ends: a container that ends would be started again at once. What
// went wrong is said, and tried again the next time; a command line or configuration that means nothing ends it.
func repeated(ctx context.Context, every time.Duration, once func() error) error {
	for {
		err := once()
		if every == 0 || ctx.Err() != nil {
			return err
		}
		if code := exitCode(err); code == exitUsage || code == exitConfig {
			return status(code)
		}
		select {
		case <-time.After(every):
		case <-ctx.Done():
			return nil // between two audits nothing is interrupted
		}
	}
}

func scheduledOnce(cmd *cobra.Command) error {
	s, err := open(cmd)
	if err != nil {
		return err
	}
	fix, _ := cmd.Flags().GetBool("apply")
	if fix && s.Root != "/" && s.DockerHost != "" {
		return usageError{errors.New("--apply with --root changes files only; leave --docker-host out")}
	}
	metrics, _ := cmd.Flags().GetString("metrics")
	return s.scheduled(fix, metrics)
}

func addMetrics(cmd *cobra.Command) {
	cmd.Flags().String("metrics", "",
		"write metrics to `FILE` (default "+schedule.DefaultMetrics+",\nwhere that directory exists)")
	_ = cmd.MarkFlagFilename("metrics")
}

// scheduled is one scheduled run. The state's lock is held from its beginning to its end.
func (s *session) scheduled(fix bool, metrics string) error {
	held, release, err := apply.Hold(s.options())
	if err != nil {
		return err
	}
	defer release()
	s.held = &held
	last, err := s.lastLook()
	if err != nil {
		return err
	}
	if fix {
		if err := s.awaitPackages(); err != nil {
			return err
		}
	}
	if err := s.audit(); err != nil {
		return err
	}
	now := look{Schema: lookSchema}
	if last != nil {
		now.Failed = last.Failed
	}
	var applied error
	if fix {
		now.Failed, applied = s.applyScheduled()
		if applied != nil && !isStatus(applied) {
			exitCode(applied) // says it; what the host is like is told all the same
		}
		if err := s.audit(); err != nil {
			return err
		}
	}
	now.Report = s.report("check")
	now.Report.Settle()
	hide(s.redactor, now.Report) // as the look before is kept
	changes := &report.Changes{Schema: report.ChangesSchema, Version: version(), Host: now.Report.Host.Name,
		Time: now.Report.Time, Changes: []report.Shift{}, Summary: now.Report.Summary}
	if last != nil {
		changes.Since, changes.Changes = last.Report.Time, report.Compare(last.Report, now.Report)
	}
	s.keepScore(now.Report)
	err = s.show(changes)
	err = multierror.Append(err, writeJSON(s.lookFile(), hide(s.redactor, now)), s.keepReport(now.Report),
		s.writeMetrics(metrics, now, changes.Changes)).
		ErrorOrNil()
	switch {
	case err != nil:
		return err
	case isStatus(applied):
		return applied
	case applied != nil:
		return status(errorCode(applied))
	case fix:
		return nil
	}
	return s.code(now.Report)
}

func isStatus(err error) bool { _, ok := errors.AsType[status](err); return ok }

// applyScheduled applies what may be applied without a person, and says how many findings it could not settle.
func (s *session) applyScheduled() (failed int, err error) {
	if run, err := apply.Interrupted(s.options()); err != nil {
		return 0, err
	} else if run != nil {
		return 0, fmt.Errorf("run %s: %w: finish it with `harden --yes`, or roll it back with `harden rollback`; `harden "+
			"abandon` leaves everything as it is", run.ID, apply.ErrInterrupted)
	}
	plan, err := s.planAllowed(s.allowedByClock)
	if err != nil || plan.Empty() {
		return 0, err
	}
	if err := s.packagesIdle(); err != nil {
		return 0, err
	}
	p := newProgress(0)
	o := s.acting(p)
	o.Verify = s.verify
	run, failure := apply.Apply(s.ctx, plan, o)
	p.end()
	if run == nil || failure != nil && !errors.Is(failure, apply.ErrRolledBack) && run.Outcome != apply.Failed {
		return 0, failure
	}
	r := s.report("apply")
	r.Plan, r.Run = report.PlanOf(plan, s.redactor), report.RunOf(run, failure, []report.LeftOver{}, s.redactor)
	r.Settle()
	var told error
	if s.View.Talks() {
		told = s.show(report.Applied{Report: r})
	}
	for _, res := range r.Results {
		for _, f := range res.Findings {
			if f.State == report.Failed {
				failed++
			}
		}
	}
	if failure != nil {
		exitCode(failure)
	}
	return failed, unread(told, run, s.runCode(run, r, s.resumed))
}

// kinds are what a plan may come to activate.
func kinds(p *remediate.Plan) (all []remediate.Kind) {
	for _, a := range p.Activations {
		if !slices.Contains(all, a.Kind) {
			all = append(all, a.Kind)
		}
	}
	return all
}
