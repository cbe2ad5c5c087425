package docker

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/rule"
)

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

// appArmor judges by what the Engine has set, and of what runs here by what the kernel says.
func appArmor(h *facts.Host, c *facts.Container) []checks.Finding {
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
			return found(c, "under a profile that only complains: "+clip(label), must, "a profile that is enforced: `aa-enforce`")
		}
	}
	return nil
}

// ofProcess reads a file of /proc of a container's first process, where that runs on this machine.
func ofProcess(h *facts.Host, c *facts.Container, file string) ([]byte, bool) {
	if e, err := h.Engine(); err != nil || !e.Local || !c.State.Running || c.State.Pid == 0 {
		return nil, false
	}
	f, err := h.File(fmt.Sprintf("/proc/%d/%s", c.State.Pid, file))
	return f.Data, err == nil
}

// seLinux: the Engine gives every container a label, but to privileged ones and those in the host's process or IPC
// namespace none that confines.
func seLinux(_ *facts.Host, c *facts.Container) []checks.Finding {
	const must = "confined by a label"
	switch {
	case slices.Contains(c.HostConfig.SecurityOpt, "label=disable"), slices.Contains(c.HostConfig.SecurityOpt, "label:disable"):
		return found(c, "its label is switched off", must, "no --security-opt label=disable, which --privileged and --pid=host bring with them")
	case c.HostConfig.Privileged:
		return found(c, "unconfined (privileged)", must, "no --privileged")
	case strings.Contains(c.ProcessLabel, "unconfined_t"), strings.Contains(c.ProcessLabel, "spc_t"):
		return found(c, clip(c.ProcessLabel), must, "no --security-opt label=type:…")
	case c.ProcessLabel == "" && c.State.Running:
		return found(c, "without a label", must, "selinux-enabled in daemon.json")
	}
	return nil
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
		return []checks.Finding{{Subject: "engine", Got: "has no seccomp, so that no container is filtered", Must: "built with it, on a kernel that has it"}}, err
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
			findings = append(findings, found(c, "a profile that allows every system call", must, "--security-opt seccomp=builtin, or a profile that denies")...)
		case c.HostConfig.Privileged && !has:
			findings = append(findings, found(c, "unconfined (privileged)", must, "no --privileged, or a profile named beside it")...)
		case !has && daemon == "unconfined":
			findings = append(findings, found(c, "unconfined, as the daemon's own profile is", must, "--security-opt seccomp=builtin, or a profile in daemon.json")...)
		case !has && daemonOpen:
			findings = append(findings, found(c, "the daemon's own profile, which allows every system call", must,
				"--security-opt seccomp=builtin, or another profile in daemon.json")...)
		}
	}
	return findings, err
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
			err = errors.Join(err, fmt.Errorf("%s was made before the daemon's default was, and does not run: what it will get is not told", subject(c)))
		}
	}
	return findings, err
}

func made(c *facts.Container) time.Time {
	t, _ := time.Parse(time.RFC3339Nano, c.Created) // what is not told is of long ago
	return t
}

// gainDefault tells whether dockerd runs with no-new-privileges, and since when.
func gainDefault(h *facts.Host) (on bool, since time.Time) {
	e, err := h.Engine()
	if err == nil {
		_, on = docker.SecurityOption(e.SecurityOptions, "no-new-privileges", "")
	}
	d, err := rule.Dockerd(h)
	if err != nil || d.Process == nil {
		return on, time.Time{}
	}
	if next, err := rule.Daemon("no-new-privileges", rule.Default(false)).Next(d); err == nil && !d.Stale {
		on = on || next.Value
	}
	return on, d.Process.Started
}

// containerHealth: NONE switches the image's check off, and one that always succeeds checks nothing.
func containerHealth(_ *facts.Host, c *facts.Container) []checks.Finding {
	const must = "checked by a command that can fail, and healthy"
	if why := noHealthcheck(c.Config.Healthcheck); why != "" {
		return found(c, why, must, "--health-cmd, or a HEALTHCHECK in the image")
	}
	if s := c.State.Health; s != nil && s.Status == "unhealthy" {
		return []checks.Finding{{Subject: subject(c), Got: "unhealthy", Must: must, Reason: "see `docker inspect` of it, State.Health.Log, for what its check says"}}
	}
	return nil
}

// noHealthcheck says why there is no health check that could fail; empty where there is one.
func noHealthcheck(check *struct{ Test []string }) string {
	if check == nil || len(check.Test) == 0 || check.Test[0] == "" {
		return "without a health check"
	}
	if check.Test[0] == "NONE" {
		return "its health check is switched off"
	}
	command := strings.Join(strings.Fields(strings.Join(check.Test[1:], " ")), " ")
	if slices.Contains([]string{"", "true", "exit 0", "/bin/true", ":"}, command) {
		return "its health check always succeeds"
	}
	return ""
}

