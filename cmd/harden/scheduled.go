package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"

	"example.com/harden/checks"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/report"
	"example.com/harden/remediate/schedule"
)

// scheduledWait is for how long a run by the clock waits for a package manager, which nightly upgrades need not
// hour-long.
const scheduledWait = 10 * time.Minute

func scheduleRunCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run",
		Short: "What a timer starts: audit, tell what has changed since, keep the report, write metrics",
		Long: `Judge the host and print only what is not as it was at the last scheduled run: new findings, those that are fixed or gone,
waived, or whose waiver has expired, and what can no longer be judged. Nothing is printed when nothing has changed.

With --apply, fixes are applied first, without asking: those of class none, unless the configuration's "allow" says more.
Two of these runs never overlap, and none begins while a package manager is at work: it waits, and exits with 75 in the end.`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := open(cmd)
			if err != nil {
				return err
			}
			fix, _ := cmd.Flags().GetBool("apply")
			metrics, _ := cmd.Flags().GetString("metrics")
			return s.scheduled(fix, metrics)
		},
	}
	cmd.Flags().Bool("apply", false, "apply what the configuration allows")
	addMetrics(cmd)
	addHost(cmd)
	addKubeconfig(cmd)
	addDeep(cmd)
	addOutput(cmd)
	addWait(cmd, scheduledWait)
	addRestart(cmd)
	return cmd
}

func addMetrics(cmd *cobra.Command) {
	cmd.Flags().String("metrics", "",
		"write metrics to `FILE` (default "+schedule.DefaultMetrics+",\nwhere that directory exists)")
	_ = cmd.MarkFlagFilename("metrics")
}

// lookSchema names the shape of a look as it is kept.
const lookSchema = "harden-look/v1"

// A look is what a run by the clock leaves for the next one.
type look struct {
	Schema string         `json:"schema"`
	Report *report.Report `json:"report"`
	Failed int            `json:"failed"` // findings whose fix the last scheduled apply tried in vain
}

// lookFile is where the last look is kept. The host below a directory has one of its own.
func (s *session) lookFile() string { return filepath.Join(s.State, "last.json") }

// scheduled is a run by the clock. The state's lock is held from its beginning to its end.
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
	err = s.show(changes)
	err = multierror.Append(err, s.keep(now), s.writeMetrics(metrics, now, changes.Changes)).ErrorOrNil()
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
		return 0, fmt.Errorf("run %s: %w: finish it with `harden --yes`, or take it back with `harden rollback`; `harden "+
			"abandon` gives it up as it stands", run.ID, apply.ErrInterrupted)
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
	var unread error
	if s.View.Talks() {
		unread = s.show(report.Applied{Report: r})
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
	return failed, s.unread(unread, run, s.runCode(run, r))
}

// allowedByClock is what may be applied while nobody looks on: what disturbs nothing, and more only where the
// configuration allows it by its class. That an item is named there selects it, and does not allow it.
func (s *session) allowedByClock(c *checks.Check, class want.Class) bool {
	return !c.Named && (class == want.None || s.Asked && slices.Contains(s.Allow, class))
}

// lastLook reads what the last scheduled run has left; nil when there was none, or when it was of another host.
func (s *session) lastLook() (*look, error) {
	data, err := readTrusted(s.lookFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	l := new(look)
	if err := json.Unmarshal(data, l); err != nil || l.Schema != lookSchema || l.Report == nil {
		fmt.Fprintf(os.Stderr, "harden: %s: not a report of this harden: this run counts as the first\n", s.lookFile())
		return nil, nil
	}
	if l.Report.Host.Root != s.Root {
		return nil, nil
	}
	return l, nil
}

// keep leaves a look for the next run, for root's eyes alone.
func (s *session) keep(l look) error {
	var b bytes.Buffer
	if err := report.JSON(&b, hide(s.redactor, l)); err != nil {
		return err
	}
	return writeFile(s.lookFile(), b.Bytes())
}

// writeMetrics writes the metrics whole, readable by everybody: there is nothing in them but counts. Without a file
// named, it is the default one, where somebody has made its directory.
func (s *session) writeMetrics(file string, l look, drifts []report.Shift) error {
	if file == "" {
		file = schedule.DefaultMetrics
		dir, err := openPlace(filepath.Dir(file))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			return nil
		} else if err != nil {
			return err
		}
		dir.Close()
	}
	run, err := apply.Interrupted(s.options())
	if err != nil {
		return err
	}
	var b bytes.Buffer
	metrics, err := report.ViewOf("prometheus", report.OfMetrics)
	if err != nil {
		return err
	}
	m := &report.Metrics{Report: l.Report, Shifts: drifts, Failed: l.Failed, Open: run != nil}
	if err := metrics.Write(&b, hide(s.redactor, m), report.Style{}); err != nil {
		return err
	}
	return writeFileMode(file, b.Bytes(), 0o644)
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
