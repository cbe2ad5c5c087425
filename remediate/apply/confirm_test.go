package apply

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/remediate"
)

// A guard stands in for systemd, which is not there to be asked in a test: scripts/vm has the real one.
type guard struct {
	calls   map[string][]string // by name, what would be called
	after   time.Duration
	absent  error                   // what Ready says
	refuses error                   // what Call says
	try     func(unit string) error // what trying the boot unit does; nil is what it says
	o       Options
}

func (g *guard) Ready(context.Context) error { return g.absent }

func (g *guard) Try(_ context.Context, unit string) error {
	if g.try != nil {
		return g.try(unit)
	}
	_, err := Expire(context.Background(), "", g.o)
	return err
}

func (g *guard) Call(_ context.Context, name, _ string, argv []string, after time.Duration) error {
	if g.calls == nil {
		g.calls = map[string][]string{}
	}
	if g.refuses == nil {
		g.calls[name], g.after = argv, after
	}
	return g.refuses
}

func (g *guard) Cancel(_ context.Context, name string) error {
	delete(g.calls, name)
	return nil
}

// A clock is a boot and the time since, both the test's to set.
type clock struct {
	boot string
	up   time.Duration
}

// guarded are options of a run to be confirmed within a minute.
func (w world) guarded(g *guard, c *clock) Options {
	o := w.options()
	o.Within, o.Guard, o.Recall = time.Minute, g, []string{"expire", "--state=" + w.state}
	o.sys.boot, o.sys.uptime = c.boot, func() (time.Duration, error) { return c.up, nil }
	o.sys.self = "/proc/self/status" // short, and not empty
	g.o = o
	return o
}

// unconfirmed applies the world's plan, to be confirmed.
func (w world) unconfirmed(t *testing.T, g *guard, c *clock) *Run {
	t.Helper()
	run, err := Apply(t.Context(), w.plan(t), w.guarded(g, c))
	must(t, err)
	if run.Unconfirmed == nil || run.Unconfirmed.Passed || run.Unconfirmed.Within != "1m" {
		t.Fatalf("the run is to be confirmed: %+v", run.Unconfirmed)
	}
	return run
}

// disarmed fails the test when anything is left of what takes a run back.
func (w world) disarmed(t *testing.T, g *guard) {
	t.Helper()
	if len(g.calls) > 0 {
		t.Errorf("still to be called: %v", g.calls)
	}
	if _, err := os.Lstat(filepath.Join(w.state, "unconfirmed")); err == nil {
		t.Error("the copy of harden is still there")
	}
	for p := range w.look(t) {
		if strings.Contains(p, "unconfirmed") || strings.Contains(p, "sysinit") {
			t.Errorf("left behind: %s", p)
		}
	}
}

func TestConfirm(t *testing.T) {
	w := newWorld(t)
	g, c := &guard{}, &clock{"one", time.Hour}
	_, err := Apply(t.Context(), w.plan(t), w.options())
	must(t, err)
	applied := w.look(t)
	_, err = Rollback(t.Context(), "", w.options())
	must(t, err)

	run := w.unconfirmed(t, g, c)
	if diff := cmp.Diff(map[string][]string{"harden-unconfirmed-" + run.ID: {filepath.Join(w.state, "unconfirmed/harden"), "expire",
		"--state=" + w.state, run.ID}}, g.calls); diff != "" || g.after != time.Minute {
		t.Errorf("what is called after %s (-want +got):\n%s", g.after, diff)
	}
	if _, err := Apply(t.Context(), &remediate.Plan{Changes: []remediate.Change{w.content(t, "/etc/bystander", "more\n")}}, w.guarded(g, c)); !errors.Is(err, ErrUnconfirmed) || !strings.Contains(err.Error(), "harden confirm "+run.ID) {
		t.Errorf("another run meanwhile: %v", err)
	}
	if _, err := Rollback(t.Context(), "0001-x", w.options()); !errors.Is(err, ErrUnconfirmed) {
		t.Errorf("taking another back meanwhile: %v", err)
	}
	if told, err := Unconfirmed(w.guarded(g, c)); told == nil || told.ID != run.ID || !errors.Is(err, ErrUnconfirmed) {
		t.Errorf("Unconfirmed: %+v, %v", told, err)
	}
	c.up += time.Minute - 1
	for range 2 { // the second finds it done
		kept, err := Confirm("", w.guarded(g, c))
		must(t, err)
		if kept.ID != run.ID || kept.Unconfirmed != nil {
			t.Errorf("confirmed: %+v", kept)
		}
		w.disarmed(t, g)
	}
	c.up += time.Hour
	if got, err := Expire(t.Context(), run.ID, w.guarded(g, c)); got != nil || err != nil {
		t.Errorf("a call that comes all the same: %+v, %v", got, err)
	}
	if diff := cmp.Diff(applied, w.look(t)); diff != "" {
		t.Errorf("the host, confirmed (-want +got):\n%s", diff)
	}
	must(t, VerifyHistory(w.options()))
	var events []string
	must(t, readHistory(filepath.Join(w.state, "audit.jsonl"), func(r record, _ string) {
		if r.Run == run.ID && (r.Event == hiApply || r.Event == hiConfirm) {
			events = append(events, strings.TrimSpace(r.Event+" "+r.What))
		}
	}))
	if diff := cmp.Diff([]string{"apply to be confirmed within 1m0s", "confirm"}, events); diff != "" {
		t.Errorf("the history (-want +got):\n%s", diff)
	}
}