// devices of the host come in four ways.
func devices(_ *facts.Host, c *facts.Container) []checks.Finding {
	var given []string
	for _, d := range c.HostConfig.Devices {
		given = append(given, clip(d.PathOnHost))
	}
	for _, r := range c.HostConfig.DeviceCgroupRules {
		given = append(given, "rule "+clip(r))
	}
	for _, r := range c.HostConfig.DeviceRequests {
		given = append(given, "by the driver "+clip(cmp.Or(r.Driver, "of the Engine's choice")))
	}
	for _, m := range c.Mounts {
		if s := m.Source; m.Type == "bind" && (s == "/dev" || strings.HasPrefix(s, "/dev/")) {
			given = append(given, "mounted "+clip(s))
		}
	}
	const must = "given none"
	switch {
	case c.HostConfig.Privileged:
		return found(c, "all devices (privileged)", must, "no --privileged")
	case len(given) > 0:
		return found(c, some(given), must, "no --device, --gpus or mount of it, or waive what is meant")
	}
	return nil
}

func ownUlimits(_ *facts.Host, c *facts.Container) []checks.Finding {
	var lifted []string
	for _, l := range c.HostConfig.Ulimits {
		if l.Soft < 0 || l.Hard < 0 {
			lifted = append(lifted, clip(l.Name)+" unlimited")
		}
	}
	if len(lifted) == 0 {
		return nil
	}
	return found(c, some(lifted), "limited", "--ulimit NAME=SOFT:HARD, or none, for the daemon's default")
}

func defaultBridge(_ *facts.Host, c *facts.Container) []checks.Finding {
	mode := c.HostConfig.NetworkMode
	if !docker.OnDefaultBridge(c) && mode != "bridge" && mode != "default" && mode != "" {
		return nil
	}
	return found(c, "on the default bridge", "on a network of its own", "--network, after `docker network create`; names resolve there, and addresses change")
}

// hostUsers: without userns-remap there is no other user namespace than the host's.
func hostUsers(h *facts.Host) ([]checks.Finding, error) {
	cs, err := containers(h)
	e, errEngine := engine(h)
	if errEngine != nil || len(cs) == 0 {
		return nil, cmp.Or(errEngine, err)
	}
	_, rootless := docker.SecurityOption(e.SecurityOptions, "rootless", "")
	if _, remapped := docker.SecurityOption(e.SecurityOptions, "userns", ""); !remapped && !rootless {
		return []checks.Finding{{Subject: "containers", Got: fmt.Sprintf("all %d in the host's user namespace: dockerd has no userns-remap", len(cs)),
			Must: "in another one", Reason: "see docker/userns-remap"}}, err
	}
	var findings []checks.Finding
	for i := range cs {
		if c := &cs[i]; c.HostConfig.UsernsMode.IsHost() {
			findings = append(findings, found(c, "in the host's user namespace", "in another one", "no --userns=host")...)
		}
	}
	return findings, err
}

// noSSHD looks for the servers among the processes of this machine: asking a container to list its own would run what it
// brings along.
func noSSHD(h *facts.Host) ([]checks.Finding, error) {
	cs, err := containers(h)
	if len(cs) == 0 {
		return nil, err
	}
	e, errEngine := engine(h)
	switch {
	case errEngine != nil:
		return nil, errEngine
	case !e.Local:
		return nil, fmt.Errorf("%w: run harden there, to see what its containers run", facts.ErrElsewhere)
	}
	var findings []checks.Finding
	programs, errProcesses := h.Contained("sshd", "dropbear")
	for i := range cs {
		if name := programs[cs[i].ID]; name != "" {
			findings = append(findings, checks.Finding{Subject: subject(&cs[i]), Got: "runs " + name, Must: "without an SSH server"})
		}
	}
	return findings, cmp.Or(err, errProcesses)
}

