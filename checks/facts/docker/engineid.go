package docker

import (
	"strings"

	"github.com/docker/docker/api/types/system"
)

// An EngineID tells Docker Engines apart. The ID alone does not: from Docker 23 it is kept with the data, and
// userns-remap has the same dockerd use other data. Source: moby daemon/id.go, cmd/dockerd/daemon.go.
type EngineID struct {
	ID   string
	Home string // which dockerd it is, whatever data it uses; empty where only the ID is known
	Root string // where its data is, with the directory of userns-remap
}

// EngineOf identifies the Engine that answers at host.
func EngineOf(host string, info system.Info) EngineID {
	id := EngineID{ID: info.ID, Root: info.DockerRootDir}
	if socket, ok := strings.CutPrefix(host, "unix://"); ok && info.DockerRootDir != "" {
		socket = strings.Replace(socket, "/var/run/", "/run/", 1)
		id.Home = strings.Join([]string{socket, info.Name, remapped.ReplaceAllString(info.DockerRootDir, "")}, " ")
	}
	return id
}

// Identity is the Engine's.
func (e *EngineFacts) Identity() EngineID { return EngineOf(e.Host, e.Info) }

// Same reports whether both are one Engine with one set of containers.
func (id EngineID) Same(other EngineID) bool {
	if id.Home != "" && id.Home == other.Home {
		return id.Root == other.Root
	}
	return id.ID == other.ID
}

// Hides reports whether the Engine is the other one that uses other data meanwhile: containers of then are not gone,
// and are there again once userns-remap is as it was.
func (id EngineID) Hides(other EngineID) bool {
	return id.Home != "" && id.Home == other.Home && id.Root != other.Root
}
