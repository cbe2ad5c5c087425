package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"example.com/harden/checks"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/facts/live"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
	"example.com/harden/remediate/activate"
	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/gate"
	"example.com/harden/remediate/report"
)

func planCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "harden",
		Short: "Audit a Docker host or a Kubernetes node, show each fix as a diff, apply it, roll it back",
		Long: `Audit the host against the CIS Docker and Kubernetes Benchmarks, show each fix as a diff, ask, apply, and ` +
			`verify.

Fixes of the classes none and reload are applied. The others are shown as held back, with the flag that allows them.
--only NAME allows the fix of that check, whatever its class.

Exit codes: 0 nothing to do, or done; 1 error; 2 pending changes with --dry-run, or changed with --detailed-exitcode;
4 some fixes failed and were rolled back; 6 both; 8 added if a check is left in a state that --fail-on names; 64 wrong
command line; 70 bug in harden; 75 another run is active; 78 wrong configuration; 129, 130, 143 interrupted before
anything was changed.`,
		Example: `  harden --dry-run                        # show the plan, change nothing
  harden --review                         # decide fix by fix, on the terminal
  harden --yes --allow restart            # apply; dockerd may restart once
  harden --yes --only docker:2.2          # apply one fix, whatever its class
  harden --yes --confirm-within 5m        # rolled back unless you run: harden confirm
  harden --dry-run --out plan.json        # save for review, then: harden apply plan.json`,
		Args: atMost(0),
		RunE: runPlan,
	}
	addAsking(cmd, "show the plan and change nothing", "apply without asking")
	addReview(cmd)
	addSelection(cmd)
	addAllow(cmd)
	addHost(cmd)
	addKubeconfig(cmd)
	addDeep(cmd)
	addSource(cmd)
	addApply(cmd)
	addFailOn(cmd)
	addWait(cmd, 0)
	addRestart(cmd)
	addWithin(cmd)
	addOutput(cmd)
	addReading(cmd)
	addOut(cmd,
		"with --dry-run, save the plan to `FILE` for harden apply; as FORMAT=FILE,\nwrite the report in that format too")
	addExitZero(cmd)
	return cmd
}

func runPlan(cmd *cobra.Command, _ []string) error {
	s, dry, yes, err := openToChange(cmd)
	if err != nil {
		return err
	}
	review, err := asksForReview(cmd)
	if err != nil {
		return err
	}
	if err := s.setWithin(cmd); err != nil {
		return err
	}
	s.introduce(cmd)
	if !dry {
		if err := s.awaitPackages(); err != nil {
			return err
		}
		if err := s.recover(yes); err != nil {
			return err
		}
	}
	plan, err := s.propose()
	if err != nil {
		return err
	}
	if review {
		return s.review(cmd, plan, dry)
	}
	if dry {
		return s.dryRun(plan)
	}
	return s.offer(plan, yes)
}

// propose audits the host and plans.
func (s *session) propose() (*remediate.Plan, error) {
	if err := s.audit(); err != nil {
		return nil, err
	}
	return s.plan()
}

// plan makes a plan of what an audit has found.
func (s *session) plan() (*remediate.Plan, error) {
	if s.picked != nil {
		return s.planChosen(s.picked)
	}
	return s.planAllowed(s.allows)
}

// allows reports whether a fix of that class may be applied for that check.
func (s *session) allows(c *checks.Check, class want.Class) bool {
	return s.selection.Named(c) || !c.Named && slices.Contains(s.Allow, class)
}

func (s *session) planAllowed(allow func(*checks.Check, want.Class) bool) (*remediate.Plan, error) {
	return s.planWith(allow, nil)
}

func (s *session) planWith(allow, choose func(*checks.Check, want.Class) bool) (*remediate.Plan, error) {
	policy := remediate.Policy{
		Allow:    allow,
		Choose:   choose,
		Precheck: gate.Precheck,
		Validate: s.validate,
		Judge:    s.judge,
		Cluster:  s.cluster(),
	}
	if s.asked != nil {
		policy.Cluster = s.asked
	}
	if len(s.Sources) > 0 { // nothing runs that it could break
		policy.Precheck, policy.Cluster = nil, nil
		policy.Allow = func(*checks.Check, want.Class) bool { return true }
	}
	return remediate.Propose(s.ctx, s.host, s.results, policy)
}

// adminConf is the kubeconfig that kubeadm leaves on the nodes of a control plane.
const adminConf = "/etc/kubernetes/admin.conf"

