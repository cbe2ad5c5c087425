package activate

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"

	"example.com/harden/checks/facts"
)

// Healthy compares what runs with what Snapshot described, watches for a while, and compares again. Nil means that
// the daemon answers, is the same process all the time, serves the same data, and that what ran runs: by itself, the
// same process, wherever live-restore was in force; otherwise again, if its restart policy says so. The error
// says all that is missing. A nil before only asks that the daemon stays up.
func (s *Services) Healthy(ctx context.Context, before json.RawMessage) error {
	var was snapshot
	if before != nil {
		if err := json.Unmarshal(before, &was); err != nil {
			return fmt.Errorf("the snapshot of before the run: %w", err)
		}
	}
	s.mu.Lock()
	asked, restarts, spared := s.asked, s.restarts, s.spared
	s.mu.Unlock()
	if before != nil && was.Daemon == nil && !asked {
		return nil
	}
	now, err := s.look(ctx)
	if err != nil {
		return err
	}
	if now.Daemon == nil {
		return fmt.Errorf("%w any more at %s", errAsleep, s.opts.DockerHost)
	}
	undisturbed := was.Daemon != nil && *was.Daemon == *now.Daemon
	kept := undisturbed || restarts > 0 && spared || restarts == 0 && was.LiveRestore && now.LiveRestore
	if kept { // containers that start again need the time of the watch to do so
		if err := s.compare(ctx, was, now, kept); err != nil {
			return err
		}
	}
	if asked || !undisturbed {
		if now, err = s.watch(ctx, now); err != nil {
			return err
		}
	}
	return s.compare(ctx, was, now, kept)
}

// watch looks on while the daemon keeps answering as the same process, and returns what runs at the end. What is
// fatal to dockerd is sometimes so late.
func (s *Services) watch(ctx context.Context, now snapshot) (last snapshot, err error) {
	s.opts.Progress(fmt.Sprintf("watching dockerd (PID %d) for %v", now.Daemon.PID, s.opts.Watch))
	cli, err := s.engine()
	if err != nil {
		return last, err
	}
	defer cli.Close()
	end := time.NewTimer(s.opts.Watch)
	defer end.Stop()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	for watching := true; watching; {
		select {
		case <-ctx.Done():
			return last, ctx.Err()
		case <-tick.C:
		case <-end.C:
			watching = false
		}
		if !now.Daemon.alive() {
			return last, fmt.Errorf("dockerd (PID %d) ended within %v", now.Daemon.PID, time.Since(began).Round(time.Second))
		}
		asking, cancel := context.WithTimeout(ctx, 10*time.Second)
		_, err := cli.Ping(asking)
		cancel()
		if err != nil {
			return last, fmt.Errorf("dockerd (PID %d) has stopped answering: %w", now.Daemon.PID, err)
		}
	}
	if last, err = s.look(ctx); err != nil {
		return last, err
	}
	if last.Daemon == nil || *last.Daemon != *now.Daemon || last.MainPID != now.MainPID || last.Restarts != now.Restarts {
		return last, fmt.Errorf("dockerd (PID %d) did not stay up for %v: it has restarted", now.Daemon.PID,
			s.opts.Watch)
	}
	return last, nil
}

// compare says what is no longer as it was. kept means that the containers should have noticed nothing.
func (s *Services) compare(ctx context.Context, was, now snapshot, kept bool) error {
	if was.Daemon == nil {
		return nil
	}
	errs := was.data(now)
	running := map[string]workload{}
	for _, c := range now.Containers {
		running[c.ID] = c
	}
	s.mu.Lock()
	recreated := maps.Clone(s.recreated)
	s.mu.Unlock()
	for _, c := range was.Containers {
		if recreated[c.Service] {
			continue // it was meant to, and how it came up again was looked at then
		}
		r, ok := running[c.ID]
		var err error
		switch {
		case !ok && !kept && (c.Policy == "no" || c.Policy == "on-failure"):
			s.opts.Progress(fmt.Sprintf("container %s has stopped and its restart policy (%s) does not restart it", c.Name,
				c.Policy))
		case !ok:
			err = s.fate(ctx, c, was.Taken)
		case kept:
			err = c.same(r)
		}
		if err == nil && ok && c.Health == "healthy" && r.Health == "unhealthy" {
			err = fmt.Errorf("container %s is no longer healthy", c.Name)
		}
		errs = append(errs, err)
	}
	return facts.OneLine(errs...)
}

// data compares what the daemon serves. Turning userns-remap on or off moves it to another directory, where nothing
// of the old is seen; that is meant by whoever does it while no container runs, and an accident otherwise.
func (was snapshot) data(now snapshot) (errs []error) {
	if was.Remapped != now.Remapped && len(was.Containers) == 0 {
		return nil
	}
	if was.Root != now.Root {
		errs = append(errs, fmt.Errorf("the data root was %s and is now %s: images, containers and volumes of the old "+
			"one are hidden", was.Root, now.Root))
	}
	if was.Images > 0 && now.Images == 0 {
		errs = append(errs, fmt.Errorf("there were %d images, now there are none", was.Images))
	}
	return errs
}

// same compares a container with itself. One that its restart policy had been starting again and again before may go on
// so.
func (c workload) same(r workload) error {
	if c.PID == r.PID && c.Started == r.Started || c.Restarts > 0 && r.Restarts > c.Restarts {
		return nil
	}
	return fmt.Errorf("container %s was restarted: its PID was %d and is %d", c.Name, c.PID, r.PID)
}

// fate says what became of a container that no longer runs: nil when it has come to its own, good end, as a job may
// at any time. Only without live-restore does the daemon end containers that could then have status 0.
func (s *Services) fate(ctx context.Context, c workload, since time.Time) error {
	cli, err := s.engine()
	if err != nil {
		return err
	}
	defer cli.Close()
	full, err := cli.ContainerInspect(ctx, c.ID)
	switch {
	case errdefs.IsNotFound(err) && c.AutoRemove && s.ended(ctx, c.ID, since):
		return nil
	case errdefs.IsNotFound(err):
		return fmt.Errorf("container %s (PID %d) is gone", c.Name, c.PID)
	case err != nil:
		return fmt.Errorf("container %s: %w", c.Name, err)
	case full.State.Restarting:
		return fmt.Errorf("container %s does not start: its last status is %d", c.Name, full.State.ExitCode)
	case full.State.Running, full.State.ExitCode == 0 && full.State.Error == "" && c.Policy == "no" &&
		full.State.Status == "exited":
		return nil
	}
	return fmt.Errorf("container %s is no longer running: %s, "+
		"exit code %d", c.Name, full.State.Status, full.State.ExitCode)
}

// ended asks the daemon's recent events whether a container that was removed as it ended had status 0.
func (s *Services) ended(ctx context.Context, id string, since time.Time) bool {
	cli, err := s.engine()
	if err != nil {
		return false
	}
	defer cli.Close()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	msgs, errs := cli.Events(ctx, events.ListOptions{
		Since:   stamp(since),
		Until:   stamp(time.Now()),
		Filters: filters.NewArgs(filters.Arg("container", id), filters.Arg("event", "die")),
	})
	select {
	case m := <-msgs:
		return m.Actor.Attributes["exitCode"] == "0"
	case <-errs: // the end of the list, too
		return false
	}
}
