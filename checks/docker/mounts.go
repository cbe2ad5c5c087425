package docker

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/source"
	"example.com/harden/checks/stride"
)

// mountChecks is the part of section 5 about the file systems and devices that containers are given.
var mountChecks = []*checks.Check{
	sensitiveMounts, readOnly, devices, mountPropagation, socketMounts,
}

var sensitiveMounts = &checks.Check{
	ID:      "docker/sensitive-mounts",
	Items:   cis.Docker("5.5", "5.5", "5.6", "5.6"),
	Title:   "no container can write to the host's system directories",
	Why:     "who writes to /etc, /usr or /boot from a container decides what the host runs next",
	Threats: []stride.ID{stride.DockerClientElevation, stride.DockerHostTampering},
	Level:   1,
	Rule:    inCompose{rule: eachMount(sensitive), service: source.SensitiveMounts, decided: true},
	Source:  source.SensitiveMounts,
}

// eachMount judges every bind mount, and every volume that stands for a directory of the host, by where it really is.
func eachMount(
	judge func(h *facts.Host, c *docker.Container, m docker.Mount, source string) []checks.Finding) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		cs, err := containers(h)
		var findings []checks.Finding
		var errVolumes error
		for i := range cs {
			for _, m := range cs[i].Mounts {
				source := m.Source
				switch m.Type {
				case "bind":
				case "volume":
					device, errDevice := deviceOf(h, m.Name)
					if errDevice != nil {
						errVolumes = errDevice
					}
					source = cmp.Or(device, source)
					if device == "" && m.Propagation == "" {
						continue
					}
				default:
					continue
				}
				findings = append(findings, judge(h, &cs[i], m, resolved(h, source))...)
			}
		}
		return findings, cmp.Or(err, errVolumes)
	})
}

// deviceOf is the host's directory that a named volume stands for; empty where it is one of Docker's own.
func deviceOf(h *facts.Host, volume string) (string, error) {
	volumes, err := docker.Volumes(h)
	for _, v := range volumes {
		if v.Name == volume && strings.HasPrefix(v.Options["device"], "/") && strings.Contains(v.Options["o"], "bind") {
			return v.Options["device"], nil
		}
	}
	return "", err
}

// resolved follows the host's links, where this is the host.
func resolved(h *facts.Host, p string) string {
	if e, err := docker.EngineSays(h); err == nil && e.Local {
		if i, err := h.Info(p); err == nil || !errors.Is(err, fs.ErrNotExist) && i.Path != "" {
			return cmp.Or(i.Path, p)
		}
	}
	if rest, ok := strings.CutPrefix(p, "/var/run/"); ok {
		return "/run/" + rest
	}
	return p
}

func sensitive(h *facts.Host, c *docker.Container, m docker.Mount, source string) []checks.Finding {
	if !m.RW || m.Type == "volume" && source == m.Source {
		return nil
	}
	var more []string
	if e, err := docker.EngineSays(h); err == nil && e.DockerRootDir != "" {
		more = []string{e.DockerRootDir}
	}
	if !facts.OfSystem(source, more...) {
		return nil
	}
	return found(c, "can write to "+place(m, source), "mounted read-only, or not at all",
		"a narrower mount, or :ro (--mount …,readonly)")
}

func place(m docker.Mount, source string) string {
	text := clip(source)
	if source != m.Source {
		text += " (mounted as " + clip(cmp.Or(m.Name, m.Source)) + ")"
	}
	return text
}

var readOnly = &checks.Check{
	ID:      "docker/read-only",
	Items:   cis.Docker("5.12", "5.12", "5.13", "5.13"),
	Title:   "containers cannot write to their root file system",
	Why:     "an intruder who cannot write keeps no tools and changes no program",
	Threats: []stride.ID{stride.DockerClientElevation},
	Level:   1,
	Rule: inCompose{rule: each(func(_ *facts.Host, c *docker.Container) []checks.Finding {
		if c.HostConfig.ReadonlyRootfs {
			return nil
		}
		return found(c, "can write to its root file system", "read-only",
			"--read-only, and --tmpfs or a volume for what it writes")
	}), service: source.ReadOnly, decided: true},
	Source: source.ReadOnly,
}

