package docker

import (
	"slices"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/stride"
)

// capabilities is the community section of docker-bench-security that names single capabilities.
var capabilities = []*checks.Check{
	granted("C.5.3.1", "DAC_READ_SEARCH", "open_by_handle_at reads any file of the host's file system with it, whatever the mount namespace says"),
	granted("C.5.3.2", "SYS_MODULE", "it loads kernel modules: whoever has it is the kernel"),
	granted("C.5.3.3", "SYS_ADMIN", "it mounts, traces and enters namespaces: the shortest ways out of a container begin with it"),
	granted("C.5.3.4", "SYS_PTRACE", "it reads and writes the memory of every process it can see, and of the host's where those are in sight"),
}

func granted(number, capability, why string) *checks.Check {
	return &checks.Check{
		ID:      "docker/cap-" + strings.ToLower(strings.ReplaceAll(capability, "_", "-")),
		Items:   cis.Community(number),
		Title:   "no container has the capability " + capability,
		Why:     why,
		Threats: []stride.ID{stride.DockerClientElevation},
		Level:   1,
		Rule: each(func(_ *facts.Host, c *facts.Container) []checks.Finding {
			if !slices.Contains(effective(c), capability) {
				return nil
			}
			return found(c, "has "+capability+how(c), "without it", "--cap-drop "+capability+", and without --cap-add "+capability+", --cap-add ALL and --privileged")
		}),
	}
}

// how says why a container has what it was not given by name.
func how(c *facts.Container) string {
	switch {
	case c.HostConfig.Privileged:
		return " (privileged)"
	case slices.Contains(normal(c.HostConfig.CapAdd), "ALL"):
		return " (added ALL)"
	}
	return ""
}

// The capabilities that the Engine gives a container by itself, and all that Linux 6.18 has. Sources: moby
// oci/caps/defaults.go, linux/capability.h.
var (
	defaultCapabilities = []string{"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE",
		"NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"}
	allCapabilities = append([]string{"AUDIT_CONTROL", "AUDIT_READ", "BLOCK_SUSPEND", "BPF", "CHECKPOINT_RESTORE", "DAC_READ_SEARCH",
		"IPC_LOCK", "IPC_OWNER", "LEASE", "LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "NET_ADMIN", "NET_BROADCAST", "PERFMON",
		"SYSLOG", "SYS_ADMIN", "SYS_BOOT", "SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO", "SYS_RESOURCE", "SYS_TIME",
		"SYS_TTY_CONFIG", "WAKE_ALARM"}, defaultCapabilities...)
)

// effective is the capabilities that a container's processes can have, by the Engine's own rules. Source: moby
// oci/caps/utils.go, TweakCapabilities.
func effective(c *facts.Container) []string {
	add, drop := normal(c.HostConfig.CapAdd), normal(c.HostConfig.CapDrop)
	without := func(from []string) []string {
		return slices.DeleteFunc(slices.Clone(from), func(s string) bool { return slices.Contains(drop, s) })
	}
	switch {
	case c.HostConfig.Privileged:
		return allCapabilities
	case len(add) == 0 && len(drop) == 0:
		return defaultCapabilities
	case slices.Contains(add, "ALL"):
		return without(allCapabilities)
	case slices.Contains(drop, "ALL"):
		return add
	}
	return append(without(defaultCapabilities), add...)
}

// normal spells capabilities as the kernel does, without CAP_.
func normal(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = strings.TrimPrefix(strings.ToUpper(n), "CAP_")
	}
	return out
}

// fewCapabilities asks for NET_RAW to go too: the benchmark wants it dropped where it is not needed, and it is the one of
// the default set that attacks neighbours.
func fewCapabilities(_ *facts.Host, c *facts.Container) []checks.Finding {
	const must = "of the default set at most, without NET_RAW"
	if c.HostConfig.Privileged {
		return found(c, "all capabilities (privileged)", must, "no --privileged, and --cap-add of what it needs")
	}
	var more []string
	for _, s := range effective(c) {
		if s == "NET_RAW" || !slices.Contains(defaultCapabilities, s) {
			more = append(more, clip(s))
		}
	}
	if len(more) == 0 {
		return nil
	}
	if slices.Contains(normal(c.HostConfig.CapAdd), "ALL") {
		return found(c, "all capabilities (added ALL)", must, "--cap-drop ALL, and --cap-add of what it needs")
	}
	return found(c, some(more), must, "--cap-drop "+strings.Join(more[:min(8, len(more))], " --cap-drop ")+", or --cap-drop ALL and --cap-add of what it needs")
}
