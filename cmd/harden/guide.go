package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/facts/live"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/gate"
	"example.com/harden/remediate/guide"
	"example.com/harden/remediate/report"
)

// remapID is the check that the guided move is about.
const remapID = "docker/userns-remap"

func guideCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "guide",
		Short: "Carry out a change that moves data, step by step",
		Long: "Carry out a change that moves data. The move is shown first, each step is journaled, and it can be rolled " +
			"back.",
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(guideRemapCommand())
	return cmd
}

func guideRemapCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "userns-remap",
		Short: "Turn userns-remap on and take images, volumes and containers along",
		Long: `Turn userns-remap on. dockerd then keeps its data in another directory, where it sees nothing of what it had.
This command takes it along. It shows what moves, how much room that needs, in which order, and what does not come
along. Then, with --yes or asking at each step on a terminal, it does it: images go by an archive or are pulled again,
volumes are copied with the owners of the mapping in /etc/subuid and /etc/subgid, and containers are recreated from
their recorded options. Containers are stopped from the second step to the last but one.

The old data root stays as it is: --back goes back to it at any time. Each step is journaled: a move that was
interrupted goes on when the command is called again. A step that fails before containers were started is rolled back,
with all before it.

Without --yes and without a terminal nothing is changed. The exit code is 2 when there is something to move, 4 when the
move failed and was rolled back.`,
		Example: `  harden guide userns-remap --dry-run    # what would move
  harden guide userns-remap              # step by step
  harden guide userns-remap --back       # back to the old data root`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := openOnly(cmd, []string{remapID})
			switch {
			case err != nil:
				return err
			case !live.Here:
				return usageError{errElsewhere}
			}
			flag := func(name string) bool { v, _ := cmd.Flags().GetBool(name); return v }
			g := &guided{session: s, dry: flag("dry-run"), yes: flag("yes"), pull: flag("pull")}
			return g.run(flag("back"))
		},
	}
	addAsking(cmd, "show the move and change nothing", "do every step without asking")
	cmd.Flags().Bool("pull", false, "pull images again that have a digest, instead of keeping an archive of them")
	cmd.Flags().Bool("back", false, "go back to the old data root; what was written since is kept aside")
	cmd.Flags().String("docker-host", "", "ask the Docker Engine at this `URL` (default DOCKER_HOST, or the usual "+
		"socket)")
	addState(cmd)
	addRestart(cmd)
	addOutput(cmd)
	addExitZero(cmd)
	return cmd
}

// A guided is the session of a guided move.
type guided struct {
	*session
	dry, yes, pull bool
	asking         bool // each step is asked for
}

func (g *guided) run(back bool) error {
	if os.Geteuid() != 0 {
		return errors.New("guide userns-remap: needs root; volumes and the journal belong to it")
	}
	if _, err := apply.Interrupted(g.options()); err != nil { // trusts the state directory, or says why not
		return err
	}
	g.asking = !g.yes && !g.dry && g.View.Talks() && isTerminal(os.Stdin)
	g.dry = !g.yes && !g.asking
	j, err := guide.Open(g.State)
	if err != nil {
		return err
	}
	switch {
	case back && j == nil:
		return usageError{errors.New("--back: there is no move to roll back")}
	case back:
		return g.goBack(j)
	case j != nil:
		return g.goOn(j)
	}
	return g.fresh()
}

// fresh plans a move, shows it and begins it.
func (g *guided) fresh() error {
	state, err := g.lookAround()
	if err != nil {
		return err
	}
	if guide.Remapped(state.Info) {
		return g.show(whole(&report.Guide{State: "nothing",
			Why: "containers of this Docker Engine are in a user namespace already"}))
	}
	move, err := guide.Plan(state, g.now)
	if err != nil {
		return err
	}
	r := moveReport(move, nil)
	if err := g.announce(whole(r), g.dry); err != nil {
		return err
	}
	if g.dry {
		return g.pending()
	}
	if len(move.Refusals) > 0 {
		return errors.New("nothing was changed: " + strings.Join(move.Refusals, "; "))
	}
	return g.work(func(o guide.Options) error { return guide.Begin(g.ctx, move, o) })
}

// lookAround asks the Engine of this machine for all that it has.
func (g *guided) lookAround() (*guide.State, error) {
	g.host = g.look(g.ctx)
	e, err := docker.EngineSays(g.host)
	if err != nil {
		return nil, err
	}
	if !e.Local {
		return nil, fmt.Errorf("%s: the Docker Engine is on another machine; run harden there", e.Host)
	}
	if err := docker.EngineDoubt(g.host); err != nil { // it names the directories that root writes to
		return nil, err
	}
	if why, err := g.host.Exposed(e.DockerRootDir); err != nil || why != "" {
		return nil, cmp.Or(err, fmt.Errorf("%s: %s; root alone may be able to write a data root and what is above "+
			"it", e.DockerRootDir, why))
	}
	mapping, err := guide.MappingOf(g.host)
	if err != nil && !errors.Is(err, facts.ErrAbsent) {
		return nil, err
	}
	p := g.progress(0)
	defer p.end()
	p.next("listing images, containers and volumes")
	return guide.Look(g.ctx, e.Host, mapping, g.pull)
}

