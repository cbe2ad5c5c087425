package vm

// A Host is a kind of test host.
type Host struct {
	Name     string   // names its image in the cache
	suite    string   // the Debian it is
	packages []string // what it has beside what image.sh gives every host
	store    string   // where its Engine keeps images, of those that careless.sh knows; empty for where it does by itself
	built    string   // the release of its dockerd where that is none of Debian's, and is built instead
}

// The hosts that there are images of: an Engine 20.10 with Compose 1.29, a 26.1 with Compose 2.26, and what is newest
// in Debian.
var (
	Debian12 = Host{Name: "debian12", suite: "bookworm", packages: []string{"docker-compose"}}
	Debian13 = Host{Name: "debian13", suite: "trixie", packages: []string{"docker-cli", "docker-compose", "iptables"}}
	Unstable = Host{Name: "unstable", suite: "sid", packages: []string{"docker-cli", "docker-compose", "iptables"}}
)

// Store is the host with its Engine's images in "overlay2" or in "containerd".
func (h Host) Store(name string) Host {
	h.store = name
	return h
}
