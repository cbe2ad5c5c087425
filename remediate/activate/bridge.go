package activate

import (
	"context"
	"errors"
	"fmt"

	"github.com/coreos/go-systemd/v22/dbus"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/facts/live"
	"example.com/harden/remediate/scratch"
)

// bridgeFile is the drop-in that lives for the length of one restart. It is below /run, so that a reboot forgets it.
const bridgeFile = "/run/systemd/system/%s.d/zzz-harden-live-restore.conf"

// bridge carries containers over a restart into a configuration without live-restore, which is where taking a run
// back leads: dockerd leaves them alone as it stops, because it has live-restore in memory, and ends what it finds
// running as it starts, because its configuration no longer says so. So for this one start it is told by a flag. What
// it returns takes the drop-in away; the flag stays in force until the next restart, which is the safe side.
func (s *Services) bridge(ctx context.Context, c *dbus.Conn, name string, survivors bool) (remove func() error,
	err error) {
	nothing := func() error { return nil }
	path := fmt.Sprintf(bridgeFile, name)
	remove = func() error {
		gone, err := scratch.RemoveDropIn(path)
		if err == nil && !gone {
			return nil
		}
		return errors.Join(err, c.ReloadContext(ctx))
	}
	if err := remove(); err != nil { // of a restart that was cut short
		return nothing, err
	}
	if !survivors {
		return nothing, nil
	}
	// it may not answer
	h := facts.New(ctx, live.New("/", live.DockerOptions{Host: s.opts.DockerHost, From: docker.Default}), facts.Choices{})
	d, err := docker.DaemonOf(h)
	if err != nil {
		return nothing, err
	}
	u, err := h.Unit(name)
	if err != nil {
		return nothing, err
	}
	o := d.Option("live-restore")
	commands := u.All("Service", "ExecStart")
	if o.File != nil || o.Next != nil || d.KeysErr != nil || len(commands) != 1 {
		return nothing, nil // it is decided there, or nothing can be added
	}
	s.opts.Progress("keeping live-restore on for this restart, so that containers survive it")
	text := fmt.Sprintf("# Written by harden for one restart, and removed after "+
		"it.\n[Service]\nExecStart=\nExecStart=%s --live-restore\n",
		commands[0].Value)
	if err := scratch.DropIn(path, text); err != nil {
		return remove, err
	}
	return remove, c.ReloadContext(ctx)
}
