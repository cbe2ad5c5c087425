package apply

import (
	"context"
	"errors"
	"strings"
	"testing"

	"example.com/harden/checks/want"
	"example.com/harden/remediate"
)

// A dying engine ends harden at a container's update, as a crash does: the lock is dropped and the journal stays.
type dying struct {
	*containers
	at string
}

var errDied = errors.New("died")

func (d dying) Update(ctx context.Context, id string, l want.Limits) error {
	if id == d.at {
		panic(errDied)
	}
	return d.containers.Update(ctx, id, l)
}

// died applies the world's plan with an engine that ends harden when it comes to a container.
func (w world) died(t *testing.T, c *containers, at string) {
	t.Helper()
	defer func() {
		if recover() != errDied {
			t.Fatal("it did not die")
		}
	}()
	o := w.options()
	o.Containers = dying{c, at}
	_, _ = Apply(t.Context(), updating(t, w), o)
}

// TestDiedAtContainer is cut short between two containers: each way on knows which the run may have changed.
func TestDiedAtContainer(t *testing.T) {
	states := func(t *testing.T, o Options) string {
		_, all, err := Abandonment("", o)
		must(t, err)
		var text []string
		for _, f := range all {
			if strings.HasPrefix(f.Path, "container ") {
				text = append(text, f.Path+" "+f.State)
			}
		}
		return strings.Join(text, "; ")
	}
	for at, c := range map[string]struct{ states, onward, repaired string }{
		"a1": {"container web (a1) " + StateHidden + "; container db (b2) " + StateBefore, "a1 b2", "a1 b2"},
		"b2": {"container web (a1) " + StateHidden + "; container db (b2) " + StateHidden, "a1 b2", "a1 b2"},
	} {
		t.Run(at, func(t *testing.T) {
			w, engine := newWorld(t), engineOfTwo()
			before := engineOfTwo().have
			w.died(t, engine, at)
			o := w.with(engine)
			if got := states(t, o); got != c.states {
				t.Errorf("states: %s", got)
			}
			r, back, err := Onward(t.Context(), o)
			must(t, err)
			if got := updateIDs(r.Plan.Updates); got != c.onward || back {
				t.Errorf("onward: %s, %v", got, back)
			}
			run, err := Resume(t.Context(), o)
			must(t, err)
			if run.Outcome != Applied || engine.have["a1"].Memory != 64 || engine.have["b2"].Memory != 64 {
				t.Errorf("resumed: %+v %+v", run.Outcome, engine.have)
			}
			_, err = Rollback(t.Context(), "", o)
			must(t, err)
			if engine.have["b2"] != before["b2"] {
				t.Errorf("rolled back: %+v", engine.have)
			}
		})
	}
}

func updateIDs(us []remediate.Update) string {
	var ids []string
	for _, u := range us {
		ids = append(ids, u.ID)
	}
	return strings.Join(ids, " ")
}

// TestDiedAndChanged resumes a run of a container that somebody has changed meanwhile: it stops at it, and Theirs or
// Ours says what becomes of it, by a name, an ID or the twelve digits that docker shows.
func TestDiedAndChanged(t *testing.T) {
	const long = "0123456789abcdef"
	for name, c := range map[string]struct {
		resolve Resolution
		says    string
		memory  int64
	}{
		"undecided":               {Resolution{}, "changed by somebody else since the run", 5},
		"skipped":                 {Resolution{Skip: true}, "", 5},
		"ours by name":            {Resolution{Ours: []string{"db"}}, "", 64},
		"theirs by name":          {Resolution{Theirs: []string{"db"}}, "", 5},
		"theirs by ID":            {Resolution{Theirs: []string{long}}, "", 5},
		"theirs by twelve digits": {Resolution{Theirs: []string{long[:12]}}, "", 5},
		"by eleven digits":        {Resolution{Theirs: []string{long[:11]}}, "cannot be chosen", 5},
		"another":                 {Resolution{Theirs: []string{"dbx"}}, "cannot be chosen", 5},
	} {
		t.Run(name, func(t *testing.T) {
			w, engine := newWorld(t), engineOfTwo()
			engine.have[long] = engine.have["b2"]
			plan := updating(t, w)
			plan.Updates[1].ID = long
			o := w.options()
			o.Containers = dying{engine, "a1"}
			func() {
				defer func() { _ = recover() }()
				_, _ = Apply(t.Context(), plan, o)
			}()
			l := engine.have[long]
			l.Memory = 5
			engine.have[long] = l
			o.Containers, o.Resolve = engine, c.resolve
			run, err := Resume(t.Context(), o)
			if engine.have[long].Memory != c.memory {
				t.Errorf("%+v", engine.have[long])
			}
			if c.says != "" {
				if err == nil || !strings.Contains(err.Error(), c.says) || engine.have["a1"].Memory != 0 {
					t.Errorf("%v: must say %q, and nothing is changed: %+v", err, c.says, engine.have)
				}
				return
			}
			must(t, err)
			if (len(run.Left) == 1 && strings.Contains(run.Left[0].Path, "db")) != (c.memory == 5) {
				t.Errorf("%+v, left %+v", engine.have[long], run.Left)
			}
		})
	}
}

