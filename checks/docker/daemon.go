package docker

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"

	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/stride"
	"example.com/harden/checks/want"
)

// daemonChecks is the part of section 2 about how dockerd is told to run.
var daemonChecks = []*checks.Check{
	logLevel, noAUFS, noDevicemapper, defaultUlimits, cgroupParent, baseDeviceSize, authorizationPlugin, logDriver,
	liveRestore, experimental,
}

var logLevel = &checks.Check{
	ID:    "docker/log-level",
	Items: cis.Docker("2.2", "2.3", "2.3", "2.3"),
	Title: "dockerd logs at level info",
	Why: "less leaves an intruder's doings out of the log; more drowns them, and puts requests with their " +
		"secrets in",
	Threats: []stride.ID{stride.DockerDaemonRepudiation},
	Level:   1,
	Rule: rule.All(
		rule.Daemon("log-level", "info").Must(be.Equal("info")),
		rule.Daemon("debug", false).
			Told(func(_ *facts.Host, e *docker.EngineFacts) (bool, bool) { return e.Debug, true }).Must(be.False),
	),
}

var noAUFS = &checks.Check{
	ID:      "docker/no-aufs",
	Items:   cis.Docker("2.5", "2.6", "2.6", "2.6"),
	Title:   "the aufs storage driver is not in use",
	Why:     "it was never part of the kernel, can crash it, and was removed from Docker 24",
	Threats: []stride.ID{stride.DockerDaemonDenial},
	Level:   1,
	Manual: "save the images (`docker save`) and the data of volumes, set storage-driver to overlay2, restart " +
		"dockerd and load them again",
	Rule: storageDriver("aufs"),
}

var noDevicemapper = &checks.Check{
	ID:      "docker/no-devicemapper",
	Items:   cis.Since(cis.Docker180, "2.7"),
	Title:   "the devicemapper storage driver is not in use",
	Why:     "it loses data on loop devices, and was removed from Docker 25: the next upgrade does not start",
	Threats: []stride.ID{stride.DockerDaemonDenial},
	Level:   1,
	Manual: "save the images (`docker save`) and the data of volumes, set storage-driver to overlay2, restart " +
		"dockerd and load them again",
	Rule: storageDriver("devicemapper"),
}

// storageDriver is the rule that the engine uses any other one. What is configured tells little: dockerd picks the
// driver that it finds data of.
func storageDriver(bad string) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		e, err := engine(h)
		if err != nil || e.Driver != bad {
			return nil, err
		}
		return []checks.Finding{{Subject: "daemon storage-driver", Got: e.Driver + " in the running daemon",
			Must: "other than " + bad}}, nil
	})
}

var defaultUlimits = &checks.Check{
	ID:    "docker/default-ulimits",
	Items: cis.Docker("2.7", "2.8", "2.8", "2.9"),
	Title: "new containers have limits on what they may use up",
	Why:   "one container without limits can take every process and file that the host has",
	Breaks: "programs in new containers that need more files or processes than the limits; --ulimit gives one " +
		"container more",
	Threats: []stride.ID{stride.DockerDaemonDenial},
	Level:   1,
	Manual:  "choose the limits (nofile and nproc at least) and give them to harden's configuration",
	Rule:    rule.Daemon("default-ulimits", namedUlimits(nil)).Choose(chosenUlimits).Must(limited),
}

// ulimits are dockerd's default-ulimits.
type namedUlimits map[string]*container.Ulimit

// FromFlags reads NAME=SOFT[:HARD], as --default-ulimit takes it.
func (u *namedUlimits) FromFlags(values []string) error {
	*u = namedUlimits{}
	for _, v := range values {
		name, limits, ok := strings.Cut(v, "=")
		soft, hard, both := strings.Cut(limits, ":")
		if !both {
			hard = soft
		}
		s, errSoft := strconv.ParseInt(soft, 10, 64)
		x, errHard := strconv.ParseInt(hard, 10, 64)
		if !ok || errSoft != nil || errHard != nil {
			return fmt.Errorf("%q is not NAME=SOFT:HARD", v)
		}
		(*u)[name] = &container.Ulimit{Name: name, Soft: s, Hard: x}
	}
	return nil
}