// kubeconfig is the one to reach the cluster by; empty where there is none, or where this host is not the one that is
// looked at.
func (c *Config) kubeconfig() (string, error) {
	file := cmp.Or(c.Kubeconfig, adminConf)
	if !c.running() {
		return "", nil
	}
	if _, err := readTrusted(file); err != nil {
		if c.Kubeconfig == "" {
			return "", nil
		}
		return "", err
	}
	return filepath.Abs(file)
}

// cluster is how a plan asks the cluster what it keeps for kubeadm; nil where there is none to ask.
func (c *Config) cluster() func(context.Context) (*remediate.Cluster, error) {
	file, err := c.kubeconfig()
	if file == "" && err == nil {
		return nil
	}
	return func(ctx context.Context) (*remediate.Cluster, error) {
		if err != nil {
			return nil, err
		}
		return activate.ReadCluster(ctx, file)
	}
}

func (s *session) dryRun(plan *remediate.Plan) error {
	r := s.planned(plan)
	if err := s.show(r); err != nil {
		return err
	}
	return s.keep(plan, r)
}

// keep saves a plan that has been shown where --out says, and ends the dry run.
func (s *session) keep(plan *remediate.Plan, r *report.Report) error {
	if s.Out != "" {
		if err := writeJSON(s.Out, s.save(plan)); err != nil {
			return err
		}
	}
	said, _ := errors.AsType[status](s.code(r))
	return ended(int(said) | s.openCode(r))
}

// save is the plan as a file.
func (s *session) save(plan *remediate.Plan) *report.Saved {
	saved := report.Save(plan, s.redactor)
	saved.Version, saved.Made, saved.Host = version(), s.now.UTC(), s.identity()
	saved.Request = report.Request{Only: append([]string{}, s.Query.Only...), Skip: append([]string{}, s.Query.Skip...),
		Level: s.Query.Level, Severity: s.Query.Severity, Benchmark: s.editions(), Root: s.Root, Sources: s.written(),
		DockerHost: withoutPassword(s.DockerHost), Kubeconfig: s.Kubeconfig, Chosen: s.picked}
	for _, c := range s.Allow {
		saved.Request.Allow = append(saved.Request.Allow, c.String())
	}
	return saved
}

// editions names the editions in use, as --benchmark takes them.
func (s *session) editions() string {
	return strings.Join(report.Names(s.selection.Benchmarks), ",")
}

// offer shows the plan, asks where somebody can answer, and applies it.
func (s *session) offer(plan *remediate.Plan, yes bool) error {
	if s.View.Talks() {
		r := s.planned(plan)
		if err := s.show(r); err != nil {
			return fmt.Errorf("nothing was applied, since the plan could not be shown: %w", err)
		}
		if plan.Empty() {
			return s.nothing(r)
		}
	}
	if plan.Empty() {
		return s.carryOut(plan)
	}
	if !yes {
		fmt.Fprintln(s.stdout)
		if err := s.agreed(yes, s.question(plan), "nothing was applied"); err != nil {
			return err
		}
	}
	return s.carryOut(plan)
}

// question is what is asked before a plan is applied.
func (s *session) question(plan *remediate.Plan) string {
	if what := gate.Hides(plan, s.host); what != "" {
		return "apply, and hide " + what + "?"
	}
	return "apply?"
}

// carryOut applies a plan that has been shown and agreed to, and says what became of it.
func (s *session) carryOut(plan *remediate.Plan) error {
	run, err := s.apply(plan)
	return s.conclude(plan, run, err)
}

// apply carries a plan out, unless a package manager has begun to work since it was made.
func (s *session) apply(plan *remediate.Plan) (*apply.Run, error) {
	if err := s.packagesIdle(); err != nil && !plan.Empty() {
		return nil, err
	}
	p := s.progress(2*len(plan.Changes) + 2*len(plan.Updates) + len(plan.Activations) + 3)
	defer p.end()
	o := s.guarded(s.acting(p))
	o.Verify = s.verify
	return apply.Apply(s.ctx, s.beneath(plan), o)
}

// acting are the options of what is done to the host: to what runs on it too, where that is what is changed.
func (s *session) acting(p *progress) apply.Options {
	o := s.options()
	o.Services, o.Progress, o.Resolve, o.DockerHost = s.services(p), s.watched(p), s.resolve, s.engineHost()
	return o
}

