package docker

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/harden/checks"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/source"
	"example.com/harden/checks/stride"
)

// confinementChecks is the part of section 5 about what the kernel keeps containers from.
var confinementChecks = []*checks.Check{
	apparmor, selinux, capabilities, privileged, containerSeccomp, containerNoNewPrivileges,
}

var apparmor = &checks.Check{
	ID:      "docker/apparmor",
	Items:   cis.Docker("5.1", "5.1", "5.2", "5.2"),
	Title:   "an AppArmor profile confines each container",
	Why:     "without one, root in a container that reaches a kernel interface may use all of it",
	Threats: []stride.ID{stride.DockerClientElevation},
	Level:   1,
	Rule:    inCompose{rule: unless(noSecurityModule("apparmor"), each(appArmor)), service: source.AppArmor},
	Source:  source.AppArmor,
}

// noSecurityModule says why a check of a security module does not apply: the Engine has none of that name.
func noSecurityModule(name string) func(*facts.Host) string {
	return func(h *facts.Host) string {
		e, err := engine(h)
		if err != nil {
			return ""
		}
		if _, ok := docker.SecurityOption(e.SecurityOptions, name, ""); ok {
			return ""
		}
		return "the Docker Engine has no " + name + " here"
	}
}

// value gives a security option of a container: "unconfined" of seccomp=unconfined. The old spelling has a colon.
func securityOption(c *docker.Container, name string) (value string, ok bool) {
	for _, o := range c.HostConfig.SecurityOpt {
		if o == name {
			return "", true
		}
		for _, sep := range []string{"=", ":"} {
			if v, has := strings.CutPrefix(o, name+sep); has {
				return v, true
			}
		}
	}
	return "", false
}

// appArmor judges by what the Engine has set, and of what runs here by what the kernel says.
func appArmor(h *facts.Host, c *docker.Container) []checks.Finding {
	const must, options = "confined", "no --security-opt apparmor=unconfined and no --privileged"
	asked, _ := securityOption(c, "apparmor")
	switch {
	case c.HostConfig.Privileged && cmp.Or(asked, c.AppArmorProfile, "unconfined") == "unconfined":
		return found(c, "unconfined (privileged)", must, options)
	case asked == "unconfined" || asked == "" && c.AppArmorProfile == "unconfined":
		return found(c, "unconfined", must, options)
	}
	if data, ok := ofProcess(h, c, "attr/current"); ok {
		if label := strings.TrimRight(string(data), "\x00\n "); strings.HasSuffix(label, "(complain)") {
			return found(c, "under a profile that only complains: "+clip(label), must,
				"a profile that is enforced: `aa-enforce`")
		}
	}
	return nil
}

// ofProcess reads a file of /proc of a container's first process, where that runs on this machine.
func ofProcess(h *facts.Host, c *docker.Container, file string) ([]byte, bool) {
	if e, err := docker.EngineSays(h); err != nil || !e.Local || !c.State.Running || c.State.Pid == 0 {
		return nil, false
	}
	f, err := h.File(fmt.Sprintf("/proc/%d/%s", c.State.Pid, file))
	return f.Data, err == nil
}

var selinux = &checks.Check{
	ID:      "docker/selinux",
	Items:   cis.Docker("5.2", "5.2", "5.3", "5.3"),
	Title:   "SELinux labels confine each container where the host has SELinux",
	Why:     "a container without a label of its own reaches whatever files its user may",
	Threats: []stride.ID{stride.DockerClientElevation},
	Level:   2,
	Rule:    inCompose{rule: unless(noSecurityModule("selinux"), each(seLinux)), service: source.SELinux},
	Source:  source.SELinux,
}

// seLinux: the Engine gives every container a label, but to privileged ones and those in the host's process or IPC
// namespace none that confines.
func seLinux(_ *facts.Host, c *docker.Container) []checks.Finding {
	const must = "confined by a label"
	switch {
	case slices.Contains(c.HostConfig.SecurityOpt, "label=disable"),
		slices.Contains(c.HostConfig.SecurityOpt, "label:disable"):
		return found(c, "its label is switched off", must,
			"no --security-opt label=disable, which --privileged and --pid=host bring with them")
	case c.HostConfig.Privileged:
		return found(c, "unconfined (privileged)", must, "no --privileged")
	case strings.Contains(c.ProcessLabel, "unconfined_t"), strings.Contains(c.ProcessLabel, "spc_t"):
		return found(c, clip(c.ProcessLabel), must, "no --security-opt label=type:…")
	case c.ProcessLabel == "" && c.State.Running:
		return found(c, "without a label", must, "selinux-enabled in daemon.json")
	}
	return nil
}

