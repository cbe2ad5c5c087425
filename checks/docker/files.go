package docker

import (
	"io/fs"
	"path"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/stride"
	"example.com/harden/checks/want"
)

// fileChecks is the part of section 3 about what dockerd is started with and what it reads.
var fileChecks = []*checks.Check{
	serviceUnitOwner, serviceUnitMode, socketUnitOwner, socketUnitMode, etcDockerOwner, etcDockerMode,
	registryCertsOwner, registryCertsMode, tlsCAOwner, tlsCAMode, tlsCertOwner, tlsCertMode, tlsKeyOwner, tlsKeyMode,
}

var serviceUnitOwner = &checks.Check{
	ID:      "docker/service-unit-owner",
	Items:   cis.Docker("3.1", "3.1", "3.1", "3.1"),
	Title:   "docker.service and its drop-ins belong to root",
	Why:     "whoever owns the unit chooses what systemd runs as root at the next start",
	Threats: []stride.ID{stride.DockerHostTampering},
	Level:   1,
	Rule:    ownedByRoot(serviceUnit),
}

var serviceUnitMode = &checks.Check{
	ID:      "docker/service-unit-mode",
	Items:   cis.Docker("3.2", "3.2", "3.2", "3.2"),
	Title:   "docker.service and its drop-ins are writable by root alone",
	Why:     "whoever can rewrite the unit chooses what systemd runs as root at the next start",
	Threats: []stride.ID{stride.DockerHostTampering},
	Level:   1,
	Rule:    rule.Mode(serviceUnit).Must(be.Within(0o644)),
}

var socketUnitOwner = &checks.Check{
	ID:      "docker/socket-unit-owner",
	Items:   cis.Docker("3.3", "3.3", "3.3", "3.3"),
	Title:   "docker.socket and its drop-ins belong to root",
	Why:     "whoever owns the unit decides who may talk to dockerd from the next start on",
	Threats: []stride.ID{stride.DockerHostTampering},
	Level:   1,
	Rule:    ownedByRoot(socketUnit),
}

// socketUnit is the unit that opens dockerd's socket for it and everything that overrides parts of it.
func socketUnit(h *facts.Host) ([]facts.Place, error) {
	if err := rule.Here(h); err != nil {
		return nil, err
	}
	return unitFiles(h, "docker.socket")
}

var socketUnitMode = &checks.Check{
	ID:      "docker/socket-unit-mode",
	Items:   cis.Docker("3.4", "3.4", "3.4", "3.4"),
	Title:   "docker.socket and its drop-ins are writable by root alone",
	Why:     "whoever can rewrite the unit decides who may talk to dockerd from the next start on",
	Threats: []stride.ID{stride.DockerHostTampering},
	Level:   1,
	Rule:    rule.Mode(socketUnit).Must(be.Within(0o644)),
}

var etcDockerOwner = &checks.Check{
	ID:      "docker/etc-docker-owner",
	Items:   cis.Docker("3.5", "3.5", "3.5", "3.5"),
	Title:   "/etc/docker belongs to root",
	Why:     "whoever owns the directory can put another daemon.json in the place of the old one, whoever owns that",
	Threats: []stride.ID{stride.DockerHostTampering},
	Level:   1,
	Rule:    rule.Owner(rule.At("/etc/docker")).Must(rootRoot),
}

var etcDockerMode = &checks.Check{
	ID:      "docker/etc-docker-mode",
	Items:   cis.Docker("3.6", "3.6", "3.6", "3.6"),
	Title:   "/etc/docker is writable by root alone",
	Why:     "whoever can write to the directory can put another daemon.json, or trust in another registry, there",
	Threats: []stride.ID{stride.DockerHostTampering},
	Level:   1,
	Rule:    rule.Mode(rule.At("/etc/docker")).Must(be.WithinDir(0o755)),
}

var registryCertsOwner = &checks.Check{
	ID:      "docker/registry-certs-owner",
	Items:   cis.Docker("3.7", "3.7", "3.7", "3.7"),
	Title:   "certificates and keys of registries belong to root",
	Why:     "whoever owns them decides which registry dockerd believes, and who this host is to it",
	Threats: []stride.ID{stride.DockerClientSpoofing, stride.DockerHostTampering},
	Level:   1,
	Rule:    rule.Owner(registryFiles(".crt", ".cert", ".key")).Must(rootRoot),
}

// Where certs.d keeps what dockerd trusts of registries and shows them of itself.
const registryCerts = "/etc/docker/certs.d"

// registryFiles finds the files of certs.d with one of these extensions. It is certs.d/HOST/FILE; what is deeper,
// dockerd does not read.
func registryFiles(extensions ...string) rule.Paths {
	return func(h *facts.Host) ([]facts.Place, error) {
		if err := rule.Here(h); err != nil {
			return nil, err
		}
		var paths []facts.Place
		registries, err := h.List(registryCerts)
		if err != nil {
			return nil, facts.Absent(err)
		}
		for _, r := range registries {
			dir := path.Join(registryCerts, r)
			if i, err := h.Info(dir); err == nil && i.Type != fs.ModeDir {
				continue
			}
			names, err := h.List(dir)
			if err != nil {
				return paths, err
			}
			for _, n := range names {
				for _, e := range extensions {
					if path.Ext(n) == e {
						paths = append(paths, rule.Known(path.Join(dir, n))...)
					}
				}
			}
		}
		if len(paths) == 0 {
			return nil, rule.Inapplicable("%s: no %s file", registryCerts, strings.Join(extensions, " or "))
		}
		return paths, nil
	}
}

