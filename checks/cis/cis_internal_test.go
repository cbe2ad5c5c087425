package cis

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNewEdition adds an edition that moves an item, drops one and brings one: none of the numbers said so far changes.
func TestNewEdition(t *testing.T) {
	old := editions
	defer func() { editions = old }()
	const next Benchmark = "docker@9.0"
	before := Docker("2.1", "2.2", "2.2", "2.2")
	editions = append(append([]edition{}, old...),
		edition{name: next, as: Docker180, moved: map[string]string{"2.2": "2.3", "2.3": ""}})
	after := Docker("2.1", "2.2", "2.2", "2.2")
	if after[next] != "2.3" {
		t.Errorf("an item that has moved is %q", after[next])
	}
	delete(after, next)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("older editions (-want +got)\n%s", diff)
	}
	if n, ok := Docker("2.2", "2.3", "2.3", "2.3")[next]; ok {
		t.Errorf("an item that is gone is %q", n)
	}
	if n := Docker("", "3.17", "3.17", "3.17")[next]; n != "3.17" {
		t.Errorf("an item that stays is %q", n)
	}
	if diff := cmp.Diff(Items{next: "2.2"}, Since(next, "2.2")); diff != "" {
		t.Errorf("an item that came with it (-want +got)\n%s", diff)
	}
}
