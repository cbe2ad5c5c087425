package activate

import (
	"context"
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"

	"example.com/harden/checks/facts/docker"
)

// reload makes dockerd read its configuration again. Neither the signal nor systemd's job tells whether it could: a
// daemon that refuses the file says so in its log alone and keeps the old configuration. It announces a reload
// that worked as an event, so that event is what counts.
func (s *Services) reload(ctx context.Context, name string) error {
	p, err := s.daemon(ctx, name)
	if err != nil {
		return err
	}
	cli, err := s.engine()
	if err != nil {
		return err
	}
	defer cli.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// dockerd answers the request before it subscribes it; Since makes it hand in what falls in between.
	msgs, errs := cli.Events(ctx, events.ListOptions{
		Since:   stamp(time.Now()),
		Filters: filters.NewArgs(filters.Arg("type", "daemon"), filters.Arg("event", "reload")),
	})
	select {
	case err := <-errs:
		return fmt.Errorf("%s: the daemon's events: %w", s.opts.DockerHost, err)
	default:
	}
	s.note(func() { s.asked = true })
	if err := s.sendReload(ctx, name, p); err != nil {
		return err
	}
	timer := time.NewTimer(s.opts.event)
	defer timer.Stop()
	select {
	case <-msgs:
		return nil
	case err := <-errs:
		if ctx.Err() == nil && p.ending() {
			return fmt.Errorf("dockerd (PID %d) exited on the reload; see its log", p.PID)
		}
		return fmt.Errorf("%s: the daemon's events: %w", s.opts.DockerHost, err)
	case <-timer.C:
		return fmt.Errorf("dockerd (PID %d) has not announced the reload within %v: it rejected the configuration and "+
			"keeps the old one; see its log", p.PID, s.opts.event)
	}
}

// sendReload goes by systemd where that runs the daemon and knows how to reload it, so that an ExecReload= of the
// administrator's counts; otherwise by the signal itself.
func (s *Services) sendReload(ctx context.Context, name string, p process) error {
	if docker.OpenRC(name) {
		return s.reloadOpenRC(ctx, name, p)
	}
	sent := false
	if s.managed(ctx) {
		err := s.withBus(ctx, func(c *dbus.Conn) error {
			u, err := unitOf(ctx, c, name)
			if err != nil || u.MainPID != p.PID || !u.Reloads {
				return err
			}
			sent = true
			ctx, cancel := context.WithTimeout(ctx, s.opts.event)
			defer cancel()
			return job(ctx, c, name, "reload", c.ReloadUnitContext)
		})
		if err != nil {
			return err
		}
	}
	if sent {
		return nil
	}
	return p.hangup()
}

func (s *Services) note(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// stamp writes a time as the Engine API takes it, to the nanosecond.
func stamp(t time.Time) string { return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond()) }
