package docker

import (
	"fmt"
	"io/fs"
	"slices"
	"strconv"

	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/stride"
	"example.com/harden/checks/want"
)

// files is section 3, who may touch what dockerd is started with, reads and listens on.
var files = []*checks.Check{
	{
		ID:      "docker/service-unit-owner",
		Items:   cis.Docker("3.1", "3.1", "3.1", "3.1"),
		Title:   "docker.service and its drop-ins belong to root",
		Why:     "whoever owns the unit chooses what systemd runs as root at the next start",
		Threats: []stride.ID{stride.DockerHostTampering},
		Level:   1,
		Rule:    ownedByRoot(serviceUnit),
	},
	{
		ID:      "docker/service-unit-mode",
		Items:   cis.Docker("3.2", "3.2", "3.2", "3.2"),
		Title:   "docker.service and its drop-ins are writable by root alone",
		Why:     "whoever can rewrite the unit chooses what systemd runs as root at the next start",
		Threats: []stride.ID{stride.DockerHostTampering},
		Level:   1,
		Rule:    rule.Mode(serviceUnit).Must(be.Within(0o644)),
	},
	{
		ID:      "docker/socket-unit-owner",
		Items:   cis.Docker("3.3", "3.3", "3.3", "3.3"),
		Title:   "docker.socket and its drop-ins belong to root",
		Why:     "whoever owns the unit decides who may talk to dockerd from the next start on",
		Threats: []stride.ID{stride.DockerHostTampering},
		Level:   1,
		Rule:    ownedByRoot(socketUnit),
	},
	{
		ID:      "docker/socket-unit-mode",
		Items:   cis.Docker("3.4", "3.4", "3.4", "3.4"),
		Title:   "docker.socket and its drop-ins are writable by root alone",
		Why:     "whoever can rewrite the unit decides who may talk to dockerd from the next start on",
		Threats: []stride.ID{stride.DockerHostTampering},
		Level:   1,
		Rule:    rule.Mode(socketUnit).Must(be.Within(0o644)),
	},
	{
		ID:      "docker/etc-docker-owner",
		Items:   cis.Docker("3.5", "3.5", "3.5", "3.5"),
		Title:   "/etc/docker belongs to root",
		Why:     "whoever owns the directory can put another daemon.json in the place of the old one, whoever owns that",
		Threats: []stride.ID{stride.DockerHostTampering},
		Level:   1,
		Rule:    rule.Owner(rule.At("/etc/docker")).Must(rootRoot),
	},
	{
		ID:      "docker/etc-docker-mode",
		Items:   cis.Docker("3.6", "3.6", "3.6", "3.6"),
		Title:   "/etc/docker is writable by root alone",
		Why:     "whoever can write to the directory can put another daemon.json, or trust in another registry, there",
		Threats: []stride.ID{stride.DockerHostTampering},
		Level:   1,
		Rule:    rule.Mode(rule.At("/etc/docker")).Must(be.WithinDir(0o755)),
	},
	{
		ID:      "docker/registry-certs-owner",
		Items:   cis.Docker("3.7", "3.7", "3.7", "3.7"),
		Title:   "certificates and keys of registries belong to root",
		Why:     "whoever owns them decides which registry dockerd believes, and who this host is to it",
		Threats: []stride.ID{stride.DockerClientSpoofing, stride.DockerHostTampering},
		Level:   1,
		Rule:    rule.Owner(registryFiles(".crt", ".cert", ".key")).Must(rootRoot),
	},
	{
		ID:      "docker/registry-certs-mode",
		Items:   cis.Docker("3.8", "3.8", "3.8", "3.8"),
		Title:   "certificates of registries are writable by nobody, and their keys readable by root alone",
		Why:     "a certificate that can be rewritten makes dockerd believe a false registry; a key that can be read lets others be this host",
		Threats: []stride.ID{stride.DockerClientSpoofing, stride.DockerClientDisclosure},
		Level:   1,
		Rule: rule.All(
			rule.Mode(registryFiles(".crt", ".cert")).Must(be.Within(0o444)),
			rule.Mode(registryFiles(".key")).Must(be.Within(0o400)),
		),
	},
	{
		ID:      "docker/tls-ca-owner",
		Items:   cis.Docker("3.9", "3.9", "3.9", "3.9"),
		Title:   "the certificate authority that dockerd believes belongs to root",
		Why:     "whoever owns the file decides which clients dockerd takes for genuine",
		Threats: []stride.ID{stride.DockerClientSpoofing},
		Level:   1,
		Rule:    ownedByRoot(tlsFile("tlscacert", "ca.pem", want.Certificate)),
	},
	{
		ID:      "docker/tls-ca-mode",
		Items:   cis.Docker("3.10", "3.10", "3.10", "3.10"),
		Title:   "the certificate authority that dockerd believes is writable by nobody",
		Why:     "whoever can rewrite the file decides which clients dockerd takes for genuine",
		Threats: []stride.ID{stride.DockerClientSpoofing},
		Level:   1,
		Rule:    rule.Mode(tlsFile("tlscacert", "ca.pem", want.Certificate)).Must(be.Within(0o444)),
	},
	{
		ID:      "docker/tls-cert-owner",
		Items:   cis.Docker("3.11", "3.11", "3.11", "3.11"),
		Title:   "dockerd's server certificate belongs to root",
		Why:     "whoever owns the file decides whom clients of this daemon talk to",
		Threats: []stride.ID{stride.DockerClientSpoofing},
		Level:   1,
		Rule:    ownedByRoot(tlsFile("tlscert", "cert.pem", want.Certificate)),
	},
	{
		ID:      "docker/tls-cert-mode",
		Items:   cis.Docker("3.12", "3.12", "3.12", "3.12"),
		Title:   "dockerd's server certificate is writable by nobody",
		Why:     "whoever can rewrite the file decides whom clients of this daemon talk to",
		Threats: []stride.ID{stride.DockerClientSpoofing},
		Level:   1,
		Rule:    rule.Mode(tlsFile("tlscert", "cert.pem", want.Certificate)).Must(be.Within(0o444)),
	},
	{
		ID:      "docker/tls-key-owner",
		Items:   cis.Docker("3.13", "3.13", "3.13", "3.13"),
		Title:   "dockerd's private key belongs to root",
		Why:     "whoever owns the key can be this daemon to its clients, and read what they send it",
		Threats: []stride.ID{stride.DockerClientSpoofing, stride.DockerClientDisclosure},
		Level:   1,
		Rule:    ownedByRoot(tlsFile("tlskey", "key.pem", want.PrivateKey)),
	},
	{
		ID:      "docker/tls-key-mode",
		Items:   cis.Docker("3.14", "3.14", "3.14", "3.14"),
		Title:   "dockerd's private key is readable by root alone",
		Why:     "whoever can read the key can be this daemon to its clients, and read what they send it",
		Threats: []stride.ID{stride.DockerClientSpoofing, stride.DockerClientDisclosure},
		Level:   1,
		Rule:    rule.Mode(tlsFile("tlskey", "key.pem", want.PrivateKey)).Must(be.Within(0o400)),
	},
	{
		ID:      "docker/api-socket-owner",
		Items:   cis.Docker("3.15", "3.15", "3.15", "3.15"),
		Title:   "the API's socket belongs to root and to the group that was chosen for it",
		Why:     "whoever owns the socket is root on this host: the API starts containers with any file mounted",
		Breaks:  "the present owner, and members of the present group, can no longer use docker",
		Class:   want.Behaviour,
		Threats: []stride.ID{stride.DockerDaemonElevation, stride.DockerClientDisclosure},
		Level:   1,
		Rule:    checks.Func(socketOwner),
	},
	{
		ID:      "docker/api-socket-mode",
		Items:   cis.Docker("3.16", "3.16", "3.16", "3.16"),
		Title:   "the API's socket is closed to everybody but its owner and group",
		Why:     "whoever can write to the socket is root on this host: the API starts containers with any file mounted",
		Breaks:  "users outside the socket's group can no longer use docker without becoming root first",
		Class:   want.Behaviour,
		Threats: []stride.ID{stride.DockerDaemonElevation, stride.DockerClientDisclosure, stride.DockerClientSpoofing},
		Level:   1,
		Rule:    rule.All(usersOwn(rule.Mode(apiSockets).Must(be.Within(0o660))), checks.Func(socketMode)),
	},
	{
		ID:      "docker/daemon-json-owner",
		Items:   cis.Docker("3.17", "3.17", "3.17", "3.17"),
		Title:   "daemon.json belongs to root",
		Why:     "whoever owns daemon.json chooses what a root process does at its next start",
		Threats: []stride.ID{stride.DockerHostTampering},
		Level:   2,
		Rule:    ownedByRoot(daemonJSON),
	},
	{
		ID:      "docker/daemon-json-mode",
		Items:   cis.Docker("3.18", "3.18", "3.18", "3.18"),
		Title:   "daemon.json is writable by root alone",
		Why:     "whoever can rewrite daemon.json chooses what a root process does at its next start",
		Threats: []stride.ID{stride.DockerHostTampering},
		Level:   2,
		Rule:    usersOwn(rule.Mode(daemonJSON).Must(be.Within(0o644))),
	},
	{
		ID:      "docker/etc-default-owner",
		Items:   cis.Docker("3.19", "3.19", "3.19", "3.19"),
		Title:   "/etc/default/docker belongs to root",
		Why:     "whoever owns the file adds flags to a root process wherever its start script reads them",
		Threats: []stride.ID{stride.DockerHostTampering},
		Level:   2,
		Rule:    rule.Owner(rule.At("/etc/default/docker")).Must(rootRoot),
	},
	{
		ID:      "docker/etc-default-mode",
		Items:   cis.Docker("3.22", "3.20", "3.20", "3.20"),
		Title:   "/etc/default/docker is writable by root alone",
		Why:     "whoever can rewrite the file adds flags to a root process wherever its start script reads them",
		Threats: []stride.ID{stride.DockerHostTampering},
		Level:   2,
		Rule:    rule.Mode(rule.At("/etc/default/docker")).Must(be.Within(0o644)),
	},
	{
		ID:      "docker/sysconfig-mode",
		Items:   cis.Docker("3.21", "3.21", "3.21", "3.21"),
		Title:   "/etc/sysconfig/docker is writable by root alone",
		Why:     "whoever can rewrite the file adds flags to a root process on hosts whose unit reads it",
		Threats: []stride.ID{stride.DockerHostTampering},
		Level:   2,
		Rule:    rule.Mode(rule.At("/etc/sysconfig/docker")).Must(be.Within(0o644)),
	},
	{
		ID:      "docker/sysconfig-owner",
		Items:   cis.Docker("3.20", "3.22", "3.22", "3.22"),
		Title:   "/etc/sysconfig/docker belongs to root",
		Why:     "whoever owns the file adds flags to a root process on hosts whose unit reads it",
		Threats: []stride.ID{stride.DockerHostTampering},
		Level:   2,
		Rule:    rule.Owner(rule.At("/etc/sysconfig/docker")).Must(rootRoot),
	},
	{
		ID:    "docker/containerd-socket-owner",
		Items: cis.Docker("", "3.23", "3.23", "3.23"),
		Title: "containerd's socket belongs to root",
		Why:   "containerd asks nobody who they are: whoever owns its socket starts containers behind dockerd's back",
		Breaks: "the present owner and group lose access; to keep it so after a restart of containerd, set uid and gid to 0 " +
			"under [grpc] in /etc/containerd/config.toml",
		Class:   want.Behaviour,
		Threats: []stride.ID{stride.DockerDaemonElevation},
		Level:   1,
		Rule:    rule.Owner(containerdSockets).Must(rootRoot),
	},
	{
		ID:      "docker/containerd-socket-mode",
		Items:   cis.Docker("", "3.24", "3.24", "3.24"),
		Title:   "containerd's socket is closed to everybody but its owner and group",
		Why:     "containerd asks nobody who they are: whoever can write to its socket starts containers behind dockerd's back",
		Breaks:  "users outside the socket's group lose access; containerd itself opens it as 0660 at its next start",
		Class:   want.Behaviour,
		Threats: []stride.ID{stride.DockerDaemonElevation},
		Level:   1,
		Rule:    rule.Mode(containerdSockets).Must(be.Within(0o660)),
	},
}

