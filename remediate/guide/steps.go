package guide

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// A Step is one step of a move, by which its journal knows it.
type Step string

// The steps, in their order; goBack is in the journal once going back was begun.
const (
	Archive    Step = "archive"    // the images, while everything still runs
	Stop       Step = "stop"       // the containers
	Switch     Step = "switch"     // set userns-remap and restart dockerd: a run of package apply
	Load       Step = "load"       // the images
	Networks   Step = "networks"   // and the volumes, empty
	Containers Step = "containers" // from their recorded options; Compose knows them by the labels that they keep
	CopyData   Step = "copy"       // of volumes; the Engine fills empty ones as it makes containers
	Start      Step = "start"      // the containers that ran
	Verify     Step = "verify"
	goBack     Step = "back"
)

// Steps are all steps, in their order, each with what it does in words.
var Steps = []struct {
	Step Step
	Does string
}{
	{Archive, "save the images to an archive in the old data root; containers go on running"},
	{Stop, "stop the containers"},
	{Switch, "set userns-remap and restart dockerd, as a run of its own that `harden history` shows"},
	{Load, "load the images from the archive, or pull them by digest, and remove the archive"},
	{Networks, "recreate the networks and the volumes"},
	{Containers, "recreate the containers from their recorded options"},
	{CopyData, "copy the volumes' content, with the owners of the mapping"},
	{Start, "start the containers that ran"},
	{Verify, "verify that images, volumes and containers are all there, and that what ran runs"},
}

// ErrStopped means that somebody did not want the next step.
var ErrStopped = errors.New("stopped before the next step")

// ErrRestart means that nothing here can restart dockerd. The move goes on once somebody has.
var ErrRestart = errors.New("dockerd has to be restarted by hand")

// Options are what a move needs of its caller.
type Options struct {
	State string // the state directory, whose lock the caller holds
	// Switch sets userns-remap and has dockerd restart, and returns the run that did so. Where it is set already by
	// such a run, nothing is done.
	Switch func(context.Context) (run string, err error)
	// Unswitch takes that run back, and has dockerd restart. Where that was done already, nothing is.
	Unswitch func(ctx context.Context, run string) error
	// Mapping returns the ranges that are now in force.
	Mapping func(context.Context) (*Mapping, error)
	Ask     func(does string) (bool, error) // whether to go on with a step; nil goes on
	Say     func(string)                    // told of what is done; may be nil
	Remark  func(what string) error         // writes to the history; may be nil
	Settle  time.Duration                   // how long containers are looked at before they are believed; 3 s when zero
}

// A mover carries a move out.
type mover struct {
	Options
	*Journal
	*engine
	mapping *Mapping
	to      string // the new data root
	started bool   // containers work with the new volumes: going back would lose what they have written
}

// Begin journals a move and carries it out. See Continue.
func Begin(ctx context.Context, m *Move, o Options) error {
	if len(m.Refusals) > 0 {
		return errors.New(strings.Join(m.Refusals, "; "))
	}
	j, err := begin(o.State, m)
	if err != nil {
		return err
	}
	return Continue(ctx, j, o)
}

// Continue carries on a move that is journaled. A step that fails before a container was started is followed by going
// back, since else nothing would run; the error says so. An interruption leaves the move as it is.
func Continue(ctx context.Context, j *Journal, o Options) error {
	m, err := newMover(j, o)
	if err != nil {
		return err
	}
	defer m.Close()
	if j.GoingBack() {
		return m.back(ctx)
	}
	if err := m.remark("move to userns-remap: started or continued"); err != nil {
		return err
	}
	err = m.steps(ctx)
	switch {
	case err == nil:
		return m.remark("move to userns-remap: done")
	case errors.Is(err, ErrStopped), errors.Is(err, ErrRestart), ctx.Err() != nil, m.started:
		return err
	}
	m.say("rolling back, because a step failed: " + err.Error())
	if back := m.back(context.WithoutCancel(ctx)); back != nil {
		return fmt.Errorf("%w; and rolling back failed: %w; `harden guide userns-remap --back` tries again", err, back)
	}
	return fmt.Errorf("%w: %w", ErrWentBack, err)
}

// ErrWentBack means that a step failed and everything is as it was.
var ErrWentBack = errors.New("the move failed and everything was rolled back")

func newMover(j *Journal, o Options) (*mover, error) {
	e, err := dial(j.Move.Engine)
	if err != nil {
		return nil, err
	}
	if o.Settle == 0 {
		o.Settle = 3 * time.Second
	}
	return &mover{Options: o, Journal: j, engine: e, started: j.Begun(Start)}, nil
}

func (m *mover) say(what string) {
	if m.Say != nil {
		m.Say(what)
	}
}

func (m *mover) remark(what string) error {
	if m.Remark == nil {
		return nil
	}
	return m.Remark(what + " (" + m.Move.ID + ")")
}

// steps does what is left to do.
func (m *mover) steps(ctx context.Context) error {
	do := map[Step]func(context.Context) error{Archive: m.archive, Stop: m.stop, Switch: m.switchOver,
		Load:     m.loadImages,
		Networks: m.networks, Containers: m.containers, CopyData: m.copyVolumes, Start: m.start, Verify: m.verify}
	for n, s := range Steps {
		if m.Done(s.Step) {
			continue
		}
		if m.Ask != nil {
			if ok, err := m.Ask(fmt.Sprintf("%d. %s", n+1, s.Does)); err != nil {
				return err
			} else if !ok {
				return ErrStopped
			}
		}
		m.say(fmt.Sprintf("%d/%d %s", n+1, len(Steps), s.Does))
		if m.Done(Switch) {
			if err := m.moved(ctx); err != nil {
				return err
			}
		}
		if err := m.note(entry{Step: s.Step, State: begun}); err != nil {
			return err
		}
		if err := do[s.Step](ctx); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := m.note(entry{Step: s.Step, State: done, What: m.of(s.Step, "run").What}); err != nil {
			return err
		}
	}
	return nil
}

// moved makes sure that the Engine is where the move takes it, and learns the mapping in force there.
func (m *mover) moved(ctx context.Context) error {
	info, err := m.Info(ctx)
	if err != nil {
		return err
	}
	if !Remapped(info) || filepath.Dir(info.DockerRootDir) != m.Move.From ||
		!remappedDir.MatchString(filepath.Base(info.DockerRootDir)) {
		return fmt.Errorf("dockerd keeps its data in %s and not in a directory of the mapping below %s; restart "+
			"dockerd, or go back with `harden guide userns-remap --back`", info.DockerRootDir, m.Move.From)
	}
	m.to = info.DockerRootDir
	if m.mapping != nil {
		return nil
	}
	if m.mapping, err = m.Mapping(ctx); err != nil {
		return err
	}
	uid, _ := m.mapping.UID(0)
	gid, _ := m.mapping.GID(0)
	if name := fmt.Sprintf("%d.%d", uid, gid); name != filepath.Base(m.to) {
		return fmt.Errorf("/etc/subuid and /etc/subgid map root to %s, and dockerd has %s: they have changed "+
			"since it started; restart dockerd",
			name, filepath.Base(m.to))
	}
	return nil
}
