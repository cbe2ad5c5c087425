package apply

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/harden/remediate"
)

// flip changes one byte of a file of the state, from behind where n is negative.
func flip(t testing.TB, name string, n int) {
	t.Helper()
	data, err := os.ReadFile(name)
	must(t, err)
	if n < 0 {
		n += len(data)
	}
	data[n] ^= 0x02
	must(t, os.WriteFile(name, data, 0o600))
}

// small is a plan of one file that nothing else changes.
func (w world) small(t testing.TB, p string) *remediate.Plan {
	t.Helper()
	return &remediate.Plan{Changes: []remediate.Change{w.content(t, p, fmt.Sprintf("new %s\n", p))}}
}

// TestRepairJournal damages the newest of two journals in each of its files: that blocks everything, by name, and a
// repair makes the rest usable again.
func TestRepairJournal(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(dir string)
		back  bool // the damaged run can still be rolled back
		kept  string
	}{
		"plan": {func(dir string) { flip(t, filepath.Join(dir, planFile), 30) }, false, "before the run is in runs/"},
		"no plan": {func(dir string) {
			must(t, os.Remove(filepath.Join(dir, planFile)))
		}, false, "before the run is in runs/"},
		"log":     {func(dir string) { flip(t, filepath.Join(dir, logFile), 30) }, false, "before the run is in runs/"},
		"log 2":   {func(dir string) { flip(t, filepath.Join(dir, logFile), 200) }, true, "can still be rolled back"},
		"log end": {func(dir string) { flip(t, filepath.Join(dir, logFile), -3) }, true, "outcome: applied"},
		"no log": {func(dir string) {
			must(t, os.Remove(filepath.Join(dir, logFile)))
		}, false, "before the run is in runs/"},
		"before":  {func(dir string) { flip(t, filepath.Join(dir, "before.0"), 0) }, false, "all other files"},
		"nothing": {func(dir string) { must(t, os.RemoveAll(dir)); must(t, os.WriteFile(dir, nil, 0o600)) }, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			o := w.options()
			start := w.look(t)
			first, err := Apply(t.Context(), w.small(t, "/etc/bystander"), o)
			must(t, err)
			middle := w.look(t)
			run, err := Apply(t.Context(), w.small(t, odd), o)
			must(t, err)
			c.spoil(filepath.Join(o.State, "runs", run.ID))
			now := w.look(t)
			_, err = Rollback(t.Context(), "", o)
			if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "`harden repair`") {
				t.Errorf("before the repair: %v", err)
			}
			r := repair(t, o)
			same(t, "the repair touches no file of the host", now, w.look(t))
			if d := r.Damages[0]; d.Run != run.ID || len(d.Lost) == 0 || !strings.Contains(strings.Join(d.Kept, "\n"), c.kept) {
				t.Errorf("told: %+v, must keep %q", d, c.kept)
			}
			if _, err := os.Stat(filepath.Join(r.Aside, "runs", run.ID)); err != nil {
				t.Errorf("nothing was set aside: %v", err)
			}
			o.Resolve.Skip = true
			if got, err := Rollback(t.Context(), run.ID, o); c.back && err != nil || !c.back && err == nil &&
				len(got.Left) == 0 {
				t.Errorf("the damaged run: %+v, %v", got, err)
			}
			if c.back {
				same(t, "the damaged run rolled back", middle, w.look(t))
			}
			_, err = Rollback(t.Context(), first.ID, o)
			must(t, err)
			if got := w.look(t)["/etc/bystander"]; got != start["/etc/bystander"] {
				t.Errorf("the other run: %s", got)
			}
			next, err := Apply(t.Context(), w.small(t, "/etc/default/docker"), o)
			must(t, err)
			if sequence(next.ID) != 3 {
				t.Errorf("the next run is %s", next.ID)
			}
		})
	}
}

// TestRepairInterrupted damages the journal of a run that was cut short.
func TestRepairInterrupted(t *testing.T) {
	w := newWorld(t)
	before := w.look(t)
	interrupt(t, w)
	o := w.options()
	run, err := Interrupted(o)
	must(t, err)
	flip(t, filepath.Join(o.State, "current", planFile), 300)
	if _, err := Apply(t.Context(), w.small(t, "/etc/bystander"), o); !errors.Is(err, ErrDamaged) {
		t.Errorf("another run: %v", err)
	}
	r := repair(t, o)
	d := r.Damages[0]
	i := slices.IndexFunc(d.Kept, func(s string) bool { return strings.HasPrefix(s, daemonJSON+": ") })
	if d.Run != run.ID || i < 0 {
		t.Fatalf("told: %+v", d)
	}
	_, file, _ := strings.Cut(d.Kept[i], " is in ")
	file, _, _ = strings.Cut(file, " (")
	data, err := os.ReadFile(filepath.Join(r.Aside, file))
	if err != nil || !strings.Contains(before[daemonJSON], fmt.Sprintf("%q", data)) {
		t.Errorf("what the file was before is to be in %s: %q, %v", file, data, err)
	}
	_, err = Apply(t.Context(), w.small(t, "/etc/bystander"), o)
	must(t, err)
}

