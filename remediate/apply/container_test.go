package apply

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
)

// containers is an engine in memory, for what no real one does when it is asked to: TestObjects of cmd/harden has a
// real one.
type containers struct {
	have     map[string]want.Limits
	refuse   string // the container of which it refuses an update
	ignore   string // the one of which it takes an update and does nothing
	id       string
	home     string // where it is, and its data
	dataRoot string
	silent   error
	updates  int
}

func (c *containers) Engine(context.Context) (docker.EngineID, error) {
	return docker.EngineID{ID: c.id, Home: c.home, Root: c.dataRoot}, c.silent
}

func (c *containers) Limits(_ context.Context, id string) (want.Limits, error) {
	l, ok := c.have[id]
	if !ok {
		return l, facts.ErrAbsent
	}
	return l, c.silent
}

func (c *containers) Update(_ context.Context, id string, l want.Limits) error {
	c.updates++
	if _, ok := c.have[id]; !ok {
		return facts.ErrAbsent
	}
	switch id {
	case c.refuse:
		return errors.New("Cannot update container")
	case c.ignore:
		return nil
	}
	c.have[id] = c.have[id].With(l)
	return nil
}

func engineOfTwo() *containers {
	return &containers{id: "E", have: map[string]want.Limits{
		"a1": {MemorySwap: -1, CPUShares: 1024, PIDs: -1, Restart: "always"},
		"b2": {Memory: 100, MemorySwap: 200, CPUShares: 7, PIDs: 9, Restart: "no"},
	}}
}

// updating is the plan of a world with two containers in it.
func updating(t *testing.T, w world) *remediate.Plan {
	p := w.plan(t)
	memory := []*checks.Check{{ID: "docker/memory"}}
	p.Updates = []remediate.Update{
		{ID: "a1", Name: "web", Before: want.Limits{MemorySwap: -1, PIDs: -1, Restart: "always"},
			After: want.Limits{Memory: 64, MemorySwap: 128, PIDs: 100, Restart: "on-failure:5"}, Checks: memory},
		{ID: "b2", Name: "db", Before: want.Limits{Memory: 100, MemorySwap: 200},
			After: want.Limits{Memory: 64, MemorySwap: 128}, Checks: memory},
	}
	return p
}

func (w world) with(c *containers) Options {
	o := w.options()
	o.Containers = c
	return o
}

func TestContainersThereAndBack(t *testing.T) {
	w, c := newWorld(t), engineOfTwo()
	files := w.look(t)
	o := w.with(c)
	run, err := Apply(t.Context(), updating(t, w), o)
	must(t, err)
	if run.Outcome != Applied || len(run.Updates) != 2 || run.Updates[0].Name != "web" {
		t.Errorf("the run: %+v", run)
	}
	want1 := map[string]want.Limits{
		"a1": {Memory: 64, MemorySwap: 128, CPUShares: 1024, PIDs: 100, Restart: "on-failure:5"},
		"b2": {Memory: 64, MemorySwap: 128, CPUShares: 7, PIDs: 9, Restart: "no"},
	}
	if d := cmp.Diff(want1, c.have); d != "" {
		t.Errorf("applied (-want +got):\n%s", d)
	}

	_, back, err := RollbackPlan(t.Context(), "", o)
	must(t, err)
	wantBack := []remediate.Update{
		{ID: "a1", Name: "web", Before: want.Limits{PIDs: 100, Restart: "on-failure:5"},
			After: want.Limits{PIDs: -1, Restart: "always"}, Class: want.Reload,
			OneWay: []string{"memory: its limit stays: the Engine cannot remove it, only change it (`docker update --memory`)"}},
		{ID: "b2", Name: "db", Before: want.Limits{Memory: 64, MemorySwap: 128},
			After: want.Limits{Memory: 100, MemorySwap: 200}, Class: want.Reload},
	}
	if d := cmp.Diff(wantBack, back.Updates); d != "" {
		t.Errorf("the way back (-want +got):\n%s", d)
	}
	if run, err = Rollback(t.Context(), "", o); err != nil || run.Outcome != RolledBack {
		t.Fatalf("%+v, %v", run, err)
	}
	want1 = engineOfTwo().have
	want1["a1"] = want.Limits{Memory: 64, MemorySwap: 128, CPUShares: 1024, PIDs: -1, Restart: "always"} // one-way
	if d := cmp.Diff(want1, c.have); d != "" {
		t.Errorf("taken back (-want +got):\n%s", d)
	}
	same(t, "after the rollback", files, w.look(t))
	must(t, VerifyHistory(o))
}

