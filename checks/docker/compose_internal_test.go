package docker

import (
	"reflect"
	"testing"
)

// TestInCompose holds checks to naming one rule of Compose's services: the one that judges sources, and the one that
// knows how to settle what is found of containers. A check is live where that knows which limits it is about.
func TestInCompose(t *testing.T) {
	some := false
	for _, c := range All {
		r, ok := c.Rule.(inCompose)
		if !ok {
			if c.Live {
				t.Errorf("%s is live, but no Compose file can be given its limits", c)
			}
			continue
		}
		some = true
		if reflect.ValueOf(c.Source).Pointer() != reflect.ValueOf(r.service).Pointer() {
			t.Errorf("%s judges sources by another rule than it settles containers by", c)
		}
		if c.Live != (r.live != nil) {
			t.Errorf("%s: live is %v", c, c.Live)
		}
	}
	if !some {
		t.Error("no check knows of Compose files")
	}
}
