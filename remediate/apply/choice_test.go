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

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
)

// TestContainerOurs writes over what somebody has given to a container since, as it was found: when a run is finished
// and when it is rolled back. What comes after that look is not written over.
func TestContainerOurs(t *testing.T) {
	theirs := func(c *containers, memory int64) { c.have["b2"] = c.have["b2"].With(want.Limits{Memory: memory}) }
	for name, test := range map[string]struct {
		back  bool
		again bool // it is changed once more, right before its turn
	}{"finished": {false, false}, "finished, changed again": {false, true}, "rolled back": {true, false},
		"rolled back, changed again": {true, true}} {
		t.Run(name, func(t *testing.T) {
			w, c := newWorld(t), engineOfTwo()
			o := w.with(c)
			if test.back {
				_, err := Apply(t.Context(), updating(t, w), o)
				must(t, err)
			} else {
				w.died(t, c, "b2")
			}
			theirs(c, 77)
			o.Resolve.Ours = []string{"db"}
			o.Progress = func(s Step) {
				if test.again && (s.Subject == "container db (b2)" && s.Doing == Writing ||
					test.back && s.Subject == odd && s.Doing == Restoring) {
					theirs(c, 78)
				}
			}
			do, ends, memory := Resume, Applied, int64(64)
			if test.back {
				do, ends, memory = rollback, RolledBack, 100
			}
			run, err := do(t.Context(), o)
			switch {
			case !test.again:
				must(t, err)
				if run.Outcome != ends || c.have["b2"].Memory != memory {
					t.Errorf("%+v, %+v", run, c.have)
				}
			case err == nil || c.have["b2"].Memory != 78:
				t.Errorf("%+v, %v, %+v", run, err, c.have)
			}
			must(t, VerifyHistory(o))
		})
	}
}

// TestContainerChosenBefore finishes a run that was cut short after somebody had chosen what becomes of a container: it
// is not asked about twice. What another Engine has by that ID is nobody's to choose about.
func TestContainerChosenBefore(t *testing.T) {
	for memory, resolve := range map[int64]Resolution{64: {Ours: []string{"db"}}, 77: {Theirs: []string{"db"}}} {
		w, c := newWorld(t), engineOfTwo()
		w.died(t, c, "a1")
		c.have["b2"] = c.have["b2"].With(want.Limits{Memory: 77})
		o := w.with(c)
		o.Resolve = resolve
		o.Progress = func(s Step) {
			if s.Doing == Writing && s.Subject == "container web (a1)" {
				panic(errDied)
			}
		}
		func() {
			defer func() { _ = recover() }()
			_, err := Resume(t.Context(), o)
			t.Errorf("it is not cut short: %v", err)
		}()
		c.id = "F"
		if _, _, err := Onward(t.Context(), w.with(c)); err != nil {
			t.Errorf("foreseen with another Engine: %v", err)
		}
		c.id = "E"
		run, err := Resume(t.Context(), w.with(c))
		must(t, err)
		if run.Outcome != Applied || c.have["b2"].Memory != memory {
			t.Errorf("%+v, %+v", run, c.have)
		}
	}
	w, c := newWorld(t), engineOfTwo()
	w.died(t, c, "a1")
	c.id, c.have["b2"] = "F", want.Limits{Memory: 77}
	r, _, err := Onward(t.Context(), w.with(c))
	if err != nil || len(r.Conflicts) > 0 {
		t.Errorf("of another Engine's container: %+v, %v", r.Conflicts, err)
	}
}

func rollback(ctx context.Context, o Options) (*Run, error) { return Rollback(ctx, "", o) }