func TestExpire(t *testing.T) {
	for name, test := range map[string]struct {
		later clock
		boot  bool
		want  string
	}{
		"in time":                      {clock{"one", time.Hour + time.Minute}, false, "nobody confirmed it within 1m"},
		"after a boot":                 {clock{"two", time.Second}, true, "the machine was booted before anybody confirmed it"},
		"a call of the boot before":    {clock{"two", time.Second}, false, "the machine was booted before anybody confirmed it"},
		"a boot long after, in theory": {clock{"two", 5 * time.Hour}, true, "the machine was booted before anybody confirmed it"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			before := w.look(t)
			g, c := &guard{}, &clock{"one", time.Hour}
			run := w.unconfirmed(t, g, c)
			id := run.ID
			if test.boot {
				id = ""
				if got, err := Expire(t.Context(), "", w.guarded(g, c)); got != nil || err != nil {
					t.Errorf("the boot unit, started in the same boot: %+v, %v", got, err)
				}
			}
			*c = test.later
			if _, err := Confirm("", w.guarded(g, c)); !errors.Is(err, ErrUnconfirmed) {
				t.Errorf("confirmed too late: %v", err)
			}
			got, err := Expire(t.Context(), id, w.guarded(g, c))
			must(t, err)
			if got.ID != run.ID || got.Outcome != RolledBack || got.Reason != test.want {
				t.Errorf("taken back: %+v", got)
			}
			w.disarmed(t, g)
			if diff := cmp.Diff(before, w.look(t)); diff != "" {
				t.Errorf("the host (-want +got):\n%s", diff)
			}
			if _, err := Confirm("", w.guarded(g, c)); !errors.Is(err, ErrNoRun) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("confirmed afterwards: %v", err)
			}
			must(t, VerifyHistory(w.options()))
		})
	}
}

// TestExpireWaits has the call come early, while another harden holds the lock, and for a run that is not the one.
func TestExpireWaits(t *testing.T) {
	w := newWorld(t)
	g, c := &guard{}, &clock{"one", time.Hour}
	run := w.unconfirmed(t, g, c)
	if got, err := Expire(t.Context(), "0001-of-an-arming-that-was-cut-short", w.guarded(g, c)); got != nil || err != nil || len(g.calls) != 1 {
		t.Errorf("another's call: %+v, %v, and then %v", got, err, g.calls)
	}
	ctx, cancel := context.WithCancel(t.Context())
	o := w.guarded(g, c)
	asked := 0
	o.sys.uptime = func() (time.Duration, error) {
		if asked++; asked == 4 {
			cancel()
		}
		return c.up, nil
	}
	if got, err := Expire(ctx, run.ID, o); got != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("before its time: %+v, %v", got, err)
	}

	c.up += time.Minute
	s, err := openStore(mustDefaults(t, w.options()), true)
	must(t, err)
	done := make(chan error)
	go func() {
		_, err := Expire(t.Context(), run.ID, w.guarded(g, c))
		done <- err
	}()
	select {
	case err := <-done:
		t.Errorf("it does not wait for who is at work: %v", err)
	case <-time.After(1500 * time.Millisecond): // longer than the lock is waited for
	}
	s.close()
	must(t, <-done)
	w.disarmed(t, g)
}

func mustDefaults(t *testing.T, o Options) Options {
	t.Helper()
	o, err := o.defaults()
	must(t, err)
	return o
}

