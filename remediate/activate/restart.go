package activate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	"github.com/docker/docker/api/types/system"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/live"
)

// managed reports whether systemd runs here.
func (s *Services) managed(ctx context.Context) bool {
	return s.withBus(ctx, func(*dbus.Conn) error { return nil }) == nil
}

// readyRestart asks for a service that is systemd's to restart and that is the daemon's own. A service that has
// failed is fine: a restart is what it needs.
func (s *Services) readyRestart(ctx context.Context, name string) error {
	if err := s.local(); err != nil {
		return err
	}
	err := s.withBus(ctx, func(c *dbus.Conn) error {
		u, err := unitOf(ctx, c, name)
		if err != nil {
			return err
		}
		if u.Load != "loaded" {
			return fmt.Errorf("systemd cannot restart %s: it is %s", name, u.Load)
		}
		p, err := s.daemon(ctx, name)
		switch {
		case errors.Is(err, errAsleep):
			return nil
		case err != nil:
			return err
		case p.PID != u.MainPID:
			return fmt.Errorf("the dockerd with PID %d was not started by %s, so systemd cannot restart it", p.PID, name)
		}
		return nil
	})
	if errors.Is(err, errNoSystemd) {
		return fmt.Errorf("%w, and harden knows no other way to restart dockerd", err)
	}
	return err
}

// restart restarts the service and waits until the new daemon answers. It works from any state of the service: what
// counts against the start limit (three starts a minute as shipped) is forgotten first, or the way back from a
// configuration that did not start would be barred, and afterwards, so that ours count against nobody else.
func (s *Services) restart(ctx context.Context, name string) error {
	s.note(func() {
		if s.asked, s.restarts = true, s.restarts+1; s.restarts == 1 {
			s.first = time.Now()
		}
	})
	return s.withBus(ctx, func(c *dbus.Conn) (failure error) {
		before, err := unitOf(ctx, c, name)
		if err != nil {
			return err
		}
		survivors, err := s.outlive(ctx, before)
		if err != nil {
			return err
		}
		old, _ := startOf(before.MainPID)
		s.resetFailed(ctx, c, name)
		remove, err := s.bridge(ctx, c, name, survivors)
		defer func() { failure = errors.Join(failure, remove()) }()
		if err != nil {
			return err
		}
		limit := s.limit(before)
		within, cancel := limit.begin(ctx)
		defer cancel()
		s.opts.Progress("restarting " + name)
		if err := job(within, c, name, "restart", c.RestartUnitContext); err != nil {
			return limit.named(within, err)
		}
		s.opts.Progress("waiting until dockerd answers")
		info, err := s.info(within, limit.time)
		if err != nil {
			return limit.named(within, fmt.Errorf("%s has restarted, but the Engine does not answer: %w", name, err))
		}
		if !info.LiveRestoreEnabled {
			s.note(func() { s.spared = false }) // a daemon that starts without it ends what it finds running
		}
		after, err := unitOf(ctx, c, name)
		if err != nil {
			return err
		}
		start, err := startOf(after.MainPID)
		same := process{after.MainPID, start} == process{before.MainPID, old}
		if err != nil || same || after.Entered <= before.Entered {
			return cmp.Or(err, fmt.Errorf("%s: systemd reports a restart, but dockerd (PID %d) is the same process",
				name, after.MainPID))
		}
		s.resetFailed(ctx, c, name)
		return nil
	})
}

// outlive reports whether containers go on while there is no daemon.
func (s *Services) outlive(ctx context.Context, before unit) (survivors bool, err error) {
	if before.MainPID != 0 { // or asking would start it, where systemd listens in its place
		info, err := s.info(ctx, 5*time.Second)
		if err == nil {
			if err := s.leave(ctx, info.SecurityOptions); err != nil {
				return false, err
			}
			if info.LiveRestoreEnabled { // what the daemon has in memory decides what it does to them as it stops
				list, err := s.running(ctx) // the count in info is wrong after a power cut: moby 20.10
				survivors = err != nil || len(list) > 0
			} else {
				s.note(func() { s.spared = false })
			}
			s.note(func() { s.survivors = survivors })
			return survivors, nil
		}
	}
	// It did not come back from a restart of ours, or systemd starts it again and again.
	s.note(func() { survivors = s.survivors })
	return survivors || orphans(ctx), nil
}

// orphans reports whether containers go on without a daemon, which their shims tell: another run's restart failed.
func orphans(ctx context.Context) bool {
	shims, err := facts.New(ctx, live.New("/", live.DockerOptions{}), facts.Choices{}).Processes("containerd-shim-runc-v2")
	return err == nil && slices.ContainsFunc(shims, func(p facts.Process) bool { return slices.Contains(p.Args, "moby") })
}

// resetFailed clears the failed state and the start counter of the service and of the socket that would start it.
// It is not an error that a unit is not there or has nothing to clear: the restart itself tells.
func (s *Services) resetFailed(ctx context.Context, c *dbus.Conn, name string) {
	_ = c.ResetFailedUnitContext(ctx, name)
	_ = c.ResetFailedUnitContext(ctx, strings.TrimSuffix(name, ".service")+".socket")
}

// info asks the Engine until it answers whole: /_ping does so before the daemon has found its containers again.
func (s *Services) info(ctx context.Context, within time.Duration) (system.Info, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	cli, err := s.engine()
	if err != nil {
		return system.Info{}, err
	}
	defer cli.Close()
	for {
		_, err := cli.Ping(ctx)
		if err == nil {
			var info system.Info
			if info, err = cli.Info(ctx); err == nil {
				return info, nil
			}
		}
		select {
		case <-ctx.Done():
			return system.Info{}, err
		case <-time.After(200 * time.Millisecond):
		}
	}
}
