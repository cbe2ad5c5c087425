package activate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"

	"example.com/harden/checks/facts/docker"
)

// Revive starts the containers again that ran before, that a restart of ours has ended, and that dockerd does not start
// by itself. What has come to its own end before the restart is left alone, and so are the tasks of a swarm, which has
// others by then.
func (s *Services) Revive(ctx context.Context, before json.RawMessage) (said []string, err error) {
	var was snapshot
	if err := json.Unmarshal(before, &was); err != nil {
		return nil, fmt.Errorf("the snapshot of before the run: %w", err)
	}
	s.mu.Lock()
	restarts, first, recreated := s.restarts, s.first, s.recreated
	s.mu.Unlock()
	if restarts == 0 || len(was.Containers) == 0 {
		return nil, nil
	}
	cli, err := s.engine()
	if err != nil {
		return nil, err
	}
	defer cli.Close()
	info, err := cli.Info(ctx)
	if err != nil {
		return nil, err
	}
	swarming := docker.Swarming(&docker.EngineFacts{Info: info})
	deadline := time.Now().Add(s.opts.event)
	var errs []error
	for _, c := range was.Containers {
		if recreated[c.Service] {
			continue
		}
		now, err := cli.ContainerInspect(ctx, c.ID)
		switch {
		case errdefs.IsNotFound(err): // it was to be removed as it ended
			continue
		case err != nil:
			errs = append(errs, fmt.Errorf("container %s: %w", c.Name, err))
			continue
		}
		ended, errTime := time.Parse(time.RFC3339Nano, now.State.FinishedAt)
		interrupted := errTime == nil && !ended.Before(first)
		switch {
		case !interrupted:
			continue // it runs as before, or has ended by itself
		case now.State.Running || c.Policy == "always" || c.Policy == "unless-stopped":
			said = append(said, fmt.Sprintf("container %s ended with the restart, and its restart policy (%s) restarts it",
				c.Name, c.Policy))
			continue
		case swarming && now.Config.Labels[docker.LabelSwarmService] != "":
			said = append(said, fmt.Sprintf("container %s ended with the restart, and the swarm replaces it",
				c.Name))
			continue
		}
		if err := start(ctx, cli, c.ID, deadline); err != nil {
			errs = append(errs, fmt.Errorf("container %s ended with the restart, and cannot be restarted: %w", c.Name, err))
			continue
		}
		s.opts.Progress("started container " + c.Name + " again")
		said = append(said, fmt.Sprintf("container %s ended with the restart, and was restarted", c.Name))
	}
	return said, errors.Join(errs...)
}

// start starts a container. What ended with dockerd may be there in containerd a moment longer, so that it is tried
// again until the deadline, though once at least.
func start(ctx context.Context, cli *client.Client, id string, deadline time.Time) error {
	for {
		err := cli.ContainerStart(ctx, id, container.StartOptions{})
		if err == nil || errdefs.IsNotFound(err) || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(500 * time.Millisecond):
		}
	}
}
