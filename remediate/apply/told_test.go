package apply

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
)

// TestButFor names what was left, in the words that end a line of the history.
func TestButFor(t *testing.T) {
	for want, left := range map[string][]Left{
		"": nil,
		", except for 2 left as others made them: /a, container web (b)": {{Path: "/a", Why: "x"},
			{Path: "container web (b)"}},
	} {
		if got := butFor(left); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestRolledBackTold says of a run that was taken back why, and nothing more where that went well.
func TestRolledBackTold(t *testing.T) {
	const no = "reload-systemd: dockerd says no"
	for want, nths := range map[string][]int{
		"rolled back: " + no: {1}, "rolled back: " + no + "; but then: " + no: {1, 2},
	} {
		w := newWorld(t)
		o := w.options()
		o.Services.(*services).broken = failAt(nths...)
		_, err := Apply(t.Context(), w.plan(t), o)
		if got := fmt.Sprint(err); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestDressKeeps gives a file its attributes back, and leaves those that a change of owner or mode does not touch.
func TestDressKeeps(t *testing.T) {
	w := newWorld(t)
	must(t, unix.Setxattr(w.path(odd), "user.note", []byte("theirs"), 0))
	f, err := os.Open(w.path(odd))
	must(t, err)
	defer f.Close()
	im := image{Mode: 0o600, UID: 1, GID: 2, Xattrs: []xattr{{[]byte("user.note"), []byte("ours")}}}
	for _, all := range []bool{false, true} {
		must(t, kernel().dress(int(f.Fd()), im, all))
		if text := w.look(t)[odd]; strings.Contains(text, fmt.Sprintf("user.note=%x", "theirs")) == all {
			t.Errorf("with all of them %v: %s", all, text)
		}
	}
}

// TestAbandonable gives up only the run that is interrupted: not one that has its outcome and lies where it was.
func TestAbandonable(t *testing.T) {
	run := func(log ...entry) *txn { return &txn{journal: journal{ID: "0001-x"}, log: log} }
	applied := entry{Event: string(Applied)}
	for name, c := range map[string]struct {
		of   *txn
		id   string
		says string
	}{
		"interrupted":          {run(), "", ""},
		"interrupted, by name": {run(), "0001-x", ""},
		"another":              {run(), "0002-x", "run 0001-x is the interrupted one"},
		"applied":              {run(applied), "0001-x", "no such run is interrupted"},
		"being taken back":     {run(applied, entry{Event: evUndo}), "", ""},
		"none":                 {nil, "", "no such run is interrupted"},
		"none, by name":        {nil, "0002-x", "only an interrupted run can be, and none is"},
	} {
		says(t, name, c.of.abandonable(c.id), c.says)
	}
}

// TestDeadlineTold says until when a run may stay unconfirmed: wall-clock time in its own boot, and after another boot
// by when it began, since nothing tells how long the machine was off.
func TestDeadlineTold(t *testing.T) {
	began := time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)
	run := func(boot string, up time.Duration) *Deadline {
		s := &store{sys: &sys{boot: boot, uptime: func() (time.Duration, error) { return up, nil }}}
		j := journal{Boot: "one", Started: began, Confirm: &deadline{Within: 5 * time.Minute, Uptime: time.Hour}}
		return (&txn{journal: j, store: s, log: []entry{{Event: string(Applied)}}}).deadline()
	}
	if d := run("one", time.Hour-time.Minute); d.Passed || time.Until(d.Until) > time.Minute || time.Until(d.Until) < 0 {
		t.Errorf("a minute before: %+v", d)
	}
	if d := run("one", time.Hour); !d.Passed {
		t.Errorf("at its end: %+v", d)
	}
	if d := run("two", time.Minute); !d.Passed || !d.Until.Equal(began.Add(5*time.Minute)) {
		t.Errorf("after another boot: %+v", d)
	}
}

// TestStuckItem says why what is there cannot be written over: it has to be such that it can be kept.
func TestStuckItem(t *testing.T) {
	w := newWorld(t)
	tree, err := mustDefaults(t, w.options()).openTree()
	must(t, err)
	defer tree.close()
	file := func(size int64, links uint64) sight {
		s := sight{image: image{Exists: true, Type: unix.S_IFREG}}
		s.size, s.links = size, links
		return s
	}
	dir := sight{image: image{Exists: true, Type: unix.S_IFDIR}}
	regular := image{Exists: true, Type: unix.S_IFREG}
	for name, c := range map[string]struct {
		content bool
		path    string
		now     sight
		says    string
	}{
		"a file":                   {true, "/etc/a", file(1, 1), ""},
		"a directory":              {true, "/etc/a", dir, "move that away first"},
		"attributes of another":    {false, "/etc/a", dir, "move that away first"},
		"attributes":               {false, "/etc/a", file(1, 1), ""},
		"as large as can be kept":  {true, "/etc/a", file(facts.MaxFile, 1), ""},
		"larger":                   {true, "/etc/a", file(facts.MaxFile+1, 1), "bytes are too many to keep"},
		"attributes of a large":    {false, "/etc/a", file(facts.MaxFile+1, 1), ""},
		"two names":                {true, "/etc/a", file(1, 2), "it has 2 names"},
		"gone":                     {true, "/etc/a", sight{}, ""},
		"gone, attributes":         {false, "/etc/a", sight{}, "the run recorded only its mode and owner"},
		"gone, with its directory": {true, "/none/a", sight{}, "its directory is gone"},
	} {
		it := &item{Path: []byte(c.path), Content: c.content, Before: regular}
		var err error
		if why := it.stuck(tree, c.now); why != "" {
			err = &os.PathError{Op: why, Path: "x", Err: unix.EIO}
		}
		says(t, name, err, c.says)
	}
}

// TestLimitsDiffer names each limit that differs, and no other.
func TestLimitsDiffer(t *testing.T) {
	was := want.Limits{Memory: 1, MemorySwap: 2, CPUShares: 3, PIDs: 4, Restart: "no"}
	for name, change := range map[string]func(*want.Limits){
		"memory": func(l *want.Limits) { l.Memory = 9 }, "memory-swap": func(l *want.Limits) { l.MemorySwap = 9 },
		"cpu-shares": func(l *want.Limits) { l.CPUShares = 9 }, "pids-limit": func(l *want.Limits) { l.PIDs = 9 },
		"restart": func(l *want.Limits) { l.Restart = "always" },
	} {
		now := was
		change(&now)
		if got := limitsDiffer(was, now); len(got) != 1 || got[0].What != name {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := limitsDiffer(was, was); len(got) > 0 {
		t.Errorf("the same: %+v", got)
	}
}

// TestStepsForward tells of each file and container as it is looked at and as it is changed.
func TestStepsForward(t *testing.T) {
	w, engine := newWorld(t), engineOfTwo()
	o := w.with(engine)
	told := map[Doing][]string{}
	o.Progress = func(s Step) { told[s.Doing] = append(told[s.Doing], s.Subject) }
	_, err := Apply(t.Context(), updating(t, w), o)
	must(t, err)
	for _, doing := range []Doing{Checking, Writing} {
		for _, subject := range []string{"container web (a1)", "container db (b2)", daemonJSON, odd, "/etc/docker"} {
			if !slices.Contains(told[doing], subject) {
				t.Errorf("%s %s: without a word: %q", doing, subject, told[doing])
			}
		}
	}
}

// TestKeep keeps what is about to be written over, once, and refuses when it is not what was decided about any more.
func TestKeep(t *testing.T) {
	w := newWorld(t)
	o := mustDefaults(t, w.options())
	tree, err := o.openTree()
	must(t, err)
	defer tree.close()
	s := &store{dir: t.TempDir(), sys: o.sys}
	run := &txn{store: s, dir: s.dir, journal: journal{Items: []item{{Path: []byte(odd), Content: true}}}}
	at := site{run, tree}
	theirs, err := os.ReadFile(w.path(odd))
	must(t, err)
	d := resolved{Found: &image{Exists: true, Sum: sum(theirs)}}
	kept := func(want string) {
		t.Helper()
		got, err := os.ReadFile(run.theirs(d))
		if d := cmp.Diff(want, string(got)); err != nil || d != "" {
			t.Errorf("kept: %v (-want +got):\n%s", err, d)
		}
	}
	must(t, at.keep([]resolved{d}))
	kept(string(theirs))
	must(t, os.WriteFile(run.theirs(d), theirs[:3], 0o600)) // of an attempt that was cut short
	must(t, at.keep([]resolved{d}))
	kept(string(theirs))
	must(t, os.WriteFile(w.path(odd), []byte("another"), 0))
	must(t, at.keep([]resolved{d})) // which has it already
	must(t, os.Remove(run.theirs(d)))
	says(t, "changed just now", at.keep([]resolved{d}), "changed by somebody else since the run just now")
	for _, d := range []resolved{{Keep: true}, {Update: true}, {Found: &image{}}} {
		must(t, at.keep([]resolved{d}))
	}
	if left, err := filepath.Glob(filepath.Join(s.dir, "theirs.*")); err != nil || len(left) > 0 {
		t.Errorf("kept what was not decided: %v, %v", left, err)
	}
}
