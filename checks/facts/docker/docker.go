// Package docker is what harden knows of Docker on one machine: the daemon as it runs and as it would start next, what
// its Engine says, containers, images, the Compose projects that they were made from, and what a container can reach.
// It also holds how dockerd behaves: what it refuses to start with, and what a setting would change for the containers
// that are there. Checks judge by it, and plans are checked by it before they are offered.
package docker

import (
	"path"
	"strings"

	"github.com/docker/docker/api/types/swarm"

	"example.com/harden/checks/facts"
)

// SecurityOption returns the value of one of the Docker Engine's security options, such as "profile" of "seccomp"; ok
// reports whether the Engine has the option at all.
func SecurityOption(options []string, name, key string) (value string, ok bool) {
	for _, o := range options {
		parts := strings.Split(o, ",")
		if parts[0] != "name="+name {
			continue
		}
		for _, p := range parts[1:] {
			if v, ok := strings.CutPrefix(p, key+"="); ok {
				return v, true
			}
		}
		return "", true
	}
	return "", false
}

// Remapped reports whether an Engine says that it runs with userns-remap.
func Remapped(securityOptions []string) bool {
	_, is := SecurityOption(securityOptions, "userns", "")
	return is
}

// OnDefaultBridge reports whether a container is on the bridge that dockerd makes by itself.
func OnDefaultBridge(c *Container) bool { return c.NetworkSettings.Networks["bridge"] != nil }

// NeedsHostUsers reports whether dockerd refuses a container under userns-remap, unless it is made with
// --userns=host: it is privileged, or in one of the host's own namespaces.
func NeedsHostUsers(c *Container) bool {
	hc := &c.HostConfig
	return !hc.UsernsMode.IsHost() &&
		(hc.Privileged || hc.NetworkMode.IsHost() || hc.PidMode.IsHost() || hc.IpcMode.IsHost() || hc.UTSMode.IsHost())
}

// Swarming reports whether an Engine says that it is a node of a swarm.
func Swarming(e *EngineFacts) bool {
	return e.Swarm.LocalNodeState != "" && e.Swarm.LocalNodeState != swarm.LocalNodeStateInactive
}

// SwarmState is where dockerd keeps what it joined a swarm with.
func SwarmState(d *Daemon) string { return path.Join(d.DataRoot, "swarm/docker-state.json") }

// SwarmNode says what makes this host a node of a swarm, also while dockerd does not run; empty where nothing does.
// dockerd does not start with both that and live-restore.
func SwarmNode(h *facts.Host, d *Daemon) string {
	if e, err := EngineSays(h); err == nil {
		if Swarming(e) {
			return "this node's Swarm state is " + string(e.Swarm.LocalNodeState)
		}
		return ""
	}
	if d == nil {
		return ""
	}
	if i, err := h.Info(SwarmState(d)); err == nil && i.Size > 0 {
		return i.Path + " makes this host a node of one"
	}
	return ""
}
