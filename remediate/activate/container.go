package activate

import (
	"context"
	"fmt"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/want"
)

// Limits returns what a container has of what a live update can change; facts.ErrAbsent when it is gone.
func (s *Services) Limits(ctx context.Context, id string) (want.Limits, error) {
	c, err := s.engine()
	if err != nil {
		return want.Limits{}, err
	}
	defer c.Close()
	answer, err := c.ContainerInspect(ctx, id)
	if err != nil {
		return want.Limits{}, absent(id, err)
	}
	// The Engine takes the beginning of an ID, and a name, for the whole.
	if answer.ContainerJSONBase == nil || answer.ID != id || answer.HostConfig == nil {
		return want.Limits{}, fmt.Errorf("container %s: %w", facts.ShortID(id), facts.ErrAbsent)
	}
	hc := answer.HostConfig
	now := docker.Container{ID: id, HostConfig: docker.HostConfig{Memory: hc.Memory, MemorySwap: hc.MemorySwap,
		CPUShares: hc.CPUShares,
		PidsLimit: hc.PidsLimit, RestartPolicy: docker.RestartPolicy{Name: hc.RestartPolicy.Name,
			MaximumRetryCount: hc.RestartPolicy.MaximumRetryCount}}}
	if hc.CPUShares != 0 {
		return now.Limits(0), nil
	}
	info, err := c.Info(ctx)
	return now.Limits(docker.Shares(info)), err
}

// Update asks the Engine for limits of one container, in one call, of which it does all or nothing.
func (s *Services) Update(ctx context.Context, id string, l want.Limits) error {
	c, err := s.engine()
	if err != nil {
		return err
	}
	defer c.Close()
	var u container.UpdateConfig
	u.Memory, u.MemorySwap, u.CPUShares = l.Memory, l.MemorySwap, l.CPUShares
	if l.PIDs != 0 {
		u.PidsLimit = &l.PIDs
	}
	if l.Restart != "" {
		p, err := docker.ParseRestart(l.Restart)
		if err != nil {
			return err
		}
		u.RestartPolicy = container.RestartPolicy{Name: p.Name, MaximumRetryCount: p.MaximumRetryCount}
	}
	if _, err = c.ContainerUpdate(ctx, id, u); err != nil {
		return absent(id, err)
	}
	return nil
}

// Engine identifies the Docker Engine that is asked.
func (s *Services) Engine(ctx context.Context) (docker.EngineID, error) {
	c, err := s.engine()
	if err != nil {
		return docker.EngineID{}, err
	}
	defer c.Close()
	info, err := c.Info(ctx)
	return docker.EngineOf(s.opts.DockerHost, info), err
}

func absent(id string, err error) error {
	if errdefs.IsNotFound(err) {
		return fmt.Errorf("container %s: %w: %v", facts.ShortID(id), facts.ErrAbsent, err)
	}
	return err
}
