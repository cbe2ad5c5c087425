package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/live"
	"example.com/harden/remediate"
	"example.com/harden/remediate/activate"
	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/report"
	"example.com/harden/remediate/schedule"
)

func scheduleCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schedule",
		Short: "Schedule audits",
		Long: `Schedule audits of this host with systemd timers, or with cron on a host without systemd; with --apply also ` +
			`apply what
the configuration allows. The files are shown as a diff first, journaled, and rolled back by harden rollback.`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(scheduleInstallCommand(), scheduleRemoveCommand(), scheduleStatusCommand(), scheduleRunCommand())
	return cmd
}

func scheduleInstallCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Install timers that audit this host",
		Long: `Install a service and a timer that audit this host; with --apply also a service and a timer that apply ` +
			`fixes of class
none, and more if the configuration's "allow" says so. The services are sandboxed. The audit can write its state and its
metrics. The apply can also write to the directories that the current plan names, and to those that harden has changed
before. To apply fixes elsewhere, run this command again.

Without --apply, the units that apply are removed.`,
		Example: `  harden schedule install --yes --on-calendar 'Mon *-*-* 04:00:00'
  harden schedule install --yes --apply`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withSchedule(cmd, func(s *session, manager schedule.Manager) (*remediate.Plan, []string, error) {
				spec, notes, err := s.spec(cmd, manager)
				if err != nil {
					return nil, nil, err
				}
				plan, err := schedule.Plan(s.host, spec)
				return plan, notes, err
			})
		},
	}
	f := cmd.Flags()
	f.Bool("apply", false, "also apply what the configuration allows, with a second timer")
	f.String("on-calendar", "daily",
		"audit at this `TIME`: systemd.time(7), or for cron hourly, daily, weekly,\nmonthly or five fields")
	f.String("apply-on-calendar", "", "apply at this `TIME` (default that of the audit)")
	f.Duration("randomized-delay", time.Hour, "random delay of each start, up to `TIME`")
	f.String("program", "", "harden is `FILE` on that host (default this program)")
	f.String("by", "auto", "start it with `SCHEDULER`: auto, systemd or cron")
	fixed(cmd, "by", "auto", "systemd", "cron")
	addMetrics(cmd)
	addHost(cmd)
	addSchedule(cmd)
	return cmd
}

func scheduleRemoveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "remove",
		Short: "Stop the scheduled audits and remove their files",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withSchedule(cmd, func(s *session, _ schedule.Manager) (*remediate.Plan, []string, error) {
				plan, err := schedule.Plan(s.host, nil)
				return plan, nil, err
			})
		},
	}
	addRoot(cmd)
	addState(cmd)
	addSchedule(cmd)
	return cmd
}

// addSchedule adds what changing the schedule takes.
func addSchedule(cmd *cobra.Command) {
	addAsking(cmd, "show what would be written and change nothing", "change the schedule without asking")
	addApply(cmd)
	addWait(cmd, 0)
	addOutput(cmd)
	addExitZero(cmd)
}

// withSchedule changes the schedule by a plan that make makes.
func withSchedule(cmd *cobra.Command, make func(*session, schedule.Manager) (*remediate.Plan, []string, error)) error {
	s, dry, yes, err := openToChange(cmd)
	if err != nil {
		return err
	}
	if !dry {
		if err := s.awaitPackages(); err != nil {
			return err
		}
	}
	if s.host == nil {
		s.host = s.look(s.ctx)
	}
	by, _ := cmd.Flags().GetString("by")
	manager := schedule.Manager(by)
	switch manager {
	case schedule.Systemd, schedule.Cron:
	case "auto", "": // which remove does not ask
		if manager, err = schedule.Detect(s.host, s.Root == "/"); err != nil {
			return err
		}
	default:
		return usageError{fmt.Errorf("--by: %q; valid: auto, systemd, cron", by)}
	}
	plan, notes, err := make(s, manager)
	if err != nil {
		return err
	}
	r := &report.Schedule{Schema: report.ScheduleSchema, Version: version(), Manager: string(manager),
		Changes:     report.ChangesOf(plan.Changes, s.redactor),
		Activations: report.ActivationsOf(plan.Activations, s.redactor), Notes: append([]string{}, notes...)}
	return s.changeSchedule(plan, r, dry, yes)
}

