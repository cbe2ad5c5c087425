package activate

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"

	"example.com/harden/checks/budget"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/live"
)

// readyKubelet asks for a kubelet that is systemd's to restart.
func (s *Services) readyKubelet(ctx context.Context, name string) error {
	return s.withBus(ctx, func(c *dbus.Conn) error {
		u, err := unitOf(ctx, c, name)
		if err == nil && u.Load != "loaded" {
			err = fmt.Errorf("systemd cannot restart %s: it is %s", name, u.Load)
		}
		return err
	})
}

// restartKubelet restarts the kubelet, which leaves the containers alone, and watches that it stays up. As restart
// does, it works from any state of the service.
func (s *Services) restartKubelet(ctx context.Context, name string) error {
	return s.withBus(ctx, func(c *dbus.Conn) error {
		before, err := unitOf(ctx, c, name)
		if err != nil {
			return err
		}
		_ = c.ResetFailedUnitContext(ctx, name)
		limit := s.limit(before)
		within, cancel := limit.begin(ctx)
		defer cancel()
		s.opts.Progress("restarting " + name)
		if err := job(within, c, name, "restart", c.RestartUnitContext); err != nil {
			return limit.named(within, err)
		}
		s.opts.Progress("waiting until the kubelet answers")
		for {
			err := s.kubeletHealthy(within)
			if err == nil {
				break
			}
			u, unitErr := unitOf(ctx, c, name)
			if unitErr == nil && (u.Active == "failed" || u.Restarts > 1) { // counted anew since ours
				return fmt.Errorf("%s does not start: %s", name, u.why(name))
			}
			select {
			case <-within.Done():
				return limit.named(within, fmt.Errorf("%s has restarted, but is not healthy: %w", name, err))
			case <-time.After(500 * time.Millisecond):
			}
		}
		after, err := unitOf(ctx, c, name)
		if err != nil {
			return err
		}
		if after.MainPID == before.MainPID && before.MainPID != 0 {
			return fmt.Errorf("%s: systemd reports a restart, but it is the same process (PID %d)", name, after.MainPID)
		}
		_ = c.ResetFailedUnitContext(ctx, name)
		return s.watchKubelet(ctx, c, name, after)
	})
}

// watchKubelet looks on while the kubelet stays the same process and well.
func (s *Services) watchKubelet(ctx context.Context, c *dbus.Conn, name string, is unit) error {
	s.opts.Progress(fmt.Sprintf("watching the kubelet (PID %d) for %v", is.MainPID, s.opts.Watch))
	for began := time.Now(); time.Since(began) < s.opts.Watch; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
		now, err := unitOf(ctx, c, name)
		if err != nil {
			return err
		}
		if now.MainPID != is.MainPID {
			return fmt.Errorf("the kubelet (PID %d) did not stay up: %s", is.MainPID, now.why(name))
		}
	}
	if err := s.kubeletHealthy(ctx); err != nil {
		return fmt.Errorf("the kubelet is no longer healthy: %w", err)
	}
	return nil
}

// kubeletHealthy asks the kubelet for its health where it says that it answers.
func (s *Services) kubeletHealthy(ctx context.Context) error {
	at := s.opts.KubeletHealth
	if at == "" {
		ps, err := facts.New(ctx, live.New("/", live.DockerOptions{}), facts.Choices{}).Processes("kubelet")
		if err != nil {
			return err
		}
		if len(ps) == 0 {
			return fmt.Errorf("no kubelet runs")
		}
		if at, err = kubeletHealthURL(ps[0]); err != nil {
			return err
		}
	}
	return question{url: at}.ask(ctx)
}

// kubeletHealthURL is where a kubelet answers, by its flags, else by its configuration file, else by default.
func kubeletHealthURL(p facts.Process) (string, error) {
	flags := facts.ParseKubeFlags(facts.TokensOf(&p))
	flag := func(name string) string {
		value, _ := flags.Last(name)
		return value
	}
	var config struct {
		Address string `yaml:"healthzBindAddress"`
		Port    *int   `yaml:"healthzPort"`
	}
	if file := flag("config"); file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		if err := budget.Unmarshal(data, &config); err != nil {
			return "", fmt.Errorf("%s: %w", file, err)
		}
	}
	port := flag("healthz-port")
	if port == "" {
		port = "10248"
		if config.Port != nil {
			port = strconv.Itoa(*config.Port)
		}
	}
	if port == "0" {
		return "", fmt.Errorf("the kubelet (PID %d) does not report its health: healthzPort is 0", p.PID)
	}
	host := cmp.Or(flag("healthz-bind-address"), config.Address, "127.0.0.1")
	if host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port) + "/healthz", nil
}