func (u namedUlimits) String() string {
	if len(u) == 0 {
		return "unset"
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(u)) {
		all = append(all, fmt.Sprintf("%s=%d:%d", name, u[name].Soft, u[name].Hard))
	}
	return strings.Join(all, ", ")
}

// limited requires limits that limit: -1 stands for none.
var limited = be.Cond[namedUlimits]{
	Text: "set, and none of them unlimited",
	Holds: func(u namedUlimits) bool {
		for _, l := range u {
			if l == nil || l.Hard < 0 {
				return false
			}
		}
		return len(u) > 0
	},
	Nearest: func(u namedUlimits) (namedUlimits, bool) { return u, false },
}

func chosenUlimits(h *facts.Host) (namedUlimits, error) {
	if len(h.Choices.DefaultUlimits) == 0 {
		return nil, rule.ErrNotChosen
	}
	u := namedUlimits{}
	for name, l := range h.Choices.DefaultUlimits {
		u[name] = &container.Ulimit{Name: name, Soft: l[0], Hard: l[1]}
	}
	if !limited.Holds(u) {
		return nil, fmt.Errorf("the limits chosen in harden's configuration do not limit: %s", u)
	}
	return u, nil
}

var cgroupParent = &checks.Check{
	ID:      "docker/cgroup-parent",
	Items:   cis.Docker("2.9", "2.10", "2.10", "2.11"),
	Title:   "containers are in the cgroup that Docker gives them",
	Why:     "another parent can take new containers out of the limits that were set for all of them",
	Breaks:  "new containers move to Docker's own cgroup, and out of the limits of the present one",
	Threats: []stride.ID{stride.DockerDaemonDenial},
	Level:   2,
	Rule:    rule.Daemon("cgroup-parent", "").Must(be.Unset),
}

var baseDeviceSize = &checks.Check{
	ID:      "docker/base-device-size",
	Items:   cis.Docker("2.10", "2.11", "2.11", "2.12"),
	Title:   "the base size of devicemapper's devices has not been enlarged",
	Why:     "each container may then fill that much of the disk",
	Threats: []stride.ID{stride.DockerDaemonDenial},
	Level:   2,
	Rule: unless(otherDriver,
		rule.Daemon("storage-opts", []string(nil)).Must(be.Without("dm.basesize"))),
}

func otherDriver(h *facts.Host) string {
	if e, err := engine(h); err == nil && e.Driver != "devicemapper" {
		return "the storage driver is " + e.Driver
	}
	return ""
}

var authorizationPlugin = &checks.Check{
	ID:    "docker/authorization-plugin",
	Items: cis.Docker("2.11", "2.12", "2.12", "2.13"),
	Title: "a plugin authorizes each call of the API",
	Why: "without one whoever may call the API at all may call all of it, and no call can be laid at " +
		"anybody's door",
	Breaks:  "every call that the plugin's policy denies, from the reload on",
	Class:   want.Behaviour,
	Threats: []stride.ID{stride.DockerDaemonElevation, stride.DockerRegistryRepudiation},
	Level:   2,
	Manual:  "choose a plugin and write its policy, start it, and name it in harden's configuration",
	Rule: rule.Daemon("authorization-plugins", []string(nil)).
		Told(func(_ *facts.Host, e *docker.EngineFacts) ([]string, bool) { return e.Plugins.Authorization, true }).
		Choose(chosenPlugins).Must(be.AnyOf("at least one plugin")),
}

// chosenPlugins asks for no plugin that cannot be found: dockerd ends 16 seconds after it was told to use it.
func chosenPlugins(h *facts.Host) ([]string, error) {
	if len(h.Choices.AuthorizationPlugins) == 0 {
		return nil, rule.ErrNotChosen
	}
	d, err := rule.Dockerd(h)
	if err != nil {
		return nil, err
	}
	for _, p := range h.Choices.AuthorizationPlugins {
		switch found, err := docker.Plugin(h, d, p); {
		case err != nil:
			return nil, fmt.Errorf("the plugin %s: %w", p, err)
		case !found:
			return nil, fmt.Errorf(
				"install and start the plugin %s first: dockerd ends itself when it cannot find it", p)
		}
	}
	return h.Choices.AuthorizationPlugins, nil
}

