package docker

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/source"
	"example.com/harden/checks/stride"
)

// portChecks is the part of section 5 about the ports that containers are published on.
var portChecks = []*checks.Check{
	lowPorts, neededPorts, boundPorts,
}

var lowPorts = &checks.Check{
	ID:    "docker/low-ports",
	Items: cis.Docker("5.7", "5.7", "5.8", "5.8"),
	Title: "no container is published on a port below 1024",
	Why: "clients trust those ports to be served by root's choice; a container there can pass for the " +
		"system's own services",
	Threats: []stride.ID{stride.DockerClientSpoofing},
	Level:   1,
	Rule:    inCompose{rule: each(portsBelow1024), service: source.LowPorts},
	Source:  source.LowPorts,
}

func portsBelow1024(_ *facts.Host, c *docker.Container) []checks.Finding {
	low := publications(c, func(b docker.PortBinding) bool { n := lowest(b); return n > 0 && n < 1024 })
	if len(low) == 0 {
		return nil
	}
	return found(c, "published on "+some(low), "published on 1024 or above",
		"--publish of another port, behind a proxy where clients need this one, or waive it")
}

// publications lists a container's published ports that keep holds for, as "0.0.0.0:80 to 80/tcp".
func publications(c *docker.Container, keep func(docker.PortBinding) bool) []string {
	var out []string
	ports := c.Published()
	for _, port := range slices.Sorted(maps.Keys(ports)) {
		for _, b := range ports[port] {
			if keep(b) {
				out = append(out, spellBinding(b)+" to "+clip(port))
			}
		}
	}
	return slices.Compact(out)
}

func spellBinding(b docker.PortBinding) string {
	host, port := b.HostIP, b.HostPort
	switch {
	case host == "":
		host = "every address"
	case strings.Contains(host, ":"):
		host = "[" + host + "]"
	}
	if port == "" {
		port = "any port"
	}
	return clip(host) + ":" + clip(port)
}

// lowest is the first port of a binding, which may be a range before the container starts; 0 is any.
func lowest(b docker.PortBinding) int {
	first, _, _ := strings.Cut(b.HostPort, "-")
	n, err := strconv.Atoi(first)
	if err != nil {
		return 0
	}
	return n
}

var neededPorts = &checks.Check{
	ID:      "docker/needed-ports",
	Items:   cis.Docker("5.8", "5.8", "5.9", "5.9"),
	Title:   "only ports that are needed are published",
	Why:     "each published port is one more door, which Docker opens past the host's own packet filter",
	Threats: []stride.ID{stride.DockerNetworkTampering},
	Level:   1,
	Review:  checks.ReviewToFail,
	Rule:    checks.Func(publishedPorts),
}

// publishedPorts cannot know what is needed: it shows what there is.
func publishedPorts(h *facts.Host) ([]checks.Finding, error) {
	cs, err := containers(h)
	if err != nil {
		return nil, err
	}
	var all []string
	for i := range cs {
		for _, p := range publications(&cs[i], func(docker.PortBinding) bool { return true }) {
			all = append(all, clip(cs[i].ShortName())+" "+p)
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	return nil, fmt.Errorf("%w: published are %s", checks.ErrManual, some(all))
}

var boundPorts = &checks.Check{
	ID:      "docker/bound-ports",
	Items:   cis.Docker("5.13", "5.13", "5.14", "5.14"),
	Title:   "published ports are bound to one of the host's addresses",
	Why:     "a port on every interface is open to networks that nobody meant, those added later among them",
	Threats: []stride.ID{stride.DockerNetworkTampering},
	Level:   1,
	Rule:    inCompose{rule: each(openPorts), service: source.BoundPorts, decided: true},
	Source:  source.BoundPorts,
}

func openPorts(_ *facts.Host, c *docker.Container) []checks.Finding {
	open := publications(c, func(b docker.PortBinding) bool {
		return slices.Contains([]string{"", "0.0.0.0", "::"}, b.HostIP)
	})
	if len(open) == 0 {
		return nil
	}
	return found(c, "published on "+some(open), "published on one of the host's addresses",
		"--publish ADDRESS:PORT:PORT")
}
