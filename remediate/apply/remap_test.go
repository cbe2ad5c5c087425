package apply

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks/want"
	"example.com/harden/remediate"
)

// remapping is an Engine whose restart moves it to the data of its user namespace, or back. It stands in for Docker 23
// and newer, whose ID moves too; TestRemapLeavesNobodyBehind of activate has what a real one answers.
func remapping(t *testing.T, c *containers, o *Options) {
	t.Helper()
	outside := maps.Clone(c.have)
	c.home, c.dataRoot = "/run/docker.sock host /var/lib/docker", "/var/lib/docker"
	inside := map[string]want.Limits{}
	s := &services{}
	s.broken = func(_ int, a remediate.Activation) error {
		switch {
		case a.Kind != remediate.Restart:
		case c.id == "E":
			outside = c.have
			c.id, c.dataRoot, c.have = "F", "/var/lib/docker/231072.231072", inside
		default:
			c.id, c.dataRoot, c.have = "E", "/var/lib/docker", outside
		}
		return nil
	}
	o.Services = s
}

// TestContainersOfAnEngineThatMoves: a run that turns userns-remap on and gives containers limits before it can be
// rolled back, though its containers are out of sight and the Engine has another ID.
func TestContainersOfAnEngineThatMoves(t *testing.T) {
	w, c := newWorld(t), engineOfTwo()
	files := w.look(t)
	o := w.with(c)
	remapping(t, c, &o)
	_, err := Apply(t.Context(), updating(t, w), o)
	must(t, err)
	if c.id != "F" || len(c.have) > 0 {
		t.Fatalf("the Engine has not moved: %+v", c)
	}
	_, back, err := RollbackPlan(t.Context(), "", o)
	must(t, err)
	if len(back.Updates) != 2 || len(back.Changes) == 0 {
		t.Errorf("the way back: %+v", back)
	}
	run, err := Rollback(t.Context(), "", o)
	must(t, err)
	if run.Outcome != RolledBack {
		t.Errorf("%+v", run)
	}
	want1 := engineOfTwo().have
	want1["a1"] = want.Limits{Memory: 64, MemorySwap: 128, CPUShares: 1024, PIDs: -1, Restart: "always"} // one-way
	if d := cmp.Diff(want1, c.have); d != "" {
		t.Errorf("taken back (-want +got):\n%s", d)
	}
	same(t, "after the rollback", files, w.look(t))
}

// TestContainersOfAnEngineThatStays: where dockerd could not be moved back, what is out of sight is told, and not taken
// for gone; and another Engine is another still.
func TestContainersOfAnEngineThatStays(t *testing.T) {
	w, c := newWorld(t), engineOfTwo()
	files := w.look(t)
	o := w.with(c)
	remapping(t, c, &o)
	_, err := Apply(t.Context(), updating(t, w), o)
	must(t, err)
	o.Services = &services{}
	home := c.home
	c.home = "/run/docker.sock elsewhere /var/lib/docker"
	if _, _, err := RollbackPlan(t.Context(), "", o); err == nil ||
		!strings.Contains(err.Error(), "belongs to another Docker Engine") {
		t.Errorf("another Engine: %v", err)
	}
	c.home = home
	run, err := Rollback(t.Context(), "", o)
	if err == nil || run.Outcome != Failed ||
		!strings.Contains(err.Error(), "keeps its data in /var/lib/docker/231072.231072") {
		t.Errorf("%+v, %v", run, err)
	}
	same(t, "after the rollback", files, w.look(t))
}
