package want

// An Authority says who could have chosen what a fact says. A later one is worth more.
type Authority int

// The authorities. Only what root alone could have said moves root's hand.
const (
	Nobody Authority = iota // not declared, so not believed
	Guest                   // whoever made an image, or can start a container
	User                    // a user of this host who is not root
	Root                    // root alone, or harden itself
)

var authorityNames = []string{"nobody", "a container", "a user other than root", "root"}

func (a Authority) String() string { return authorityNames[a] }

// A Kind is what must be at a path for an item to be about it. The text follows "it is not".
type Kind string

// The kinds. Own is for the places that harden itself names: whatever is there is what the item means.
const (
	Own           Kind = ""
	Certificate   Kind = "a certificate in PEM form"
	PrivateKey    Kind = "a private key in PEM form"
	PKI           Kind = "a certificate, a key, or a directory of them"
	Kubeconfig    Kind = "a kubeconfig"
	Manifest      Kind = "a pod's manifest"
	KubeletConfig Kind = "a configuration file of the kubelet"
	EtcdConfig    Kind = "a configuration file of etcd"
	DaemonConfig  Kind = "a configuration file of dockerd"
	CNIConfig     Kind = "a configuration file of a container network"
	ComposeFile   Kind = "a Compose file"
	UnitFile      Kind = "a unit file or drop-in of systemd"
	EtcdData      Kind = "a data directory of etcd"
	DockerData    Kind = "a data directory of dockerd"
	Program       Kind = "a program"
	Socket        Kind = "a socket"
)

// A Warrant says what entitles harden to change what is at a path.
type Warrant struct {
	By   Authority // who chose the path
	From string    // where: "--tlskey in /etc/docker/daemon.json"; empty where harden names it
	Kind Kind
}

// Mine is the warrant of a place that harden itself names.
var Mine = Warrant{By: Root}

// Entitled returns the warrant itself: a Want that has one embeds it.
func (w Warrant) Entitled() Warrant { return w }

// Naming returns the warrant of what a fact of that authority names, when w entitles to the file that holds the fact.
func (w Warrant) Naming(by Authority, from string, kind Kind) Warrant {
	return Warrant{min(w.By, by), from, kind}
}
