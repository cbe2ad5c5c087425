package facts

import (
	"encoding/json"
	"time"

	"github.com/docker/docker/api/types/system"
)

// EngineFacts is what the Docker Engine says of itself.
type EngineFacts struct {
	Endpoint
	system.Info
}

// A Daemon is the dockerd of this host, in its three states: as it runs, as its files have it now, and as it would
// run after a restart.
type Daemon struct {
	Process  *Process // nil when none runs
	Flavour  string   // "package", "rootless", "snap"
	Unit     string   // "docker.service", "snap.docker.dockerd.service"; empty where systemd does not start it
	Running  Flags    // of the process's argv; nil when none runs
	Next     Flags    // of the argv it would get from its unit; Running where no unit starts it
	File     string   // the daemon.json in use: --config-file, or the flavour's default
	Explicit bool     // whether File was named by --config-file, so that it must exist
	Keys     *Keys    // nil when the file does not exist
	KeysErr  error    // why File could not be read or parsed, naming line and column
	Changed  time.Time // when File's content last changed; zero when it does not exist
	DataRoot string    // /var/lib/docker unless said otherwise
	Stale    bool      // File or Next is newer than the process: what runs may differ from what is configured
}

// Keys are the top-level members of a daemon.json.
type Keys struct {
	Order  []string
	Values map[string]json.RawMessage
}

// A Flag is one command-line flag as a program would take it.
type Flag struct {
	Name   string
	Values []string // in order; for a scalar the last one counts
	Origin string   // where it is written: "process", a unit file or drop-in, an environment file
}

// Flags are a program's flags by their long name, without dashes.
type Flags map[string]Flag

// Last returns the value that counts of a flag that takes one.
func (f Flags) Last(name string) (string, bool) {
	v, ok := f[name]
	if !ok || len(v.Values) == 0 {
		return "", ok
	}
	return v.Values[len(v.Values)-1], true
}