var registryCertsMode = &checks.Check{
	ID:    "docker/registry-certs-mode",
	Items: cis.Docker("3.8", "3.8", "3.8", "3.8"),
	Title: "certificates of registries are writable by nobody, and their keys readable by root alone",
	Why: "a certificate that can be rewritten makes dockerd believe a false registry; a key that can be read " +
		"lets others be this host",
	Threats: []stride.ID{stride.DockerClientSpoofing, stride.DockerClientDisclosure},
	Level:   1,
	Rule: rule.All(
		rule.Mode(registryFiles(".crt", ".cert")).Must(be.Within(0o444)),
		rule.Mode(registryFiles(".key")).Must(be.Within(0o400)),
	),
}

var tlsCAOwner = &checks.Check{
	ID:      "docker/tls-ca-owner",
	Items:   cis.Docker("3.9", "3.9", "3.9", "3.9"),
	Title:   "the certificate authority that dockerd believes belongs to root",
	Why:     "whoever owns the file decides which clients dockerd takes for genuine",
	Threats: []stride.ID{stride.DockerClientSpoofing},
	Level:   1,
	Rule:    ownedByRoot(tlsFile("tlscacert", "ca.pem", want.Certificate)),
}

// tlsFile is the file that a key of dockerd's TLS names; while TLS is on, the file that it reads unasked.
func tlsFile(key, unasked string, kind want.Kind) rule.Paths {
	return func(h *facts.Host) ([]facts.Place, error) {
		d, err := rule.Dockerd(h)
		if err != nil {
			return nil, err
		}
		named, err := rule.Daemon(key, "").Next(d)
		if err != nil || named.Value != "" {
			return rule.Named(want.Warrant{By: named.By, From: "--" + key + " or " + key + " in " + d.File,
				Kind: kind}, d.Path(named.Value)), err
		}
		for _, k := range []string{"tls", "tlsverify"} {
			if on, err := rule.Daemon(k, false).Next(d); err != nil || on.Value {
				return rule.Named(want.Warrant{By: d.Word(), From: "dockerd's default", Kind: kind},
					path.Join("/root/.docker", unasked)), err
			}
		}
		return nil, rule.Inapplicable("dockerd uses no TLS")
	}
}

var tlsCAMode = &checks.Check{
	ID:      "docker/tls-ca-mode",
	Items:   cis.Docker("3.10", "3.10", "3.10", "3.10"),
	Title:   "the certificate authority that dockerd believes is writable by nobody",
	Why:     "whoever can rewrite the file decides which clients dockerd takes for genuine",
	Threats: []stride.ID{stride.DockerClientSpoofing},
	Level:   1,
	Rule:    rule.Mode(tlsFile("tlscacert", "ca.pem", want.Certificate)).Must(be.Within(0o444)),
}

var tlsCertOwner = &checks.Check{
	ID:      "docker/tls-cert-owner",
	Items:   cis.Docker("3.11", "3.11", "3.11", "3.11"),
	Title:   "dockerd's server certificate belongs to root",
	Why:     "whoever owns the file decides whom clients of this daemon talk to",
	Threats: []stride.ID{stride.DockerClientSpoofing},
	Level:   1,
	Rule:    ownedByRoot(tlsFile("tlscert", "cert.pem", want.Certificate)),
}

var tlsCertMode = &checks.Check{
	ID:      "docker/tls-cert-mode",
	Items:   cis.Docker("3.12", "3.12", "3.12", "3.12"),
	Title:   "dockerd's server certificate is writable by nobody",
	Why:     "whoever can rewrite the file decides whom clients of this daemon talk to",
	Threats: []stride.ID{stride.DockerClientSpoofing},
	Level:   1,
	Rule:    rule.Mode(tlsFile("tlscert", "cert.pem", want.Certificate)).Must(be.Within(0o444)),
}

var tlsKeyOwner = &checks.Check{
	ID:      "docker/tls-key-owner",
	Items:   cis.Docker("3.13", "3.13", "3.13", "3.13"),
	Title:   "dockerd's private key belongs to root",
	Why:     "whoever owns the key can be this daemon to its clients, and read what they send it",
	Threats: []stride.ID{stride.DockerClientSpoofing, stride.DockerClientDisclosure},
	Level:   1,
	Rule:    ownedByRoot(tlsFile("tlskey", "key.pem", want.PrivateKey)),
}

var tlsKeyMode = &checks.Check{
	ID:      "docker/tls-key-mode",
	Items:   cis.Docker("3.14", "3.14", "3.14", "3.14"),
	Title:   "dockerd's private key is readable by root alone",
	Why:     "whoever can read the key can be this daemon to its clients, and read what they send it",
	Threats: []stride.ID{stride.DockerClientSpoofing, stride.DockerClientDisclosure},
	Level:   1,
	Rule:    rule.Mode(tlsFile("tlskey", "key.pem", want.PrivateKey)).Must(be.Within(0o400)),
}