// engineHost is where the Docker Engine is that this host is judged with; empty for the host's own.
func (s *session) engineHost() string {
	at := s.DockerHost
	if len(s.Sources) > 0 {
		return ""
	}
	if e, err := docker.EngineSays(s.host); err == nil && e.From != "default" {
		at = e.Host
	}
	if strings.Replace(at, "unix:///var/run/", "unix:///run/", 1) == "unix:///run/docker.sock" {
		return ""
	}
	return at
}

// watched tells p of each step of a run, and notes that the run has begun to change the host.
func (s *session) watched(p *progress) func(apply.Step) {
	return func(step apply.Step) {
		if step.Doing != apply.Checking {
			mark(s.ctx)
		}
		p.applyStep(step)
	}
}

// running reports whether what runs here is what is judged and changed.
func (c *Config) running() bool { return c.Root == "/" && len(c.Sources) == 0 }

// services is what activates on this host; nil where what runs is not what is changed.
func (s *session) services(p *progress) apply.Services {
	if !s.running() {
		return nil
	}
	kubeconfig, _ := s.kubeconfig() // without one, what was to be recorded says that it could not
	o := activate.Options{Progress: p.say, Kubeconfig: kubeconfig, RestartTimeout: s.Restart,
		Audit: live.New("/", live.DockerOptions{Host: s.DockerHost}).Audit}
	if e, err := docker.EngineSays(s.host); err == nil && e.Local {
		o.DockerHost = e.Host
	}
	if d, err := docker.DaemonOf(s.host); err == nil {
		o.Unit, o.Alone = d.Unit, d.Process != nil && d.Unit == ""
	}
	return activate.New(o)
}

// conclude reports a run. An error of a run that was begun is part of the report too.
func (s *session) conclude(plan *remediate.Plan, run *apply.Run, failure error) error {
	hidden := gate.Hides(plan, s.host)
	r := s.concluded(plan, run, failure)
	if r == nil {
		return failure
	}
	r.Hidden = hidden
	if r.Run.ID != "" {
		s.keepScore(r)
	}
	err := s.show(report.Ended{Document: r})
	s.toConfirm(run)
	if failure != nil {
		exitCode(failure) // says it; the code is of what became of the fixes
	}
	return unread(err, run, s.runCode(run, r, s.resumed))
}

// concluded is the report of a run; nil where none was begun.
func (s *session) concluded(plan *remediate.Plan, run *apply.Run, failure error) *report.Report {
	if run == nil || failure != nil && !errors.Is(failure, apply.ErrRolledBack) && run.Outcome != apply.Failed {
		return nil
	}
	r := s.report("apply")
	r.Plan = report.PlanOf(plan, s.redactor)
	// The host is judged to the end even when the run was interrupted: what became of it is to be said.
	r.Run = report.RunOf(run, failure, s.after(context.WithoutCancel(s.ctx)), s.redactor)
	r.Settle()
	return r
}

// recover settles a run that was cut short before anything new is begun.
func (s *session) recover(yes bool) error {
	run, err := apply.Interrupted(s.options())
	if err != nil {
		return err
	}
	if run == nil {
		return s.unconfirmed()
	}
	fmt.Fprintf(os.Stderr, "harden: run %s of %s was interrupted: some of its changes may be written and others not.\n",
		run.ID, run.Started.Local().Format("2006-01-02 15:04:05"))
	if !yes && isTerminal(os.Stdin) {
		if yes, err = s.confirm("finish it? (`harden rollback` rolls it back instead)"); err != nil {
			return err
		}
	}
	if !yes {
		return fmt.Errorf("run %s: %w: finish it with --yes, or roll it back with `harden rollback`; `harden abandon` "+
			"leaves everything as it is", run.ID, apply.ErrInterrupted)
	}
	run, err = s.resume()
	if run != nil {
		fmt.Fprintf(os.Stderr, "harden: run %s is now %s.\n", run.ID, run.Outcome)
		if err == nil && run.Unconfirmed != nil {
			return s.unconfirmed()
		}
	}
	if errors.Is(err, apply.ErrRolledBack) {
		exitCode(err)
		return status(exitFailed)
	}
	return err
}

// resume finishes the run that was cut short.
func (s *session) resume() (*apply.Run, error) {
	s.host = s.look(s.ctx)
	p := s.progress(0)
	defer p.end()
	o := s.acting(p)
	o.Verify = s.verify
	run, err := apply.Resume(s.ctx, o)
	s.resumed = run != nil && err == nil
	return run, err
}
