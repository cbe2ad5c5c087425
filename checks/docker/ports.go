package docker

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
)

// publications lists a container's published ports that keep holds for, as "0.0.0.0:80 to 80/tcp".
func publications(c *facts.Container, keep func(facts.PortBinding) bool) []string {
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

func spellBinding(b facts.PortBinding) string {
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
func lowest(b facts.PortBinding) int {
	first, _, _ := strings.Cut(b.HostPort, "-")
	n, err := strconv.Atoi(first)
	if err != nil {
		return 0
	}
	return n
}

func lowPorts(_ *facts.Host, c *facts.Container) []checks.Finding {
	low := publications(c, func(b facts.PortBinding) bool { n := lowest(b); return n > 0 && n < 1024 })
	if len(low) == 0 {
		return nil
	}
	return found(c, "published on "+some(low), "published on 1024 or above", "--publish of another port, behind a proxy where clients need this one, or waive it")
}

func boundPorts(_ *facts.Host, c *facts.Container) []checks.Finding {
	open := publications(c, func(b facts.PortBinding) bool { return slices.Contains([]string{"", "0.0.0.0", "::"}, b.HostIP) })
	if len(open) == 0 {
		return nil
	}
	return found(c, "published on "+some(open), "published on one of the host's addresses", "--publish ADDRESS:PORT:PORT")
}

// neededPorts cannot know what is needed: it shows what there is.
func neededPorts(h *facts.Host) ([]checks.Finding, error) {
	cs, err := containers(h)
	if err != nil {
		return nil, err
	}
	var all []string
	for i := range cs {
		for _, p := range publications(&cs[i], func(facts.PortBinding) bool { return true }) {
			all = append(all, clip(cs[i].ShortName())+" "+p)
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	return nil, fmt.Errorf("%w: published are %s", checks.ErrManual, some(all))
}
