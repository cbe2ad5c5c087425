package docker

import (
	"testing"

	"example.com/harden/checks/facts/docker"
)

// TestUlimits lifts either half of a limit: a process raises its soft limit to the hard one by itself.
func TestUlimits(t *testing.T) {
	for _, c := range []struct {
		soft, hard int64
		found      bool
	}{
		{1024, 2048, false},
		{0, 0, false},
		{-1, -1, true},
		{1024, -1, true},
		{-1, 2048, true},
	} {
		limit := docker.Ulimit{Name: "nofile", Soft: c.soft, Hard: c.hard}
		got := ownUlimits(nil, &docker.Container{HostConfig: docker.HostConfig{Ulimits: []docker.Ulimit{limit}}})
		if len(got) > 0 != c.found {
			t.Errorf("soft %d, hard %d: found %+v", c.soft, c.hard, got)
		}
	}
	if got := ownUlimits(nil, &docker.Container{}); got != nil {
		t.Errorf("no limit of its own: found %+v", got)
	}
}
