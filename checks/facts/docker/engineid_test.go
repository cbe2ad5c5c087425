package docker

import (
	"testing"

	"github.com/docker/docker/api/types/system"
)

func TestEngineID(t *testing.T) {
	of := func(host, id, name, root string) EngineID {
		return EngineOf(host, system.Info{ID: id, Name: name, DockerRootDir: root})
	}
	was := of("unix:///var/run/docker.sock", "A", "h", "/var/lib/docker")
	for _, tt := range []struct {
		name        string
		now         EngineID
		same, hides bool
	}{
		{"the same", of("unix:///run/docker.sock", "A", "h", "/var/lib/docker"), true, false},
		{"userns-remap from Docker 23", of("unix:///run/docker.sock", "B", "h", "/var/lib/docker/231072.231072"), false,
			true},
		{"userns-remap of Docker 20.10, whose ID stays", of("unix:///run/docker.sock", "A", "h", "/var/lib/docker/1.1"),
			false, true},
		{"its data was removed", of("unix:///run/docker.sock", "B", "h", "/var/lib/docker"), true, false},
		{"its data was moved", of("unix:///run/docker.sock", "A", "h", "/data/docker"), true, false},
		{"another on this host", of("unix:///run/other.sock", "B", "h", "/var/lib/other"), false, false},
		{"another host's by a forwarded socket", of("unix:///run/docker.sock", "B", "g", "/var/lib/docker"), false, false},
		{"by TCP", of("tcp://localhost:2375", "A", "h", "/var/lib/docker"), true, false},
		{"another by TCP", of("tcp://localhost:2375", "B", "h", "/var/lib/docker/1.1"), false, false},
		{"of a journal of an older harden", EngineID{ID: "A"}, true, false},
	} {
		if same, hides := tt.now.Same(was), tt.now.Hides(was); same != tt.same || hides != tt.hides {
			t.Errorf("%s: same %v, hides %v", tt.name, same, hides)
		}
	}
}
