package activate

import (
	"context"
	"fmt"

	"github.com/docker/docker/api/types/container"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/facts/live"
	"example.com/harden/remediate/gate"
)

// leave sees to the containers that a restart would leave without an Engine. Of those on the way to userns-remap there
// are none, or the restart is refused; on the way back they are stopped, since nobody could stop them afterwards.
func (s *Services) leave(ctx context.Context, securityOptions []string) error {
	h := facts.New(ctx, live.New("/", live.DockerOptions{Host: s.opts.DockerHost}), facts.Choices{})
	d, err := docker.DaemonOf(h)
	is := docker.Remapped(securityOptions)
	if err != nil || d.KeysErr != nil || gate.Remaps(d) == is {
		return nil
	}
	list, err := s.running(ctx)
	if err != nil || len(list) == 0 {
		return err
	}
	var names []string
	for _, c := range list {
		names = append(names, c.Name)
	}
	if !is {
		return fmt.Errorf("these running containers would continue unmanaged with userns-remap: %s; stop them first",
			gate.Join(names))
	}
	cli, err := s.engine()
	if err != nil {
		return err
	}
	defer cli.Close()
	for _, c := range list {
		s.opts.Progress(fmt.Sprintf("stopping container %s, which was started under userns-remap and would continue "+
			"without an Engine", c.Name))
		if err := cli.ContainerStop(ctx, c.ID, container.StopOptions{}); err != nil {
			return fmt.Errorf("container %s: it cannot be stopped, and would continue without an Engine: %w", c.Name, err)
		}
	}
	return nil
}
