package docker

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/stride"
	"example.com/harden/checks/want"
)

// auditChecks is what the kernel records of changes to Docker's own files. The items from 1.1.4 on name what the
// present editions name; edition 1.2.0 has fewer of them.
var auditChecks = []*checks.Check{
	auditDockerd, auditContainerdState, auditDataRoot, auditEtcDocker, auditServiceUnit, auditContainerdSocket,
	auditAPISocket, auditEtcDefault, auditDaemonJSON, auditContainerdConfig, auditSysconfig, auditContainerd,
	recordedShim("docker/audit-shim", "1.1.15", "the first containerd shim", "containerd-shim"),
	recordedShim("docker/audit-shim-runc-v1", "1.1.16", "the containerd shim for runc, version 1,",
		"containerd-shim-runc-v1"),
	recordedShim("docker/audit-shim-runc-v2", "1.1.17", "the containerd shim for runc, version 2,",
		"containerd-shim-runc-v2"),
	auditRunc,
}

var auditDockerd = &checks.Check{
	ID:      "docker/audit-dockerd",
	Items:   cis.Docker("1.2.3", "1.1.3", "1.1.3", "1.1.3"),
	Title:   "changes to the dockerd program are recorded",
	Why:     "without a record nobody can tell who replaced the program that runs as root",
	Threats: []stride.ID{stride.DockerRegistryRepudiation, stride.DockerHostTampering},
	Level:   1,
	Rule:    rule.Audited(program("dockerd")),
}

// program finds a program by the processes that run it and by where packages put it.
func program(name string) rule.Paths {
	return func(h *facts.Host) ([]facts.Place, error) {
		if err := rule.Here(h); err != nil {
			return nil, err
		}
		var paths []facts.Place
		running, err := h.Processes(name)
		if d, err := docker.DaemonOf(h); err == nil && name == "dockerd" && len(running) == 0 && d.Process != nil {
			running = []facts.Process{*d.Process} // a user's own
		}
		for _, p := range running {
			from := fmt.Sprintf("process %d, which runs it", p.PID)
			paths = append(paths, facts.Place{Path: p.Exe,
				Warrant: want.Warrant{By: p.By, From: from, Kind: want.Program}})
		}
		if errors.Is(err, facts.ErrAbsent) {
			err = nil // a host that does not run has its programs all the same
		}
		return append(paths, installed(name)...), err
	}
}

func installed(name string) []facts.Place { return rule.Known(inDirs(name)...) }

func inDirs(name string) []string {
	var paths []string
	for _, dir := range []string{"/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"} {
		paths = append(paths, path.Join(dir, name))
	}
	return paths
}

var auditContainerdState = &checks.Check{
	ID:      "docker/audit-containerd-state",
	Items:   cis.Docker("", "1.1.4", "1.1.4", "1.1.4"),
	Title:   "changes to containerd's state are recorded",
	Why:     "the sockets and bundles there are what running containers are made of",
	Breaks:  "the audit log grows with every container that starts or stops",
	Threats: []stride.ID{stride.DockerRegistryRepudiation},
	Level:   1,
	Rule:    rule.Audited(containerdDirs),
}

var auditDataRoot = &checks.Check{
	ID:    "docker/audit-data-root",
	Items: cis.Docker("1.2.4", "1.1.5", "1.1.5", "1.1.5"),
	Title: "changes to Docker's data directory are recorded",
	Why:   "whoever changes images, volumes or containers on disk leaves no other trace",
	Breaks: "every file that a container or a build writes is recorded: give the audit log room, and let auditd " +
		"rotate it",
	Threats: []stride.ID{stride.DockerRegistryRepudiation},
	Level:   1,
	Rule:    rule.Audited(dataRoot),
}

func dataRoot(h *facts.Host) ([]facts.Place, error) {
	d, err := rule.Dockerd(h)
	if err != nil {
		return nil, err
	}
	return rule.Named(d.RootBy, d.DataRoot), nil
}

var auditEtcDocker = &checks.Check{
	ID:      "docker/audit-etc-docker",
	Items:   cis.Docker("1.2.5", "1.1.6", "1.1.6", "1.1.6"),
	Title:   "changes to /etc/docker are recorded",
	Why:     "whoever changes the daemon's configuration, or which registries it trusts, leaves no other trace",
	Threats: []stride.ID{stride.DockerRegistryRepudiation, stride.DockerHostTampering},
	Level:   1,
	Rule:    rule.Audited(rule.At("/etc/docker")),
}

var auditServiceUnit = &checks.Check{
	ID:      "docker/audit-service-unit",
	Items:   cis.Docker("1.2.6", "1.1.7", "1.1.7", "1.1.7"),
	Title:   "changes to docker.service, and drop-ins added to it, are recorded",
	Why:     "whoever changes what systemd starts as root leaves no other trace",
	Threats: []stride.ID{stride.DockerRegistryRepudiation, stride.DockerHostTampering},
	Level:   1,
	Rule:    rule.Audited(recordedUnit),
}

// unitDir is where administrators put units and what overrides them. To add a drop-in is to change a unit.
const unitDir = "/etc/systemd/system"

// recordedUnit is what must be watched to know of every change to the unit that starts dockerd.
func recordedUnit(h *facts.Host) ([]facts.Place, error) {
	files, err := serviceUnit(h)
	if err != nil {
		return nil, err
	}
	return append([]facts.Place{files[0], rule.Known(unitDir)[0]},
		slices.DeleteFunc(files[1:], func(p facts.Place) bool {
			return strings.HasPrefix(p.Path, unitDir+"/")
		})...), nil
}

