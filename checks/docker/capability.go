package docker

import (
	"slices"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/stride"
)

// capabilities is the community section of docker-bench-security that names single capabilities.
var capabilityChecks = []*checks.Check{
	granted("C.5.3.1", "DAC_READ_SEARCH",
		"open_by_handle_at reads any file of the host's file system with it, whatever the mount namespace says"),
	granted("C.5.3.2", "SYS_MODULE", "it loads kernel modules: whoever has it is the kernel"),
	granted("C.5.3.3", "SYS_ADMIN",
		"it mounts, traces and enters namespaces: the shortest ways out of a container begin with it"),
	granted("C.5.3.4", "SYS_PTRACE",
		"it reads and writes the memory of every process it can see, and of the host's where those are in sight"),
}

func granted(number, capability, why string) *checks.Check {
	return &checks.Check{
		ID:      "docker/cap-" + strings.ToLower(strings.ReplaceAll(capability, "_", "-")),
		Items:   cis.Community(number),
		Title:   "no container has the capability " + capability,
		Why:     why,
		Threats: []stride.ID{stride.DockerClientElevation},
		Level:   1,
		Rule: each(func(_ *facts.Host, c *docker.Container) []checks.Finding {
			if !slices.Contains(effective(c), capability) {
				return nil
			}
			return found(c, "has "+capability+how(c), "without it",
				"--cap-drop "+capability+", and without --cap-add "+capability+", --cap-add ALL and --privileged")
		}),
	}
}

// how says why a container has what it was not given by name.
func how(c *docker.Container) string {
	switch {
	case c.HostConfig.Privileged:
		return " (privileged)"
	case slices.Contains(normal(c.HostConfig.CapAdd), "ALL"):
		return " (added ALL)"
	}
	return ""
}
