package activate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
)

// Revive starts the containers again that ran before, that a restart of ours has ended, and that dockerd does not start
// by itself. What has come to its own end before the restart is left alone.
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
			said = append(said, fmt.Sprintf("container %s ended with the restart, and its restart policy (%s) starts it again",
				c.Name, c.Policy))
			continue
		}
		if err := cli.ContainerStart(ctx, c.ID, container.StartOptions{}); err != nil {
			errs = append(errs, fmt.Errorf("container %s ended with the restart, and cannot be started again: %w", c.Name, err))
			continue
		}
		s.opts.Progress("started container " + c.Name + " again")
		said = append(said, fmt.Sprintf("container %s ended with the restart, and was started again", c.Name))
	}
	return said, errors.Join(errs...)
}
