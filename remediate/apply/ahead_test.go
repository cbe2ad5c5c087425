package apply

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"example.com/harden/remediate"
)

// TestAhead leaves pending what the plan does, with its reason, whatever could be done here.
func TestAhead(t *testing.T) {
	p := &remediate.Plan{Activations: []remediate.Activation{{Kind: remediate.Restart, Unit: "a.service",
		Pending: "not allowed"}, {Kind: remediate.Restart, Unit: "b.service"}}}
	for name, test := range map[string]struct {
		services Services
		want     []Activated
	}{
		"here": {&services{}, []Activated{{Kind: remediate.Restart, Unit: "a.service", State: Pending, Reason: "not allowed"},
			{Kind: remediate.Restart, Unit: "b.service", State: NotReached}}},
		"not here": {nil, []Activated{{Kind: remediate.Restart, Unit: "a.service", State: Pending, Reason: "not allowed"},
			{Kind: remediate.Restart, Unit: "b.service", State: Pending, Reason: "--root and --source restart nothing"}}},
		"not now": {&services{pending: pendingAll()}, []Activated{{Kind: remediate.Restart, Unit: "a.service",
			State: Pending, Reason: "not allowed"},
			{Kind: remediate.Restart, Unit: "b.service", State: Pending, Reason: "not now"}}},
	} {
		if d := cmp.Diff(test.want, Options{Services: test.services}.ahead(t.Context(), p)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// TestActivations are those of what was begun last and not given up, each as the log leaves it.
func TestActivations(t *testing.T) {
	restart := func(unit string) Activated {
		return Activated{Kind: remediate.Restart, Unit: unit, State: NotReached}
	}
	planned := []Activated{restart("a"), restart("b")}
	forward := []entry{{Event: evActivate, N: 0}, {Event: evActivation, N: 0, State: Done}}
	undone := []entry{{Event: evUndo, Activations: []Activated{restart("c")}}, {Event: evActivate, N: 0}}
	with := func(logs ...[]entry) []entry { return slices.Concat(logs...) }
	abandoned := []entry{{Event: string(Abandoned)}}
	for name, test := range map[string]struct {
		log  []entry
		want string
	}{
		"planned":         {nil, "a not-reached false, b not-reached false"},
		"forward":         {forward, "a done true, b not-reached false"},
		"begun":           {with(forward, []entry{{Event: evActivate, N: 1}}), "a done true, b not-reached true"},
		"taken back":      {with(forward, undone), "c not-reached true"},
		"back and failed": {with(forward, undone, []entry{{Event: evActivation, State: Failure}}), "c failed true"},
		"given up":        {with(forward, undone, abandoned), "a done true, b not-reached false"},
		"then taken back": {with(forward, undone, abandoned, undone), "c not-reached true"},
		"given up twice":  {with(forward, undone, abandoned, undone, abandoned), "a done true, b not-reached false"},
	} {
		run := &txn{journal: journal{Activations: planned}, log: test.log}
		as, tried := run.activations()
		var got []string
		for i, a := range as {
			got = append(got, fmt.Sprint(a.Unit, " ", a.State, " ", tried[i]))
		}
		if text := strings.Join(got, ", "); text != test.want {
			t.Errorf("%s: %s, want %s", name, text, test.want)
		}
	}
	if planned[0].State != NotReached {
		t.Error("the journal itself is changed")
	}
}

// TestOnwardBack goes on with taking a run back where that had begun, and where the run's time is over.
func TestOnwardBack(t *testing.T) {
	for name, test := range map[string]struct {
		cut  func(t *testing.T, w world) bool
		up   time.Duration
		back bool
	}{
		"being taken back": {func(t *testing.T, w world) bool {
			hardened(t, w)
			return killed(t, helper(w, "rollback"), point{"renameat", 2})
		}, time.Hour, true},
		"unconfirmed, in time":    {cutGuarded, time.Hour, false},
		"unconfirmed, too late":   {cutGuarded, time.Hour + time.Minute, true},
		"nothing to be confirmed": {func(t *testing.T, w world) bool { interrupt(t, w); return true }, 2 * time.Hour, false},
	} {
		w := newWorld(t)
		if !test.cut(t, w) {
			t.Fatal("it was not killed")
		}
		r, back, err := Onward(t.Context(), w.guarded(&guard{}, &clock{"one", test.up}))
		if err != nil || back != test.back || len(r.Plan.Changes) == 0 {
			t.Errorf("%s: back %v, %+v, %v", name, back, r, err)
		}
	}
}

func cutGuarded(t *testing.T, w world) bool {
	return killed(t, helper(w, "guarded"), point{"renameat", 3})
}

// TestOverdue takes a run back when its time is over and not a moment before, and in any later boot.
func TestOverdue(t *testing.T) {
	for name, test := range map[string]struct {
		boot string
		up   time.Duration
		fail error
		want string
	}{
		"a moment before": {"one", time.Hour - 1, nil, ""},
		"at its end":      {"one", time.Hour, nil, "not confirmed within 5m"},
		"another boot":    {"two", time.Second, nil, "the host rebooted before it was confirmed"},
		"no clock":        {"one", 0, errBroken, ""},
	} {
		s := &store{sys: &sys{boot: test.boot, uptime: func() (time.Duration, error) { return test.up, test.fail }}}
		j := journal{Boot: "one", Confirm: &deadline{Within: 5 * time.Minute, Uptime: time.Hour}}
		run := &txn{journal: j, store: s, log: []entry{{Event: string(Applied)}}}
		if got, err := run.overdue(); got != test.want || !errors.Is(err, test.fail) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if d := run.deadline(); d.Passed != (test.want != "" || test.fail != nil) {
			t.Errorf("%s: it is told as passed: %v", name, d.Passed)
		}
		run.log = append(run.log, entry{Event: evConfirmed})
		if got, err := run.overdue(); got != "" || err != nil || run.deadline() != nil {
			t.Errorf("%s, confirmed: %q, %v", name, got, err)
		}
	}
}

// TestTighten tells whether somebody else can open the lock, by its own mode and by that of its directory, and closes
// both for who wants it alone.
func TestTighten(t *testing.T) {
	for _, test := range []struct {
		dir, lock uint32
		loose     bool
	}{
		{0o700, 0o600, false}, {0o700, 0o666, false}, {0o701, 0o600, false}, {0o744, 0o644, false},
		{0o701, 0o604, true}, {0o701, 0o602, true}, {0o710, 0o640, true}, {0o710, 0o620, true}, {0o711, 0o611, false},
	} {
		dir := filepath.Join(t.TempDir(), "state")
		must(t, os.Mkdir(dir, 0o700))
		s := &store{dir: dir}
		f, err := os.Create(s.lockFile())
		must(t, err)
		defer f.Close()
		s.lock = f
		must(t, unix.Chmod(s.lockFile(), test.lock))
		must(t, unix.Chmod(dir, test.dir))
		for _, alone := range []bool{false, true, false} {
			loose, err := s.tighten(alone)
			must(t, err)
			if loose != test.loose {
				t.Errorf("%03o in %03o: %v", test.lock, test.dir, loose)
			}
			if alone {
				test.loose = false
				info, err := os.Stat(dir)
				must(t, err)
				lock, err := f.Stat()
				must(t, err)
				if info.Mode().Perm()&0o077 != 0 || lock.Mode().Perm()&0o077 != 0 {
					t.Errorf("alone: %v in %v", lock.Mode(), info.Mode())
				}
			}
		}
	}
}

// TestCancelledAtEachStep asks a run to stop at each of its steps in turn: the host is wholly as it was then, or the
// run is over.
func TestCancelledAtEachStep(t *testing.T) {
	w := newWorld(t)
	old := w.look(t)
	hardened(t, w)
	new := w.look(t)
	for n := 1; ; n++ {
		fresh(t, w)
		engine := engineOfTwo()
		o := w.with(engine)
		ctx, cancel := context.WithCancel(t.Context())
		var steps []Step
		o.Progress = func(s Step) {
			if steps = append(steps, s); len(steps) == n {
				cancel()
			}
		}
		run, err := Apply(ctx, updating(t, w), o)
		cancel()
		if len(steps) < n {
			must(t, err)
			return
		}
		last := steps[n-1]
		switch {
		case err == nil:
			if last.Doing != Watching && last != (Step{Activating, "restart docker.service"}) { // nothing is left to stop
				t.Errorf("it was not heard at %+v", last)
			}
			same(t, "done", new, w.look(t))
		case !errors.Is(err, context.Canceled):
			t.Errorf("at %+v: %v", last, err)
		default:
			same(t, "as before", old, w.look(t))
			if run != nil && run.Outcome != RolledBack || engine.have["a1"].PIDs != -1 || engine.have["b2"].Memory != 100 {
				t.Errorf("at %+v: %+v, %+v", last, run, engine.have)
			}
			if slices.ContainsFunc(steps[n:], func(s Step) bool {
				return s.Doing == Writing || s.Doing == Checking && strings.HasPrefix(s.Subject, "/")
			}) {
				t.Errorf("after %+v it goes on: %+v", last, steps[n:])
			}
		}
	}
}

// TestUndoJudgesFirst leaves everything as a failed run has made it, where somebody has changed one of its files by
// then.
func TestUndoJudgesFirst(t *testing.T) {
	w := newWorld(t)
	before := w.look(t)
	o := w.options()
	o.Verify = func(context.Context, []string) (map[string]string, error) {
		must(t, os.WriteFile(w.path(daemonJSON), []byte("theirs"), 0))
		return nil, errBroken
	}
	run, err := Apply(t.Context(), w.plan(t), o)
	if run.Outcome != CutShort || !errors.Is(err, ErrConflict) || errors.Is(err, ErrRolledBack) ||
		!strings.Contains(err.Error(), daemonJSON) || !strings.Contains(err.Error(), "dockerd says no") {
		t.Errorf("%+v, %v", run, err)
	}
	want, got := applied(before), w.look(t)
	want[daemonJSON] = got[daemonJSON]
	same(t, "afterwards", want, got)
	if !strings.Contains(got[daemonJSON], "theirs") {
		t.Errorf("it is %s", got[daemonJSON])
	}
}

// TestRollOutBackUnwell takes a manifest back of which the pod is not well: that is what it is taken back for.
func TestRollOutBackUnwell(t *testing.T) {
	for name, test := range map[string]struct {
		services Services
		want     string
	}{
		"not well": {&services{pending: pendingAll()}, "roll-out " + daemonJSON + ": done"},
		"not here": {nil, "roll-out " + daemonJSON + ": pending"},
	} {
		w := newWorld(t)
		must(t, os.Chmod(w.path("/etc/docker"), 0o755))
		before := w.look(t)
		o := w.options()
		plan := w.small(t, daemonJSON)
		plan.Activations = []remediate.Activation{{Kind: remediate.RollOut, Unit: daemonJSON}}
		_, err := Apply(t.Context(), plan, o)
		must(t, err)
		o.Services = test.services
		run, err := Rollback(t.Context(), "", o)
		must(t, err)
		same(t, name, before, w.look(t))
		if a := run.Activations[0]; fmt.Sprintf("%s %s: %s", a.Kind, a.Unit, a.State) != test.want {
			t.Errorf("%s: %+v", name, a)
		}
	}
}
