package docker

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"slices"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/want"
)

// A port is one TCP address of the API.
type port struct {
	address string
	from    string // what opens it at the next start; empty when nothing that can be seen does
	open    bool   // now
}

// tcpWithTLS judges what is configured and what is open, by dockerd's own sockets: text of its arguments says too
// little, since a unit or daemon.json can open a port as well.
func tcpWithTLS(h *facts.Host) ([]checks.Finding, error) {
	d, err := rule.Dockerd(h)
	if err != nil {
		return nil, err
	}
	configured, err := hosts.Next(d)
	if err != nil {
		return nil, err
	}
	verify, err := rule.Daemon("tlsverify", rule.Default(false)).Next(d)
	if err != nil {
		return nil, err
	}
	ports, err := apiPorts(h, d, configured, verify.Value)
	if err != nil {
		return nil, err
	}
	if len(ports) == 0 {
		return nil, rule.Inapplicable("dockerd listens on no TCP port")
	}
	var findings []checks.Finding
	for _, number := range slices.Sorted(maps.Keys(ports)) {
		if f, bad := judgePort(h, d, *ports[number], verify); bad {
			findings = append(findings, f)
		}
	}
	return findings, nil
}

// judgePort reports whether a port answers, or will answer, clients that it has not asked for a certificate.
func judgePort(h *facts.Host, d *facts.Daemon, p port, verify rule.Reading[bool]) (checks.Finding, bool) {
	f := checks.Finding{Subject: "tcp://" + p.address, Must: "closed, or open to clients with a certificate alone (tlsverify)"}
	switch {
	case p.from != "" && !verify.Value:
		f.Got = "open to everybody who reaches it: tlsverify is " + verify.String()
		f.Wants, f.Reason = askTLS(h, d, p)
	case p.open && !h.Restarted(rule.Service(d)) && d.Stale:
		f.Got = "as configured only from the next start on: what it asks of clients until then is not known"
		f.Pending = true
		if f.Reason = fmt.Sprintf("restart dockerd (process %d) the way it was started", d.Process.PID); d.Unit != "" && d.Flavour != "rootless" {
			f.Wants, f.Reason = []want.Want{want.Service{Unit: d.Unit}}, ""
		}
	case p.open && !verify.Value:
		f.Got = "open, though no configuration that can be seen opens it"
		f.Reason = fmt.Sprintf("find out what made dockerd (process %d) listen there", d.Process.PID)
	default:
		return f, false
	}
	return f, true
}

// askTLS asks for mutual TLS with the certificates that the site has chosen.
func askTLS(h *facts.Host, d *facts.Daemon, p port) ([]want.Want, string) {
	c := h.Choices
	if c.TLSCACert == "" || c.TLSCert == "" || c.TLSKey == "" {
		return nil, fmt.Sprintf("take the address out of %s, or name certificate authority, certificate and key "+
			"in harden's configuration", p.from)
	}
	keys := map[string]any{"tlsverify": true}
	for key, file := range map[string]string{"tlscacert": c.TLSCACert, "tlscert": c.TLSCert, "tlskey": c.TLSKey} {
		if _, err := h.Info(file); err != nil {
			return nil, fmt.Sprintf("%s, chosen in harden's configuration: %v", key, err)
		}
		keys[key] = file
	}
	return rule.Ask(d, keys)
}

// defaultPort is dockerd's own, by whether TLS is on. Source: moby opts/hosts.go.
var defaultPort = map[bool]string{false: "2375", true: "2376"}

// apiPorts finds the TCP ports of the API, by number: what is configured, what docker.socket opens for it, and what
// the process listens on beside its metrics, Swarm's own ports and those of containers.
func apiPorts(h *facts.Host, d *facts.Daemon, configured rule.Reading[[]string], tls bool) (map[string]*port, error) {
	ports := map[string]*port{}
	at := func(address string) *port {
		number := address[strings.LastIndexByte(address, ':')+1:]
		if ports[number] == nil {
			ports[number] = &port{address: address}
		}
		return ports[number]
	}
	for _, a := range configured.Value {
		if address, ok := strings.CutPrefix(a, "tcp://"); ok {
			if _, _, err := net.SplitHostPort(address); err != nil {
				address = net.JoinHostPort(address, defaultPort[tls])
			}
			at(address).from = configured.Where()
		}
	}
	if u, ok := activated(h); ok {
		for _, s := range streams(h) {
			if !strings.HasPrefix(s.Path, "/") && !strings.HasPrefix(s.Path, "@") {
				at(s.Path).from = u.Fragment + " or its drop-ins (ListenStream=)"
			}
		}
	}
	if d.Process == nil {
		return ports, nil
	}
	listeners, err := h.Listeners(d.Process.PID)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	others := []string{"2377", "7946"} // Swarm's management and gossip
	if m, err := rule.Daemon("metrics-addr", rule.Default("")).Next(d); err == nil {
		others = append(others, m.Value[strings.LastIndexByte(m.Value, ':')+1:])
	}
	others = append(others, published(h)...)
	for _, l := range listeners {
		number := l.Address[strings.LastIndexByte(l.Address, ':')+1:]
		if strings.HasPrefix(l.Network, "tcp") && !slices.Contains(others, number) {
			at(l.Address).open = true
		}
	}
	return ports, nil
}

// published lists the ports of this host that lead to containers. Without its userland proxy dockerd itself holds each,
// by a socket that it never accepts on, so that nobody else takes it. Source: moby's dummy proxy, cmd/docker-proxy.
func published(h *facts.Host) (numbers []string) {
	containers, err := h.Containers()
	if err != nil {
		return nil // then its ports count as the API's: rather a finding too many
	}
	for _, c := range containers {
		for _, bindings := range c.NetworkSettings.Ports {
			for _, b := range bindings {
				numbers = append(numbers, b.HostPort)
			}
		}
	}
	return numbers
}