// TestRepairHistory damages the history: what holds is kept, the whole is set aside, and the chain goes on.
func TestRepairHistory(t *testing.T) {
	for name, spoil := range map[string]func(name string) error{
		"a byte of the last record": func(p string) error { flip(t, p, -40); return nil },
		"a byte of the first":       func(p string) error { flip(t, p, 100); return nil },
		"a byte in the middle":      func(p string) error { flip(t, p, 2500); return nil },
		"gone":                      os.Remove,
		"empty":                     func(p string) error { return os.Truncate(p, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			o := w.options()
			run, err := Apply(t.Context(), w.plan(t), o)
			must(t, err)
			file := filepath.Join(o.State, "audit.jsonl")
			must(t, spoil(file))
			old, _ := os.ReadFile(file)
			if err := VerifyHistory(o); !errors.Is(err, ErrHistory) || !strings.Contains(err.Error(), "`harden repair`") {
				t.Errorf("before the repair: %v", err)
			}
			r := repair(t, o)
			if len(r.Damages[0].Lost) == 0 {
				t.Errorf("told: %+v", r.Damages[0])
			}
			var restart record
			must(t, readHistory(file, func(r record, _ string) {
				if r.Event == hiRestart {
					restart = r
				}
			}))
			if len(old) > 0 {
				aside, err := os.ReadFile(filepath.Join(r.Aside, "audit.jsonl"))
				if err != nil || !bytes.Equal(aside, old) || !strings.Contains(restart.What, sum(old)) {
					t.Errorf("set aside: %v; said: %s", err, restart.What)
				}
			} else if !slices.Contains(restart.Runs, run.ID) {
				t.Errorf("said: %+v", restart)
			}
			_, err = Rollback(t.Context(), "", o)
			must(t, err)
			must(t, VerifyHistory(o))
		})
	}
}

// TestRepairSeen does nothing when the damage is not what was shown, and nothing where there is none.
func TestRepairSeen(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	if ds, err := Diagnose(o); len(ds) > 0 || err != nil {
		t.Errorf("without a state: %+v, %v", ds, err)
	}
	run, err := Apply(t.Context(), w.plan(t), o)
	must(t, err)
	if r, err := Repair(nil, o); err != nil || r.Aside != "" {
		t.Errorf("nothing to repair: %+v, %v", r, err)
	}
	flip(t, filepath.Join(o.State, "runs", run.ID, planFile), 30)
	if _, err := Repair(nil, o); err == nil || !strings.Contains(err.Error(), "no longer what was shown") {
		t.Errorf("not shown: %v", err)
	}
}

// TestRepairFull repairs on a disk without room: nothing is lost, and it can be done once there is.
func TestRepairFull(t *testing.T) {
	if !inside(t) {
		return
	}
	w := newWorld(t)
	must(t, os.Mkdir(w.state, 0o700))
	command(t, "mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "none", w.state)
	defer command(t, "umount", w.state)
	o := w.options()
	run, err := Apply(t.Context(), w.plan(t), o)
	must(t, err)
	flip(t, filepath.Join(o.State, "audit.jsonl"), 100)
	flip(t, filepath.Join(o.State, "runs", run.ID, logFile), 200)
	old, err := os.ReadFile(filepath.Join(o.State, "audit.jsonl"))
	must(t, err)
	filler := filepath.Join(w.state, "filler")
	f, err := os.Create(filler)
	must(t, err)
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	must(t, f.Close())
	ds, err := Diagnose(o)
	must(t, err)
	if _, err := Repair(ds, o); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("without room: %v", err)
	}
	if now, err := os.ReadFile(filepath.Join(o.State, "audit.jsonl")); err != nil || !bytes.Equal(now, old) {
		t.Errorf("the history: %v", err)
	}
	must(t, os.Remove(filler))
	repair(t, o)
	_, err = Rollback(t.Context(), run.ID, o)
	must(t, err)
}