var devices = &checks.Check{
	ID:      "docker/devices",
	Items:   cis.Docker("5.17", "5.17", "5.18", "5.18"),
	Title:   "no container is given the host's devices",
	Why:     "a disk that can be opened is read past all permissions of its files",
	Threats: []stride.ID{stride.DockerClientElevation},
	Level:   1,
	Rule:    inCompose{rule: each(hostDevices), service: source.Devices},
	Source:  source.Devices,
}

// hostDevices finds the host's devices, which come in four ways.
func hostDevices(_ *facts.Host, c *docker.Container) []checks.Finding {
	var given []string
	for _, d := range c.HostConfig.Devices {
		given = append(given, clip(d.PathOnHost))
	}
	for _, r := range c.HostConfig.DeviceCgroupRules {
		given = append(given, "rule "+clip(r))
	}
	for _, r := range c.HostConfig.DeviceRequests {
		given = append(given, "by the driver "+clip(cmp.Or(r.Driver, "of the Engine's choice")))
	}
	for _, m := range c.Mounts {
		if s := m.Source; m.Type == "bind" && (s == "/dev" || strings.HasPrefix(s, "/dev/")) {
			given = append(given, "mounted "+clip(s))
		}
	}
	const must = "given none"
	switch {
	case c.HostConfig.Privileged:
		return found(c, "all devices (privileged)", must, "no --privileged")
	case len(given) > 0:
		return found(c, some(given), must, "no --device, --gpus or mount of it, or waive what is meant")
	}
	return nil
}

var mountPropagation = &checks.Check{
	ID:      "docker/mount-propagation",
	Items:   cis.Docker("5.19", "5.19", "5.20", "5.20"),
	Title:   "no mount is propagated from a container to the host",
	Why:     "what the container mounts there appears on the host and in other containers",
	Threats: []stride.ID{stride.DockerClientElevation},
	Level:   1,
	Rule:    inCompose{rule: eachMount(propagated), service: source.Propagation, decided: true},
	Source:  source.Propagation,
}

// propagated: the volumes' own default is private.
func propagated(_ *facts.Host, c *docker.Container, m docker.Mount, source string) []checks.Finding {
	if m.Propagation != "shared" && m.Propagation != "rshared" {
		return nil
	}
	return found(c, fmt.Sprintf("%s on %s is %s", place(m, source), clip(m.Destination), m.Propagation),
		"private or a slave",
		"bind-propagation rprivate or rslave")
}

var socketMounts = &checks.Check{
	ID:      "docker/socket-mounts",
	Items:   cis.Docker("5.31", "5.31", "5.32", "5.32"),
	Title:   "no container can reach the API's sockets",
	Why:     "who reaches the socket starts a privileged container and is root on the host",
	Threats: []stride.ID{stride.DockerClientElevation, stride.DockerDaemonElevation},
	Level:   1,
	Rule:    inCompose{rule: eachMount(sockets), service: source.SocketMounts},
	Source:  source.SocketMounts,
}

// sockets: whoever sees a socket, or a directory above it, can speak through it, read-only or not.
func sockets(h *facts.Host, c *docker.Container, m docker.Mount, source string) []checks.Finding {
	known := []string{"/run/docker.sock", "/run/containerd/containerd.sock", "/run/docker/containerd/containerd.sock"}
	if own, err := apiSockets(h); err == nil {
		for _, s := range own {
			known = append(known, resolved(h, s.Path))
		}
	}
	for _, s := range known {
		if facts.Within(s, source) {
			return found(c, "sees "+s+" through its mount of "+place(m, source), "without it",
				"no such mount, or a proxy that lets through what it needs")
		}
	}
	return nil
}