// TestOnwardChosen foresees what finishing a run would change of a container that somebody has changed since.
func TestOnwardChosen(t *testing.T) {
	w, c := newWorld(t), engineOfTwo()
	w.died(t, c, "a1")
	c.have["b2"] = c.have["b2"].With(want.Limits{Memory: 77})
	for name, test := range map[string]struct {
		resolve  Resolution
		want     string
		kept     int
		conflict int
	}{
		"undecided": {Resolution{}, "a1 from 0", 0, 1},
		"theirs":    {Resolution{Theirs: []string{"db"}}, "a1 from 0", 1, 0},
		"ours":      {Resolution{Ours: []string{"db"}}, "a1 from 0, b2 from 77", 0, 0},
	} {
		o := w.with(c)
		o.Resolve = test.resolve
		r, back, err := Onward(t.Context(), o)
		must(t, err)
		var got []string
		for _, u := range r.Plan.Updates {
			got = append(got, fmt.Sprintf("%s from %d", u.ID, u.Before.Memory))
		}
		if back || strings.Join(got, ", ") != test.want || len(r.Kept) != test.kept || len(r.Conflicts) != test.conflict {
			t.Errorf("%s: %q, left %+v, in conflict %+v", name, got, r.Kept, r.Conflicts)
		}
	}
}

// TestAmendInNewDirectory gives back two files that were written over, in a directory that went with them: it is made
// once, and goes when that is rolled back.
func TestAmendInNewDirectory(t *testing.T) {
	const dir = "/etc/new/deep"
	w := newWorld(t)
	before := w.look(t)
	o := w.options()
	run, err := Apply(t.Context(), &remediate.Plan{Changes: []remediate.Change{created(dir+"/a", "a"),
		created(dir+"/b", "b")}}, o)
	must(t, err)
	for _, name := range []string{"/a", "/b"} {
		must(t, os.WriteFile(w.path(dir+name), []byte("theirs"), 0))
	}
	theirs := w.look(t)
	o.Resolve.Ours = []string{dir + "/a", dir + "/b"}
	_, err = Rollback(t.Context(), run.ID, o)
	must(t, err)
	same(t, "rolled back", before, w.look(t))
	o.Resolve = Resolution{Theirs: o.Resolve.Ours}
	amended, err := Rollback(t.Context(), run.ID, o)
	must(t, err)
	same(t, "given back", theirs, w.look(t))
	s := &store{dir: w.state, sys: o.sys}
	j, err := readTxn(s, s.run(amended.ID))
	must(t, err)
	if d := cmp.Diff([][]byte{[]byte("/etc/new"), []byte(dir)}, j.Dirs); d != "" {
		t.Errorf("made (-want +got):\n%s", d)
	}
	o.Resolve = Resolution{}
	_, err = Rollback(t.Context(), "", o)
	must(t, err)
	same(t, "and back", before, w.look(t))
}

// TestAmendRollsOut has the pod of a manifest rolled out again where that is amended, and no other.
func TestAmendRollsOut(t *testing.T) {
	for amended, want := range map[string][]string{odd: nil, daemonJSON: {"roll-out " + daemonJSON}} {
		w := newWorld(t)
		must(t, os.Chmod(w.path("/etc/docker"), 0o755))
		o := w.options()
		s := o.Services.(*services)
		run, err := Apply(t.Context(), &remediate.Plan{
			Changes:     []remediate.Change{w.content(t, daemonJSON, "{}\n"), w.content(t, odd, "new")},
			Activations: []remediate.Activation{{Kind: remediate.RollOut, Unit: daemonJSON}},
		}, o)
		must(t, err)
		must(t, touches["content"](w.path(amended)))
		o.Resolve.Theirs = []string{amended}
		_, err = Rollback(t.Context(), run.ID, o)
		must(t, err)
		s.did = nil
		o.Resolve = Resolution{Ours: []string{amended}}
		_, err = Rollback(t.Context(), run.ID, o)
		must(t, err)
		if d := cmp.Diff(want, s.did); d != "" {
			t.Errorf("%q amended (-want +got):\n%s", amended, d)
		}
	}
}