var logDriver = &checks.Check{
	ID:    "docker/log-driver",
	Items: cis.Docker("2.12", "2.13", "2.13", "2.14"),
	Title: "what containers log leaves the host",
	Why:   "logs that exist only here are gone with the container, and an intruder erases them first",
	Breaks: "containers created from now on log elsewhere, and some drivers keep them from starting while the " +
		"collector is away; those of now keep their driver until they are made anew",
	Threats: []stride.ID{stride.DockerDaemonRepudiation},
	Level:   2,
	Manual: "choose a driver (syslog, fluentd, gelf …) and the address of the site's collector, and give both " +
		"to harden's configuration",
	Rule: checks.Func(remoteLogs),
}

// onHost are the log drivers whose logs stay on the host. The journal can be forwarded by itself, so that it is good
// where the site has chosen it.
var onHost = []string{"json-file", "local", "none", "journald"}

func remoteLogs(h *facts.Host) ([]checks.Finding, error) {
	bad := onHost
	if h.Choices.LogDriver == "journald" {
		bad = onHost[:3]
	}
	choose := func(h *facts.Host) (string, error) {
		switch d := h.Choices.LogDriver; {
		case d == "":
			return "", rule.ErrNotChosen
		case slices.Contains(bad, d):
			return "", fmt.Errorf("the log driver chosen in harden's configuration, %s, keeps logs on this host", d)
		default:
			return d, nil
		}
	}
	opts := func(h *facts.Host, d *docker.Daemon) map[string]any {
		switch {
		case len(h.Choices.LogOpts) > 0:
			return map[string]any{"log-opts": h.Choices.LogOpts}
		case d.Option("log-opts").File != nil: // another driver's options keep dockerd from starting
			return map[string]any{"log-opts": nil}
		}
		return nil
	}
	told := func(_ *facts.Host, e *docker.EngineFacts) (string, bool) {
		return e.LoggingDriver, e.LoggingDriver != ""
	}
	return rule.Daemon("log-driver", "json-file").Told(told).Also(opts).Choose(choose).
		Must(be.Other(bad...)).Judge(h)
}

var liveRestore = &checks.Check{
	ID:      "docker/live-restore",
	Items:   cis.Docker("2.13", "2.15", "2.15", "2.16"),
	Title:   "containers go on while dockerd restarts",
	Why:     "whoever makes dockerd stop, and every upgrade of it, otherwise stops everything that it started",
	Threats: []stride.ID{stride.DockerDaemonDenial},
	Level:   1,
	Rule: unless(inSwarm, rule.Daemon("live-restore", false).
		Told(func(_ *facts.Host, e *docker.EngineFacts) (bool, bool) { return e.LiveRestoreEnabled, true }).
		Must(be.True)),
}

// inSwarm finds a node of a swarm even while dockerd does not run, since it would not start with live-restore.
func inSwarm(h *facts.Host) string {
	const conflict = "dockerd does not start with both live-restore and Swarm: "
	if h.Choices.Swarm {
		return conflict + "this site has chosen Swarm"
	}
	d, _ := rule.Dockerd(h)
	if why := docker.SwarmNode(h, d); why != "" {
		return conflict + why
	}
	return ""
}

var experimental = &checks.Check{
	ID:      "docker/experimental",
	Items:   cis.Docker("2.16", "2.18", "2.18", "2.19"),
	Title:   "dockerd's experimental features are off",
	Why:     "they are there to be tried, not to be relied on: nobody promises to repair them",
	Breaks:  "whatever uses an experimental feature of dockerd",
	Threats: []stride.ID{stride.DockerDaemonElevation},
	Level:   1,
	Rule: rule.Daemon("experimental", false).
		Told(func(_ *facts.Host, e *docker.EngineFacts) (bool, bool) { return e.ExperimentalBuild, true }).
		Must(be.False),
}
