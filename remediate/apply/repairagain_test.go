package apply

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRepairTwice finds what is damaged after a repair, and keeps what is set aside from others.
func TestRepairTwice(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	run, err := Apply(t.Context(), w.plan(t), o)
	must(t, err)
	blobs, err := filepath.Glob(filepath.Join(o.State, "runs", run.ID, "before.*"))
	must(t, err)
	for _, blob := range blobs {
		flip(t, blob, 0)
		r := repair(t, o)
		if len(r.Damages) != 1 || filepath.Base(r.Damages[0].File) != filepath.Base(blob) {
			t.Errorf("%s: %+v", blob, r.Damages)
		}
		for dir := filepath.Join(r.Aside, "runs", run.ID); dir != o.State; dir = filepath.Dir(dir) {
			if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("%s: %v, %v", dir, info, err)
			}
		}
	}
	if len(blobs) < 2 {
		t.Fatalf("only %v", blobs)
	}
}

// TestRepairAbandoned takes what became of a run from the history where its journal does not tell any more.
func TestRepairAbandoned(t *testing.T) {
	w := newWorld(t)
	interrupt(t, w)
	o := w.options()
	run, err := Abandon("", o)
	must(t, err)
	flip(t, filepath.Join(o.State, "runs", run.ID, logFile), -3)
	repair(t, o)
	if got, err := Newest(o); err != nil || got.Outcome != Abandoned {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestRepairRollback names the run whose rollback was cut short before it said more than that it begins.
func TestRepairRollback(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	first, err := Apply(t.Context(), w.small(t, "/etc/bystander"), o)
	must(t, err)
	_, err = Apply(t.Context(), w.small(t, odd), o)
	must(t, err)
	cut := filepath.Join(filepath.Dir(o.State), "cut")
	o.Progress = func(s Step) {
		if s.Doing == Restoring {
			must(t, os.CopyFS(cut, os.DirFS(o.State)))
			must(t, os.Chmod(cut, 0o700))
		}
	}
	_, err = Rollback(t.Context(), first.ID, o)
	must(t, err)
	o = w.options()
	o.State = cut
	must(t, os.Remove(filepath.Join(cut, "current", planFile)))
	ds, err := Diagnose(o)
	if err != nil || len(ds) != 1 || ds[0].Run != first.ID {
		t.Errorf("%+v, %v; want run %s", ds, err, first.ID)
	}
}

// TestRepairTimes gives each line that is supplied for a damaged one the time of the run.
func TestRepairTimes(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	run, err := Apply(t.Context(), w.small(t, "/etc/bystander"), o)
	must(t, err)
	dir := filepath.Join(o.State, "runs", run.ID)
	flip(t, filepath.Join(dir, logFile), 200)
	repair(t, o)
	s := &store{dir: o.State, sys: o.sys}
	tx, err := readTxn(s, dir)
	must(t, err)
	for i, e := range tx.log {
		if e.Time.Before(run.Started) {
			t.Errorf("line %d, %s: %v, and the run began at %v", i, e.Event, e.Time, run.Started)
		}
	}
}

// TestSupplement adds to a damaged log only what it has lost: of a container that a good line tells of it says nothing.
func TestSupplement(t *testing.T) {
	run := &txn{journal: journal{Updates: []ContainerChange{{ID: "a"}, {ID: "b"}}}, store: &store{dir: t.TempDir()}}
	run.dir = run.store.current()
	run.log = []entry{{Event: evPlanned}, {Event: evUpdate, N: 1}}
	lines := run.supplement([][]byte{[]byte("planned"), []byte("update")})
	var got []string
	for _, e := range run.log {
		got = append(got, fmt.Sprint(e.Event, " ", e.N))
	}
	if d := cmp.Diff([]string{"planned 0", "update 0", "update 1"}, got); d != "" || len(lines) != 3 {
		t.Errorf("%d lines (-want +got):\n%s", len(lines), d)
	}
}

// TestRepairLost tells of bytes of before a run that are gone as it tells of damaged ones.
func TestRepairLost(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	run, err := Apply(t.Context(), w.small(t, odd), o)
	must(t, err)
	must(t, os.Remove(filepath.Join(o.State, "runs", run.ID, "before.0")))
	_, err = Rollback(t.Context(), "", o)
	if says(t, "gone", err, "it is gone"); !errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
}

// TestOutcomeOf takes a run's outcome from the history, whatever that says of it later, and of other runs.
func TestOutcomeOf(t *testing.T) {
	w := newWorld(t)
	s, err := openStore(mustDefaults(t, w.options()), true)
	must(t, err)
	defer s.close()
	h := newHistory(s)
	must(t, h.open())
	for _, o := range []Outcome{Applied, RolledBack, Failed, Abandoned} {
		for _, event := range []string{hiApply, string(Applied), string(o), hiRepaired} {
			must(t, h.append(record{Run: "of " + string(o), Event: event}))
		}
	}
	must(t, h.append(record{Run: "begun", Event: hiApply}))
	for run, want := range map[string]Outcome{"of applied": Applied, "of rolled-back": RolledBack, "of failed": Failed,
		"of abandoned": Abandoned, "begun": Abandoned, "unknown": Abandoned} {
		if got := s.outcomeOf(run); got != want {
			t.Errorf("%s: %s, want %s", run, got, want)
		}
	}
}

// TestIsRules knows the files that auditd's rules are read from.
func TestIsRules(t *testing.T) {
	for p, want := range map[string]bool{"/etc/audit/rules.d/x.rules": true, "/etc/audit/audit.rules": true,
		"/etc/audit/rules.d/x.conf": false, "/etc/audit/auditd.conf": false, "/etc/docker/x.rules": false} {
		if isRules(p) != want {
			t.Errorf("%s: %v", p, !want)
		}
	}
}
