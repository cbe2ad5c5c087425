package apply

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"example.com/harden/checks/want"
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

// TestUnreadable takes a journal's file for damaged where it is gone or the disk cannot give it, and not where it may
// be read the next time.
func TestUnreadable(t *testing.T) {
	for errno, says := range map[unix.Errno]string{unix.ENOENT: "it is gone", unix.ENOTDIR: "not a directory",
		unix.EIO: "input/output error", unix.EACCES: "", unix.EFBIG: "", unix.ENOMEM: ""} {
		err := unreadable("/runs/x/log", &fs.PathError{Op: "open", Path: "/runs/x/log", Err: errno})
		if errors.Is(err, ErrDamaged) != (says != "") || !strings.Contains(err.Error(), says) ||
			says == "" && !errors.Is(err, errno) {
			t.Errorf("%v: %v", errno, err)
		}
	}
}

// TestHistoryLine names the line at which the history does not hold.
func TestHistoryLine(t *testing.T) {
	w := newWorld(t)
	for _, what := range []string{"one", "two", "three"} {
		must(t, Remark(w.options(), what))
	}
	name := filepath.Join(w.state, "audit.jsonl")
	good, err := os.ReadFile(name)
	must(t, err)
	for line, what := range map[int]string{1: "one", 2: "two", 3: "three"} {
		must(t, os.WriteFile(name, []byte(strings.Replace(string(good), what, "odd", 1)), 0o600))
		if err := VerifyHistory(w.options()); !errors.Is(err, ErrHistory) ||
			!strings.HasPrefix(err.Error(), fmt.Sprintf("%s:%d: ", name, line)) {
			t.Errorf("line %d: %v", line, err)
		}
	}
}

// TestResolvedContainerTold writes to the history which container was left as somebody has made it, and why.
func TestResolvedContainerTold(t *testing.T) {
	w, c := newWorld(t), engineOfTwo()
	o := w.with(c)
	_, err := Apply(t.Context(), updating(t, w), o)
	must(t, err)
	c.have["b2"] = c.have["b2"].With(want.Limits{Memory: 77})
	c.have["a1"] = c.have["a1"].With(want.Limits{PIDs: 78})
	o.Resolve = Resolution{Theirs: []string{"db"}, Ours: []string{"web"}}
	_, err = Rollback(t.Context(), "", o)
	must(t, err)
	var got []string
	must(t, readHistory(filepath.Join(w.state, "audit.jsonl"), func(r record, _ string) {
		if r.Event == hiTheirs || r.Event == hiOurs {
			what, _, _ := strings.Cut(r.What, ": it has")
			got = append(got, r.Event+" "+what)
		}
	}))
	slices.Sort(got)
	if d := cmp.Diff([]string{hiTheirs + " container db (b2)", hiOurs + " container web (a1)"}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestBackWithoutServices goes on with taking a run back where nothing can be restarted any more: the files are back,
// and what does not run with them is told.
func TestBackWithoutServices(t *testing.T) {
	w := newWorld(t)
	before := w.look(t)
	hardened(t, w)
	if !killed(t, helper(w, "rollback"), point{"renameat", 3}) {
		t.Fatal("it was not killed")
	}
	o := w.options()
	o.Services = nil
	run, err := Rollback(t.Context(), "", o)
	if err == nil || !strings.Contains(err.Error(), "restart docker.service: it cannot be done here any more") ||
		run.Outcome != Failed {
		t.Errorf("%+v, %v", run, err)
	}
	same(t, "the files", before, w.look(t))
}