// goOn continues a move that was begun.
func (g *guided) goOn(j *guide.Journal) error {
	r := moveReport(j.Move, j)
	if err := g.announce(whole(r), g.dry || r.State == "done"); err != nil {
		return err
	}
	switch {
	case r.State == "done":
		return nil
	case g.dry:
		return g.pending()
	}
	return g.work(func(o guide.Options) error { return guide.Continue(g.ctx, j, o) })
}

// goBack shows what going back means, asks, and goes back.
func (g *guided) goBack(j *guide.Journal) error {
	r := moveReport(j.Move, j)
	r.State, r.Steps = "going-back", nil
	r.Why = "Containers stop, userns-remap is rolled back, dockerd restarts with its old data root " +
		j.Move.From + ", and what ran before " +
		"the move is started. Data written since the move is not in the old volumes: it is kept in " + j.Move.Aside() + "."
	if err := g.announce(whole(r), g.dry); err != nil {
		return err
	}
	if g.dry {
		return g.pending()
	}
	if err := g.agreed(!g.asking, "roll back?", "nothing was changed"); err != nil {
		return err
	}
	g.asking = false
	return g.work(func(o guide.Options) error { return guide.Back(g.ctx, j, o) })
}

// work holds the lock, settles an interrupted run and does something of the move; then it says what came of it.
func (g *guided) work(do func(guide.Options) error) error {
	if err := g.awaitPackages(); err != nil {
		return err
	}
	held, release, err := apply.Hold(g.options())
	if err != nil {
		return err
	}
	defer release()
	g.held = &held
	if err := g.recover(true); err != nil {
		return err
	}
	mark(g.ctx)
	p := g.progress(0)
	o := guide.Options{State: g.State, Switch: g.remap, Unswitch: g.unmap,
		Mapping: func(ctx context.Context) (*guide.Mapping, error) { return guide.MappingOf(g.look(ctx)) },
		Remark:  func(what string) error { return apply.Remark(*g.held, what) },
		Say: func(what string) {
			p.next(what)
			if g.View.Talks() && !isTerminal(os.Stderr) {
				fmt.Fprintf(os.Stderr, "harden: %s\n", what)
			}
		}}
	if g.asking {
		o.Ask = func(does string) (bool, error) { return g.confirm(report.Clean(does) + "?") }
	}
	err = do(o)
	p.end()
	return g.came(err)
}

// came says what a move has come to.
func (g *guided) came(err error) error {
	j, open := guide.Open(g.State)
	if open != nil {
		return errors.Join(err, open)
	}
	r := &report.Guide{State: "back"}
	if j != nil {
		r = moveReport(j.Move, j)
		if r.State == "unfinished" {
			r.Why = "`harden guide userns-remap` continues, `harden guide userns-remap --back` rolls back."
		}
		r.Left = nil // was shown
	}
	if shown := g.show(whole(r)); shown != nil {
		return shown
	}
	switch {
	case errors.Is(err, guide.ErrWentBack):
		exitCode(err)
		return status(exitFailed)
	case errors.Is(err, guide.ErrStopped):
		return status(exitFindings)
	case err != nil:
		return err
	}
	return nil
}

// remap sets userns-remap by a run of its own, unless one has. The run is returned even where dockerd still has to be
// restarted.
func (g *guided) remap(ctx context.Context) (string, error) {
	if err := g.audit(); err != nil {
		return "", err
	}
	plan, err := remediate.Propose(ctx, g.host, g.results, remediate.Policy{
		Allow:    func(*checks.Check, want.Class) bool { return true },
		Precheck: gate.PrecheckMoved, Validate: g.validate})
	if err != nil {
		return "", err
	}
	if plan.Empty() {
		if id, err := g.remapRun(); id != "" || err != nil {
			return id, cmp.Or(err, g.restarted(ctx))
		}
		for _, l := range plan.Left {
			return "", fmt.Errorf("userns-remap can't be set here: %s", g.redactor.RedactText(l.Reason))
		}
		return "", errors.New("somebody else set userns-remap in the meantime; undo that, then run `harden " +
			"guide userns-remap --back`")
	}
	run, err := g.apply(plan)
	if run == nil || err != nil {
		return "", err
	}
	return run.ID, g.restarted(ctx)
}

// restarted says so where nothing here could restart dockerd.
func (g *guided) restarted(ctx context.Context) error {
	e, err := docker.EngineSays(g.look(ctx))
	if err != nil {
		return err
	}
	if guide.Remapped(e.Info) {
		return nil
	}
	return fmt.Errorf("%w: userns-remap is set, and harden can't restart dockerd here; restart it, then run "+
		"`harden guide userns-remap` again", guide.ErrRestart)
}

// remapRun finds the newest run that has set userns-remap and is in force; empty where there is none.
func (g *guided) remapRun() (string, error) {
	runs, err := apply.History(g.options())
	for _, r := range runs {
		sets := func(c apply.FileChange) bool { return slices.Contains(c.Checks, remapID) }
		if r.Outcome == apply.Applied && slices.ContainsFunc(r.Changes, sets) {
			return r.ID, err
		}
	}
	return "", err
}

// unmap takes the run back that has set userns-remap.
func (g *guided) unmap(ctx context.Context, id string) error {
	found, err := g.remapRun()
	if err != nil || found == "" || id != "" && found != id {
		return err // none is in force
	}
	g.host = g.look(ctx)
	p := g.progress(0)
	defer p.end()
	_, err = apply.Rollback(ctx, found, g.acting(p))
	return err
}