// TestArmedDirectories makes each directory of the units that take a run back once, and removes those again.
func TestArmedDirectories(t *testing.T) {
	w := newWorld(t)
	must(t, os.RemoveAll(w.path("/etc/systemd")))
	before := w.look(t)
	g, c := &guard{}, &clock{"one", time.Hour}
	run, err := Apply(t.Context(), w.small(t, odd), w.guarded(g, c))
	must(t, err)
	a, err := (&store{dir: w.state, sys: quiet()}).readArmed()
	must(t, err)
	var dirs []string
	for _, d := range a.Dirs {
		dirs = append(dirs, string(d))
	}
	if d := cmp.Diff([]string{"/etc/systemd", unitDir, unitDir + "/sysinit.target.d"}, dirs); d != "" {
		t.Errorf("made (-want +got):\n%s", d)
	}
	_, err = Rollback(t.Context(), run.ID, w.guarded(g, c))
	must(t, err)
	same(t, "rolled back", before, w.look(t))
}

// sour says nothing of units, and that its Engine keeps its data elsewhere.
type sour struct{ running }

func (sour) Unit(string) (*facts.Unit, error) { return nil, errBroken }

func (s sour) Engine() (*docker.EngineFacts, error) {
	e, err := s.running.Engine()
	if err == nil {
		e.Host, e.Info.Name, e.Info.DockerRootDir = "unix:///run/docker.sock", "host", "/var/lib/docker/231072.231072"
	}
	return e, err
}

// TestDriftedUnseen tells what cannot be compared: the units of which systemd's files say nothing, and the containers
// that an Engine does not see since it keeps its data elsewhere.
func TestDriftedUnseen(t *testing.T) {
	const timer = unitDir + "/harden-audit.timer"
	w, e := newWorld(t), engineOfTwo()
	e.home, e.dataRoot = "/run/docker.sock host /var/lib/docker", "/var/lib/docker"
	plan := updating(t, w)
	plan.Changes = append(plan.Changes, created(timer, "[Timer]\n"))
	_, err := Apply(t.Context(), plan, w.with(e))
	must(t, err)
	c, err := Drifted(sour{running{engine: "E"}}, w.options())
	must(t, err)
	var got []string
	for _, u := range c.Unknown {
		got = append(got, u.Subject+": "+u.Reason)
	}
	slices.Sort(got)
	hidden := "dockerd keeps its data in /var/lib/docker/231072.231072 now and does not see it"
	want := []string{timer + ": dockerd says no", "container db (b2): " + hidden, "container web (a1): " + hidden}
	slices.Sort(want)
	got = slices.DeleteFunc(got, func(s string) bool { return strings.Contains(s, "docker.service.d") })
	if d := cmp.Diff(want, got); d != "" || len(c.Updated) > 0 {
		t.Errorf("unknown (-want +got):\n%s, and %+v", d, c.Updated)
	}
}

