package activate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/coreos/go-systemd/v22/dbus"
	"github.com/docker/docker/api/types/container"

	"example.com/harden/checks/facts/docker"
)

// A snapshot is what ran at one moment. It is kept in the journal, so its names are for ever.
type snapshot struct {
	Taken       time.Time  `json:"taken"`
	Daemon      *process   `json:"daemon"` // nil when no dockerd ran: there was nothing that could be disturbed
	MainPID     int        `json:"main_pid,omitempty"`
	Restarts    uint32     `json:"restarts"`  // by systemd, of the unit
	Root        string     `json:"data_root"` // with userns-remap, the directory below it
	Images      int        `json:"images"`
	LiveRestore bool       `json:"live_restore"`
	Remapped    bool       `json:"userns_remap"`
	Containers  []workload `json:"containers"` // those that ran, sorted by ID
}

// A workload is one container that ran.
type workload struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	PID        int    `json:"pid"`
	Started    string `json:"started"`
	Restarts   int    `json:"restarts"`
	Health     string `json:"health,omitempty"` // "healthy", "unhealthy", "starting"; empty without a health check
	Policy     string `json:"policy"`           // "no", "always", "unless-stopped", "on-failure"
	AutoRemove bool   `json:"auto_remove,omitempty"`
	Service    string `json:"service,omitempty"` // of a Compose project: "project/service"
}

// Snapshot describes what runs now, for Healthy to compare with.
func (s *Services) Snapshot(ctx context.Context) (json.RawMessage, error) {
	now, err := s.look(ctx)
	if err != nil {
		return nil, err
	}
	return json.Marshal(now)
}

// look takes a snapshot. One without a Daemon is no error.
func (s *Services) look(ctx context.Context) (snapshot, error) {
	now := snapshot{Taken: time.Now()}
	p, err := s.daemon(ctx, "")
	if errors.Is(err, errAsleep) {
		return now, nil
	}
	if err != nil {
		return now, err
	}
	now.Daemon = &p
	err = s.withBus(ctx, func(c *dbus.Conn) error {
		if s.opts.Alone {
			return nil
		}
		u, err := unitOf(ctx, c, s.opts.Unit)
		now.MainPID, now.Restarts = u.MainPID, u.Restarts
		return err
	})
	if err != nil && !errors.Is(err, errNoSystemd) {
		return now, err
	}
	info, err := s.info(ctx, 30*time.Second)
	if err != nil {
		return now, fmt.Errorf("%s: %w", s.opts.DockerHost, err)
	}
	now.Root, now.Images, now.LiveRestore = info.DockerRootDir, info.Images, info.LiveRestoreEnabled
	now.Remapped = docker.Remapped(info.SecurityOptions)
	now.Containers, err = s.running(ctx)
	return now, err
}

// running lists what runs. A container between two attempts of its restart policy does not.
func (s *Services) running(ctx context.Context) ([]workload, error) {
	cli, err := s.engine()
	if err != nil {
		return nil, err
	}
	defer cli.Close()
	list, err := cli.ContainerList(ctx, container.ListOptions{})
	if err != nil {
		return nil, err
	}
	found := []workload{}
	for _, c := range list {
		full, err := cli.ContainerInspect(ctx, c.ID)
		if errdefs.IsNotFound(err) {
			continue // it has ended since the list was made
		}
		if err != nil {
			return nil, err
		}
		if full.State == nil || !full.State.Running || full.State.Restarting {
			continue
		}
		r := workload{ID: full.ID, Name: strings.TrimPrefix(full.Name, "/"), PID: full.State.Pid,
			Started:  full.State.StartedAt,
			Restarts: full.RestartCount, Policy: "no"}
		if full.State.Health != nil && full.State.Health.Status != container.NoHealthcheck {
			r.Health = full.State.Health.Status
		}
		if full.Config != nil {
			r.Service = serviceOf(full.Config.Labels)
		}
		if full.HostConfig != nil {
			r.AutoRemove = full.HostConfig.AutoRemove
			if name := string(full.HostConfig.RestartPolicy.Name); name != "" {
				r.Policy = name
			}
		}
		found = append(found, r)
	}
	slices.SortFunc(found, func(a, b workload) int { return strings.Compare(a.ID, b.ID) })
	return found, nil
}