// execs judges the exec sessions that the Engine knows of. One that it has forgotten all but the name of is not known to
// be good.
func execs(bad func(facts.Exec) bool, got, must string) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		if _, err := engine(h); err != nil {
			return nil, err
		}
		all, err := h.Execs()
		var findings []checks.Finding
		gone := 0
		for _, e := range all {
			if e.Gone {
				gone++
			}
			if !bad(e) {
				continue
			}
			state := "ended"
			if e.Running {
				state = "runs"
			}
			findings = append(findings, checks.Finding{
				Subject: "exec " + facts.ShortID(e.ID) + " in container " + clip(cmp.Or(e.Container, facts.ShortID(e.ContainerID))),
				Got:     got + ": " + clip(e.Program) + ", " + state, Must: must,
				Reason: "find out who did it, and why: `ausearch -k docker` where the API's socket or docker is audited; " +
					"an authorization plugin can refuse it",
			})
		}
		if len(findings) == 0 && err == nil && gone > 0 {
			return nil, fmt.Errorf("%w: %d exec sessions have ended, and the Engine no longer tells how they were made; `ausearch -k docker` may",
				checks.ErrManual, gone)
		}
		return findings, err
	})
}

// rootSpelled reports whether a user, as the Engine takes it, is root by name or number: root, 0, 00, 0:1000, root:root.
func rootSpelled(user string) bool {
	u, _, _ := strings.Cut(user, ":")
	n, err := strconv.Atoi(u)
	return u == "" || u == "root" || err == nil && n == 0
}

// eachMount judges every bind mount, and every volume that stands for a directory of the host, by where it really is.
func eachMount(judge func(h *facts.Host, c *facts.Container, m facts.Mount, source string) []checks.Finding) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		cs, err := containers(h)
		var findings []checks.Finding
		var errVolumes error
		for i := range cs {
			for _, m := range cs[i].Mounts {
				source := m.Source
				switch m.Type {
				case "bind":
				case "volume":
					device, errDevice := deviceOf(h, m.Name)
					if errDevice != nil {
						errVolumes = errDevice
					}
					source = cmp.Or(device, source)
					if device == "" && m.Propagation == "" {
						continue
					}
				default:
					continue
				}
				findings = append(findings, judge(h, &cs[i], m, resolved(h, source))...)
			}
		}
		return findings, cmp.Or(err, errVolumes)
	})
}

// deviceOf is the host's directory that a named volume stands for; empty where it is one of Docker's own.
func deviceOf(h *facts.Host, volume string) (string, error) {
	volumes, err := h.Volumes()
	for _, v := range volumes {
		if v.Name == volume && strings.HasPrefix(v.Options["device"], "/") && strings.Contains(v.Options["o"], "bind") {
			return v.Options["device"], nil
		}
	}
	return "", err
}

// resolved follows the host's links, where this is the host.
func resolved(h *facts.Host, p string) string {
	if e, err := h.Engine(); err == nil && e.Local {
		if i, err := h.Info(p); err == nil || !errors.Is(err, fs.ErrNotExist) && i.Path != "" {
			return cmp.Or(i.Path, p)
		}
	}
	if rest, ok := strings.CutPrefix(p, "/var/run/"); ok {
		return "/run/" + rest
	}
	return p
}

func sensitive(h *facts.Host, c *facts.Container, m facts.Mount, source string) []checks.Finding {
	if !m.RW || m.Type == "volume" && source == m.Source {
		return nil
	}
	var more []string
	if e, err := h.Engine(); err == nil && e.DockerRootDir != "" {
		more = []string{e.DockerRootDir}
	}
	if !facts.OfSystem(source, more...) {
		return nil
	}
	return found(c, "can write to "+place(m, source), "mounted read-only, or not at all",
		"a narrower mount, or :ro (--mount …,readonly)")
}

func place(m facts.Mount, source string) string {
	text := clip(source)
	if source != m.Source {
		text += " (mounted as " + clip(cmp.Or(m.Name, m.Source)) + ")"
	}
	return text
}

// propagated: the volumes' own default is private.
func propagated(_ *facts.Host, c *facts.Container, m facts.Mount, source string) []checks.Finding {
	if m.Propagation != "shared" && m.Propagation != "rshared" {
		return nil
	}
	return found(c, fmt.Sprintf("%s on %s is %s", place(m, source), clip(m.Destination), m.Propagation), "private or a slave",
		"bind-propagation rprivate or rslave")
}

// sockets: whoever sees a socket, or a directory above it, can speak through it, read-only or not.
func sockets(h *facts.Host, c *facts.Container, m facts.Mount, source string) []checks.Finding {
	known := []string{"/run/docker.sock", "/run/containerd/containerd.sock", "/run/docker/containerd/containerd.sock"}
	if own, err := apiSockets(h); err == nil {
		for _, s := range own {
			known = append(known, resolved(h, s.Path))
		}
	}
	for _, s := range known {
		if facts.Within(s, source) {
			return found(c, "sees "+s+" through its mount of "+place(m, source), "without it",
				"no such mount, or a proxy that lets through what it needs")
		}
	}
	return nil
}
