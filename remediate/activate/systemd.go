package activate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/coreos/go-systemd/v22/dbus"
)

// errNoSystemd means that this machine, or this container, is not run by systemd.
var errNoSystemd = errors.New("systemd does not run here")

// connect reaches systemd by its own socket, which only root can use and no environment variable can redirect;
// the bus is for the case that it is missing.
func connect(ctx context.Context) (*dbus.Conn, error) {
	if fi, err := os.Lstat("/run/systemd/system"); err != nil || !fi.IsDir() { // as sd_booted(3) tells
		return nil, errNoSystemd
	}
	c, err := dbus.NewSystemdConnectionContext(ctx)
	if err != nil {
		c, err = dbus.NewSystemConnectionContext(ctx)
	}
	if errors.Is(err, fs.ErrNotExist) { // the directory alone, left by an image or a chroot
		return nil, errNoSystemd
	}
	if err != nil {
		return nil, fmt.Errorf("systemd: %w", err)
	}
	return c, nil
}

func (s *Services) withBus(ctx context.Context, f func(*dbus.Conn) error) error {
	c, err := s.opts.bus(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return f(c)
}

// A unit is what systemd says of a service now.
type unit struct {
	Load, Active string // "loaded", "masked", "not-found"; "active", "failed", "activating"
	Result       string // of the last start: "success", "exit-code", "start-limit-hit"
	MainPID      int    // 0 when none runs
	Restarts     uint32 // by systemd itself since somebody last started the service
	Entered      uint64 // when it last became active, in microseconds since boot
	Reloads      bool   // it has an ExecReload=
	Status       int32  // exit status of the last main process
	Start, Stop  uint64 // how long it may take to start and to stop, in microseconds; MaxUint64 for ever
}

func unitOf(ctx context.Context, c *dbus.Conn, name string) (unit, error) {
	general, err := c.GetUnitPropertiesContext(ctx, name)
	if err != nil {
		return unit{}, fmt.Errorf("%s: %w", name, err)
	}
	service, err := c.GetUnitTypePropertiesContext(ctx, name, "Service")
	if err != nil {
		return unit{}, fmt.Errorf("%s: %w", name, err)
	}
	var u unit
	u.Load, _ = general["LoadState"].(string)
	u.Active, _ = general["ActiveState"].(string)
	u.Entered, _ = general["ActiveEnterTimestampMonotonic"].(uint64)
	u.Reloads, _ = general["CanReload"].(bool)
	u.Result, _ = service["Result"].(string)
	pid, _ := service["MainPID"].(uint32)
	u.MainPID = int(pid)
	u.Restarts, _ = service["NRestarts"].(uint32)
	u.Status, _ = service["ExecMainStatus"].(int32)
	u.Start, _ = service["TimeoutStartUSec"].(uint64)
	u.Stop, _ = service["TimeoutStopUSec"].(uint64)
	return u, nil
}

// why says in words why a unit does not run.
func (u unit) why(name string) string {
	switch u.Result {
	case "exit-code":
		return fmt.Sprintf("it ended with status %d (see journalctl -u %s)", u.Status, name)
	case "start-limit-hit":
		return "it was started too often, so systemd refuses"
	}
	return fmt.Sprintf("it is %s, result %s (see journalctl -u %s)", u.Active, u.Result, name)
}

// A starter is one of systemd's methods that queue a job.
type starter func(ctx context.Context, name, mode string, done chan<- string) (int, error)

// job queues a job and waits until systemd has done it.
func job(ctx context.Context, c *dbus.Conn, name, verb string, start starter) error {
	// go-systemd asks for the end of jobs by a match alone, which the bus hears only while somebody is subscribed.
	if err := c.Subscribe(); err != nil {
		return fmt.Errorf("systemd: %w", err)
	}
	done := make(chan string, 1)
	if _, err := start(ctx, name, "replace", done); err != nil {
		return fmt.Errorf("%s: %s: %w", name, verb, err)
	}
	select {
	case result := <-done:
		if result == "done" {
			return nil
		}
		if u, err := unitOf(ctx, c, name); err == nil && result == "failed" {
			return fmt.Errorf("%s: %s: %s", name, verb, u.why(name))
		}
		return fmt.Errorf("%s: %s: systemd's job ended as %q", name, verb, result)
	case <-ctx.Done():
		return fmt.Errorf("%s: %s: systemd's job does not end: %w", name, verb, context.Cause(ctx))
	}
}
