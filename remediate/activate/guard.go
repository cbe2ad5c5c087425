package activate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"

	"example.com/harden/remediate"
)

// A Guard has systemd call harden when a run was not confirmed. There is no other way that outlives a lost connection,
// harden's own death and a reboot: a process that merely waits ends with the machine.
type Guard struct {
	bus func(context.Context) (*dbus.Conn, error) // what tests replace
}

// NewGuard returns the Guard of this machine.
func NewGuard() *Guard { return &Guard{connect} }

// patience bounds what systemd is asked for beside a run's own work.
const patience = time.Minute

func (g *Guard) with(ctx context.Context, f func(context.Context, *dbus.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := g.bus(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return f(ctx, c)
}

// Ready returns nil when systemd runs here.
func (g *Guard) Ready(ctx context.Context) error {
	return g.with(ctx, func(context.Context, *dbus.Conn) error { return nil })
}

// Try starts a unit that is on disk, and returns when its program has ended. systemd reads a unit that it does not know
// yet when it is first named, so nothing has to be reloaded for it.
func (g *Guard) Try(ctx context.Context, unit string) error {
	return g.with(ctx, func(ctx context.Context, c *dbus.Conn) error {
		_ = c.ResetFailedUnitContext(ctx, unit)
		return job(ctx, c, unit, "start", c.StartUnitContext)
	})
}

// A timed is an element of a timer's TimersMonotonic, and a command one of a service's ExecStart: systemd's types (st)
// and (sasb).
type timed struct {
	Base string
	USec uint64
}

type command struct {
	Path        string
	Args        []string
	Uncleanable bool
}

// Call makes a transient timer and its service.
func (g *Guard) Call(ctx context.Context, name, description string, argv []string, after time.Duration) error {
	property := func(name string, value any) dbus.Property {
		return dbus.Property{Name: name, Value: godbus.MakeVariant(value)}
	}
	timer := []dbus.Property{
		property("Description", description),
		property("TimersMonotonic", []timed{{"OnActiveSec", uint64(after.Microseconds())}}),
		property("AccuracyUSec", uint64(1)),
		property("RemainAfterElapse", false),
	}
	service := []dbus.Property{
		property("Description", description),
		property("Type", "oneshot"),
		property("ExecStart", []command{{argv[0], argv, false}}),
	}
	return g.with(ctx, func(ctx context.Context, c *dbus.Conn) error {
		return job(ctx, c, name+".timer", "start", func(ctx context.Context, unit, mode string, done chan<- string) (int,
			error) {
			return c.StartTransientUnitAux(ctx, unit, mode, timer, []dbus.PropertyCollection{{Name: name + ".service",
				Properties: service}}, done)
		})
	})
}

// Cancel stops the timer of a Call. Its service, which may be who asks, is left alone.
func (g *Guard) Cancel(ctx context.Context, name string) error {
	return g.with(ctx, func(ctx context.Context, c *dbus.Conn) error {
		err := job(ctx, c, name+".timer", "stop", c.StopUnitContext)
		if e, ok := errors.AsType[godbus.Error](err); ok && strings.HasSuffix(e.Name, ".NoSuchUnit") {
			return nil
		}
		return err
	})
}

// A Booting takes up what is written before the services of this boot have started: systemd alone has read files by
// then, its units. Everything else starts with what it finds.
type Booting struct{ services *Services }

// NewBooting returns the services of a machine that is just booting.
func NewBooting() *Booting { return &Booting{New(Options{})} }

// Ready returns nil for systemd's units, and for anything else why there is nothing to do.
func (b *Booting) Ready(ctx context.Context, a remediate.Activation) error {
	if a.Kind == remediate.ReloadManager {
		return b.services.Ready(ctx, a)
	}
	switch a.Kind {
	case remediate.ComposeUp: // dockerd starts containers as they were made, whatever the file says
		return fmt.Errorf("the host is booting: the containers of %s are as the run left them, until Compose recreates "+
			"them from the file", a.Unit)
	case remediate.RecordInCluster:
		return errors.New("the host is booting: the cluster is not reachable, and keeps what the run recorded")
	}
	return errors.New("the host is booting: services start with the files as they are now")
}

// Activate has systemd read its units once more.
func (b *Booting) Activate(ctx context.Context, a remediate.Activation) error {
	if err := b.Ready(ctx, a); err != nil {
		return err
	}
	return b.services.Activate(ctx, a)
}

// Snapshot has nothing to describe: nothing is disturbed.
func (b *Booting) Snapshot(context.Context) (json.RawMessage, error) { return nil, nil }

// Healthy has nothing to watch.
func (b *Booting) Healthy(context.Context, json.RawMessage) error { return nil }
