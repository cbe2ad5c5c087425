package docker_test

import (
	"testing"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
)

// TestNeedsHostUsers goes through what dockerd refuses under userns-remap, each by itself.
func TestNeedsHostUsers(t *testing.T) {
	for name, c := range map[string]struct {
		host facts.HostConfig
		want bool
	}{
		"nothing":            {facts.HostConfig{NetworkMode: "shop", PidMode: "container:db"}, false},
		"privileged":         {facts.HostConfig{Privileged: true}, true},
		"the host's network": {facts.HostConfig{NetworkMode: "host"}, true},
		"its processes":      {facts.HostConfig{PidMode: "host"}, true},
		"its shared memory":  {facts.HostConfig{IpcMode: "host"}, true},
		"its name":           {facts.HostConfig{UTSMode: "host"}, true},
		"its users already":  {facts.HostConfig{Privileged: true, UTSMode: "host", UsernsMode: "host"}, false},
	} {
		if got := docker.NeedsHostUsers(&facts.Container{HostConfig: c.host}); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
