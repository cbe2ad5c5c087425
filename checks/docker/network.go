package docker

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/stride"
	"example.com/harden/checks/want"
)

// networkChecks is the part of section 2 about the networks that dockerd makes, and the one that it is on.
var networkChecks = []*checks.Check{
	icc, iptables, insecureRegistries, tls, userlandProxy,
}

var icc = &checks.Check{
	ID:      "docker/icc",
	Items:   cis.Docker("2.1", "2.2", "2.2", "2.2"),
	Title:   "containers on the default bridge cannot reach one another",
	Why:     "one compromised container can scan and attack every neighbour on docker0",
	Breaks:  "containers that talk to each other over the default bridge, without a network of their own",
	Class:   want.Behaviour,
	Threats: []stride.ID{stride.DockerNetworkTampering},
	Level:   1,
	Rule: unless(noDefaultBridge,
		rule.Daemon("icc", true).Told(bridgeICC).Breaks(onDefaultBridge).Must(be.False)),
}

func noDefaultBridge(h *facts.Host) string {
	d, err := rule.Dockerd(h)
	if err != nil {
		return ""
	}
	if b, err := rule.Daemon("bridge", "").Next(d); err == nil && b.Value == "none" {
		return "dockerd makes no default bridge (" + b.String() + ")"
	}
	return ""
}

func bridgeICC(h *facts.Host, _ *docker.EngineFacts) (bool, bool) {
	n, err := docker.Network(h, "bridge")
	if err != nil {
		return false, false
	}
	icc, err := strconv.ParseBool(n.Options["com.docker.network.bridge.enable_icc"])
	return icc, err == nil
}

func onDefaultBridge(h *facts.Host) string {
	containers, err := docker.Containers(h)
	if err != nil {
		return ""
	}
	var names []string
	for _, c := range containers {
		if docker.OnDefaultBridge(&c) {
			names = append(names, clip(c.ShortName()))
		}
	}
	if len(names) < 2 {
		return ""
	}
	return "on the default bridge now, and soon unable to reach each other: " + some(names)
}

var iptables = &checks.Check{
	ID:    "docker/iptables",
	Items: cis.Docker("2.3", "2.4", "2.4", "2.4"),
	Title: "dockerd manages the packet filter for its networks",
	Why: "without its rules published ports and traffic between networks are as open as the host happens to " +
		"leave them",
	Breaks:  "hosts whose own firewall was written for containers: dockerd puts its chains into iptables",
	Class:   want.Behaviour,
	Threats: []stride.ID{stride.DockerNetworkTampering},
	Level:   1,
	Rule:    rule.Daemon("iptables", true).Must(be.True),
}

var insecureRegistries = &checks.Check{
	ID:    "docker/insecure-registries",
	Items: cis.Docker("2.4", "2.5", "2.5", "2.5"),
	Title: "no registry is spoken to without verified TLS",
	Why:   "whoever is on the way to the registry chooses what runs here, and reads its password",
	Breaks: "pulls from those registries, until they have certificates that this host can verify (under " +
		"/etc/docker/certs.d)",
	Class:   want.Behaviour,
	Threats: []stride.ID{stride.DockerClientSpoofing},
	Level:   1,
	Rule:    rule.Daemon("insecure-registries", []string(nil)).Told(insecureNow).Must(be.None),
}

// insecureNow leaves out the loopback networks that dockerd adds by itself: up to 29.9 always, from 29.10 on where no
// list is configured.
func insecureNow(h *facts.Host, e *docker.EngineFacts) ([]string, bool) {
	if e.RegistryConfig == nil {
		return nil, false
	}
	added := !e.AtLeast(29, 10)
	if d, err := rule.Dockerd(h); err == nil && !added {
		o := d.Option("insecure-registries")
		added = (o.File == nil || string(o.File) == "null") && o.Running == nil && o.Next == nil
	}
	var found []string
	for _, cidr := range e.RegistryConfig.InsecureRegistryCIDRs {
		if p, err := netip.ParsePrefix(cidr.String()); err != nil || !added || !p.Addr().IsLoopback() {
			found = append(found, cidr.String())
		}
	}
	for name, index := range e.RegistryConfig.IndexConfigs {
		if index != nil && !index.Secure {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found, true
}

var tls = &checks.Check{
	ID:      "docker/tls",
	Items:   cis.Docker("2.6", "2.7", "2.7", "2.8"),
	Title:   "the API's TCP port asks every client for a certificate",
	Why:     "whoever reaches the port is root on this host",
	Breaks:  "every client of the TCP port that has no certificate from the certificate authority named",
	Class:   want.Behaviour,
	Threats: []stride.ID{stride.DockerClientSpoofing, stride.DockerDaemonElevation},
	Level:   1,
	Rule:    checks.Func(tcpWithTLS),
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
	verify, err := rule.Daemon("tlsverify", false).Next(d)
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

// A port is one TCP address of the API.
type port struct {
	address string
	from    string // what opens it at the next start; empty when nothing that can be seen does
	open    bool   // now
}

// judgePort reports whether a port answers, or will answer, clients that it has not asked for a certificate.
func judgePort(h *facts.Host, d *docker.Daemon, p port, verify rule.Reading[bool]) (checks.Finding, bool) {
	f := checks.Finding{Subject: "tcp://" + p.address,
		Must: "closed, or open to clients with a certificate alone (tlsverify)"}
	switch {
	case p.from != "" && !verify.Value:
		f.Got = "open to everybody who reaches it: tlsverify is " + verify.String()
		f.Wants, f.Reason = askTLS(h, d, p)
	case p.open && !h.Restarted(rule.Service(d)) && d.Stale:
		f.Got = "as configured only from the next start on: what it asks of clients until then is not known"
		f.Pending = true
		f.Reason = fmt.Sprintf("restart dockerd (process %d) the way it was started", d.Process.PID)
		if d.Unit != "" && d.Flavour != "rootless" {
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
func askTLS(h *facts.Host, d *docker.Daemon, p port) ([]want.Want, string) {
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
func apiPorts(h *facts.Host, d *docker.Daemon, configured rule.Reading[[]string], tls bool) (map[string]*port, error) {
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
			at(address).from = configured.Where
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
	if m, err := rule.Daemon("metrics-addr", "").Next(d); err == nil {
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
	containers, err := docker.Containers(h)
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

var userlandProxy = &checks.Check{
	ID:      "docker/userland-proxy",
	Items:   cis.Docker("2.14", "2.16", "2.16", "2.17"),
	Title:   "published ports go through the packet filter and not through a proxy process",
	Why:     "a process for each published port runs as root, and hides from the container who is talking to it",
	Breaks:  "published ports reached as localhost, where the kernel cannot turn packets around (bridge netfilter)",
	Threats: []stride.ID{stride.DockerNetworkTampering},
	Level:   1,
	Rule:    rule.Daemon("userland-proxy", true).Refuse(procReadOnly).Must(be.False),
}

// procReadOnly says that dockerd cannot write where it has to without its proxy.
func procReadOnly(h *facts.Host, proxy bool) string {
	if info, err := h.Info("/proc/sys/net/ipv4"); !proxy && err == nil && info.Locked != "" {
		return "without its proxy dockerd must write below /proc/sys and would not start: that is " + info.Locked
	}
	return ""
}
