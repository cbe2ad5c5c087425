package guide

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
)

func (m *mover) archiveDir() string { return filepath.Join(m.Move.From, "harden-guide-"+m.Move.ID) }

func (m *mover) archive(ctx context.Context) error {
	var refs []string
	for _, i := range m.Move.Images {
		switch {
		case i.Pull != "":
		case len(i.Names) > 0:
			refs = append(refs, i.Names...)
		default:
			refs = append(refs, i.ID)
		}
	}
	if err := os.RemoveAll(m.archiveDir()); err != nil {
		return err
	}
	if len(refs) == 0 {
		return nil
	}
	if err := os.Mkdir(m.archiveDir(), 0o700); err != nil {
		return err
	}
	if err := m.save(ctx, refs, filepath.Join(m.archiveDir(), "images.tar")); err != nil {
		return err
	}
	return syncDirs(m.archiveDir(), m.Move.From)
}

// stop ends the containers, those first that others do not need. One that nobody has planned for is left alone.
func (m *mover) stop(ctx context.Context) error {
	running, err := m.running(ctx)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, c := range m.Move.Containers {
		known[c.ID] = true
	}
	for id, name := range running {
		if !known[id] {
			return fmt.Errorf("container %s: it was created after the move was planned; stop it, or plan the move "+
				"again", show(name))
		}
	}
	for _, c := range slices.Backward(m.Move.Containers) {
		if _, ok := running[c.ID]; !ok {
			continue
		}
		if err := m.halt(ctx, c.ID, c.Name); err != nil {
			return err
		}
	}
	return nil
}

func (m *mover) halt(ctx context.Context, id, name string) error {
	m.say("stopping container " + show(name))
	if err := m.ContainerStop(ctx, id, container.StopOptions{}); err != nil {
		return fmt.Errorf("container %s: %w", show(name), err)
	}
	return nil
}

// run starts a container, by its ID or its name.
func (m *mover) run(ctx context.Context, which, name string) error {
	m.say("starting container " + show(name))
	if err := m.ContainerStart(ctx, which, container.StartOptions{}); err != nil {
		return fmt.Errorf("container %s: it does not start: %w", show(name), err)
	}
	return nil
}

