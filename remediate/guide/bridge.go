package guide

import (
	"context"
	"errors"
	"fmt"

	"github.com/docker/docker/api/types/network"
	"golang.org/x/sys/unix"

	"example.com/harden/checks/facts/docker"
	"example.com/harden/remediate/linux"
)

// bridge is the interface of a network of the Engine's own naming; empty where somebody else has named it, or where the
// network has none. What somebody else has named may be the way to this host.
func bridge(id, driver string, options map[string]string) string {
	if driver != "bridge" || options["com.docker.network.bridge.name"] != "" {
		return ""
	}
	return "br-" + docker.ShortID(id)
}

// switchOff takes an interface down; one that is not there is off. dockerd leaves the bridges of one data root as they
// are when it goes to another. Two bridges with the same addresses are up then, and the one that nobody uses any more
// takes the packets of the other. Once dockerd is back at its data root, it switches its bridges on again.
func switchOff(name string) error {
	if name == "" {
		return nil
	}
	if err := linux.LinkDown(name); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("interface %s: %w", name, err)
	}
	return nil
}

// unbridge switches the bridges of the networks off that the Engine has now, before it goes back.
func (m *mover) unbridge(ctx context.Context) error {
	networks, err := m.NetworkList(ctx, network.ListOptions{})
	if err != nil {
		return err
	}
	for _, n := range networks {
		if n.Name == "bridge" {
			continue
		}
		if err := switchOff(bridge(n.ID, n.Driver, n.Options)); err != nil {
			return err
		}
	}
	return nil
}
