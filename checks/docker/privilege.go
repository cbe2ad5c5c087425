package docker

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"

	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/stride"
	"example.com/harden/checks/want"
)

// privilegeChecks is the part of section 2 about what dockerd, and what it starts, may do to the host.
var privilegeChecks = []*checks.Check{
	rootless, usernsRemap, noNewPrivileges, seccomp,
}

var rootless = &checks.Check{
	ID:      "docker/rootless",
	Items:   cis.Docker("", "2.1", "2.1", "2.1"),
	Title:   "dockerd runs without being root where that is possible",
	Why:     "whoever breaks out of a container, or into dockerd, is then an ordinary user and not root",
	Threats: []stride.ID{stride.DockerDaemonElevation},
	Level:   1,
	Review:  checks.ReviewToFail,
	Rule:    checks.Func(isRootless),
}

func isRootless(h *facts.Host) ([]checks.Finding, error) {
	e, err := engine(h)
	if err != nil {
		return nil, err
	}
	if _, ok := docker.SecurityOption(e.SecurityOptions, "rootless", ""); ok {
		return nil, nil
	}
	return nil, fmt.Errorf("%w: dockerd runs as root; dockerd-rootless-setuptool.sh sets up another one that does "+
		"not, with images, volumes and a socket of its own", checks.ErrManual)
}

var usernsRemap = &checks.Check{
	ID:    "docker/userns-remap",
	Items: cis.Docker("2.8", "2.9", "2.9", "2.10"),
	Title: "root in a container is an ordinary user outside it",
	Why: "root in a container is root for the kernel: one mistake in a mount or in the kernel, and it is root " +
		"on the host",
	Breaks: "existing images, containers and volumes are unavailable until it is disabled: " +
		"`harden guide userns-remap` takes them along; files that containers share with the host change their owner",
	Class:   want.Behaviour,
	Named:   true,
	Threats: []stride.ID{stride.DockerClientElevation},
	Level:   2,
	Rule:    checks.Func(remapped),
}

// remapped passes where dockerd itself is in a user namespace already.
func remapped(h *facts.Host) ([]checks.Finding, error) {
	e, err := docker.EngineSays(h)
	if err == nil {
		if _, ok := docker.SecurityOption(e.SecurityOptions, "rootless", ""); ok {
			return nil, nil
		}
	}
	if rootlessDaemon(h) != "" {
		return nil, nil
	}
	return rule.Daemon("userns-remap", "").Told(userns).Breaks(hidden).Must(be.Some("default")).Judge(h)
}

func userns(_ *facts.Host, e *docker.EngineFacts) (string, bool) {
	if _, ok := docker.SecurityOption(e.SecurityOptions, "userns", ""); ok {
		return "on", true
	}
	return "", true
}

// hidden tells what userns-remap would hide, and which containers would not start with it.
func hidden(h *facts.Host) string {
	e, err := docker.EngineSays(h)
	if err != nil {
		return ""
	}
	text := fmt.Sprintf("%d images and %d containers are hidden", e.Images, e.Info.Containers)
	if slices.ContainsFunc(e.DriverStatus, snapshotter) {
		text += "; the containerd image store in use does not go with it"
	}
	containers, _ := docker.Containers(h)
	var refused []string
	for _, c := range containers {
		if docker.NeedsHostUsers(&c) {
			refused = append(refused, clip(c.ShortName()))
		}
	}
	if len(refused) > 0 {
		text += "; privileged or in the host's namespaces, so refused without --userns=host: " + some(refused)
	}
	return text
}

var noNewPrivileges = &checks.Check{
	ID:    "docker/no-new-privileges",
	Items: cis.Docker("2.17", "2.14", "2.14", "2.15"),
	Title: "new containers cannot gain privileges that they were not started with",
	Why:   "a set-user-ID program in the image turns a process that is nobody into root",
	Breaks: "sudo, su, ping and programs with file capabilities in containers created from now on; " +
		"--security-opt no-new-privileges=false exempts one of them",
	Threats: []stride.ID{stride.DockerClientElevation},
	Level:   1,
	Rule:    rule.Daemon("no-new-privileges", false).Told(toldNoNewPrivileges).Must(be.True),
}

// toldNoNewPrivileges is told by newer engines alone, and only where it is on.
func toldNoNewPrivileges(_ *facts.Host, e *docker.EngineFacts) (bool, bool) {
	_, ok := docker.SecurityOption(e.SecurityOptions, "no-new-privileges", "")
	return ok, ok
}