var rootRoot = be.Equal("root:root")

// ownedByRoot is for the files of dockerd itself: a rootless one reads its user's own, which root need not own.
func ownedByRoot(paths rule.Paths) checks.Rule {
	return unless(rootless, rule.Owner(paths).Must(rootRoot))
}

func rootless(h *facts.Host) string {
	d, err := rule.Dockerd(h)
	if err == nil && d.Flavour == "rootless" {
		return fmt.Sprintf("dockerd is rootless, so its files belong to uid %d", d.UID)
	}
	return ""
}

// usersOwn leaves the files of a rootless dockerd to its user, and says what that user may run: root changes nothing in
// somebody else's home.
func usersOwn(r checks.Rule) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		findings, err := r.Judge(h)
		d, _ := rule.Dockerd(h)
		if d == nil || d.Flavour != "rootless" {
			return findings, err
		}
		for i, f := range findings {
			for _, w := range f.Wants {
				if m, ok := w.(want.Mode); ok {
					findings[i].Wants, findings[i].Reason = nil, fmt.Sprintf("as uid %d, run `chmod %04o %s`", d.UID, m.Mode, m.File)
				}
			}
		}
		return findings, err
	})
}

// socketOwner accepts the group that the site has given to the socket: who is in it is judged by the trusted users.
func socketOwner(h *facts.Host) ([]checks.Finding, error) {
	d, err := rule.Dockerd(h)
	if err != nil {
		return nil, err
	}
	if why := rootless(h); why != "" {
		return nil, rule.Inapplicable("%s", why)
	}
	group, err := rule.Daemon("group", rule.Default("docker")).Next(d)
	if err != nil {
		return nil, err
	}
	chosen := group.Value
	unit, byUnit := activated(h)
	if byUnit {
		if s, ok := unit.Get("Socket", "SocketGroup"); ok {
			chosen = s.Value
		}
	}
	owners := slices.Compact([]string{"root:" + chosen, "root:docker", "root:root"})
	if _, err := h.GroupID(chosen); err != nil {
		owners = []string{"root:root"}
	}
	findings, err := rule.Owner(apiSockets).Must(be.OneOf(owners[0], owners[1:]...)).Judge(h)
	if byUnit {
		if s, ok := unit.Get("Socket", "SocketUser"); ok && s.Value != "root" && s.Value != "0" {
			findings = append(findings, nextStart("SocketUser", s.Value, s.File, "root"))
		}
	}
	return findings, err
}

