package docker

import (
	"cmp"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"example.com/harden/checks"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/stride"
)

// swarmModeChecks is where 1.6.0 begins section 5, and section 7 before that.
var swarmModeChecks = []*checks.Check{
	swarmMode,
}

// swarmChecks is the rest of section 7.
var swarmChecks = []*checks.Check{
	swarmManagers, swarmPorts, overlayEncryption, swarmSecrets, autolock, unlockKey, nodeCertificates, swarmCA,
	dataPath,
}

var swarmMode = &checks.Check{
	ID:      "docker/swarm-mode",
	Items:   cis.Docker("7.1", "7.1", "5.1", "5.1"),
	Title:   "Swarm mode is off where nobody chose it",
	Why:     "a swarm opens ports to other machines, and its managers start what they like on this one",
	Threats: []stride.ID{stride.DockerNetworkTampering, stride.DockerDaemonElevation},
	Manual: "`docker swarm leave` (--force on a manager) ends the services that run here; where the swarm is meant, " +
		"set swarm: true among the choices of harden's configuration",
	Level: 1,
	Rule: checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		e, err := engine(h)
		if err != nil || !docker.Swarming(e) || h.Choices.Swarm {
			return nil, err
		}
		return []checks.Finding{{Subject: "engine swarm mode", Got: string(e.Swarm.LocalNodeState),
			Must: "inactive, or chosen"}}, nil
	}),
}

var swarmManagers = &checks.Check{
	ID:    "docker/swarm-managers",
	Items: cis.Docker("7.2", "7.2", "7.1", "7.1"),
	Title: "a swarm has an odd number of managers, seven at most",
	Why: "every manager holds all of the swarm's secrets and can command every node; an even one adds risk " +
		"and no safety",
	Threats: []stride.ID{stride.DockerDaemonElevation, stride.DockerDaemonDenial},
	Level:   1,
	Rule:    ofManager(managers),
}

// manager returns what managers know; ErrAbsent on any other node.
func manager(h *facts.Host) (*docker.Swarm, error) {
	e, err := engine(h)
	switch {
	case err != nil:
		return nil, err
	case !docker.Swarming(e):
		return nil, rule.Inapplicable("this host is in no swarm")
	case e.Swarm.LocalNodeState != swarm.LocalNodeStateActive:
		return nil, fmt.Errorf("the swarm's state here is %s %s", e.Swarm.LocalNodeState, clip(e.Swarm.Error))
	case !e.Swarm.ControlAvailable:
		return nil, rule.Inapplicable("this node is a worker: its managers are asked")
	}
	return docker.SwarmOf(h)
}

// ofManager is a rule about a swarm as a whole.
func ofManager(judge func(*docker.Swarm) ([]checks.Finding, error)) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		s, err := manager(h)
		if err != nil {
			return nil, err
		}
		return judge(s)
	})
}

func managers(s *docker.Swarm) ([]checks.Finding, error) {
	var names []string
	for _, n := range s.Nodes {
		if n.Spec.Role == swarm.NodeRoleManager || n.ManagerStatus != nil {
			names = append(names, clip(cmp.Or(n.Description.Hostname, n.ID)))
		}
	}
	if n := len(names); n%2 == 1 && n <= 7 {
		return nil, nil
	}
	return []checks.Finding{{
		Subject: "swarm managers", Got: fmt.Sprintf("%d: %s", len(names), some(names)), Must: "1, 3, 5 or 7",
		Reason: "`docker node demote NODE` or `docker node promote NODE`, one at a time, while a majority answers",
	}}, nil
}

var swarmPorts = &checks.Check{
	ID:      "docker/swarm-ports",
	Items:   cis.Docker("7.3", "7.3", "7.2", "7.2"),
	Title:   "Swarm listens on one of the host's addresses",
	Why:     "on every interface, networks that have nothing to do with the swarm reach its control port",
	Threats: []stride.ID{stride.DockerNetworkTampering},
	Manual: "only `docker swarm init` or `join` with --listen-addr ADDRESS:2377 sets it: leave the swarm and " +
		"join anew, a node at a time",
	Level: 1,
	Rule:  unless(noSwarm, checks.Func(openSwarmPorts)),
}

func noSwarm(h *facts.Host) string {
	if e, err := engine(h); err == nil && !docker.Swarming(e) {
		return "this host is in no swarm"
	}
	return ""
}

