package stride

// The threats to a Docker host.
const (
	DockerClientSpoofing      ID = "docker/client/spoofing"
	DockerHostTampering       ID = "docker/host/tampering"
	DockerNetworkTampering    ID = "docker/network/tampering"
	DockerRegistryRepudiation ID = "docker/registry/repudiation"
	DockerDaemonRepudiation   ID = "docker/daemon/repudiation"
	DockerClientDisclosure    ID = "docker/client/disclosure"
	DockerDaemonDenial        ID = "docker/daemon/denial-of-service"
	DockerDaemonElevation     ID = "docker/daemon/elevation"
	DockerClientElevation     ID = "docker/client/elevation"
)

// All is the model, in STRIDE order, which is the order in which reports show it.
var All = []Threat{
	{
		ID:    DockerClientSpoofing,
		Title: "clients, the daemon and registries talk without proving who they are",
		Attack: "Somebody between a client and the daemon, or between the daemon and a registry, answers in the other's name: " +
			"images arrive that nobody built, and commands run that nobody gave.",
		Answer: "TLS with certificates of both sides on the TCP port, no registry without TLS, keys, certificates and sockets that " +
			"root alone can replace, packages that were verified, and in a swarm short-lived certificates and encrypted networks.",
		Rest: "A client whose own key was stolen, or a registry that was taken over, still proves who it is.",
	},
	{
		ID:    DockerHostTampering,
		Title: "a compromised client changes the daemon's configuration",
		Attack: "Whoever can write daemon.json, the unit, its environment file or the directory they are in chooses what a root " +
			"process does at its next start, and needs no exploit for it.",
		Answer: "Every file that dockerd is started with or reads belongs to root and is writable by root alone; changes to them are recorded.",
		Rest:   "Root itself, and whoever may start containers as root, can still change everything.",
	},
	{
		ID:    DockerNetworkTampering,
		Title: "one compromised container attacks its neighbours and the host's own network",
		Attack: "Containers on the default bridge reach every port of each other, and a daemon that must not manage the packet " +
			"filter publishes ports that no rule guards.",
		Answer: "No traffic between containers of the default bridge and nobody on it, packet filter rules made by Docker itself, no " +
			"proxy process in the way of what it filters by, no container in the host's network or with NET_RAW, and ports on one address.",
		Rest: "Networks that people make themselves are theirs to divide.",
	},
	{
		ID:    DockerRegistryRepudiation,
		Title: "a malicious image is committed and nobody can be held to it",
		Attack: "An image is pushed, pulled or committed, or Docker's own programs and data are changed, and afterwards nothing " +
			"tells who did it.",
		Answer: "Signed images from registries that are trusted, containers that run what their image's name stands for, an authorization " +
			"plugin that knows who calls the API, and audit records of every change to Docker's files.",
		Rest: "Content trust is being retired and newer clients have none of it; audit records of one host can be erased by its root " +
			"unless they are sent away.",
	},
	{
		ID:    DockerDaemonRepudiation,
		Title: "an intruder erases the traces that containers and the daemon have left",
		Attack: "Logs that exist only on the host go with it, and a daemon that logs too little, or drowns what matters in debug " +
			"output, leaves nothing to read.",
		Answer: "A log driver that sends what containers say to another machine, and a daemon that logs at level info.",
		Rest:   "What was said before the collector got it, and what a container never logs.",
	},
	{
		ID:    DockerClientDisclosure,
		Title: "secrets in images, configuration files and keys are read by people they are not for",
		Attack: "Passwords in a Dockerfile end up in the image's history and in the environment of its containers, which anybody " +
			"who reaches the API can read; private keys lie on the host for everybody to copy.",
		Answer: "The API's socket is closed to others and its users are known, private keys are readable by root alone, services get " +
			"their secrets from Swarm, whose managers are locked, and containers that ended do not stay with what they were given. " +
			"Secrets in Dockerfiles, Compose files, images' environment and history, and keys in their layers are found and never shown.",
		Rest: "Whoever may use the API reads every secret that was given to a container by its environment; one that looks like no secret is not found.",
	},
	{
		ID:    DockerDaemonDenial,
		Title: "one container, or one restart, takes the others down",
		Attack: "A container fills the disk that the host itself lives on, or uses up files and processes; an upgrade of the daemon " +
			"stops everything that runs.",
		Answer: "A file system of its own for Docker's data, default limits for new containers and limits of memory, processors and " +
			"processes for each, restarts that end, health checks, storage and cgroup settings that are not loosened, and containers " +
			"that survive a restart of the daemon.",
		Rest: "Disk and network bandwidth, which no item limits.",
	},
	{
		ID:    DockerDaemonElevation,
		Title: "whoever reaches the daemon is root on the host",
		Attack: "The API starts containers with the host's files mounted: a world-writable socket, an open TCP port, one member " +
			"too many in the socket's group or an unpatched daemon are each enough.",
		Answer: "Sockets for root and a vetted group alone, no TCP port without client certificates, a plugin that authorizes each " +
			"call, a supported version without experimental features, and a daemon that is not root where that is possible.",
		Rest: "Members of the socket's group are as good as root: trusting them is a decision, not a control.",
	},
	{
		ID:    DockerClientElevation,
		Title: "the Dockerfile names no user, so the container runs as root",
		Attack: "Root inside a container is root for the kernel: one mistake in a mount, a capability or the kernel itself, and the " +
			"process is root outside too.",
		Answer: "Images and containers name a user that is not root; none is privileged, has more capabilities than the default, shares " +
			"the host's namespaces, reaches its devices, its directories or the API's socket, or can gain privileges; AppArmor or SELinux " +
			"and seccomp filter what is left, and user namespaces make root inside an ordinary user outside.",
		Rest: "A mistake in the kernel itself, which all containers share.",
	},
}