var capabilities = &checks.Check{
	ID:      "docker/capabilities",
	Items:   cis.Docker("5.3", "5.3", "5.4", "5.4"),
	Title:   "containers have the default capabilities at most, and not NET_RAW",
	Why:     "each capability is a part of root's power; NET_RAW forges packets of its neighbours",
	Threats: []stride.ID{stride.DockerClientElevation, stride.DockerNetworkTampering},
	Level:   1,
	Rule:    inCompose{rule: each(fewCapabilities), service: source.Capabilities, decided: true},
	Source:  source.Capabilities,
}

// fewCapabilities asks for NET_RAW to go too: the benchmark wants it dropped where it is not needed, and it is the
// one of the default set that attacks neighbours.
func fewCapabilities(_ *facts.Host, c *docker.Container) []checks.Finding {
	const must = "of the default set at most, without NET_RAW"
	if c.HostConfig.Privileged {
		return found(c, "all capabilities (privileged)", must, "no --privileged, and --cap-add of what it needs")
	}
	var more []string
	for _, s := range effective(c) {
		if s == "NET_RAW" || !slices.Contains(facts.DefaultCapabilities, s) {
			more = append(more, clip(s))
		}
	}
	if len(more) == 0 {
		return nil
	}
	if slices.Contains(normal(c.HostConfig.CapAdd), "ALL") {
		return found(c, "all capabilities (added ALL)", must, "--cap-drop ALL, and --cap-add of what it needs")
	}
	return found(c, some(more), must, "--cap-drop "+strings.Join(more[:min(8, len(more))], " --cap-drop ")+
		", or --cap-drop ALL and --cap-add of what it needs")
}

// allCapabilities are those of Linux 6.18. Source: linux/capability.h.
var allCapabilities = append([]string{
	"AUDIT_CONTROL", "AUDIT_READ", "BLOCK_SUSPEND", "BPF", "CHECKPOINT_RESTORE", "DAC_READ_SEARCH", "IPC_LOCK",
	"IPC_OWNER", "LEASE", "LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "NET_ADMIN", "NET_BROADCAST", "PERFMON",
	"SYSLOG", "SYS_ADMIN", "SYS_BOOT", "SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO",
	"SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "WAKE_ALARM",
}, facts.DefaultCapabilities...)

// effective is the capabilities that a container's processes can have, by the Engine's own rules. Source: moby
// oci/caps/utils.go, TweakCapabilities.
func effective(c *docker.Container) []string {
	add, drop := normal(c.HostConfig.CapAdd), normal(c.HostConfig.CapDrop)
	without := func(from []string) []string {
		return slices.DeleteFunc(slices.Clone(from), func(s string) bool { return slices.Contains(drop, s) })
	}
	switch {
	case c.HostConfig.Privileged:
		return allCapabilities
	case len(add) == 0 && len(drop) == 0:
		return facts.DefaultCapabilities
	case slices.Contains(add, "ALL"):
		return without(allCapabilities)
	case slices.Contains(drop, "ALL"):
		return add
	}
	return append(without(facts.DefaultCapabilities), add...)
}

// normal spells capabilities as the kernel does, without CAP_.
func normal(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = strings.TrimPrefix(strings.ToUpper(n), "CAP_")
	}
	return out
}

var privileged = &checks.Check{
	ID:      "docker/privileged",
	Items:   cis.Docker("5.4", "5.4", "5.5", "5.5"),
	Title:   "no container is privileged",
	Why:     "a privileged container has every capability and every device and no filter: its root is the host's root",
	Threats: []stride.ID{stride.DockerClientElevation},
	Level:   1,
	Rule: inCompose{rule: each(func(_ *facts.Host, c *docker.Container) []checks.Finding {
		if !c.HostConfig.Privileged {
			return nil
		}
		return found(c, "privileged", "not privileged", "no --privileged, but --cap-add and --device of what it needs")
	}), service: source.Privileged, decided: true},
	Source: source.Privileged,
}

var containerSeccomp = &checks.Check{
	ID:      "docker/container-seccomp",
	Items:   cis.Docker("5.21", "5.21", "5.22", "5.22"),
	Title:   "a seccomp profile filters each container's system calls",
	Why:     "most ways from a container into the kernel go through calls that ordinary programs never make",
	Threats: []stride.ID{stride.DockerClientElevation},
	Level:   1,
	Rule:    inCompose{rule: checks.Func(seccompFiltered), service: source.Seccomp},
	Source:  source.Seccomp,
}