// openSwarmPorts looks at what dockerd listens on for Swarm: 2377 on managers, 7946 on every node.
func openSwarmPorts(h *facts.Host) ([]checks.Finding, error) {
	d, err := rule.Dockerd(h)
	if err != nil {
		return nil, err
	}
	if d.Process == nil {
		return nil, fmt.Errorf("dockerd does not run, so that it listens on nothing")
	}
	listeners, err := h.Listeners(d.Process.PID)
	if err != nil {
		return nil, err
	}
	var findings []checks.Finding
	for _, l := range listeners {
		host, port, err := net.SplitHostPort(l.Address)
		if err != nil || !strings.HasPrefix(l.Network, "tcp") || port != "2377" && port != "7946" {
			continue
		}
		if host == "" || host == "0.0.0.0" || host == "::" {
			findings = append(findings, checks.Finding{Subject: "swarm port " + port, Got: "open on every address",
				Must: "open on one of the host's addresses"})
		}
	}
	return findings, nil
}

var overlayEncryption = &checks.Check{
	ID:    "docker/overlay-encryption",
	Items: cis.Docker("7.4", "7.4", "7.3", "7.3"),
	Title: "overlay networks are encrypted",
	Why: "what containers on different nodes say to one another crosses the network readable by whoever is " +
		"in between",
	Threats: []stride.ID{stride.DockerClientSpoofing, stride.DockerNetworkTampering},
	Level:   1,
	Rule:    checks.Func(overlays),
}

// overlays judges every overlay network that this node knows. The one for published ports is not encrypted by itself.
func overlays(h *facts.Host) ([]checks.Finding, error) {
	if _, err := engine(h); err != nil {
		return nil, err
	}
	networks, err := docker.Networks(h)
	var findings []checks.Finding
	some := false
	for _, n := range networks {
		if n.Driver != "overlay" {
			continue
		}
		some = true
		on, set := n.Options["encrypted"]
		if off, err := strconv.ParseBool(on); set && (err != nil || off) {
			continue
		}
		reason := "recreate it with `--opt encrypted`, and attach its services to that"
		if n.Ingress {
			reason = "`docker network rm ingress` and `docker network create --driver overlay --ingress --opt " +
				"encrypted ingress`; services with published ports have to be taken down for it"
		}
		findings = append(findings, checks.Finding{Subject: "network " + clip(n.Name), Got: "not encrypted",
			Must: "encrypted", Reason: reason})
	}
	if !some && err == nil {
		return nil, rule.Inapplicable("no overlay networks")
	}
	return findings, err
}

var swarmSecrets = &checks.Check{
	ID:      "docker/swarm-secrets",
	Items:   cis.Docker("7.5", "7.5", "7.4", "7.4"),
	Title:   "services get their secrets from Swarm",
	Why:     "elsewhere, in the environment or in images, they are readable by whoever reaches the API",
	Threats: []stride.ID{stride.DockerClientDisclosure},
	Level:   1,
	Review:  checks.ReviewToFail,
	Rule:    ofManager(serviceSecrets),
}

// serviceSecrets: that some service uses one shows that they are known of, and nothing about those that do not.
func serviceSecrets(s *docker.Swarm) ([]checks.Finding, error) {
	if len(s.Services) == 0 {
		return nil, rule.Inapplicable("the swarm has no service")
	}
	var without []string
	for _, service := range s.Services {
		c := service.Spec.TaskTemplate.ContainerSpec
		if c == nil || len(c.Secrets) == 0 {
			without = append(without, clip(service.Spec.Name))
		}
	}
	if len(without) == 0 {
		return nil, nil
	}
	return nil, fmt.Errorf("%w: see whether these services, which get no secret from Swarm, need none: %s",
		checks.ErrManual, some(without))
}

var autolock = &checks.Check{
	ID:      "docker/autolock",
	Items:   cis.Docker("7.6", "7.6", "7.5", "7.5"),
	Title:   "managers are locked when they start",
	Why:     "the keys to the swarm's secrets otherwise lie on each manager's disk beside what they open",
	Threats: []stride.ID{stride.DockerClientDisclosure},
	Manual: "`docker swarm update --autolock=true` on a manager, and keep the key that it prints where the managers " +
		"are not: each asks for it after a restart (`docker swarm unlock`)",
	Level: 1,
	Rule: ofManager(func(s *docker.Swarm) ([]checks.Finding, error) {
		if s.Cluster.Spec.EncryptionConfig.AutoLockManagers {
			return nil, nil
		}
		return []checks.Finding{{Subject: "swarm autolock", Got: "off", Must: "on"}}, nil
	}),
}

