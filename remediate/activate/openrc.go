package activate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path"
	"regexp"
	"time"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/facts/live"
	"example.com/harden/remediate/gate"
	"example.com/harden/remediate/program"
)

// rcTime is how long OpenRC may take to stop dockerd, which Alpine's script gives 60 seconds for it, and to start it.
const rcTime = 150 * time.Second

// rc has OpenRC do something with a service, which its script names.
func (s *Services) rc(ctx context.Context, script, what string) error {
	p, err := program.Find(s.opts.openrc)
	if err != nil {
		return err
	}
	_, err = program.Run(ctx, rcTime, p, path.Base(script), what)
	return err
}

// readyOpenRC asks for a service that OpenRC has started and that is the daemon's own.
func (s *Services) readyOpenRC(ctx context.Context, script string) error {
	if err := s.local(); err != nil {
		return err
	}
	if err := s.rc(ctx, script, "status"); err != nil {
		return fmt.Errorf("OpenRC has not started %s, so it cannot restart it: %w", path.Base(script), err)
	}
	_, err := s.daemon(ctx, script)
	if errors.Is(err, errAsleep) {
		return nil
	}
	return err
}

// ends says which containers a restart stops though live-restore has kept them so far: the new configuration has none.
func (s *Services) ends(ctx context.Context) {
	h := facts.New(ctx, live.New("/", live.DockerOptions{Host: s.opts.DockerHost, From: docker.Default}), facts.Choices{})
	d, err := docker.DaemonOf(h)
	if err != nil {
		return
	}
	flag, _ := d.Next.Bool("live-restore")
	list, err := s.running(ctx)
	if err != nil || len(list) == 0 || flag || string(d.Option("live-restore").File) == "true" {
		return
	}
	var names []string
	for _, c := range list {
		names = append(names, c.Name)
	}
	s.opts.Progress("the restart stops these containers, because the configuration is without live-restore, which " +
		"OpenRC cannot keep on for one start: " + gate.Join(names))
}

// restartOpenRC restarts the service and waits until the new daemon answers.
func (s *Services) restartOpenRC(ctx context.Context, script string) error {
	s.note(func() { s.asked = true; s.restarts++ })
	before, err := s.daemon(ctx, script)
	if err != nil && !errors.Is(err, errAsleep) {
		return err
	}
	survivors, err := s.outlive(ctx, unit{MainPID: before.PID})
	if err != nil {
		return err
	}
	if survivors && before.PID != 0 {
		s.ends(ctx)
	}
	limit := s.limit(unit{Start: math.MaxUint64, Stop: math.MaxUint64}) // OpenRC has none
	within, cancel := limit.begin(ctx)
	defer cancel()
	s.opts.Progress("restarting " + path.Base(script))
	if err := s.rc(within, script, "restart"); err != nil {
		return limit.named(within, err)
	}
	s.opts.Progress("waiting until dockerd answers")
	info, err := s.info(within, limit.time)
	if err != nil {
		return limit.named(within, fmt.Errorf("%s has restarted, but the Engine does not answer: %w", script, err))
	}
	if !info.LiveRestoreEnabled {
		s.note(func() { s.spared = false }) // a daemon that starts without it ends what it finds running
	}
	after, err := s.daemon(ctx, script)
	if err == nil && after == before {
		err = fmt.Errorf("%s: OpenRC reports a restart, but dockerd (PID %d) is the same process", script, after.PID)
	}
	return err
}

// rcReload is how a script says that it knows how to reload.
var rcReload = regexp.MustCompile(`(?m)^\s*extra_(started_)?commands=.*\breload\b`)

// reloadOpenRC goes by the script where that knows how, otherwise by the signal itself.
func (s *Services) reloadOpenRC(ctx context.Context, script string, p process) error {
	data, err := os.ReadFile(path.Join(s.opts.initd, path.Base(script)))
	if err != nil {
		return err
	}
	if !rcReload.Match(data) {
		return p.hangup()
	}
	return s.rc(ctx, script, "reload")
}