// TestExpireConflict takes back what nobody has changed since, and says what that was not.
func TestExpireConflict(t *testing.T) {
	const json = "/etc/docker/daemon.json"
	w := newWorld(t)
	before := w.look(t)
	g, c := &guard{}, &clock{"one", time.Hour}
	run := w.unconfirmed(t, g, c)
	w.file(t, json, "{}\n", 0o644, 0, 0)
	before[json] = w.look(t)[json]
	c.up += time.Minute
	got, err := Expire(t.Context(), run.ID, w.guarded(g, c))
	must(t, err)
	if got.Outcome != RolledBack || len(got.Left) != 1 || got.Left[0].Path != json || !strings.Contains(got.Left[0].Why, "content") {
		t.Errorf("%+v", got)
	}
	w.disarmed(t, g)
	same(t, "afterwards", before, w.look(t))
	if runs, err := History(w.options()); err != nil || len(runs) != 1 || len(runs[0].Left) != 1 {
		t.Errorf("history: %+v, %v", runs, err)
	}
	must(t, VerifyHistory(w.options()))
	if again, err := Expire(t.Context(), run.ID, w.guarded(g, c)); again != nil || err != nil {
		t.Errorf("called once more: %+v, %v", again, err)
	}
	_, err = Apply(t.Context(), &remediate.Plan{Changes: []remediate.Change{w.content(t, "/etc/bystander", "more\n")}}, w.options())
	must(t, err)
}

// TestInterruptedUnconfirmed takes a run back that was killed on its way, whether or not somebody finishes it first.
func TestInterruptedUnconfirmed(t *testing.T) {
	for _, test := range []struct {
		name   string
		resume bool
		late   bool
		want   Outcome // of the resume
	}{{"left alone", false, true, ""}, {"finished in time", true, false, Applied}, {"finished too late", true, true, RolledBack}} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			before := w.look(t)
			if !killed(t, helper(w, "guarded"), point{"renameat", 3}) {
				t.Fatal("it was not killed")
			}
			g, c := &guard{}, &clock{"one", time.Hour}
			run, err := Interrupted(w.guarded(g, c))
			must(t, err)
			if run == nil || run.Unconfirmed == nil {
				t.Fatalf("the run that was killed: %+v", run)
			}
			if _, err := Confirm("", w.guarded(g, c)); !errors.Is(err, ErrInterrupted) {
				t.Errorf("confirmed: %v", err)
			}
			if test.late {
				c.up += time.Minute
			}
			if test.resume {
				got, err := Resume(t.Context(), w.guarded(g, c))
				must(t, err)
				if got.Outcome != test.want {
					t.Errorf("resumed: %+v", got)
				}
			}
			c.up += time.Minute
			_, err = Expire(t.Context(), run.ID, w.guarded(g, c))
			must(t, err)
			w.disarmed(t, g)
			if diff := cmp.Diff(before, w.look(t)); diff != "" {
				t.Errorf("the host (-want +got):\n%s", diff)
			}
		})
	}
}

// TestUnguarded writes nothing where nothing could take the run back.
func TestUnguarded(t *testing.T) {
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		guard *guard
		with  func(*Options)
		want  string
	}{
		"no systemd":               {&guard{absent: broken}, nil, "cannot be taken back by itself here: broken"},
		"no guard":                 {&guard{}, func(o *Options) { o.Guard = nil }, "needs the running host"},
		"no boot ID":               {&guard{}, func(o *Options) { o.sys.boot = "" }, "needs the running host"},
		"no boot unit":             {&guard{try: func(string) error { return broken }}, nil, "after a reboot does not work: broken"},
		"a unit that does nothing": {&guard{try: func(string) error { return nil }}, nil, "unconfirmed/tried: no such file"},
		"no timer":                 {&guard{refuses: broken}, nil, "broken"},
		"odd arguments":            {&guard{}, func(o *Options) { o.Recall = []string{"expire", "--state=a b"} }, "cannot be named"},
		"no program":               {&guard{}, func(o *Options) { o.sys.self = "/nonexistent/harden" }, "/nonexistent/harden"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			before := w.look(t)
			o := w.guarded(test.guard, &clock{"one", time.Hour})
			if test.with != nil {
				test.with(&o)
			}
			if run, err := Apply(t.Context(), w.plan(t), o); run != nil || err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%+v, %v; want %q", run, err, test.want)
			}
			w.disarmed(t, test.guard)
			if diff := cmp.Diff(before, w.look(t)); diff != "" {
				t.Errorf("the host (-want +got):\n%s", diff)
			}
			if run, err := Apply(t.Context(), w.plan(t), w.options()); err != nil || run.Unconfirmed != nil {
				t.Errorf("an ordinary run: %+v, %v", run, err)
			}
		})
	}
}

