package activate

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCompareData(t *testing.T) {
	web := []workload{{ID: "1", Name: "web"}}
	base := snapshot{Root: "/var/lib/docker", Images: 2}
	tests := []struct {
		name     string
		was, now snapshot
		want     string
	}{
		{"the same", base, base, "[]"},
		{"fewer images", base, snapshot{Root: base.Root, Images: 1}, "[]"},
		{"no images", base, snapshot{Root: base.Root}, "[there were 2 images, now there are none]"},
		{"another root", base, snapshot{Root: "/srv", Images: 2},
			"[the data root was /var/lib/docker and is now /srv: images, containers and volumes of the old one are hidden]"},
		{"userns-remap, meant", base, snapshot{Root: "/var/lib/docker/1.1", Remapped: true}, "[]"},
		{"userns-remap under a container", snapshot{Root: base.Root, Images: 1, Containers: web},
			snapshot{Root: "/var/lib/docker/1.1", Remapped: true},
			"[the data root was /var/lib/docker and is now /var/lib/docker/1.1: images, containers and volumes of the old one " +
				"are hidden there were 1 images, now there are none]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, fmt.Sprint(tt.was.data(tt.now))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if _, err := json.Marshal(base); err != nil {
		t.Fatal(err)
	}
}
