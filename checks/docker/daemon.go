package docker

import (
	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/stride"
	"example.com/harden/checks/want"
)

// daemon is section 2, how dockerd is told to run.
var daemon = []*checks.Check{
	{
		ID:      "docker/rootless",
		Items:   cis.Docker("", "2.1", "2.1", "2.1"),
		Title:   "dockerd runs without being root where that is possible",
		Why:     "whoever breaks out of a container, or into dockerd, is then an ordinary user and not root",
		Threats: []stride.ID{stride.DockerDaemonElevation},
		Level:   1,
		Rule:    checks.Func(isRootless),
	},
	{
		ID:      "docker/icc",
		Items:   cis.Docker("2.1", "2.2", "2.2", "2.2"),
		Title:   "containers on the default bridge cannot reach one another",
		Why:     "one compromised container can scan and attack every neighbour on docker0",
		Breaks:  "containers that talk to each other over the default bridge, without a network of their own",
		Class:   want.Behaviour,
		Threats: []stride.ID{stride.DockerNetworkTampering},
		Level:   1,
		Rule: unless(noDefaultBridge,
			rule.Daemon("icc", rule.Default(true)).Told(bridgeICC).Breaks(onDefaultBridge).Must(be.False)),
	},
	{
		ID:      "docker/log-level",
		Items:   cis.Docker("2.2", "2.3", "2.3", "2.3"),
		Title:   "dockerd logs at level info",
		Why:     "less leaves an intruder's doings out of the log; more drowns them, and puts requests with their secrets in",
		Threats: []stride.ID{stride.DockerDaemonRepudiation},
		Level:   1,
		Rule: rule.All(
			rule.Daemon("log-level", rule.Default("info")).Must(be.Equal("info")),
			rule.Daemon("debug", rule.Default(false)).
				Told(func(_ *facts.Host, e *facts.EngineFacts) (bool, bool) { return e.Debug, true }).Must(be.False),
		),
	},
	{
		ID:      "docker/iptables",
		Items:   cis.Docker("2.3", "2.4", "2.4", "2.4"),
		Title:   "dockerd manages the packet filter for its networks",
		Why:     "without its rules published ports and traffic between networks are as open as the host happens to leave them",
		Breaks:  "hosts whose own firewall was written for containers: dockerd puts its chains into iptables",
		Class:   want.Behaviour,
		Threats: []stride.ID{stride.DockerNetworkTampering},
		Level:   1,
		Rule:    rule.Daemon("iptables", rule.Default(true)).Must(be.True),
	},
	{
		ID:      "docker/insecure-registries",
		Items:   cis.Docker("2.4", "2.5", "2.5", "2.5"),
		Title:   "no registry is spoken to without verified TLS",
		Why:     "whoever is on the way to the registry chooses what runs here, and reads its password",
		Breaks:  "pulls from those registries, until they have certificates that this host can verify (under /etc/docker/certs.d)",
		Class:   want.Behaviour,
		Threats: []stride.ID{stride.DockerClientSpoofing},
		Level:   1,
		Rule:    rule.Daemon("insecure-registries", rule.Default([]string(nil))).Told(insecureRegistries).Must(be.None),
	},
	{
		ID:      "docker/no-aufs",
		Items:   cis.Docker("2.5", "2.6", "2.6", "2.6"),
		Title:   "the aufs storage driver is not in use",
		Why:     "it was never part of the kernel, can crash it, and was removed from Docker 24",
		Threats: []stride.ID{stride.DockerDaemonDenial},
		Level:   1,
		Manual:  "save the images (`docker save`) and the data of volumes, set storage-driver to overlay2, restart dockerd and load them again",
		Rule:    storageDriver("aufs"),
	},
	{
		ID:      "docker/no-devicemapper",
		Items:   cis.Docker("", "", "", "2.7"),
		Title:   "the devicemapper storage driver is not in use",
		Why:     "it loses data on loop devices, and was removed from Docker 25: the next upgrade does not start",
		Threats: []stride.ID{stride.DockerDaemonDenial},
		Level:   1,
		Manual:  "save the images (`docker save`) and the data of volumes, set storage-driver to overlay2, restart dockerd and load them again",
		Rule:    storageDriver("devicemapper"),
	},
	{
		ID:      "docker/tls",
		Items:   cis.Docker("2.6", "2.7", "2.7", "2.8"),
		Title:   "the API's TCP port asks every client for a certificate",
		Why:     "whoever reaches the port is root on this host",
		Breaks:  "every client of the TCP port that has no certificate from the certificate authority named",
		Class:   want.Behaviour,
		Threats: []stride.ID{stride.DockerClientSpoofing, stride.DockerDaemonElevation},
		Level:   1,
		Rule:    checks.Func(tcpWithTLS),
	},
	{
		ID:      "docker/default-ulimits",
		Items:   cis.Docker("2.7", "2.8", "2.8", "2.9"),
		Title:   "new containers have limits on what they may use up",
		Why:     "one container without limits can take every process and file that the host has",
		Breaks:  "programs in new containers that need more files or processes than the limits; --ulimit gives one container more",
		Threats: []stride.ID{stride.DockerDaemonDenial},
		Level:   1,
		Manual:  "choose the limits (nofile and nproc at least) and give them to harden's configuration",
		Rule:    rule.Daemon("default-ulimits", rule.Default(ulimits(nil))).Choose(chosenUlimits).Must(limited),
	},
	{
		ID:    "docker/userns-remap",
		Items: cis.Docker("2.8", "2.9", "2.9", "2.10"),
		Title: "root in a container is an ordinary user outside it",
		Why:   "root in a container is root for the kernel: one mistake in a mount or in the kernel, and it is root on the host",
		Breaks: "every image, container and volume of now is hidden until the setting is taken back: " +
			"`harden guide userns-remap` takes them along; files that containers share with the host change their owner",
		Class:   want.Behaviour,
		Named:   true,
		Threats: []stride.ID{stride.DockerClientElevation},
		Level:   2,
		Rule:    checks.Func(remapped),
	},
	{
		ID:      "docker/cgroup-parent",
		Items:   cis.Docker("2.9", "2.10", "2.10", "2.11"),
		Title:   "containers are in the cgroup that Docker gives them",
		Why:     "another parent can take new containers out of the limits that were set for all of them",
		Breaks:  "new containers move to Docker's own cgroup, and out of the limits of the present one",
		Threats: []stride.ID{stride.DockerDaemonDenial},
		Level:   2,
		Rule:    rule.Daemon("cgroup-parent", rule.Default("")).Must(be.Unset),
	},
	{
		ID:      "docker/base-device-size",
		Items:   cis.Docker("2.10", "2.11", "2.11", "2.12"),
		Title:   "the base size of devicemapper's devices has not been enlarged",
		Why:     "each container may then fill that much of the disk",
		Threats: []stride.ID{stride.DockerDaemonDenial},
		Level:   2,
		Rule: unless(noDevicemapper,
			rule.Daemon("storage-opts", rule.Default([]string(nil))).Must(be.Without("dm.basesize"))),
	},
	{
		ID:      "docker/authorization-plugin",
		Items:   cis.Docker("2.11", "2.12", "2.12", "2.13"),
		Title:   "a plugin authorizes each call of the API",
		Why:     "without one whoever may call the API at all may call all of it, and no call can be laid at anybody's door",
		Breaks:  "every call that the plugin's policy denies, from the reload on",
		Class:   want.Behaviour,
		Threats: []stride.ID{stride.DockerDaemonElevation, stride.DockerRegistryRepudiation},
		Level:   2,
		Manual:  "choose a plugin and write its policy, start it, and name it in harden's configuration",
		Rule: rule.Daemon("authorization-plugins", rule.Default([]string(nil))).
			Told(func(_ *facts.Host, e *facts.EngineFacts) ([]string, bool) { return e.Plugins.Authorization, true }).
			Choose(chosenPlugins).Must(be.AnyOf("at least one plugin")),
	},
	{
		ID:    "docker/log-driver",
		Items: cis.Docker("2.12", "2.13", "2.13", "2.14"),
		Title: "what containers log leaves the host",
		Why:   "logs that exist only here are gone with the container, and an intruder erases them first",
		Breaks: "containers created from now on log elsewhere, and some drivers keep them from starting while the collector is away; " +
			"those of now keep their driver until they are made anew",
		Threats: []stride.ID{stride.DockerDaemonRepudiation},
		Level:   2,
		Manual:  "choose a driver (syslog, fluentd, gelf …) and the address of the site's collector, and give both to harden's configuration",
		Rule:    checks.Func(remoteLogs),
	},
	{
		ID:    "docker/no-new-privileges",
		Items: cis.Docker("2.17", "2.14", "2.14", "2.15"),
		Title: "new containers cannot gain privileges that they were not started with",
		Why:   "a set-user-ID program in the image turns a process that is nobody into root",
		Breaks: "sudo, su, ping and programs with file capabilities in containers created from now on; " +
			"--security-opt no-new-privileges=false exempts one of them",
		Threats: []stride.ID{stride.DockerClientElevation},
		Level:   1,
		Rule:    rule.Daemon("no-new-privileges", rule.Default(false)).Told(noNewPrivileges).Must(be.True),
	},
	{
		ID:      "docker/live-restore",
		Items:   cis.Docker("2.13", "2.15", "2.15", "2.16"),
		Title:   "containers go on while dockerd restarts",
		Why:     "whoever makes dockerd stop, and every upgrade of it, otherwise stops everything that it started",
		Threats: []stride.ID{stride.DockerDaemonDenial},
		Level:   1,
		Rule: unless(inSwarm, rule.Daemon("live-restore", rule.Default(false)).
			Told(func(_ *facts.Host, e *facts.EngineFacts) (bool, bool) { return e.LiveRestoreEnabled, true }).Must(be.True)),
	},
	{
		ID:      "docker/userland-proxy",
		Items:   cis.Docker("2.14", "2.16", "2.16", "2.17"),
		Title:   "published ports go through the packet filter and not through a proxy process",
		Why:     "a process for each published port runs as root, and hides from the container who is talking to it",
		Breaks:  "published ports reached as localhost, where the kernel cannot turn packets around (bridge netfilter)",
		Threats: []stride.ID{stride.DockerNetworkTampering},
		Level:   1,
		Rule:    rule.Daemon("userland-proxy", rule.Default(true)).Must(be.False),
	},
	{
		ID:    "docker/seccomp",
		Items: cis.Docker("2.15", "2.17", "2.17", "2.18"),
		Title: "the seccomp profile of all containers has not been weakened",
		Why:   "it keeps containers from the system calls through which most break out",
		Breaks: "containers that use a system call which Docker's own profile denies; " +
			"--security-opt seccomp=FILE gives one of them another profile",
		Threats: []stride.ID{stride.DockerClientElevation},
		Level:   2,
		Rule: rule.All(
			rule.Daemon("seccomp-profile", rule.Default("")).Told(seccompProfile).Must(confined),
			checks.Func(seccompAtAll), checks.Func(customProfile)),
	},
	{
		ID:      "docker/experimental",
		Items:   cis.Docker("2.16", "2.18", "2.18", "2.19"),
		Title:   "dockerd's experimental features are off",
		Why:     "they are there to be tried, not to be relied on: nobody promises to repair them",
		Breaks:  "whatever uses an experimental feature of dockerd",
		Threats: []stride.ID{stride.DockerDaemonElevation},
		Level:   1,
		Rule: rule.Daemon("experimental", rule.Default(false)).
			Told(func(_ *facts.Host, e *facts.EngineFacts) (bool, bool) { return e.ExperimentalBuild, true }).Must(be.False),
	},
}