var unlockKey = &checks.Check{
	ID:      "docker/unlock-key",
	Items:   cis.Docker("7.7", "7.7", "7.6", "7.6"),
	Title:   "the key that unlocks managers is changed now and then",
	Why:     "whoever has seen an old one can start a stolen manager",
	Threats: []stride.ID{stride.DockerClientDisclosure},
	Level:   1,
	Review:  checks.ReviewAlways,
	Rule: ofManager(func(s *docker.Swarm) ([]checks.Finding, error) {
		if !s.Cluster.Spec.EncryptionConfig.AutoLockManagers {
			return nil, rule.Inapplicable("managers are not locked, so that there is no key")
		}
		return nil, fmt.Errorf("%w: when the key was changed is not told; `docker swarm unlock-key --rotate` changes "+
			"it", checks.ErrManual)
	}),
}

var nodeCertificates = &checks.Check{
	ID:      "docker/node-certificates",
	Items:   cis.Docker("7.8", "7.8", "7.7", "7.7"),
	Title:   "the certificates of nodes last for two days at most",
	Why:     "with a stolen one, somebody passes for the node until it expires",
	Threats: []stride.ID{stride.DockerClientSpoofing},
	Manual:  "`docker swarm update --cert-expiry 48h` on a manager; nodes renew theirs by themselves",
	Level:   1,
	Rule: ofManager(func(s *docker.Swarm) ([]checks.Finding, error) {
		if d := s.Cluster.Spec.CAConfig.NodeCertExpiry; d <= 0 || d > 48*time.Hour {
			return []checks.Finding{{Subject: "swarm certificate expiry", Got: cmp.Or(d, 90*24*time.Hour).String(),
				Must: "48h or less"}}, nil
		}
		return nil, nil
	}),
}

var swarmCA = &checks.Check{
	ID:      "docker/swarm-ca",
	Items:   cis.Docker("7.9", "7.9", "7.8", "7.8"),
	Title:   "the swarm's certificate authority is changed when it has to be",
	Why:     "whoever has its key makes certificates for nodes that nobody invited",
	Threats: []stride.ID{stride.DockerClientSpoofing},
	Level:   2,
	Review:  checks.ReviewAlways,
	Rule:    ofManager(authority),
}

// authority shows how old the certificate authority is: whether it has to be changed, only people know.
func authority(s *docker.Swarm) ([]checks.Finding, error) {
	of := "of a date that is not told"
	if block, _ := pem.Decode([]byte(s.Cluster.TLSInfo.TrustRoot)); block != nil {
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			of = "of " + c.NotBefore.UTC().Format(time.DateOnly)
		}
	}
	if s.Cluster.RootRotationInProgress {
		of += ", and is being changed"
	}
	return nil, fmt.Errorf("%w: the certificate authority is %s; after a manager was lost, or somebody left who knew "+
		"its key, `docker swarm ca --rotate`",
		checks.ErrManual, of)
}

var dataPath = &checks.Check{
	ID:      "docker/data-path",
	Items:   cis.Docker("7.10", "7.10", "7.9", "7.9"),
	Title:   "containers' traffic and the swarm's own go over different interfaces",
	Why:     "who floods or reads the one then has the other too",
	Threats: []stride.ID{stride.DockerNetworkTampering},
	Manual: "only `docker swarm init` or `join` with --advertise-addr and --data-path-addr sets it: leave the " +
		"swarm and join anew, a node at a time",
	Level: 2,
	Rule:  unless(noSwarm, checks.Func(sharedDataPath)),
}

// sharedDataPath reads what this node joined the swarm with, which the API does not tell.
func sharedDataPath(h *facts.Host) ([]checks.Finding, error) {
	d, err := rule.Dockerd(h)
	if err != nil {
		return nil, err
	}
	f, err := h.File(docker.SwarmState(d))
	if err != nil {
		return nil, err
	}
	var state struct{ AdvertiseAddr, LocalAddr, DataPathAddr string }
	if err := json.Unmarshal(f.Data, &state); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	own := hostOf(cmp.Or(state.AdvertiseAddr, state.LocalAddr))
	if data := hostOf(state.DataPathAddr); data != "" && !slices.Contains([]string{own, ""}, data) {
		return nil, nil
	}
	return []checks.Finding{{Subject: "swarm data path",
		Got: "the same address as the swarm's own traffic: " + clip(cmp.Or(own, "not told")), Must: "another one"}}, nil
}

func hostOf(address string) string {
	if h, _, err := net.SplitHostPort(address); err == nil {
		return h
	}
	return address
}
