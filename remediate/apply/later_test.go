package apply

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestNotPutAwayBlocks begins nothing while the journal of a run that is over cannot be put away.
func TestNotPutAwayBlocks(t *testing.T) {
	w := newWorld(t)
	run := cutAfterDeciding(t, w, "/etc/bystander")
	must(t, os.MkdirAll(filepath.Join(w.state, "runs", run.ID, "in-the-way"), 0o700))
	before := w.look(t)
	if got, err := Apply(t.Context(), w.small(t, odd), w.options()); got != nil || err == nil ||
		!strings.Contains(err.Error(), filepath.Join("runs", run.ID)) {
		t.Errorf("%+v, %v", got, err)
	}
	same(t, "afterwards", before, w.look(t))
	must(t, readHistory(filepath.Join(w.state, "audit.jsonl"), func(r record, _ string) {
		if r.Event == hiApply && r.Run != run.ID {
			t.Errorf("run %s was begun", r.Run)
		}
	}))
	must(t, os.RemoveAll(filepath.Join(w.state, "runs", run.ID)))
	_, err := Apply(t.Context(), w.small(t, odd), w.options())
	must(t, err)
}

// TestArmedWithoutClock changes nothing where no clock tells when a run that is to be confirmed would be over.
func TestArmedWithoutClock(t *testing.T) {
	w := newWorld(t)
	before := w.look(t)
	g, c := &guard{}, &clock{"one", time.Hour}
	o := w.guarded(g, c)
	once := false
	o.sys.uptime = func() (time.Duration, error) {
		if _, err := os.Lstat(filepath.Join(w.state, "unconfirmed", "tried")); err == nil && !once {
			once = true
			return 0, errBroken
		}
		return c.up, nil
	}
	if run, err := Apply(t.Context(), w.plan(t), o); run != nil || !errors.Is(err, errBroken) || !once {
		t.Errorf("%+v, %v", run, err)
	}
	same(t, "afterwards", before, w.look(t))
	w.disarmed(t, g)
}

// TestUpdatesOf takes a container for given what a run has come to changing, and not what it was only planned to be.
func TestUpdatesOf(t *testing.T) {
	change := func(id, name string, memory int64) ContainerChange {
		u := ContainerChange{ID: id, Name: name}
		u.After.Memory = memory
		return u
	}
	run := func(id, engine string, begun []int, us ...ContainerChange) *txn {
		r := &txn{journal: journal{ID: id, Engine: engine, Updates: us}}
		for _, i := range begun {
			r.log = append(r.log, entry{Event: evUpdate, N: i})
		}
		return r
	}
	var got []string
	for _, g := range updatesOf([]*txn{
		run("1", "E", []int{0, 1}, change("a", "web", 1), change("b", "db", 2), change("c", "cache", 3)),
		run("2", "E", []int{1}, change("b", "db", 4), change("a2", "web", 5)),
		run("3", "F", []int{0}, change("b", "db", 6)),
	}) {
		got = append(got, fmt.Sprintf("%s %s %d of run %s", g.Name, g.ID, g.After.Memory, g.run.ID))
	}
	slices.Sort(got)
	if d := cmp.Diff([]string{"db b 2 of run 1", "db b 6 of run 3", "web a2 5 of run 2"}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestResumeUndecided notes a decision only where there was one to make.
func TestResumeUndecided(t *testing.T) {
	for name, decided := range map[string]bool{"nothing changed": false, "left": true} {
		w := newWorld(t)
		interrupt(t, w)
		o := w.options()
		if decided {
			must(t, touches["content"](w.path(odd)))
			o.Resolve.Skip = true
		}
		run, err := Resume(t.Context(), o)
		must(t, err)
		s := &store{dir: w.state, sys: o.sys}
		j, err := readTxn(s, s.run(run.ID))
		must(t, err)
		if slices.ContainsFunc(j.log, func(e entry) bool { return e.Event == evResolved }) != decided {
			t.Errorf("%s: %+v", name, j.log)
		}
	}
}