func (m *mover) switchOver(ctx context.Context) error {
	run, err := m.Options.Switch(ctx)
	if run != "" {
		if err := m.note(entry{Step: Switch, Item: "run", State: done, What: run}); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	return m.moved(ctx)
}

func (m *mover) loadImages(ctx context.Context) error {
	archive := filepath.Join(m.archiveDir(), "images.tar")
	if _, err := os.Lstat(archive); err == nil {
		if err := m.load(ctx, archive); err != nil {
			return err
		}
	}
	for _, i := range m.Move.Images {
		if i.Pull != "" {
			m.say("pulling " + show(i.Pull))
			if err := m.pull(ctx, i); err != nil {
				return err
			}
		}
		if _, err := m.ImageInspect(ctx, i.ID); err != nil {
			return fmt.Errorf("image %s: it is not there after loading: %w", docker.ShortID(i.ID), err)
		}
	}
	return os.RemoveAll(m.archiveDir())
}

// networks makes networks and volumes that are not there. A volume of that name which somebody else has made is
// refused: what it holds would be written over.
func (m *mover) networks(ctx context.Context) error {
	names, err := m.networkNames(ctx)
	if err != nil {
		return err
	}
	for _, n := range m.Move.Networks {
		if err := switchOff(n.Bridge); err != nil {
			return err
		}
		if names[n.Name] {
			continue
		}
		if err := m.post(ctx, "/networks/create", nil, n.Body); err != nil {
			return fmt.Errorf("network %s: %w", show(n.Name), err)
		}
	}
	for _, v := range m.Move.Volumes {
		_, err := m.VolumeInspect(ctx, v.Name)
		switch {
		case err == nil && m.of(Networks, v.Name).State == "":
			return fmt.Errorf("volume %s: it was created after dockerd restarted; remove it", show(v.Name))
		case err == nil:
			continue
		case !errdefs.IsNotFound(err):
			return err
		}
		if err := m.note(entry{Step: Networks, Item: v.Name, State: begun}); err != nil {
			return err
		}
		made := volume.CreateOptions{Name: v.Name, Driver: v.Driver, DriverOpts: v.Options, Labels: v.Labels}
		if _, err := m.VolumeCreate(ctx, made); err != nil {
			return fmt.Errorf("volume %s: %w", show(v.Name), err)
		}
	}
	return nil
}

// containers makes them again. What a crash has left half made was never started.
func (m *mover) containers(ctx context.Context) error {
	for n := range m.Move.Containers {
		c := &m.Move.Containers[n]
		if m.of(Containers, c.Name).State == done {
			continue
		}
		if _, err := m.ContainerInspect(ctx, c.Name); err == nil && m.of(Containers, c.Name).State == "" {
			return fmt.Errorf("container %s: it was created after dockerd restarted; remove it", show(c.Name))
		} else if err == nil {
			if err := m.ContainerRemove(ctx, c.Name, container.RemoveOptions{}); err != nil {
				return fmt.Errorf("container %s: %w", show(c.Name), err)
			}
		}
		if err := m.note(entry{Step: Containers, Item: c.Name, State: begun}); err != nil {
			return err
		}
		if err := m.create(ctx, c); err != nil {
			return fmt.Errorf("container %s: %w", show(c.Name), err)
		}
		if err := m.note(entry{Step: Containers, Item: c.Name, State: done}); err != nil {
			return err
		}
	}
	return nil
}

// copyVolumes copies what volumes hold. What an interrupted copy has left is removed first.
func (m *mover) copyVolumes(ctx context.Context) error {
	for _, v := range m.Move.Volumes {
		if v.Source == "" || m.of(CopyData, v.Name).State == done {
			continue
		}
		if err := m.copyVolume(ctx, v); err != nil {
			return fmt.Errorf("volume %s: %w", show(v.Name), err)
		}
		if err := m.note(entry{Step: CopyData, Item: v.Name, State: done}); err != nil {
			return err
		}
	}
	return nil
}

func (m *mover) copyVolume(ctx context.Context, v Volume) error {
	have, err := m.VolumeInspect(ctx, v.Name)
	if err != nil {
		return err
	}
	below := path.Join("volumes", v.Name, "_data")
	if have.Mountpoint != filepath.Join(m.to, below) {
		return fmt.Errorf("it is at %s, and not in the new data root", show(have.Mountpoint))
	}
	room, err := free(m.to)
	if err != nil {
		return err
	}
	if err := empty(m.to, below); err != nil {
		return err
	}
	mapping := m.mapping
	if v.Host {
		mapping = nil
	}
	m.say(fmt.Sprintf("copying volume %s (%s)", show(v.Name), Size(v.Tree.Bytes)))
	tree, err := Copy(ctx, m.Move.From, v.Source, m.to, below, mapping, room-64<<20)
	if err != nil {
		return err
	}
	copied, err := measure(&walk{ctx: ctx, inside: true}, m.to, below)
	if err != nil {
		return err
	}
	copied.Mounts = tree.Mounts // are not there
	if !tree.same(copied) {
		return errors.New("the copy differs from the volume; stop what writes to one of them")
	}
	return nil
}

// start starts what ran. One that does not start does not keep the others from it.
func (m *mover) start(ctx context.Context) error {
	m.started = true
	var errs []error
	for _, c := range m.Move.Containers {
		if !c.Running {
			continue
		}
		errs = append(errs, m.run(ctx, c.Name, c.Name))
	}
	return m.later(errs...)
}

// later makes one error of what went wrong once containers run, with the two ways on; nil where nothing did.
func (m *mover) later(errs ...error) error {
	err := facts.OneLine(errs...)
	if err == nil {
		return nil
	}
	return fmt.Errorf("%v; repair it and run `harden guide userns-remap` again, or go back with `harden guide "+
		"userns-remap --back`", err)
}

func (m *mover) verify(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(m.Settle): // one that can't work ends within moments
	}
	var errs []error
	for _, i := range m.Move.Images {
		if _, err := m.ImageInspect(ctx, i.ID); err != nil {
			errs = append(errs, fmt.Errorf("image %s: %w", docker.ShortID(i.ID), err))
		}
	}
	for _, v := range m.Move.Volumes {
		if _, err := m.VolumeInspect(ctx, v.Name); err != nil {
			errs = append(errs, fmt.Errorf("volume %s: %w", show(v.Name), err))
		}
	}
	for _, c := range m.Move.Containers {
		got, err := m.ContainerInspect(ctx, c.Name)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("container %s: %w", show(c.Name), err))
		case c.Running && !got.State.Running && (got.State.ExitCode != 0 || got.State.Error != ""):
			errs = append(errs, fmt.Errorf("container %s ran and is %s, status %d; see `docker logs`", show(c.Name),
				got.State.Status, got.State.ExitCode))
		}
	}
	return m.later(errs...)
}

func (m *mover) networkNames(ctx context.Context) (map[string]bool, error) {
	list, err := m.NetworkList(ctx, network.ListOptions{})
	names := map[string]bool{}
	for _, n := range list {
		names[n.Name] = true
	}
	return names, err
}