// TestStateRemoved removes the state directory in the middle of a run: the run is taken back all the same, and nothing
// is written into a state directory that somebody else has made meanwhile.
func TestStateRemoved(t *testing.T) {
	for name, again := range map[string]bool{"removed": false, "and made anew": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			before := w.look(t)
			o := w.options()
			o.Progress = func(s Step) {
				if s.Doing == Writing && s.Subject == odd {
					must(t, os.RemoveAll(w.state))
					if again {
						other, err := openStore(mustDefaults(t, w.options()), true)
						must(t, err)
						other.close()
					}
				}
			}
			run, err := Apply(t.Context(), w.plan(t), o)
			if !errors.Is(err, ErrRolledBack) || !errors.Is(err, errStateGone) || run.Outcome != RolledBack {
				t.Errorf("%+v, %v", run, err)
			}
			if strings.Contains(err.Error(), "but then") {
				t.Errorf("told twice: %v", err)
			}
			same(t, "afterwards", before, w.look(t))
			if again {
				if left, err := filepath.Glob(filepath.Join(w.state, "*")); err != nil || len(left) != 2 { // lock and runs
					t.Errorf("in the other state directory: %v, %v", left, err)
				}
			}
			must(t, os.RemoveAll(w.state))
			if _, err := Rollback(t.Context(), "", w.options()); !errors.Is(err, ErrNoRun) {
				t.Errorf("removed between runs: %v", err)
			}
		})
	}
}

// ends are the ways out of a dead end, each with what it starts from.
var ends = map[string]func(t *testing.T, w world){
	"skip": func(t *testing.T, w world) { interrupt(t, w); must(t, touches["content"](w.path(daemonJSON))) },
	"ours": func(t *testing.T, w world) {
		_, err := Apply(t.Context(), w.plan(t), w.options())
		must(t, err)
		must(t, touches["content"](w.path(daemonJSON)))
	},
	"onward":  func(t *testing.T, w world) { interrupt(t, w); must(t, touches["content"](w.path(daemonJSON))) },
	"abandon": interrupt,
	"repair": func(t *testing.T, w world) {
		_, err := Apply(t.Context(), w.small(t, "/etc/bystander"), w.options())
		must(t, err)
		interrupt(t, w)
		flip(t, filepath.Join(w.state, "audit.jsonl"), 300)
		flip(t, filepath.Join(w.state, "current", planFile), 300)
	},
}

// doEnd is one of the ends, as a program that is tortured does it.
func doEnd(does string, o Options) error {
	o.Resolve = map[string]Resolution{"skip": {Skip: true}, "ours": ways["ours"], "onward": ways["ours"]}[does]
	switch does {
	case "onward":
		_, err := Resume(context.Background(), o)
		return err
	case "abandon":
		_, err := Abandon("", o)
		return err
	case "repair":
		ds, err := Diagnose(o)
		if err == nil {
			_, err = Repair(ds, o)
		}
		return err
	}
	_, err := Rollback(context.Background(), "", o)
	return err
}

// lookPast is look without the temporary files of a run whose journal was lost: nobody knows of them any more.
func (w world) lookPast(t testing.TB) map[string]string {
	t.Helper()
	all := w.look(t)
	maps.DeleteFunc(all, func(p, _ string) bool { return strings.Contains(p, "/.harden-") })
	return all
}

// TestTortureEnds ends harden at each moment of a way out of a dead end. Doing it once more ends as if nothing had
// happened.
func TestTortureEnds(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("needs strace")
	}
	for _, does := range []string{"skip", "ours", "onward", "abandon", "repair"} {
		t.Run(does, func(t *testing.T) {
			w := newWorld(t)
			begin := func() { fresh(t, w); ends[does](t, w) }
			begin()
			must(t, doEnd(does, w.options()))
			want := w.lookPast(t)
			begin()
			ps := points(t, w, "end "+does)
			some := sample(ps, 10)
			missed := 0
			for _, p := range some {
				begin()
				if !killed(t, helper(w, "end "+does), p) {
					missed++
				}
				if err := doEnd(does, w.options()); err != nil && !errors.Is(err, ErrNoRun) { // it was decided by then
					t.Errorf("killed at %s %d: once more: %v", p.call, p.nth, err)
				}
				same(t, fmt.Sprintf("killed at %s %d", p.call, p.nth), want, w.lookPast(t))
				if wrong := (sweep{}).atRest(w.options()); wrong != "" {
					t.Errorf("killed at %s %d: %s", p.call, p.nth, wrong)
				}
				if ds, err := Diagnose(w.options()); len(ds) > 0 || err != nil {
					t.Errorf("killed at %s %d: still damaged: %+v, %v", p.call, p.nth, ds, err)
				}
			}
			t.Logf("killed at %d of %d moments", len(some)-missed, len(ps))
			if missed > len(some)/10 {
				t.Errorf("%d of %d kills came too late: this tortures nothing", missed, len(some))
			}
		})
	}
}
