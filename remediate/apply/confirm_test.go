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
	if diff := cmp.Diff(map[string][]string{"harden-unconfirmed-" + run.ID: {filepath.Join(w.state, "unconfirmed/harden"),
		"expire",
		"--state=" + w.state, run.ID}}, g.calls); diff != "" || g.after != time.Minute {
		t.Errorf("what is called after %s (-want +got):\n%s", g.after, diff)
	}
	if _, err := Apply(t.Context(), &remediate.Plan{Changes: []remediate.Change{w.content(t, "/etc/bystander", "more\n")}},
		w.guarded(g, c)); !errors.Is(err, ErrUnconfirmed) || !strings.Contains(err.Error(), "harden confirm "+run.ID) {
		t.Errorf("another run meanwhile: %v", err)
	}
	if _, err := Rollback(t.Context(), "0001-x", w.options()); !errors.Is(err, ErrUnconfirmed) {
		t.Errorf("taking another back meanwhile: %v", err)
	}
	if told, err := Unconfirmed(w.guarded(g, c)); told == nil || told.ID != run.ID || !errors.Is(err, ErrUnconfirmed) {
		t.Errorf("Unconfirmed: %+v, %v", told, err)
	}
	if got, err := Confirm("0001-x", w.guarded(g, c)); got != nil || !errors.Is(err, ErrNoRun) || len(g.calls) != 1 {
		t.Errorf("another run is confirmed: %+v, %v, and then %v", got, err, g.calls)
	}
	c.up += time.Minute - 1
	for _, id := range []string{run.ID, ""} { // the second finds it done
		kept, err := Confirm(id, w.guarded(g, c))
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
		"in time": {clock{"one", time.Hour + time.Minute}, false, "not confirmed within 1m"},
		"after a boot": {clock{"two", time.Second}, true,
			"the host rebooted before it was confirmed"},
		"a call of the boot before": {clock{"two", time.Second}, false,
			"the host rebooted before it was confirmed"},
		"a boot long after, in theory": {clock{"two", 5 * time.Hour}, true,
			"the host rebooted before it was confirmed"},
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
	if got, err := Expire(t.Context(), "0001-of-an-arming-that-was-cut-short", w.guarded(g, c)); got != nil ||
		err != nil || len(g.calls) != 1 {
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
	if got.Outcome != RolledBack || len(got.Left) != 1 || got.Left[0].Path != json ||
		!strings.Contains(got.Left[0].Why, "content") {
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
	_, err = Apply(t.Context(), &remediate.Plan{Changes: []remediate.Change{w.content(t, "/etc/bystander", "more\n")}},
		w.options())
	must(t, err)
}

// TestInterruptedUnconfirmed takes a run back that was killed on its way, whether or not somebody finishes it first.
func TestInterruptedUnconfirmed(t *testing.T) {
	for _, test := range []struct {
		name   string
		resume bool
		late   bool
		want   Outcome // of the resume
	}{{"left alone", false, true, ""}, {"finished in time", true, false, Applied},
		{"finished too late", true, true, RolledBack}} {
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
