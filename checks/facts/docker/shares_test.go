package docker

import (
	"testing"

	"github.com/docker/docker/api/types/system"
)

// TestShares: the numbers are those that a container's cpu.weight was 100 with, as one has it that was given none.
func TestShares(t *testing.T) {
	for name, c := range map[string]struct {
		cgroups, runtime, runc string
		want                   int64
	}{
		"Debian 12's runc":          {"2", "runc", "1.1.5+ds1-1+deb12u1+b12", 2598},
		"Debian 13's runc":          {"2", "runc", "1.1.15+ds1-2+b4", 2598},
		"Docker's own build":        {"2", "runc", "v1.3.1-0-ge6457afc", 2598},
		"the first that is right":   {"2", "runc", "v1.3.2-0-gaeabe4e7", 1024},
		"the next line":             {"2", "io.containerd.runc.v2", "v1.4.0-rc.1-0-gb2ec7f92", 1024},
		"control groups, version 1": {"1", "runc", "v1.1.12-0-g51d5e946", 1024},
		"another runtime":           {"2", "crun", "v1.1.12-0-g51d5e946", 1024},
		"nobody knows":              {"2", "runc", "N/A", 1024},
	} {
		info := system.Info{CgroupVersion: c.cgroups, DefaultRuntime: c.runtime, RuncCommit: system.Commit{ID: c.runc}}
		if got := Shares(info); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	c := Container{}
	if got := c.Limits(2598).CPUShares; got != 2598 {
		t.Errorf("a container that was given none has %d", got)
	}
	c.HostConfig.CPUShares = 1024
	if got := c.Limits(2598).CPUShares; got != 1024 {
		t.Errorf("one that was given 1024 has %d", got)
	}
}
