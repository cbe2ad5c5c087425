package docker_test

import (
	"testing"

	"example.com/harden/checks/facts/docker"
)

// TestNeedsHostUsers goes through what dockerd refuses under userns-remap, each by itself.
func TestNeedsHostUsers(t *testing.T) {
	for name, c := range map[string]struct {
		host docker.HostConfig
		want bool
	}{
		"nothing":            {docker.HostConfig{NetworkMode: "shop", PidMode: "container:db"}, false},
		"privileged":         {docker.HostConfig{Privileged: true}, true},
		"the host's network": {docker.HostConfig{NetworkMode: "host"}, true},
		"its processes":      {docker.HostConfig{PidMode: "host"}, true},
		"its shared memory":  {docker.HostConfig{IpcMode: "host"}, true},
		"its name":           {docker.HostConfig{UTSMode: "host"}, true},
		"its users already":  {docker.HostConfig{Privileged: true, UTSMode: "host", UsernsMode: "host"}, false},
	} {
		if got := docker.NeedsHostUsers(&docker.Container{HostConfig: c.host}); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