// TestContainerNewer does not roll a run back whose container a later run has changed too, in another of its limits.
func TestContainerNewer(t *testing.T) {
	w, engine := newWorld(t), engineOfTwo()
	o := w.with(engine)
	first, err := Apply(t.Context(), updating(t, w), o)
	must(t, err)
	second, err := Apply(t.Context(), &remediate.Plan{Updates: []remediate.Update{{ID: "b2", Name: "db",
		Before: want.Limits{CPUShares: 7}, After: want.Limits{CPUShares: 512}}}}, o)
	must(t, err)
	_, err = Rollback(t.Context(), first.ID, o)
	says(t, "a later run has changed it", err, "first `harden rollback "+second.ID)
	_, err = Rollback(t.Context(), second.ID, o)
	must(t, err)
	_, err = Rollback(t.Context(), first.ID, o)
	must(t, err)
}

// TestContainerUnseen chooses a container as ours that cannot be read: nobody can say that it is as it was left.
func TestContainerUnseen(t *testing.T) {
	w, engine := newWorld(t), engineOfTwo()
	o := w.with(engine)
	_, err := Apply(t.Context(), updating(t, w), o)
	must(t, err)
	engine.silent = errors.New("hush")
	o.Resolve.Ours = []string{"db"}
	_, err = Reverse(t.Context(), "", o)
	says(t, "silent", err, "cannot be read")
}

// TestUpdatesRefused refuses a plan of containers that does not say what it does, or of which the engine says nothing.
// Nothing is changed then, neither files nor containers.
func TestUpdatesRefused(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*remediate.Plan, *containers, *Options)
		says  string
	}{
		"no engine": {func(_ *remediate.Plan, _ *containers, o *Options) { o.Containers = nil }, "cannot be changed here"},
		"twice": {func(p *remediate.Plan, _ *containers, _ *Options) { p.Updates[1] = p.Updates[0] },
			"changes it twice"},
		"no ID": {func(p *remediate.Plan, _ *containers, _ *Options) { p.Updates[1].ID = "" }, "does not identify it"},
		"nothing": {func(p *remediate.Plan, _ *containers, _ *Options) {
			p.Updates[0].After = want.Limits{}
		}, "has no change for it"},
		"more than it changes": {func(p *remediate.Plan, _ *containers, _ *Options) { p.Updates[0].Before.CPUShares = 9 },
			"has no change for it"},
		"other limits": {func(_ *remediate.Plan, c *containers, _ *Options) { c.have["b2"] = want.Limits{Memory: 7} },
			"changed since the plan was made"},
		"a silent engine": {func(_ *remediate.Plan, c *containers, _ *Options) { c.silent = errors.New("hush") }, "hush"},
	} {
		t.Run(name, func(t *testing.T) {
			w, engine := newWorld(t), engineOfTwo()
			plan, o := updating(t, w), w.with(engine)
			before := w.look(t)
			c.spoil(plan, engine, &o)
			if _, err := Apply(t.Context(), plan, o); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v: must say %q", err, c.says)
			}
			same(t, "afterwards", before, w.look(t))
			if engine.updates > 0 {
				t.Errorf("%d containers were changed", engine.updates)
			}
		})
	}
}

