package docker

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/source"
	"example.com/harden/checks/stride"
)

// namespaceChecks is the part of section 5 about what containers share with the host, and with one another.
var namespaceChecks = []*checks.Check{
	hostNetwork, hostPID, hostIPC, hostUTS, containerCgroupParent, defaultBridge, hostUserns,
}

var hostNetwork = &checks.Check{
	ID:      "docker/host-network",
	Items:   cis.Docker("5.9", "5.9", "5.10", "5.10"),
	Title:   "no container is in the host's network",
	Why:     "it can listen on any address, reach what serves on loopback alone, and read all traffic with NET_RAW",
	Threats: []stride.ID{stride.DockerNetworkTampering},
	Level:   1,
	Rule: inCompose{rule: private("network", "network",
		func(h *docker.HostConfig) string { return string(h.NetworkMode) }), service: source.HostNetwork, decided: true},
	Source: source.HostNetwork,
}

// private is the rule that no container shares one of the host's namespaces. flag is `docker run`'s.
func private(what, flag string, mode func(*docker.HostConfig) string) checks.Rule {
	return each(func(h *facts.Host, c *docker.Container) []checks.Finding {
		host, via := shares(h, c, mode)
		if !host {
			return nil
		}
		got := "in the host's " + what
		if via != "" {
			got += ", which it joins through the container " + clip(via)
		}
		return found(c, got, "in one of its own", "neither --"+flag+"=host nor that of a container that has it")
	})
}

// shares reports whether a container is in the host's own namespace of a kind, by itself or through the container whose
// namespace it joins; via is that one's name.
func shares(h *facts.Host, c *docker.Container, mode func(*docker.HostConfig) string) (host bool, via string) {
	cs, _ := docker.Containers(h)
	at := c
	for range 8 { // as far as chains go; a ring, which the Engine refuses, ends too
		m := mode(&at.HostConfig)
		other, joins := strings.CutPrefix(m, "container:")
		if !joins {
			if at != c {
				via = at.ShortName()
			}
			return m == "host", via
		}
		i := slices.IndexFunc(cs, func(o docker.Container) bool { return o.ID == other || o.ShortName() == other })
		if i < 0 {
			return false, ""
		}
		at = &cs[i]
	}
	return false, ""
}

var hostPID = &checks.Check{
	ID:      "docker/host-pid",
	Items:   cis.Docker("5.15", "5.15", "5.16", "5.16"),
	Title:   "no container sees the host's processes",
	Why:     "it sees, and as root signals and traces, every process there is",
	Threats: []stride.ID{stride.DockerClientElevation},
	Level:   1,
	Rule: inCompose{rule: private("process namespace", "pid",
		func(h *docker.HostConfig) string { return string(h.PidMode) }), service: source.HostPID, decided: true},
	Source: source.HostPID,
}

var hostIPC = &checks.Check{
	ID:      "docker/host-ipc",
	Items:   cis.Docker("5.16", "5.16", "5.17", "5.17"),
	Title:   "no container shares the host's shared memory",
	Why:     "it reads and writes what the host's own programs exchange there",
	Threats: []stride.ID{stride.DockerClientElevation},
	Level:   1,
	Rule: inCompose{rule: private("IPC namespace", "ipc",
		func(h *docker.HostConfig) string { return string(h.IpcMode) }), service: source.HostIPC, decided: true},
	Source: source.HostIPC,
}

var hostUTS = &checks.Check{
	ID:      "docker/host-uts",
	Items:   cis.Docker("5.20", "5.20", "5.21", "5.21"),
	Title:   "no container shares the host's name",
	Why:     "one with the capability for it renames the host, and with it what its logs say",
	Threats: []stride.ID{stride.DockerClientElevation},
	Level:   1,
	Rule: inCompose{rule: private("UTS namespace", "uts",
		func(h *docker.HostConfig) string { return string(h.UTSMode) }), service: source.HostUTS, decided: true},
	Source: source.HostUTS,
}

var containerCgroupParent = &checks.Check{
	ID:      "docker/container-cgroup-parent",
	Items:   cis.Docker("5.24", "5.24", "5.25", "5.25"),
	Title:   "containers are below the Engine's own control group",
	Why:     "below another one, the limits meant for containers do not hold for it",
	Threats: []stride.ID{stride.DockerDaemonDenial},
	Level:   1,
	Rule: inCompose{rule: each(func(_ *facts.Host, c *docker.Container) []checks.Finding {
		if c.HostConfig.CgroupParent == "" {
			return nil
		}
		return found(c, "below "+clip(c.HostConfig.CgroupParent), "below the Engine's own control group",
			"no --cgroup-parent, or waive it where the group is meant")
	}), service: source.CgroupParent},
	Source: source.CgroupParent,
}

var defaultBridge = &checks.Check{
	ID:    "docker/default-bridge",
	Items: cis.Docker("5.29", "5.29", "5.30", "5.30"),
	Title: "no container is on the default bridge",
	Why: "everything that nobody gave a network is there together, and can look for its neighbours' names " +
		"and addresses",
	Threats: []stride.ID{stride.DockerNetworkTampering},
	Level:   2,
	Rule:    inCompose{rule: each(onDefaultNetwork), service: source.DefaultBridge},
	Source:  source.DefaultBridge,
}

func onDefaultNetwork(_ *facts.Host, c *docker.Container) []checks.Finding {
	mode := c.HostConfig.NetworkMode
	if !docker.OnDefaultBridge(c) && mode != "bridge" && mode != "default" && mode != "" {
		return nil
	}
	return found(c, "on the default bridge", "on a network of its own",
		"--network, after `docker network create`; names resolve there, and addresses change")
}

var hostUserns = &checks.Check{
	ID:      "docker/host-userns",
	Items:   cis.Docker("5.30", "5.30", "5.31", "5.31"),
	Title:   "no container shares the host's user namespace",
	Why:     "root in it is root outside as soon as it gets out",
	Threats: []stride.ID{stride.DockerClientElevation},
	Level:   1,
	Rule:    inCompose{rule: checks.Func(hostUsers), service: source.HostUsers},
	Source:  source.HostUsers,
}

// hostUsers: without userns-remap there is no other user namespace than the host's.
func hostUsers(h *facts.Host) ([]checks.Finding, error) {
	cs, err := containers(h)
	e, errEngine := engine(h)
	if errEngine != nil || len(cs) == 0 {
		return nil, cmp.Or(errEngine, err)
	}
	_, rootless := docker.SecurityOption(e.SecurityOptions, "rootless", "")
	if _, remapped := docker.SecurityOption(e.SecurityOptions, "userns", ""); !remapped && !rootless {
		return []checks.Finding{{Subject: "containers",
			Got:  fmt.Sprintf("all %d in the host's user namespace: dockerd has no userns-remap", len(cs)),
			Must: "in another one", Reason: "see docker/userns-remap"}}, err
	}
	var findings []checks.Finding
	for i := range cs {
		if c := &cs[i]; c.HostConfig.UsernsMode.IsHost() {
			findings = append(findings, found(c, "in the host's user namespace", "in another one",
				"no --userns=host")...)
		}
	}
	return findings, err
}
