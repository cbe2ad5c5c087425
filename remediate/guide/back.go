package guide

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/docker/docker/api/types/container"
)

// Back goes back: the setting is as it was, dockerd has its old data root, what ran runs again and what did not does
// not. What containers have written since they were moved is kept aside. Going back can be begun at any step, and
// goes on where it was cut short.
func Back(ctx context.Context, j *Journal, o Options) error {
	m, err := newMover(j, o)
	if err != nil {
		return err
	}
	defer m.Close()
	return m.back(ctx)
}

func (m *mover) back(ctx context.Context) error {
	if err := m.remark("move to userns-remap: rolling back"); err != nil {
		return err
	}
	if err := m.note(entry{Step: goBack, State: begun}); err != nil {
		return err
	}
	info, err := m.Info(ctx)
	if err != nil && !m.Begun(Switch) {
		return err // else it is what did not come up
	}
	remapped := err == nil && Remapped(info)
	if remapped {
		if err := m.stopMoved(ctx); err != nil {
			return err
		}
		if err := m.unbridge(ctx); err != nil {
			return err
		}
	}
	if m.Begun(Switch) {
		m.say("rolling userns-remap back")
		if err := m.Unswitch(ctx, m.of(Switch, "run").What); err != nil {
			return err
		}
	}
	if info, err = m.Info(ctx); err != nil {
		return err
	}
	if info.DockerRootDir != m.Move.From {
		return fmt.Errorf("dockerd keeps its data in %s, and not in %s; restart dockerd and run `harden guide "+
			"userns-remap --back` again",
			info.DockerRootDir, m.Move.From)
	}
	if err := m.aside(); err != nil {
		return err
	}
	if err := m.restart(ctx); err != nil {
		return err
	}
	if err := os.RemoveAll(m.archiveDir()); err != nil {
		return err
	}
	if err := m.remark("move to userns-remap: rolled back"); err != nil {
		return err
	}
	return m.end()
}

// stopMoved ends what runs in the new data root: it would go on without an Engine.
func (m *mover) stopMoved(ctx context.Context) error {
	running, err := m.running(ctx)
	if err != nil {
		return err
	}
	for id, name := range running {
		if err := m.halt(ctx, id, name); err != nil {
			return err
		}
	}
	return nil
}

// Aside is the directory that keeps what the new data root held, below the old one.
func (m *Move) Aside() string { return filepath.Join(m.From, "harden-guide-"+m.ID+"-left") }

// aside takes the new data root out of the way of another move. Nothing in it is removed.
func (m *mover) aside() error {
	names, err := os.ReadDir(m.Move.From)
	if err != nil || !m.Begun(Switch) {
		return err
	}
	for _, n := range names {
		if !remappedDir.MatchString(n.Name()) {
			continue
		}
		if err := os.Mkdir(m.Move.Aside(), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := os.Rename(filepath.Join(m.Move.From, n.Name()), filepath.Join(m.Move.Aside(), n.Name())); err != nil {
			return err
		}
		m.say(fmt.Sprintf("what the new data root held is kept in %s", m.Move.Aside()))
	}
	return nil
}

// restart starts what ran before the move, and stops what dockerd has started by itself and did not run.
func (m *mover) restart(ctx context.Context) error {
	running, err := m.running(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, c := range slices.Backward(m.Move.Containers) {
		if _, runs := running[c.ID]; runs && !c.Running {
			if err := m.ContainerStop(ctx, c.ID, container.StopOptions{}); err != nil {
				errs = append(errs, fmt.Errorf("container %s: %w", show(c.Name), err))
			}
		}
	}
	for _, c := range m.Move.Containers {
		if _, runs := running[c.ID]; !runs && c.Running {
			errs = append(errs, m.run(ctx, c.ID, c.Name))
		}
	}
	return errors.Join(errs...)
}