// TestArmed looks at what is in place while a run is not confirmed.
func TestArmed(t *testing.T) {
	w := newWorld(t)
	name := (&store{dir: w.state}).unit()
	tried := false
	g := &guard{try: func(unit string) error {
		tried = true
		if unit != name {
			t.Errorf("tried %s, want %s", unit, name)
		}
		text, err := os.ReadFile(w.path("/etc/systemd/system/" + unit))
		must(t, err)
		for _, line := range []string{
			"ExecStart=" + w.state + "/unconfirmed/harden expire --state=" + w.state + "\n",
			"DefaultDependencies=no\n", " docker.service ", " containerd.service ", " kubelet.service ", "Before=sysinit.target ",
		} {
			if !strings.Contains(string(text), line) {
				t.Errorf("the unit lacks %q:\n%s", line, text)
			}
		}
		if _, err := os.Lstat(filepath.Join(w.state, "current")); err == nil {
			t.Error("the journal is published before it could be taken back")
		}
		// What systemd does with it now: it runs what the unit says.
		run, err := Expire(t.Context(), "", w.guarded(&guard{}, &clock{"one", time.Hour}))
		if run != nil || err != nil {
			t.Errorf("the boot unit while harden is at work: %+v, %v", run, err)
		}
		return nil
	}}
	run := w.unconfirmed(t, g, &clock{"one", time.Hour})
	if !tried {
		t.Error("the boot unit was not tried")
	}
	drop, err := os.ReadFile(w.path("/etc/systemd/system/sysinit.target.d/" + strings.TrimSuffix(name, "service") + "conf"))
	must(t, err)
	if !strings.HasSuffix(string(drop), "\n[Unit]\nWants="+name+"\n") {
		t.Errorf("what has it started at boot:\n%s", drop)
	}
	info, err := os.Stat(filepath.Join(w.state, "unconfirmed/harden"))
	must(t, err)
	if info.Mode() != 0o700 || info.Size() == 0 {
		t.Errorf("the copy of harden: %v, %d bytes", info.Mode(), info.Size())
	}
	_, err = Rollback(t.Context(), run.ID, w.guarded(g, &clock{"one", time.Hour}))
	must(t, err)
	w.disarmed(t, g)
}

// TestTortureArming ends harden at each moment of a run that is to be confirmed, of confirming it, and of taking it back. What was armed
// by then must undo that run or nothing; and whatever was left, the next run goes on.
func TestTortureArming(t *testing.T) {
	w := newWorld(t)
	old := w.look(t)
	_, err := Apply(t.Context(), w.plan(t), w.options())
	must(t, err)
	new := w.look(t)
	for _, does := range []string{"guarded", "confirm", "expire"} {
		begin := func() {
			fresh(t, w)
			if does != "guarded" {
				if out, err := helper(w, "guarded").CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}
		}
		begin()
		ps := points(t, w, does)
		some := sample(ps, 24)
		missed := 0
		for i, p := range some {
			begin()
			if !killed(t, helper(w, does), p) {
				missed++
			}
			if wrong := afterArming(t, w, old, new, i%2 == 0); wrong != "" {
				t.Errorf("%s, killed at %s %d: %s", does, p.call, p.nth, wrong)
			}
		}
		t.Logf("%s: killed at %d of %d moments", does, len(some)-missed, len(ps))
		if missed > len(some)/10 {
			t.Errorf("%s: %d of %d kills came too late: this tortures nothing", does, missed, len(some))
		}
	}
}

// afterArming has the time of whatever run there is pass, or the machine boot, and says what is wrong then.
func afterArming(t *testing.T, w world, old, new map[string]string, boot bool) string {
	t.Helper()
	g, c := &guard{}, &clock{"one", time.Hour}
	o := w.guarded(g, c)
	id, kept := "", false
	if runs, err := History(o); err != nil {
		return err.Error()
	} else if len(runs) > 0 {
		id, kept = runs[0].ID, runs[0].Outcome == Applied
	}
	if kept {
		u, err := Unconfirmed(o)
		if err != nil && !errors.Is(err, ErrUnconfirmed) {
			return err.Error()
		}
		kept = u == nil
	}
	c.up += time.Minute
	if boot {
		*c, id = clock{"two", time.Second}, ""
	} else if id == "" {
		id = "0001-never-published"
	}
	if _, err := Expire(t.Context(), id, w.guarded(g, c)); err != nil {
		return err.Error()
	}
	want := old
	if kept {
		want = new
	}
	got := w.look(t)
	for p := range got { // an arming that was cut short is cleared by what comes next
		if strings.Contains(p, "unconfirmed") || strings.Contains(p, "sysinit") {
			t.Logf("left until the next run: %s", p)
		}
	}
	plan := w.content(t, "/etc/bystander", "changed\n")
	if _, err := Apply(t.Context(), &remediate.Plan{Changes: []remediate.Change{plan}}, w.options()); err != nil {
		return "the next run: " + err.Error()
	}
	if _, err := Rollback(t.Context(), "", w.options()); err != nil {
		return "the next run, taken back: " + err.Error()
	}
	if diff := cmp.Diff(want, w.look(t)); diff != "" {
		return "(-want +got)\n" + diff
	}
	w.disarmed(t, g)
	return sweep{}.atRest(w.options())
}
