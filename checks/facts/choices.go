package facts

import "time"

// Choices are what the site has decided and no machine can: they come from the configuration.
type Choices struct {
	TrustedUsers         []string            // who may drive the daemon (members of the socket's group)
	LogDriver            string              // daemon-wide log driver
	LogOpts              map[string]string   // its options
	AuthorizationPlugins []string            // plugins that gate API calls
	DefaultUlimits       map[string][2]int64 // name to soft and hard limit of new containers
	TLSCACert            string              // files of the TCP listener
	TLSCert              string
	TLSKey               string
	PublishAddress       string            // the host's address that Compose files are to publish ports on
	Swarm                bool              // Swarm mode is wanted on this host
	TrustedRegistries    []string          // where images may come from: "docker.io/library", "registry.example:5000"
	ImageMaxAge          time.Duration     // after which an image counts as not rebuilt; 0 is 90 days
	Containers           []ContainerChoice // the first that matches and says something of a limit counts
	Sources              SourceChoices
}

// A ContainerChoice is what the site has decided of some containers. Values are numbers as `docker run` takes them
// ("512m" of memory), or "auto": from what the container is known to have used, with head room; empty says nothing.
type ContainerChoice struct {
	Name      string // glob of names; empty matches all
	Label     string // "key" or "key=value", globs; empty matches all
	Memory    string
	CPUShares string
	PIDs      string
	Restart   string // as `docker run --restart` takes it
}

// SourceChoices are what of a source directory is looked at beside what is the repository's own.
type SourceChoices struct {
	Vendor      bool // directories called vendor and node_modules: other people's sources
	SkipIgnored bool // leave out what a .gitignore names; it may still be what runs here
}

// A SourceDir is one directory of --source.
type SourceDir struct {
	Path string // absolute
	As   string // how it was named, and how its files are called
}