var auditContainerdSocket = &checks.Check{
	ID:      "docker/audit-containerd-socket",
	Items:   cis.Docker("", "1.1.8", "1.1.8", "1.1.8"),
	Title:   "changes to containerd's socket are recorded",
	Why:     "a socket that was replaced, or opened to others, lets them start containers behind dockerd's back",
	Threats: []stride.ID{stride.DockerRegistryRepudiation},
	Level:   2,
	Rule:    rule.Audited(containerdSockets),
}

var auditAPISocket = &checks.Check{
	ID:      "docker/audit-api-socket",
	Items:   cis.Docker("1.2.7", "1.1.9", "1.1.9", "1.1.9"),
	Title:   "changes to the API's socket, and to the unit that opens it, are recorded",
	Why:     "a socket that was replaced, or opened to others, makes them root",
	Threats: []stride.ID{stride.DockerRegistryRepudiation},
	Level:   2,
	Rule:    rule.Audited(recordedSocket),
}

// recordedSocket is the sockets and docker.socket, which says whose they will be. docker-bench-security looks at that
// alone.
func recordedSocket(h *facts.Host) ([]facts.Place, error) {
	paths, err := apiSockets(h)
	if err != nil {
		return nil, err
	}
	if u, ok := activated(h); ok {
		paths = append(paths, u.Files()[0])
	}
	return paths, nil
}

var auditEtcDefault = &checks.Check{
	ID:      "docker/audit-etc-default",
	Items:   cis.Docker("1.2.8", "1.1.10", "1.1.10", "1.1.10"),
	Title:   "changes to /etc/default/docker are recorded",
	Why:     "whoever adds flags to a root process leaves no other trace",
	Threats: []stride.ID{stride.DockerRegistryRepudiation, stride.DockerHostTampering},
	Level:   2,
	Rule:    rule.Audited(rule.At("/etc/default/docker")),
}

var auditDaemonJSON = &checks.Check{
	ID:      "docker/audit-daemon-json",
	Items:   cis.Docker("1.2.10", "1.1.11", "1.1.11", "1.1.11"),
	Title:   "changes to daemon.json are recorded",
	Why:     "whoever changes the daemon's configuration leaves no other trace",
	Threats: []stride.ID{stride.DockerRegistryRepudiation, stride.DockerHostTampering},
	Level:   2,
	Rule:    rule.Audited(daemonJSON),
}

var auditContainerdConfig = &checks.Check{
	ID:      "docker/audit-containerd-config",
	Items:   cis.Docker("", "1.1.12", "1.1.12", "1.1.12"),
	Title:   "changes to containerd's configuration are recorded",
	Why:     "whoever changes which runtimes and plugins containerd starts as root leaves no other trace",
	Threats: []stride.ID{stride.DockerRegistryRepudiation, stride.DockerHostTampering},
	Level:   2,
	Rule:    rule.Audited(rule.At("/etc/containerd/config.toml")),
}

var auditSysconfig = &checks.Check{
	ID:      "docker/audit-sysconfig",
	Items:   cis.Docker("1.2.9", "1.1.13", "1.1.13", "1.1.13"),
	Title:   "changes to /etc/sysconfig/docker are recorded",
	Why:     "whoever adds flags to a root process leaves no other trace",
	Threats: []stride.ID{stride.DockerRegistryRepudiation, stride.DockerHostTampering},
	Level:   2,
	Rule:    rule.Audited(rule.At("/etc/sysconfig/docker")),
}

var auditContainerd = &checks.Check{
	ID:      "docker/audit-containerd",
	Items:   cis.Docker("1.2.11", "1.1.14", "1.1.14", "1.1.14"),
	Title:   "changes to the containerd program are recorded",
	Why:     "without a record nobody can tell who replaced the program that starts every container",
	Threats: []stride.ID{stride.DockerRegistryRepudiation, stride.DockerHostTampering},
	Level:   2,
	Rule:    rule.Audited(program("containerd")),
}

// recordedShim is about one of containerd's shims, which only the later editions name.
func recordedShim(id, number, shim, name string) *checks.Check {
	return &checks.Check{
		ID:      id,
		Items:   cis.Docker("", number, number, number),
		Title:   "changes to " + shim + " are recorded",
		Why:     "without a record nobody can tell who replaced a program that runs beside every container as root",
		Threats: []stride.ID{stride.DockerRegistryRepudiation},
		Level:   2,
		Rule:    rule.Audited(rule.At(inDirs(name)...)),
	}
}

var auditRunc = &checks.Check{
	ID:    "docker/audit-runc",
	Items: cis.Docker("1.2.12", "1.1.18", "1.1.18", "1.1.18"),
	Title: "changes to the runc program are recorded",
	Why: "a container that escapes overwrites runc first: the next container then starts the intruder's " +
		"program as root",
	Threats: []stride.ID{stride.DockerRegistryRepudiation, stride.DockerHostTampering},
	Level:   2,
	Rule:    rule.Audited(runc),
}

// runc is the program that the default runtime runs.
func runc(h *facts.Host) ([]facts.Place, error) {
	if err := rule.Here(h); err != nil {
		return nil, err
	}
	paths := installed("runc")
	if e, err := docker.EngineSays(h); err == nil && path.IsAbs(e.Runtimes["runc"].Path) {
		w := want.Warrant{From: "what dockerd says of itself", Kind: want.Program}
		if d, err := docker.DaemonOf(h); err == nil {
			w.By = d.Word()
		}
		paths = append(rule.Named(w, e.Runtimes["runc"].Path), paths...)
	}
	return paths, nil
}