func (s *session) changeSchedule(plan *remediate.Plan, r *report.Schedule, dry, yes bool) error {
	if err := s.announce(r, dry); err != nil {
		return err
	}
	if dry {
		if len(plan.Changes) > 0 {
			return s.pending()
		}
		return nil
	}
	if plan.Empty() && s.View.Talks() {
		return nil
	}
	if err := s.agreed(yes, "change the schedule?", "nothing was changed"); err != nil {
		return err
	}
	if err := s.packagesIdle(); err != nil {
		return err
	}
	p := newProgress(0)
	run, failure := apply.Apply(s.ctx, plan, s.acting(p))
	p.end()
	if run == nil || failure != nil && !errors.Is(failure, apply.ErrRolledBack) && run.Outcome != apply.Failed {
		return failure
	}
	r.Run = report.RunOf(run, failure, []report.LeftOver{}, s.redactor)
	show := s.show(report.Ended{Document: r})
	switch {
	case failure != nil:
		exitCode(failure)
		return unread(show, run, status(exitFailed))
	case show != nil:
		return unread(show, run, nil)
	case run.Outcome == apply.Applied && s.Detailed && !s.ExitZero:
		return status(exitFindings)
	}
	return nil
}

// spec is what a command line asks for, and what is to be said of it.
func (s *session) spec(cmd *cobra.Command, manager schedule.Manager) (*schedule.Spec, []string, error) {
	f := cmd.Flags()
	text := func(name string) string { v, _ := f.GetString(name); return v }
	delay, _ := f.GetDuration("randomized-delay")
	spec := &schedule.Spec{Manager: manager, State: s.State, Metrics: cmp.Or(text("metrics"), schedule.DefaultMetrics),
		Audit: schedule.Timing{Calendar: text("on-calendar"), Delay: delay}}
	var err error
	if spec.Program, err = s.program(text("program")); err != nil {
		return nil, nil, usageError{err}
	}
	config, _ := configPath(cmd)
	if config == "" {
		config = noConfig
	} else if config, err = filepath.Abs(config); err != nil {
		return nil, nil, err
	}
	for _, arg := range []struct{ name, value, usual string }{
		{"config", config, defaultConfig}, {"state", s.State, defaultState},
		{"docker-host", s.DockerHost, ""}, {"metrics", text("metrics"), ""},
	} {
		if arg.value != arg.usual {
			spec.Args = append(spec.Args, "--"+arg.name+"="+arg.value)
		}
	}
	if u, err := url.Parse(s.DockerHost); err == nil && s.DockerHost != "" {
		spec.Network = u.Scheme != "unix"
	}
	times := []string{spec.Audit.Calendar}
	var notes []string
	if yes, _ := f.GetBool("apply"); yes {
		if spec.Apply, notes, err = s.scheduleApply(); err != nil {
			return nil, nil, err
		}
		spec.Apply.Timing = schedule.Timing{Calendar: cmp.Or(text("apply-on-calendar"), spec.Audit.Calendar), Delay: delay}
		times = append(times, spec.Apply.Calendar)
	}
	if manager == schedule.Cron {
		if five := strings.Contains(strings.Join(times, ""), " "); five && f.Changed("randomized-delay") {
			return nil, nil, usageError{errors.New("--randomized-delay: cron starts five fields at their time; use hourly, " +
				"daily, weekly or monthly")}
		}
		if _, err := s.host.Info("/etc/cron.d"); err != nil {
			notes = append(notes, "there is no /etc/cron.d yet: make sure that your cron reads it (busybox's does not)")
		}
	}
	if manager == schedule.Systemd {
		for _, t := range times {
			if err := activate.Calendar(s.ctx, t); err != nil {
				return nil, nil, usageError{err}
			}
		}
	}
	return spec, notes, nil
}

