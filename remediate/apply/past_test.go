package apply

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// TestNamed finds a run of an older harden by its number, as it finds those of today.
func TestNamed(t *testing.T) {
	w, run := recorded(t)
	for name, want := range map[string]string{"1": run, "0001": run, run: run, "": "", "no number": "no number"} {
		if id, err := Named(name, w.options()); id != want || err != nil {
			t.Errorf("%q: %q, %v, want %q", name, id, err, want)
		}
	}
	for _, name := range []string{"0", "2", "10", "18446744073709551617"} {
		id, err := Named(name, w.options())
		if id != "" || !errors.Is(err, ErrNoRun) || !strings.Contains(err.Error(), "from 1 to 1") {
			t.Errorf("%q: %q, %v", name, id, err)
		}
	}
}

// TestPast tells what a run of an older harden did, whatever its files are like now, and what of it is damaged.
func TestPast(t *testing.T) {
	w, id := recorded(t)
	must(t, os.RemoveAll(w.root))
	run, plan, err := Past(id, w.options())
	if err != nil {
		t.Fatal(err)
	}
	if run.ID != id || run.Number != 1 || len(plan.Changes) != len(run.Changes) {
		t.Errorf("run %d, %s: %d changes, of which %d are told", run.Number, run.ID, len(run.Changes), len(plan.Changes))
	}
	told := 0
	for i, c := range plan.Changes {
		if c.Path != run.Changes[i].Path {
			t.Errorf("%s is told as %s", run.Changes[i].Path, c.Path)
		}
		if strings.Contains(string(c.After.Data), "no-new-privileges") && !strings.Contains(string(c.Before.Data), "no-new") {
			told++
		}
	}
	if told != 1 {
		t.Errorf("%d files are told with their content", told)
	}
	for _, other := range []string{"2", "0002-x", "../current", "..", ""} {
		if run, _, err := Past(other, w.options()); run != nil || !errors.Is(err, ErrNoRun) {
			t.Errorf("%q: %v, %v", other, run, err)
		}
	}
	must(t, os.Remove(w.state+"/runs/"+id+"/after.1"))
	if run, _, err = Past(id, w.options()); run == nil || !errors.Is(err, ErrDamaged) {
		t.Errorf("a content is gone: %v, %v", run, err)
	}
}