// seccompFiltered: a profile of the container's own beats the daemon's, and privilege beats both.
func seccompFiltered(h *facts.Host) ([]checks.Finding, error) {
	cs, err := containers(h)
	e, errEngine := engine(h)
	if errEngine != nil {
		return nil, errEngine
	}
	daemon, ok := docker.SecurityOption(e.SecurityOptions, "seccomp", "profile")
	if !ok && len(cs) > 0 {
		return []checks.Finding{{Subject: "engine", Got: "has no seccomp, so that no container is filtered",
			Must: "built with it, on a kernel that has it"}}, err
	}
	daemonOpen := false
	if path.IsAbs(daemon) {
		f, errFile := h.File(daemon)
		daemonOpen = errFile == nil && open(f.Data)
	}
	const must = "filtered by a profile"
	var findings []checks.Finding
	for i := range cs {
		c := &cs[i]
		own, has := securityOption(c, "seccomp")
		switch {
		case own == "unconfined":
			findings = append(findings, found(c, "unconfined", must, "no --security-opt seccomp=unconfined")...)
		case open([]byte(own)):
			findings = append(findings, found(c, "a profile that allows every system call", must,
				"--security-opt seccomp=builtin, or a profile that denies")...)
		case c.HostConfig.Privileged && !has:
			findings = append(findings, found(c, "unconfined (privileged)", must,
				"no --privileged, or a profile named beside it")...)
		case !has && daemon == "unconfined":
			findings = append(findings, found(c, "unconfined, as the daemon's own profile is", must,
				"--security-opt seccomp=builtin, or a profile in daemon.json")...)
		case !has && daemonOpen:
			findings = append(findings, found(c, "the daemon's own profile, which allows every system call", must,
				"--security-opt seccomp=builtin, or another profile in daemon.json")...)
		}
	}
	return findings, err
}

var containerNoNewPrivileges = &checks.Check{
	ID:      "docker/container-no-new-privileges",
	Items:   cis.Docker("5.25", "5.25", "5.26", "5.26"),
	Title:   "no process of a container can gain privileges",
	Why:     "a set-user-ID program in the image makes an ordinary user of the container its root",
	Threats: []stride.ID{stride.DockerClientElevation},
	Level:   1,
	Rule:    inCompose{rule: checks.Func(noGain), service: source.NoNewPrivileges, decided: true},
	Source:  source.NoNewPrivileges,
}

// noGain: the container's option beats the daemon's default, which counts from when it was made. Of what runs here the
// kernel tells.
func noGain(h *facts.Host) ([]checks.Finding, error) {
	cs, err := containers(h)
	if len(cs) == 0 {
		return nil, err
	}
	byDefault, since := gainDefault(h)
	var findings []checks.Finding
	for i := range cs {
		c := &cs[i]
		const must, options = "without a way to gain privileges", "--security-opt no-new-privileges"
		own, has := securityOption(c, "no-new-privileges")
		on, parseErr := strconv.ParseBool(cmp.Or(own, "true"))
		status, told := ofProcess(h, c, "status")
		switch {
		case has && parseErr == nil && on:
		case has:
			findings = append(findings, found(c, "no-new-privileges="+clip(own), must, options)...)
		case told:
			if !strings.Contains(string(status), "NoNewPrivs:\t1\n") {
				findings = append(findings, found(c, "can gain privileges", must, options)...)
			}
		case !byDefault:
			findings = append(findings, found(c, "can gain privileges", must, options)...)
		case since.IsZero() || !made(c).After(since):
			err = errors.Join(err, fmt.Errorf("%s was made before the daemon's default was, and does not run: what "+
				"it will get is not told", subject(c)))
		}
	}
	return findings, err
}

func made(c *docker.Container) time.Time {
	t, _ := time.Parse(time.RFC3339Nano, c.Created) // what is not told is of long ago
	return t
}

// gainDefault tells whether dockerd runs with no-new-privileges, and since when.
func gainDefault(h *facts.Host) (on bool, since time.Time) {
	e, err := docker.EngineSays(h)
	if err == nil {
		_, on = docker.SecurityOption(e.SecurityOptions, "no-new-privileges", "")
	}
	d, err := rule.Dockerd(h)
	if err != nil || d.Process == nil {
		return on, time.Time{}
	}
	if next, err := rule.Daemon("no-new-privileges", false).Next(d); err == nil && !d.Stale {
		on = on || next.Value
	}
	return on, d.Process.Started
}