// TestContainersThatCannotBeChanged: a run that is refused in the middle leaves everything as it was, and says why.
func TestContainersThatCannotBeChanged(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(*containers)
		want  string
	}{
		"refused":  {func(c *containers) { c.refuse = "b2" }, "container db (b2): Cannot update container"},
		"not done": {func(c *containers) { c.ignore = "b2" }, "the Engine accepted the change, but it has"},
	} {
		t.Run(name, func(t *testing.T) {
			w, c := newWorld(t), engineOfTwo()
			files := w.look(t)
			test.spoil(c)
			run, err := Apply(t.Context(), updating(t, w), w.with(c))
			if !errors.Is(err, ErrRolledBack) || !strings.Contains(err.Error(), test.want) || run.Outcome != RolledBack {
				t.Errorf("%+v, %v", run, err)
			}
			if c.have["a1"].PIDs != -1 || c.have["a1"].Restart != "always" || c.have["b2"] != engineOfTwo().have["b2"] {
				t.Errorf("left behind: %+v", c.have)
			}
			same(t, "after it was taken back", files, w.look(t))
		})
	}
}

// TestContainersThatGo: one that vanishes before its turn is no error, and nothing is to be taken back of it.
func TestContainersThatGo(t *testing.T) {
	for name, when := range map[string]Doing{"before the run": "", "while it is prepared": Journaling,
		"before its turn": Writing} {
		t.Run(name, func(t *testing.T) {
			w, c := newWorld(t), engineOfTwo()
			o := w.with(c)
			o.Progress = func(s Step) {
				if s.Doing == when {
					delete(c.have, "b2")
				}
			}
			if when == "" {
				delete(c.have, "b2")
			}
			if run, err := Apply(t.Context(), updating(t, w), o); err != nil || run.Outcome != Applied || c.updates != 1 {
				t.Errorf("%+v, %v, %d updates", run, err, c.updates)
			}
			if run, err := Rollback(t.Context(), "", o); err != nil || run.Outcome != RolledBack {
				t.Errorf("%+v, %v", run, err)
			}
		})
	}
}

func TestContainersThatOthersChange(t *testing.T) {
	w, c := newWorld(t), engineOfTwo()
	files := w.look(t)
	plan := updating(t, w)
	c.have["b2"] = c.have["b2"].With(want.Limits{Memory: 101})
	if _, err := Apply(t.Context(), plan, w.with(c)); !errors.Is(err, ErrDrift) || c.updates != 0 {
		t.Errorf("after a change since the plan: %v, %d updates", err, c.updates)
	}
	same(t, "after the refusal", files, w.look(t))

	c.have["b2"] = engineOfTwo().have["b2"]
	_, err := Apply(t.Context(), plan, w.with(c))
	must(t, err)
	after := w.look(t)
	for name, spoil := range map[string]func(*containers){
		"a change since": func(c *containers) { c.have["b2"] = c.have["b2"].With(want.Limits{Memory: 77}) },
		"another engine": func(c *containers) { c.id = "F" },
		"no answer":      func(c *containers) { c.silent = errors.New("connection refused") },
	} {
		t.Run(name, func(t *testing.T) {
			d := *c
			d.have = maps.Clone(c.have)
			spoil(&d)
			before := maps.Clone(d.have)
			if _, err := Rollback(t.Context(), "", w.with(&d)); err == nil || name == "a change since" &&
				!errors.Is(err, ErrConflict) {
				t.Errorf("rollback: %v", err)
			}
			if diff := cmp.Diff(before, d.have); diff != "" {
				t.Errorf("changed (-want +got):\n%s", diff)
			}
			same(t, "after the refusal", after, w.look(t))
		})
	}
	c.have["a1"] = c.have["a1"].With(want.Limits{CPUShares: 3}) // which the run has not touched
	if run, err := Rollback(t.Context(), "", w.with(c)); err != nil || run.Outcome != RolledBack ||
		c.have["a1"].CPUShares != 3 {
		t.Errorf("%+v, %v, %+v", run, err, c.have)
	}
}

