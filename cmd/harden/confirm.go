package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"example.com/harden/checks/facts/docker"
	"example.com/harden/remediate/activate"
	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/report"
)

func confirmCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "confirm [RUN]",
		Short: "Confirm a run that was applied with --confirm-within",
		Long: `Confirm a run that was applied with --confirm-within. Without confirmation the run is rolled back at its ` +
			`deadline. After
the deadline this command shows the outcome of the run. Confirming a run twice is not an error.`,
		Args:              atMost(1),
		ValidArgsFunction: completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := open(cmd)
			if err != nil {
				return err
			}
			id, err := s.runID(optional(args))
			if err != nil {
				return err
			}
			run, err := apply.Confirm(id, s.options())
			if errors.Is(err, apply.ErrNoRun) && run == nil && len(args) > 0 {
				return noSuchRun(err)
			}
			if err != nil {
				return err
			}
			return s.show((*report.Confirmed)(run))
		},
	}
	addState(cmd)
	addFormat(cmd)
	return cmd
}

// expireCommand is what systemd calls when a run was not confirmed.
func expireCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "expire [RUN]",
		Short: "Roll back a run that was not confirmed in time",
		Long: "Roll back a run that was not confirmed in time; without RUN at boot, before a program reads the changed " +
			"files.",
		Hidden: true,
		Args:   atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := open(cmd)
			if err != nil {
				return err
			}
			return s.expire(optional(args))
		},
	}
	addHost(cmd)
	addKubeconfig(cmd)
	addRestart(cmd)
	addConfig(cmd)
	return cmd
}

func (s *session) expire(id string) error {
	p := newProgress(0)
	var o apply.Options
	if id == "" {
		o = s.options()
		o.Services, o.Progress = activate.NewBooting(), s.watched(p)
	} else {
		s.host = s.look(s.ctx)
		o = s.acting(p)
	}
	run, err := apply.Expire(s.ctx, id, o)
	p.end()
	if run == nil {
		return err
	}
	reason := report.Clean(s.redactor.RedactText(run.Reason))
	if err != nil {
		return fmt.Errorf("run %s is %s: %w", run.ID, run.Outcome, err)
	}
	_, err = fmt.Fprintf(s.stdout, "Run %s is rolled back: %s.\n", run.ID, reason)
	for _, l := range run.Left {
		complain("%s: left as it is: %s", report.Clean(l.Path), report.Clean(l.Why))
	}
	if err == nil && len(run.Left) > 0 {
		return fmt.Errorf("run %s is rolled back, except for %d that others had changed", run.ID, len(run.Left))
	}
	return err
}

// guard is what can call harden back; nil where what runs is not what is changed.
func (c *Config) guard() apply.Guard {
	if !c.running() {
		return nil
	}
	return activate.NewGuard()
}

// Bounds of --confirm-within: who confirms has to be able to, and who forgets must not find it next week.
const minWithin, maxWithin = 10 * time.Second, 24 * time.Hour

func addWithin(cmd *cobra.Command) {
	cmd.Flags().Duration("confirm-within", 0,
		"roll the run back after this `TIME`, such as 5m, unless you run harden confirm; also after\n"+
			"a lost connection and after a reboot")
}

// setWithin reads --confirm-within, and refuses it where nothing could take a run back.
func (s *session) setWithin(cmd *cobra.Command) error {
	within, _ := cmd.Flags().GetDuration("confirm-within")
	switch {
	case !cmd.Flags().Changed("confirm-within"):
		return nil
	case within < minWithin || within > maxWithin:
		return usageError{fmt.Errorf("--confirm-within: between %s and %s, not %s", minWithin, "24h", within)}
	case s.Root != "/":
		return usageError{errors.New("--confirm-within: no automatic rollback with --root")}
	}
	if err := s.guard().Ready(s.ctx); err != nil {
		return fmt.Errorf("--confirm-within: no automatic rollback here: %w", err)
	}
	s.within = within
	return nil
}

// unconfirmed refuses to go on while a run waits to be confirmed.
func (s *session) unconfirmed() error {
	_, err := apply.Unconfirmed(s.options())
	return err
}

// guarded are the options of a run that is taken back unless it is confirmed.
func (s *session) guarded(o apply.Options) apply.Options {
	o.Within = s.within
	// Neither the configuration nor the environment of then is to decide what is taken back, and how.
	o.Recall = []string{"expire", "--config=" + noConfig, "--state=" + s.State}
	if e, err := docker.EngineSays(s.host); err == nil && e.Local {
		o.Recall = append(o.Recall, "--docker-host="+e.Host)
	}
	if file, err := s.kubeconfig(); err == nil && file != "" {
		o.Recall = append(o.Recall, "--kubeconfig="+file)
	}
	if s.Restart > 0 {
		o.Recall = append(o.Recall, "--restart-timeout="+s.Restart.String())
	}
	return o
}

// toConfirm says what is left to do for a run to stay.
func (s *session) toConfirm(run *apply.Run) {
	d := run.Unconfirmed
	if d == nil || !s.View.Talks() {
		return
	}
	if d.Passed {
		fmt.Fprintf(os.Stderr, "harden: run %s took longer than --confirm-within allows: it is being rolled back.\n",
			run.ID)
		return
	}
	fmt.Fprintf(s.stdout, "\nUnconfirmed: run %s is rolled back at %s unless you run: harden confirm\n", run.ID,
		d.Until.Local().Format("15:04:05"))
}