var seccomp = &checks.Check{
	ID:    "docker/seccomp",
	Items: cis.Docker("2.15", "2.17", "2.17", "2.18"),
	Title: "the seccomp profile of all containers has not been weakened",
	Why:   "it keeps containers from the system calls through which most break out",
	Breaks: "containers that use a system call which Docker's own profile denies; " +
		"--security-opt seccomp=FILE gives one of them another profile",
	Threats: []stride.ID{stride.DockerClientElevation},
	Level:   2,
	Rule: rule.All(
		rule.Daemon("seccomp-profile", "").Told(seccompProfile).Must(confined),
		checks.Func(seccompAtAll), checks.Func(customProfile)),
}

// seccompProfile is the name of the profile; Docker's own is called default before version 23 and builtin since.
func seccompProfile(_ *facts.Host, e *docker.EngineFacts) (string, bool) {
	profile, ok := docker.SecurityOption(e.SecurityOptions, "seccomp", "profile")
	if profile == "default" || profile == "builtin" {
		profile = ""
	}
	return profile, ok
}

var confined = be.Cond[string]{
	Text:    "Docker's own profile, or a stricter one",
	Holds:   func(profile string) bool { return profile != "unconfined" },
	Nearest: func(string) (string, bool) { return "", true },
}

func seccompAtAll(h *facts.Host) ([]checks.Finding, error) {
	e, err := engine(h)
	if err != nil {
		return nil, err
	}
	if _, ok := docker.SecurityOption(e.SecurityOptions, "seccomp", ""); ok {
		return nil, nil
	}
	return []checks.Finding{{
		Subject: "engine seccomp", Got: "not supported", Must: "supported",
		Reason: "boot a kernel with CONFIG_SECCOMP_FILTER, and use a dockerd that was built with seccomp",
	}}, nil
}

// customProfile judges what a machine can see of a site's own profile, the one that runs and the one that is
// configured: one that allows what it does not name is none.
func customProfile(h *facts.Host) ([]checks.Finding, error) {
	e, err := engine(h)
	var files []string
	if err == nil {
		file, _ := seccompProfile(h, e)
		files = append(files, file)
	}
	if d, err := rule.Dockerd(h); err == nil {
		if next, err := rule.Daemon("seccomp-profile", "").Next(d); err == nil {
			files = append(files, next.Value)
		}
		for i, file := range files {
			if !slices.Contains([]string{"builtin", "default", "unconfined"}, file) {
				files[i] = d.Path(file)
			}
		}
	}
	var findings []checks.Finding
	slices.Sort(files)
	for _, file := range slices.Compact(files) {
		if !path.IsAbs(file) {
			continue
		}
		bad, errFile := ownProfile(h, file)
		findings = append(findings, bad...)
		if errFile != nil && (err == nil || errors.Is(err, checks.ErrManual)) {
			err = errFile
		}
	}
	return findings, err
}

func ownProfile(h *facts.Host, file string) ([]checks.Finding, error) {
	f, err := h.File(file)
	if err != nil {
		return nil, err
	}
	var p profile
	if err := json.Unmarshal(f.Data, &p); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	switch p.DefaultAction {
	case "":
		return nil, errors.New(file + ": no defaultAction")
	case "SCMP_ACT_ALLOW", "SCMP_ACT_LOG":
		return []checks.Finding{{
			Subject: file, Got: "defaultAction " + p.DefaultAction, Must: "a defaultAction that denies",
			Reason: "deny by default and name the calls that are allowed, as Docker's own profile does",
		}}, nil
	}
	return nil, fmt.Errorf("%w: read the site's own profile, %s", checks.ErrManual, file)
}

// A profile is what a seccomp profile says of system calls.
type profile struct {
	DefaultAction string `json:"defaultAction"`
	Syscalls      []struct {
		Name   string
		Names  []string
		Action string
	}
}

// allowsAll reports whether a seccomp profile denies nothing at all, so that it is none.
func (p profile) allowsAll() bool {
	allows := func(action string) bool { return action == "SCMP_ACT_ALLOW" || action == "SCMP_ACT_LOG" }
	if !allows(p.DefaultAction) {
		return false
	}
	for _, s := range p.Syscalls {
		if !allows(s.Action) && (s.Name != "" || len(s.Names) > 0) {
			return false
		}
	}
	return true
}

// open reports whether a profile, in JSON, is known to deny nothing.
func open(data []byte) bool {
	var p profile
	return json.Unmarshal(data, &p) == nil && p.allowsAll()
}