// TestContainersCutShort ends a run in front of its second container, and finishes it or takes it back.
func TestContainersCutShort(t *testing.T) {
	for _, back := range []bool{false, true} {
		w, c := newWorld(t), engineOfTwo()
		files := w.look(t)
		o := w.with(c)
		o.Progress = func(s Step) {
			if s.Doing == Writing && strings.Contains(s.Subject, "container db") {
				panic("cut")
			}
		}
		func() {
			defer func() { recover() }()
			Apply(t.Context(), updating(t, w), o)
		}()
		o.Progress = nil
		if run, err := Interrupted(o); err != nil || run == nil || c.have["a1"].PIDs != 100 || c.have["b2"].Memory != 100 {
			t.Fatalf("cut short: %+v, %v, %+v", run, err, c.have)
		}
		if back {
			if run, err := Rollback(t.Context(), "", o); err != nil || run.Outcome != RolledBack || c.have["a1"].PIDs != -1 ||
				c.have["b2"].Memory != 100 {
				t.Errorf("%+v, %v, %+v", run, err, c.have)
			}
			same(t, "taken back", files, w.look(t))
			continue
		}
		if run, err := Resume(t.Context(), o); err != nil || run.Outcome != Applied || c.have["a1"].PIDs != 100 ||
			c.have["b2"].Memory != 64 {
			t.Errorf("%+v, %v, %+v", run, err, c.have)
		}
	}
}

// TestContainersUnconfirmed has the time of a run to be confirmed end when its Engine answers, when it does not, and as
// a machine boots, which has none yet: the files come back all the same, and what does not is told.
func TestContainersUnconfirmed(t *testing.T) {
	unconfirmed := engineOfTwo().have
	unconfirmed["a1"] = want.Limits{Memory: 64, MemorySwap: 128, CPUShares: 1024, PIDs: 100, Restart: "on-failure:5"}
	unconfirmed["b2"] = want.Limits{Memory: 64, MemorySwap: 128, CPUShares: 7, PIDs: 9, Restart: "no"}
	back := engineOfTwo().have
	back["a1"] = want.Limits{Memory: 64, MemorySwap: 128, CPUShares: 1024, PIDs: -1, Restart: "always"} // one-way
	for name, test := range map[string]struct {
		boot    bool
		silent  error
		outcome Outcome
		reason  string
		have    map[string]want.Limits
	}{
		"it answers": {outcome: RolledBack, reason: "not confirmed within 1m", have: back},
		"it does not": {silent: errors.New("is dockerd down?"), outcome: Failed, reason: "is dockerd down?",
			have: unconfirmed},
		"as it boots yet": {boot: true, outcome: Failed, reason: "container web (a1): its change cannot be rolled back here",
			have: unconfirmed},
	} {
		t.Run(name, func(t *testing.T) {
			w, e := newWorld(t), engineOfTwo()
			files := w.look(t)
			g, c := &guard{}, &clock{"one", time.Hour}
			o := w.guarded(g, c)
			o.Containers = e
			run, err := Apply(t.Context(), updating(t, w), o)
			must(t, err)
			id := run.ID
			*c = clock{"one", 2 * time.Hour}
			if test.boot {
				id, *c = "", clock{"two", time.Second}
			}
			e.silent = test.silent
			o = w.guarded(g, c)
			if !test.boot {
				o.Containers = e
			}
			got, err := Expire(t.Context(), id, o)
			if got == nil || got.Outcome != test.outcome || !strings.Contains(got.Reason, test.reason) ||
				(err == nil) != (test.outcome == RolledBack) {
				t.Fatalf("taken back: %+v, %v", got, err)
			}
			w.disarmed(t, g)
			if d := cmp.Diff(files, w.look(t)); d != "" {
				t.Errorf("the files (-want +got):\n%s", d)
			}
			if d := cmp.Diff(test.have, e.have); d != "" {
				t.Errorf("the containers (-want +got):\n%s", d)
			}
		})
	}
}