// scheduleApply plans as the timer will, and says where that writes: what it would change now, and what harden has
// changed on this host and still stands, which is what can drift back.
func (s *session) scheduleApply() (*schedule.Apply, []string, error) {
	if err := s.audit(); err != nil {
		return nil, nil, err
	}
	plan, err := s.planAllowed(s.allowedByClock)
	if err != nil {
		return nil, nil, err
	}
	a := &schedule.Apply{Kinds: kinds(plan)}
	var targets []string
	for _, c := range plan.Changes {
		targets = append(targets, c.Path)
	}
	runs, err := apply.History(s.options())
	if err != nil {
		return nil, nil, err
	}
	for _, r := range runs {
		if r.Outcome != apply.Applied || r.Root != s.Root {
			continue
		}
		for _, c := range r.Changes {
			if s.mayRepeat(c) {
				targets = append(targets, c.Path)
			}
		}
	}
	if a.Writable, err = schedule.Writable(s.host, targets); err != nil {
		return nil, nil, err
	}
	notes := []string{"the apply will be able to write to " + cmp.Or(strings.Join(a.Writable, ", "),
		"no directory but its own")}
	for _, k := range a.Kinds {
		notes = append(notes, "it may "+strings.ReplaceAll(string(k), "-", " "))
	}
	return a, notes, nil
}

// program is harden as the units name it: a file that nobody but root could have written, since root will run it.
func (c *Config) program(path string) (string, error) {
	if path == "" {
		var err error
		if path, err = os.Executable(); err != nil {
			return "", err
		}
	}
	if c.Root != "/" {
		return path, nil // it is there that it has to be
	}
	for _, dir := range []string{"/tmp/", "/var/tmp/"} {
		if strings.HasPrefix(path, dir) {
			return "", fmt.Errorf("%s: the services see no %s: install harden elsewhere first, such as to /usr/local/sbin",
				path, dir)
		}
	}
	f, err := openTrusted(path)
	if err != nil {
		return "", fmt.Errorf("--program: %w", err)
	}
	return path, f.Close()
}

func scheduleStatusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the scheduled audits and their last result",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := open(cmd)
			if err != nil {
				return err
			}
			return s.scheduleStatus()
		},
	}
	addRoot(cmd)
	addState(cmd)
	addOutput(cmd)
	return cmd
}

func (s *session) scheduleStatus() error {
	h := facts.New(s.ctx, live.New(s.Root, live.DockerOptions{}), s.Choices)
	files, err := schedule.Installed(h)
	if err != nil {
		return err
	}
	r := &report.ScheduleStatus{Schema: report.ScheduleStatusSchema, Files: []string{}, Timers: []report.Timer{}}
	at := map[string]facts.File{}
	for _, f := range files {
		r.Files = append(r.Files, f.Path)
		at[f.Path] = f
	}
	services := activate.New(activate.Options{})
	for _, name := range schedule.Timers {
		f, ok := at["/etc/systemd/system/"+name]
		if !ok {
			continue
		}
		t := report.Timer{Unit: name, Calendar: schedule.Setting(f, "OnCalendar"), State: "unknown"}
		if s.Root == "/" {
			if now, err := services.Timer(s.ctx, name); err != nil {
				t.Reason = err.Error()
			} else {
				t.State, t.Last, t.Next = now.Active, now.Last.UTC(), now.Next.UTC()
			}
		} else {
			t.Reason = "--root reads files only"
		}
		r.Timers = append(r.Timers, t)
	}
	if r.Reports, err = s.kept(s.now); err != nil {
		return err
	}
	last, err := s.lastLook()
	if err != nil {
		return err
	}
	if last != nil {
		r.Looked, r.Summary = last.Report.Time, &last.Report.Summary
	}
	return s.show(r)
}