// TestDriftedVolatile does not compare what a boot has made anew, nor what is gone because whoever makes it does not
// run; a link in its place is told.
func TestDriftedVolatile(t *testing.T) {
	w := newWorld(t)
	tree, err := mustDefaults(t, w.options()).openTree()
	must(t, err)
	defer tree.close()
	const sock = "/run/docker.sock"
	for name, test := range map[string]struct {
		boot string
		make func(p string) error
		want bool
	}{
		"as left":             {tree.sys.boot, func(p string) error { return socket(w, p) }, false},
		"gone":                {tree.sys.boot, func(string) error { return nil }, false},
		"a file":              {tree.sys.boot, func(p string) error { return os.WriteFile(p, nil, 0o600) }, true},
		"a link":              {tree.sys.boot, func(p string) error { return os.Symlink("/dev/null", p) }, true},
		"a file, since boot":  {"another", func(p string) error { return os.WriteFile(p, nil, 0o600) }, false},
		"a link above, since": {"another", func(p string) error { return os.Symlink("/dev/null", p) }, false},
	} {
		must(t, os.RemoveAll(w.path(sock)))
		must(t, test.make(w.path(sock)))
		if name == "as left" {
			must(t, os.Chmod(w.path(sock), 0o660))
		}
		im := image{Exists: true, Type: unix.S_IFSOCK, Mode: 0o660}
		l := &legacy{item: item{Path: []byte(sock), Volatile: true, After: im}, after: im,
			run: &txn{journal: journal{Boot: test.boot}}}
		if d, err := l.compare(tree); err != nil || (d != nil) != test.want {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
}

// TestWalkRefuses gives the same answer as openat2 to a path that is not clean, and leaves nothing open.
func TestWalkRefuses(t *testing.T) {
	w := newWorld(t)
	root, err := unix.Open(w.root, unix.O_PATH|unix.O_DIRECTORY, 0)
	must(t, err)
	defer unix.Close(root)
	for rel, want := range map[string]error{"etc/../etc": unix.EXDEV, "..": unix.EXDEV, "etc/./docker": unix.EXDEV,
		"etc//docker": unix.EXDEV, "etc/none": unix.ENOENT, "etc/bystander": unix.ENOTDIR, "etc/docker": nil, ".": nil} {
		fd, err := walk(root, rel)
		if err != want || (fd < 0) != (want != nil) {
			t.Errorf("%s: %d, %v", rel, fd, err)
		}
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// TestDecidedForeseen foresees the rollback of a run that is over but for its journal's place, and not of one that was
// rolled back there.
func TestDecidedForeseen(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	run := cutAfterDeciding(t, w, odd)
	for _, id := range []string{"", run.ID} {
		if r, err := Reverse(t.Context(), id, o); err != nil || r.Run != run.ID || len(r.Plan.Changes) != 1 {
			t.Errorf("%q: %+v, %v", id, r, err)
		}
	}
	_, err := Rollback(t.Context(), "", o)
	must(t, err)
	must(t, os.Rename(filepath.Join(w.state, "runs", run.ID), filepath.Join(w.state, "current")))
	for _, id := range []string{"", run.ID} {
		if _, err := Reverse(t.Context(), id, o); !errors.Is(err, ErrNoRun) {
			t.Errorf("rolled back, %q: %v", id, err)
		}
	}
}

// TestPartly tells of an abandoned run's file that it has one of its new attributes and not the other, which neither
// finishing the run nor rolling it back is stopped by.
func TestPartly(t *testing.T) {
	const p = "/etc/default/docker"
	w := newWorld(t)
	before := w.look(t)
	if !killed(t, helper(w, "apply"), point{"renameat", 3}) {
		t.Fatal("the apply was not killed")
	}
	must(t, os.Chown(w.path(p), 0, 8))
	must(t, unix.Chmod(w.path(p), 0o644))
	_, states, err := Abandonment("", w.options())
	must(t, err)
	i := slices.IndexFunc(states, func(f FileState) bool { return f.Path == p })
	if i < 0 || states[i].State != StatePartly || !strings.Contains(states[i].Why, "owner") {
		t.Errorf("%+v", states)
	}
	_, err = Rollback(t.Context(), "", w.options())
	must(t, err)
	same(t, "rolled back", before, w.look(t))
}

// TestLinkedForward does not finish a run over a file that has got another name, unless that is what the run made.
func TestLinkedForward(t *testing.T) {
	w := newWorld(t)
	interrupt(t, w) // the first files are written, and this one not
	must(t, os.Link(w.path(odd), w.path("/etc/second")))
	_, err := Resume(t.Context(), w.options())
	says(t, "not written yet", err, "it has 2 names (hard links)")
	must(t, os.Remove(w.path("/etc/second")))
	must(t, os.Link(w.path(daemonJSON), w.path("/etc/second")))
	_, err = Resume(t.Context(), w.options())
	must(t, err)
}