// TestForesee says of a plan what can be done here, and whether anything would change, as Apply then does it.
func TestForesee(t *testing.T) {
	reload := remediate.Activation{Kind: remediate.ReloadManager}
	for name, c := range map[string]struct {
		plan    remediate.Plan
		pending bool
		changes bool
	}{
		"nothing":              {remediate.Plan{}, false, false},
		"a file":               {remediate.Plan{Changes: []remediate.Change{created("/etc/new", "x")}}, false, true},
		"a container":          {remediate.Plan{Updates: []remediate.Update{{ID: "a1"}}}, false, true},
		"an activation":        {remediate.Plan{Activations: []remediate.Activation{reload}}, false, true},
		"one that has to wait": {remediate.Plan{Activations: []remediate.Activation{reload}}, true, false},
	} {
		o := Options{Services: &services{}}
		state := NotReached
		if c.pending {
			o.Services.(*services).pending = map[remediate.Kind]string{remediate.ReloadManager: "no systemd"}
			state = Pending
		}
		as, changes := Foresee(t.Context(), &c.plan, o)
		if changes != c.changes || len(as) != len(c.plan.Activations) || len(as) > 0 && as[0].State != state {
			t.Errorf("%s: %+v, %v", name, as, changes)
		}
	}
}

// TestContainerMeanwhile has something happen to a container, or to the Engine, right before its turn in a run.
func TestContainerMeanwhile(t *testing.T) {
	for name, test := range map[string]struct {
		meanwhile func(c *containers)
		says      string
		ends      Outcome // failed where what was changed before cannot be given back either
		web       int64   // its limit of processes afterwards
	}{
		"changed": {func(c *containers) { c.have["b2"] = c.have["b2"].With(want.Limits{Memory: 77}) },
			"changed since the plan was made: it has", RolledBack, -1},
		"as wanted": {func(c *containers) { c.have["b2"] = c.have["b2"].With(want.Limits{Memory: 64, MemorySwap: 128}) },
			"", Applied, 100},
		"another Engine": {func(c *containers) { c.id = "F" }, "container db (b2) belongs to another Docker Engine", Failed,
			100},
		"no answer": {func(c *containers) { c.silent = errBroken }, "dockerd says no", Failed, 100},
	} {
		t.Run(name, func(t *testing.T) {
			w, c := newWorld(t), engineOfTwo()
			files := w.look(t)
			o := w.with(c)
			var told []string
			o.Progress = func(s Step) {
				if s.Doing == Writing && s.Subject == "container db (b2)" {
					test.meanwhile(c)
				}
				if s.Doing == Restoring && strings.HasPrefix(s.Subject, "container") {
					told = append(told, s.Subject)
				}
			}
			run, err := Apply(t.Context(), updating(t, w), o)
			says(t, name, err, test.says)
			if run.Outcome != test.ends || c.have["a1"].PIDs != test.web || (test.says != "") != errors.Is(err, ErrRolledBack) {
				t.Errorf("%+v, %v, %+v", run, err, c.have)
			}
			if changed := c.have["b2"]; name == "changed" && changed.Memory != 77 {
				t.Errorf("another's change is written over: %+v", changed)
			}
			if test.ends != Applied {
				same(t, "the files", files, w.look(t))
			}
			if (test.ends == RolledBack) != (len(told) == 1 && told[0] == "container web (a1)") {
				t.Errorf("restored: %q", told)
			}
			must(t, VerifyHistory(o))
		})
	}
}

// TestContainerWithoutEngine does not finish a run that changes containers where no Engine can be asked.
func TestContainerWithoutEngine(t *testing.T) {
	w, c := newWorld(t), engineOfTwo()
	w.died(t, c, "a1")
	o := w.options()
	run, err := Resume(t.Context(), o)
	const says = "container web (a1): it cannot be changed here any more"
	if run == nil || err == nil || !strings.Contains(err.Error(), says) {
		t.Errorf("without an Engine: %+v, %v", run, err)
	}
}
