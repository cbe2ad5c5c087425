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

// The threats to a Kubernetes node and its control plane.
const (
	KubernetesControlPlaneSpoofing    ID = "kubernetes/control-plane/spoofing"
	KubernetesNodeSpoofing            ID = "kubernetes/node/spoofing"
	KubernetesControlPlaneTampering   ID = "kubernetes/control-plane/tampering"
	KubernetesNodeTampering           ID = "kubernetes/node/tampering"
	KubernetesNodeRepudiation         ID = "kubernetes/node/repudiation"
	KubernetesControlPlaneRepudiation ID = "kubernetes/control-plane/repudiation"
	KubernetesNodeDisclosure          ID = "kubernetes/node/disclosure"
	KubernetesControlPlaneDisclosure  ID = "kubernetes/control-plane/disclosure"
	KubernetesNodeDenial              ID = "kubernetes/node/denial-of-service"
	KubernetesControlPlaneDenial      ID = "kubernetes/control-plane/denial-of-service"
	KubernetesControlPlaneElevation   ID = "kubernetes/control-plane/elevation"
	KubernetesNodeElevation           ID = "kubernetes/node/elevation"
)

// All is the model, platform by platform in STRIDE order, which is the order in which reports show it.
var All = []Threat{
	{
		ID:    DockerClientSpoofing,
		Title: "clients, the daemon and registries talk without proving who they are",
		Attack: "Somebody between a client and the daemon, or between the daemon and a registry, answers in the other's " +
			"name: images arrive that nobody built, and commands run that nobody gave.",
		Answer: "TLS with certificates of both sides on the TCP port, no registry without TLS, keys, certificates and " +
			"sockets that root alone can replace, packages that were verified, and in a swarm short-lived certificates and " +
			"encrypted networks.",
		Rest: "A client whose own key was stolen, or a registry that was taken over, still proves who it is.",
	},
	{
		ID:    DockerHostTampering,
		Title: "a compromised client changes the daemon's configuration",
		Attack: "Whoever can write daemon.json, the unit, its environment file or the directory they are in chooses what " +
			"a root process does at its next start, and needs no exploit for it.",
		Answer: "Every file that dockerd is started with or reads belongs to root and is writable by root alone; changes " +
			"to them are recorded.",
		Rest: "Root itself, and whoever may start containers as root, can still change everything.",
	},
	{
		ID:    DockerNetworkTampering,
		Title: "one compromised container attacks its neighbours and the host's own network",
		Attack: "Containers on the default bridge reach every port of each other, and a daemon that must not manage the " +
			"packet filter publishes ports that no rule guards.",
		Answer: "No traffic between containers of the default bridge and nobody on it, packet filter rules made by Docker " +
			"itself, no proxy process in the way of what it filters by, no container in the host's network or with NET_RAW, " +
			"and ports on one address.",
		Rest: "Networks that people make themselves are theirs to divide.",
	},
	{
		ID:    DockerRegistryRepudiation,
		Title: "a malicious image is committed and nobody can be held to it",
		Attack: "An image is pushed, pulled or committed, or Docker's own programs and data are changed, and afterwards " +
			"nothing tells who did it.",
		Answer: "Signed images from registries that are trusted, containers that run what their image's name stands for, " +
			"an authorization plugin that knows who calls the API, and audit records of every change to Docker's files.",
		Rest: "Content trust is being retired and newer clients have none of it; audit records of one host can be erased " +
			"by its root unless they are sent away.",
	},
	{
		ID:    DockerDaemonRepudiation,
		Title: "an intruder erases the traces that containers and the daemon have left",
		Attack: "Logs that exist only on the host go with it, and a daemon that logs too little, or drowns what matters " +
			"in debug output, leaves nothing to read.",
		Answer: "A log driver that sends what containers say to another machine, and a daemon that logs at level info.",
		Rest:   "What was said before the collector got it, and what a container never logs.",
	},
	{
		ID:    DockerClientDisclosure,
		Title: "secrets in images, configuration files and keys are read by people they are not for",
		Attack: "Passwords in a Dockerfile end up in the image's history and in the environment of its containers, which " +
			"anybody who reaches the API can read; private keys lie on the host for everybody to copy.",
		Answer: "The API's socket is closed to others and its users are known, private keys are readable by root alone, " +
			"services get their secrets from Swarm, whose managers are locked, and containers that ended do not stay with " +
			"what they were given. Secrets in Dockerfiles, Compose files, images' environment and history, and keys in their " +
			"layers are found and never shown.",
		Rest: "Whoever may use the API reads every secret that was given to a container by its environment; one that " +
			"looks like no secret is not found.",
	},
	{
		ID:    DockerDaemonDenial,
		Title: "one container, or one restart, takes the others down",
		Attack: "A container fills the disk that the host itself lives on, or uses up files and processes; an upgrade of " +
			"the daemon stops everything that runs.",
		Answer: "A file system of its own for Docker's data, default limits for new containers and limits of memory, " +
			"processors and processes for each, restarts that end, health checks, storage and cgroup settings that are not " +
			"loosened, and containers that survive a restart of the daemon.",
		Rest: "Disk and network bandwidth, which no item limits.",
	},
	{
		ID:    DockerDaemonElevation,
		Title: "whoever reaches the daemon is root on the host",
		Attack: "The API starts containers with the host's files mounted: a world-writable socket, an open TCP port, one " +
			"member too many in the socket's group or an unpatched daemon are each enough.",
		Answer: "Sockets for root and a vetted group alone, no TCP port without client certificates, a plugin that " +
			"authorizes each call, a supported version without experimental features, and a daemon that is not root where " +
			"that is possible.",
		Rest: "Members of the socket's group are as good as root: trusting them is a decision, not a control.",
	},
	{
		ID:    DockerClientElevation,
		Title: "the Dockerfile names no user, so the container runs as root",
		Attack: "Root inside a container is root for the kernel: one mistake in a mount, a capability or the kernel " +
			"itself, and the process is root outside too.",
		Answer: "Images and containers name a user that is not root; none is privileged, has more capabilities than the " +
			"default, shares the host's namespaces, reaches its devices, its directories or the API's socket, or can gain " +
			"privileges; AppArmor or SELinux and seccomp filter what is left, and user namespaces make root inside an " +
			"ordinary user outside.",
		Rest: "A mistake in the kernel itself, which all containers share.",
	},
	{
		ID:    KubernetesControlPlaneSpoofing,
		Title: "calls to the API server are forged",
		Attack: "A caller without a certificate or token is let in as anonymous, a password file never expires, or " +
			"somebody between the API server and a kubelet answers in the other's name.",
		Answer: "TLS with certificates of both sides everywhere, no anonymous callers beyond the health paths, no token " +
			"file, authorization of each call.",
		Rest: "A stolen certificate of a client stays good until it expires: the API server has no way to revoke it.",
	},
	{
		ID:    KubernetesNodeSpoofing,
		Title: "somebody else speaks as this node, or as what runs on it",
		Attack: "Whoever can read the kubelet's or kube-proxy's credentials, or replace the authority that they trust, " +
			"joins the cluster as the node; a certificate that is never renewed ends by being worked around.",
		Answer: "Credentials and authorities that root alone can touch, and certificates that the cluster signs and the " +
			"kubelet renews.",
		Rest: "Root on the node, and whoever approves certificate requests without looking at the names in them.",
	},
	{
		ID:    KubernetesControlPlaneTampering,
		Title: "etcd's configuration or data is altered",
		Attack: "etcd knows no users of Kubernetes: whoever reaches its port without a certificate, or its directory, " +
			"rewrites every object of the cluster past the API server, its authorization and its audit log.",
		Answer: "TLS with client certificates of an authority of etcd's own, between members and for the API server, and " +
			"files that nobody but etcd's user can touch.",
		Rest: "Root on a control-plane node, and whoever holds a certificate that etcd's authority has signed.",
	},
	{
		ID:    KubernetesNodeTampering,
		Title: "workloads or admission change what only the node or the cluster's administrators should",
		Attack: "A kubelet edits other nodes' objects, a file that tells the control plane how to start is writable by " +
			"others, or an object is admitted that no plugin has looked at.",
		Answer: "Admission plugins that hold kubelets to their own objects, and files of the node and control plane that " +
			"belong to root.",
		Rest: "Whoever may create privileged pods can still write anything on a node.",
	},
	{
		ID:    KubernetesNodeRepudiation,
		Title: "the kubelet is changed, or used, and nobody can be held to it",
		Attack: "The kubelet's port runs commands in any container: without authentication and authorization anybody " +
			"does, past the API server and its audit log; a file of the kubelet that others can write changes the same " +
			"without a trace.",
		Answer: "The kubelet asks the API server who each caller is and what they may, serves and renews certificates, " +
			"and its unit, configuration and kubeconfig belong to root alone.",
		Rest: "Rights to nodes/proxy, and direct access to the container runtime's socket, leave no audit record.",
	},
	{
		ID:    KubernetesControlPlaneRepudiation,
		Title: "nothing tells who changed the cluster",
		Attack: "Without an audit policy the API server records nothing; with a policy and no log, or one that is soon " +
			"overwritten, as little.",
		Answer: "A policy that covers the sensitive operations, a log on a volume that outlives the pod, kept long enough.",
		Rest: "A log on the node can be erased by its root unless it is sent away; shared accounts and certificates of " +
			"groups name nobody.",
	},
	{
		ID:     KubernetesNodeDisclosure,
		Title:  "kube-proxy's kubeconfig is readable by others",
		Attack: "The kubeconfig says where the API server is and how kube-proxy proves itself; whoever reads it learns both.",
		Answer: "The file belongs to root and others may at most read what holds no credential: mode 644 or stricter. " +
			"Editions since 1.24 ask for 600, which is judged as an item of its own.",
		Rest: "kubeadm's kube-proxy has its token in another file, which only its pod sees.",
	},
	{
		ID:    KubernetesControlPlaneDisclosure,
		Title: "secrets, keys and state of the cluster are read by people they are not for",
		Attack: "A copy of etcd's data holds every Secret in clear text; profiling, debugging and metrics endpoints, weak " +
			"ciphers and private keys that others can read give away the rest.",
		Answer: "Encryption at rest, profiling off, endpoints on loopback, strong ciphers, keys for root alone.",
		Rest:   "The key of the encryption is on the control-plane node too, unless a key management service keeps it.",
	},
	{
		ID:    KubernetesNodeDenial,
		Title: "the kubelet is overwhelmed, and the node with it",
		Attack: "A pod uses up the process numbers of the node, or the kernel is tuned so that running out of memory stops " +
			"the node instead of the culprit.",
		Answer: "Kernel settings that the kubelet insists on (protectKernelDefaults), a limit of processes per pod, and " +
			"idle connections that end.",
		Rest: "Memory, disk and network that no limit of a pod covers.",
	},
	{
		ID:    KubernetesControlPlaneDenial,
		Title: "the control plane is flooded",
		Attack: "One client's events, requests that never end, or objects that are never collected fill etcd and starve " +
			"everybody else.",
		Answer: "Rate limits for events, timeouts of requests, garbage collection, and no profiling for whoever asks.",
		Rest:   "Requests within the limits of priority and fairness can still be many.",
	},
	{
		ID:    KubernetesControlPlaneElevation,
		Title: "an ordinary identity becomes an administrator of the cluster",
		Attack: "With AlwaysAllow every identity is one; controllers that share one account, tokens that live for a year " +
			"and kubeconfigs that others can read make one of somebody who was not.",
		Answer: "Node and RBAC authorization, an account for each controller, short tokens that are looked up, " +
			"kubeconfigs for root alone.",
		Rest: "Rights that were granted too widely in the cluster itself: its roles are not looked into here.",
	},
	{
		ID:    KubernetesNodeElevation,
		Title: "a container becomes root on its node",
		Attack: "Commands through the kubelet's own port, or kernel calls that no seccomp profile filters, lead from a " +
			"container to the node and with its credentials further.",
		Answer: "No anonymous or unauthorized calls to the kubelet, and a default seccomp profile for every pod.",
		Rest:   "Privileged pods, and what pods may mount, are for the cluster's admission to refuse.",
	},
}
