package apply

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/remediate"
)

// TestUnguarded writes nothing where nothing could take the run back.
func TestUnguarded(t *testing.T) {
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		guard *guard
		with  func(*Options)
		want  string
	}{
		"no systemd": {&guard{absent: broken}, nil, "automatic rollback is not possible here: broken"},
		"no guard":   {&guard{}, func(o *Options) { o.Guard = nil }, "needs the running host"},
		"no boot ID": {&guard{}, func(o *Options) { o.sys.boot = "" }, "needs the running host"},
		"no boot unit": {&guard{try: func(string) error {
			return broken
		}}, nil, "after a reboot does not work: broken"},
		"a unit that does nothing": {&guard{try: func(string) error { return nil }}, nil, "unconfirmed/tried: no such file"},
		"no timer":                 {&guard{refuses: broken}, nil, "broken"},
		"odd arguments": {&guard{}, func(o *Options) {
			o.Recall = []string{"expire", "--state=a b"}
		}, "cannot be named"},
		"no program": {&guard{}, func(o *Options) {
			o.sys.self = "/nonexistent/harden"
		}, "/nonexistent/harden"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			before := w.look(t)
			o := w.guarded(test.guard, &clock{"one", time.Hour})
			if test.with != nil {
				test.with(&o)
			}
			if run, err := Apply(t.Context(), w.plan(t), o); run != nil || err == nil ||
				!strings.Contains(err.Error(), test.want) {
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
			"DefaultDependencies=no\n", " docker.service ", " containerd.service ", " kubelet.service ",
			"Before=sysinit.target ",
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
	drop, err := os.ReadFile(w.path("/etc/systemd/system/sysinit.target.d/" + strings.TrimSuffix(name, "service") +
		"conf"))
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

// TestTortureArming ends harden at each moment of a run that is to be confirmed, of confirming it, and of taking it
// back. What was armed by then must undo that run or nothing; and whatever was left, the next run goes on.
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