// socketMode judges what systemd will make of the socket when it next opens it; without SocketMode= that is 0666.
func socketMode(h *facts.Host) ([]checks.Finding, error) {
	unit, ok := activated(h)
	if !ok { // dockerd itself always opens it as 0660
		return nil, rule.Inapplicable("systemd opens no socket for dockerd")
	}
	s, ok := unit.Get("Socket", "SocketMode")
	if !ok {
		return []checks.Finding{nextStart("SocketMode", "unset, so 0666", unit.Fragment, "0660")}, nil
	}
	mode, err := strconv.ParseUint(s.Value, 8, 12)
	if err != nil {
		return nil, fmt.Errorf("%s: SocketMode=%s: %w", s.File, s.Value, err)
	}
	cond := be.Within(0o660)
	if cond.Holds(fs.FileMode(mode)) {
		return nil, nil
	}
	nearest, _ := cond.Nearest(fs.FileMode(mode))
	return []checks.Finding{nextStart("SocketMode", s.Value, s.File, fmt.Sprintf("%04o", nearest))}, nil
}

// nextStart is a finding about what docker.socket says of the socket that it opens.
func nextStart(key, got, file, must string) checks.Finding {
	return checks.Finding{
		Subject: "docker.socket " + key,
		Got:     fmt.Sprintf("%s in %s, from the next start on", got, file),
		Must:    must,
		Wants:   []want.Want{want.Setting{Unit: "docker.socket", Section: "Socket", Key: key, Value: must, Warrant: want.Mine}},
	}
}
