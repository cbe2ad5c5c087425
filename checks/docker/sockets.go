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

// socketChecks is the rest of section 3: the sockets of the API and of containerd, and the files that say how they
// are opened.
var socketChecks = []*checks.Check{
	apiSocketOwner, apiSocketMode, daemonJSONOwner, daemonJSONMode, etcDefaultOwner, etcDefaultMode, sysconfigMode,
	sysconfigOwner, containerdSocketOwner, containerdSocketMode,
}

var apiSocketOwner = &checks.Check{
	ID:      "docker/api-socket-owner",
	Items:   cis.Docker("3.15", "3.15", "3.15", "3.15"),
	Title:   "the API's socket belongs to root and to the group that was chosen for it",
	Why:     "whoever owns the socket is root on this host: the API starts containers with any file mounted",
	Breaks:  "the present owner, and members of the present group, can no longer use docker",
	Class:   want.Behaviour,
	Threats: []stride.ID{stride.DockerDaemonElevation, stride.DockerClientDisclosure},
	Level:   1,
	Rule:    checks.Func(socketOwner),
}

// socketOwner accepts the group that the site has given to the socket: who is in it is judged by the trusted users.
func socketOwner(h *facts.Host) ([]checks.Finding, error) {
	d, err := rule.Dockerd(h)
	if err != nil {
		return nil, err
	}
	if why := rootlessDaemon(h); why != "" {
		return nil, rule.Inapplicable("%s", why)
	}
	group, err := rule.Daemon("group", "docker").Next(d)
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

// nextStart is a finding about what docker.socket says of the socket that it opens.
func nextStart(key, got, file, must string) checks.Finding {
	return checks.Finding{
		Subject: "docker.socket " + key,
		Got:     fmt.Sprintf("%s in %s, from the next start on", got, file),
		Must:    must,
		Wants: []want.Want{want.Setting{Unit: "docker.socket", Section: "Socket", Key: key, Value: must,
			Warrant: want.Mine}},
	}
}

var apiSocketMode = &checks.Check{
	ID:      "docker/api-socket-mode",
	Items:   cis.Docker("3.16", "3.16", "3.16", "3.16"),
	Title:   "the API's socket is closed to everybody but its owner and group",
	Why:     "whoever can write to the socket is root on this host: the API starts containers with any file mounted",
	Breaks:  "users outside the socket's group can no longer use docker without becoming root first",
	Class:   want.Behaviour,
	Threats: []stride.ID{stride.DockerDaemonElevation, stride.DockerClientDisclosure, stride.DockerClientSpoofing},
	Level:   1,
	Rule:    rule.All(usersOwn(rule.Mode(apiSockets).Must(be.Within(0o660))), checks.Func(socketMode)),
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
					findings[i].Wants, findings[i].Reason = nil,
						fmt.Sprintf("as uid %d, run `chmod %04o %s`", d.UID, m.Mode, m.File)
				}
			}
		}
		return findings, err
	})
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

var daemonJSONOwner = &checks.Check{
	ID:      "docker/daemon-json-owner",
	Items:   cis.Docker("3.17", "3.17", "3.17", "3.17"),
	Title:   "daemon.json belongs to root",
	Why:     "whoever owns daemon.json chooses what a root process does at its next start",
	Threats: []stride.ID{stride.DockerHostTampering},
	Level:   2,
	Rule:    ownedByRoot(daemonJSON),
}

var daemonJSONMode = &checks.Check{
	ID:      "docker/daemon-json-mode",
	Items:   cis.Docker("3.18", "3.18", "3.18", "3.18"),
	Title:   "daemon.json is writable by root alone",
	Why:     "whoever can rewrite daemon.json chooses what a root process does at its next start",
	Threats: []stride.ID{stride.DockerHostTampering},
	Level:   2,
	Rule:    usersOwn(rule.Mode(daemonJSON).Must(be.Within(0o644))),
}

var etcDefaultOwner = &checks.Check{
	ID:      "docker/etc-default-owner",
	Items:   cis.Docker("3.19", "3.19", "3.19", "3.19"),
	Title:   "/etc/default/docker belongs to root",
	Why:     "whoever owns the file adds flags to a root process wherever its start script reads them",
	Threats: []stride.ID{stride.DockerHostTampering},
	Level:   2,
	Rule:    rule.Owner(rule.At("/etc/default/docker")).Must(rootRoot),
}

var etcDefaultMode = &checks.Check{
	ID:      "docker/etc-default-mode",
	Items:   cis.Docker("3.22", "3.20", "3.20", "3.20"),
	Title:   "/etc/default/docker is writable by root alone",
	Why:     "whoever can rewrite the file adds flags to a root process wherever its start script reads them",
	Threats: []stride.ID{stride.DockerHostTampering},
	Level:   2,
	Rule:    rule.Mode(rule.At("/etc/default/docker")).Must(be.Within(0o644)),
}

var sysconfigMode = &checks.Check{
	ID:      "docker/sysconfig-mode",
	Items:   cis.Docker("3.21", "3.21", "3.21", "3.21"),
	Title:   "/etc/sysconfig/docker is writable by root alone",
	Why:     "whoever can rewrite the file adds flags to a root process on hosts whose unit reads it",
	Threats: []stride.ID{stride.DockerHostTampering},
	Level:   2,
	Rule:    rule.Mode(rule.At("/etc/sysconfig/docker")).Must(be.Within(0o644)),
}

var sysconfigOwner = &checks.Check{
	ID:      "docker/sysconfig-owner",
	Items:   cis.Docker("3.20", "3.22", "3.22", "3.22"),
	Title:   "/etc/sysconfig/docker belongs to root",
	Why:     "whoever owns the file adds flags to a root process on hosts whose unit reads it",
	Threats: []stride.ID{stride.DockerHostTampering},
	Level:   2,
	Rule:    rule.Owner(rule.At("/etc/sysconfig/docker")).Must(rootRoot),
}

var containerdSocketOwner = &checks.Check{
	ID:    "docker/containerd-socket-owner",
	Items: cis.Docker("", "3.23", "3.23", "3.23"),
	Title: "containerd's socket belongs to root",
	Why:   "containerd asks nobody who they are: whoever owns its socket starts containers behind dockerd's back",
	Breaks: "the present owner and group lose access; to keep it so after a restart of containerd, set uid and gid " +
		"to 0 under [grpc] in /etc/containerd/config.toml",
	Class:   want.Behaviour,
	Threats: []stride.ID{stride.DockerDaemonElevation},
	Level:   1,
	Rule:    rule.Owner(containerdSockets).Must(rootRoot),
}

var containerdSocketMode = &checks.Check{
	ID:    "docker/containerd-socket-mode",
	Items: cis.Docker("", "3.24", "3.24", "3.24"),
	Title: "containerd's socket is closed to everybody but its owner and group",
	Why: "containerd asks nobody who they are: whoever can write to its socket starts containers behind " +
		"dockerd's back",
	Breaks:  "users outside the socket's group lose access; containerd itself opens it as 0660 at its next start",
	Class:   want.Behaviour,
	Threats: []stride.ID{stride.DockerDaemonElevation},
	Level:   1,
	Rule:    rule.Mode(containerdSockets).Must(be.Within(0o660)),
}
