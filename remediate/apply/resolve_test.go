package apply

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/harden/remediate"
)

const daemonJSON = "/etc/docker/daemon.json"

// ways are those of going on when somebody has changed daemon.json since.
var ways = map[string]Resolution{
	"skip":   {Skip: true},
	"theirs": {Theirs: []string{daemonJSON}},
	"ours":   {Ours: []string{daemonJSON}},
}

// touch has somebody change daemon.json, each in another way.
var touches = map[string]func(p string) error{
	"content": func(p string) error { return os.WriteFile(p, []byte("{\"theirs\": true}\n"), 0) },
	"mode":    func(p string) error { return os.Chmod(p, 0o600) },
	"gone":    os.Remove,
}

// TestResolve rolls a run back whose file somebody has changed: all but that, or that too with what they wrote kept.
func TestResolve(t *testing.T) {
	for way, resolve := range ways {
		for what, touch := range touches {
			for _, cut := range []bool{false, true} {
				name := way + " " + what
				if cut {
					name += " interrupted"
				}
				t.Run(name, func(t *testing.T) { resolveOnce(t, resolve, touch, cut) })
			}
		}
	}
}

func resolveOnce(t *testing.T, resolve Resolution, touch func(string) error, cut bool) {
	w := newWorld(t)
	before := w.look(t)
	o := w.options()
	if cut {
		interrupt(t, w)
	} else {
		_, err := Apply(t.Context(), w.plan(t), o)
		must(t, err)
	}
	must(t, touch(w.path(daemonJSON)))
	theirs, ok := w.look(t)[daemonJSON]
	want := before
	if len(resolve.Ours) == 0 {
		if want[daemonJSON] = theirs; !ok {
			delete(want, daemonJSON)
		}
	}
	now := w.look(t)
	var conflict *ConflictError
	if _, err := Rollback(t.Context(), "", o); !errors.As(err, &conflict) || len(conflict.Conflicts) != 1 ||
		conflict.Conflicts[0].Path != daemonJSON {
		t.Fatalf("undecided: %v", err)
	}
	same(t, "undecided", now, w.look(t))
	o.Resolve = resolve
	r, err := Reverse(t.Context(), "", o)
	must(t, err)
	if len(r.Conflicts) > 0 || (len(r.Kept) == 0) != (len(resolve.Ours) > 0) {
		t.Errorf("foreseen: %+v", r)
	}
	same(t, "foreseen", now, w.look(t))
	run, err := Rollback(t.Context(), "", o)
	must(t, err)
	same(t, "rolled back", want, w.look(t))
	if run.Outcome != RolledBack || (len(run.Left) == 1) != (len(resolve.Ours) == 0) {
		t.Errorf("the run: %+v", run)
	}
	if ok && len(resolve.Ours) > 0 && strings.Contains(theirs, "theirs") {
		kept, err := filepath.Glob(filepath.Join(o.State, "runs", run.ID, "theirs.*"))
		must(t, err)
		if data, err := os.ReadFile(kept[0]); err != nil || string(data) != "{\"theirs\": true}\n" {
			t.Errorf("what was written over: %q, %v", data, err)
		}
	}
	if wrong := (sweep{}).atRest(w.options()); wrong != "" {
		t.Error(wrong)
	}
	next, err := Apply(t.Context(), &remediate.Plan{Changes: []remediate.Change{w.content(t, "/etc/bystander", "more\n")}},
		w.options())
	must(t, err)
	_, err = Rollback(t.Context(), next.ID, w.options())
	must(t, err)
}

// interrupt leaves a run that has written daemon.json and was killed.
func interrupt(t *testing.T, w world) {
	t.Helper()
	if !killed(t, helper(w, "apply"), point{"renameat", 3}) {
		t.Fatal("the apply was not killed")
	}
}

// TestResolveForward finishes an interrupted run whose file somebody has changed.
func TestResolveForward(t *testing.T) {
	for way, resolve := range ways {
		for what, touch := range touches {
			t.Run(way+" "+what, func(t *testing.T) {
				if way == "ours" && what == "mode" {
					return // TestResolve has it; the rest is the same
				}
				w := newWorld(t)
				_, err := Apply(t.Context(), w.plan(t), w.options())
				must(t, err)
				want := w.look(t)
				fresh(t, w)
				o := w.options()
				interrupt(t, w)
				must(t, touch(w.path(daemonJSON)))
				if len(resolve.Ours) == 0 {
					theirs, ok := w.look(t)[daemonJSON]
					if want[daemonJSON] = theirs; !ok {
						delete(want, daemonJSON)
					}
				}
				if _, err := Resume(t.Context(), o); !errors.Is(err, ErrConflict) {
					t.Errorf("undecided: %v", err)
				}
				o.Resolve = resolve
				r, back, err := Onward(t.Context(), o)
				if err != nil || back || len(r.Conflicts) > 0 {
					t.Errorf("foreseen: %+v, %v, %v", r, back, err)
				}
				run, err := Resume(t.Context(), o)
				must(t, err)
				same(t, "finished", want, w.look(t))
				if c, err := Drifted(still{}, w.options()); err != nil || len(c.Drifts) != 0 {
					t.Errorf("drift of what was left, or written over: %+v, %v", c, err)
				}
				if run.Outcome != Applied || (len(run.Left) == 1) != (len(resolve.Ours) == 0) {
					t.Errorf("the run: %+v", run)
				}
				if wrong := (sweep{}).atRest(w.options()); wrong != "" {
					t.Error(wrong)
				}
				_, err = Rollback(t.Context(), "", w.options())
				must(t, err)
			})
		}
	}
}

// TestResolveForwardFails takes a run back that could not be finished although it was said what becomes of a file.
func TestResolveForwardFails(t *testing.T) {
	const timer = "/etc/systemd/system/gone.timer"
	for way, resolve := range map[string]Resolution{"theirs": {Theirs: []string{timer}}, "ours": {Ours: []string{timer}}} {
		t.Run(way, func(t *testing.T) {
			w := newWorld(t)
			want := w.look(t)
			interrupt(t, w)
			must(t, touches["content"](w.path(timer))) // which the run had not come to
			if way == "theirs" {
				want[timer] = w.look(t)[timer]
			}
			o := w.options()
			o.Resolve = resolve
			o.Services.(*services).broken = failAt(1)
			run, err := Resume(t.Context(), o)
			if !errors.Is(err, ErrRolledBack) || run == nil || run.Outcome != RolledBack {
				t.Errorf("%+v, %v", run, err)
			}
			if c, err := Drifted(still{}, w.options()); err != nil || len(c.Drifts) != 0 {
				t.Errorf("drift: %+v, %v", c, err)
			}
			same(t, "taken back", want, w.look(t))
			if wrong := (sweep{}).atRest(w.options()); wrong != "" {
				t.Error(wrong)
			}
		})
	}
}

// TestConflictKept names the bytes of before the run where there are any, and what cannot be had back.
func TestConflictKept(t *testing.T) {
	const attrs, made = "/etc/default/docker", "/etc/systemd/system/docker.service.d/empty.conf"
	w := newWorld(t)
	o := w.options()
	before, err := os.ReadFile(w.path(daemonJSON))
	must(t, err)
	_, err = Apply(t.Context(), w.plan(t), o)
	must(t, err)
	must(t, touches["content"](w.path(daemonJSON)))
	must(t, touches["content"](w.path(made)))
	must(t, os.Remove(w.path(attrs)))
	var conflict *ConflictError
	if _, err := Rollback(t.Context(), "", o); !errors.As(err, &conflict) || len(conflict.Conflicts) != 3 {
		t.Fatal(err)
	}
	stuck := map[string]string{attrs: "it is gone, and the run recorded only its mode and owner"}
	for _, c := range conflict.Conflicts {
		if c.Stuck != stuck[c.Path] {
			t.Errorf("%s: stuck: %q", c.Path, c.Stuck)
		}
		if c.Path != daemonJSON {
			if c.Kept != "" {
				t.Errorf("%s: %s", c.Path, c.Kept)
			}
		} else if data, err := os.ReadFile(c.Kept); err != nil || string(data) != string(before) {
			t.Errorf("%s: %q, %v", c.Kept, data, err)
		}
	}
}

// TestNoWay names what cannot be decided, and changes nothing.
func TestNoWay(t *testing.T) {
	for _, c := range []struct {
		name, says string
		spoil      func(p string) error
		resolve    Resolution
	}{
		{"over a link", "a symbolic link", func(p string) error {
			return errors.Join(os.Remove(p), os.Symlink("/etc/passwd", p))
		}, ways["ours"]},
		{"over a FIFO", "a FIFO", func(p string) error {
			return errors.Join(os.Remove(p), unix.Mkfifo(p, 0o600))
		}, ways["ours"]},
		{"over a directory", "a directory", func(p string) error {
			return errors.Join(os.Remove(p), os.Mkdir(p, 0o700))
		}, ways["ours"]},
		{"hard links", "2 names", func(p string) error {
			return errors.Join(os.Chmod(p, 0o600), os.Link(p, p+"2"))
		}, ways["ours"]},
		{"through a link", "does not write through links", func(p string) error {
			d := filepath.Dir(p)
			return errors.Join(os.Rename(d, d+"2"), os.Symlink(d+"2", d))
		}, ways["ours"]},
		{"no such file", "no such file", func(p string) error { return nil }, Resolution{Theirs: []string{"/etc/other"}}},
		{"both", "as both ours and theirs", touches["mode"],
			Resolution{Ours: []string{daemonJSON}, Theirs: []string{daemonJSON}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			o := w.options()
			_, err := Apply(t.Context(), w.plan(t), o)
			must(t, err)
			must(t, c.spoil(w.path(daemonJSON)))
			now := w.look(t)
			o.Resolve = c.resolve
			o.Resolve.Skip = true
			_, err = Rollback(t.Context(), "", o)
			if !errors.Is(err, ErrChoice) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v: must say %q", err, c.says)
			}
			same(t, "afterwards", now, w.look(t))
			o.Resolve = Resolution{Skip: true} // there is always one way on
			run, err := Rollback(t.Context(), "", o)
			must(t, err)
			if run.Outcome != RolledBack {
				t.Errorf("%+v", run)
			}
		})
	}
}

// TestTheirsOfNobody keeps a file that nobody has changed, since that is what was asked for.
func TestTheirsOfNobody(t *testing.T) {
	w := newWorld(t)
	before := w.look(t)
	o := w.options()
	_, err := Apply(t.Context(), w.plan(t), o)
	must(t, err)
	before[daemonJSON] = w.look(t)[daemonJSON]
	o.Resolve = ways["theirs"]
	run, err := Rollback(t.Context(), "", o)
	must(t, err)
	same(t, "rolled back", before, w.look(t))
	if len(run.Left) != 1 {
		t.Errorf("left: %+v", run.Left)
	}
}

// TestNewerInTheWay names the runs that have to be rolled back before an older one.
func TestNewerInTheWay(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	var ids []string
	for _, data := range []string{"one", "two", "three"} {
		run, err := Apply(t.Context(), &remediate.Plan{Changes: []remediate.Change{w.content(t, odd, data),
			w.attributes(t, "/etc/docker", 0o700, 0, 0)}}, o)
		must(t, err)
		ids = append(ids, run.ID)
	}
	order := "first `harden rollback " + ids[2] + "`, then `harden rollback " + ids[1] + "`"
	_, err := Rollback(t.Context(), ids[0], o)
	if !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), order) {
		t.Errorf("%v: must say %q", err, order)
	}
	o.Resolve.Ours = []string{odd}
	if _, err := Rollback(t.Context(), ids[0], o); !errors.Is(err, ErrChoice) || !strings.Contains(err.Error(), ids[2]) {
		t.Errorf("over a newer run: %v", err)
	}
	o.Resolve = Resolution{Skip: true}
	run, err := Rollback(t.Context(), ids[0], o)
	if err != nil || len(run.Left) == 0 {
		t.Errorf("all but that: %+v, %v", run, err)
	}
	o.Resolve = Resolution{Ours: []string{odd}}
	if _, err := Rollback(t.Context(), ids[0], o); !errors.Is(err, ErrChoice) || !strings.Contains(err.Error(), ids[2]) {
		t.Errorf("over a newer run, afterwards: %v", err)
	}
	o.Resolve = Resolution{}
	for _, id := range []string{ids[2], ids[1]} {
		_, err := Rollback(t.Context(), id, o)
		must(t, err)
	}
}

// TestAbandon gives an interrupted run up: nothing is written, nothing is in the way any more, and it can still be
// rolled back.
func TestAbandon(t *testing.T) {
	w := newWorld(t)
	before := w.look(t)
	o := w.options()
	if _, _, err := Abandonment("", o); !errors.Is(err, ErrNoRun) {
		t.Errorf("nothing to abandon: %v", err)
	}
	interrupt(t, w)
	w.tidy(t)
	must(t, touches["content"](w.path(odd)))
	now := w.look(t)
	run, states, err := Abandonment("", o)
	must(t, err)
	got := map[string]string{}
	for _, s := range states {
		got[s.Path] = s.State
	}
	for p, want := range map[string]string{daemonJSON: StateAfter, odd: StateTheirs,
		"/etc/systemd/system/gone.timer": StateBefore} {
		if got[p] != want {
			t.Errorf("%s is told as %q, want %q", p, got[p], want)
		}
	}
	if _, err := Abandon("0099-x", o); !errors.Is(err, ErrNoRun) || !strings.Contains(err.Error(), run.ID) {
		t.Errorf("another run: %v", err)
	}
	same(t, "looked at", now, w.look(t))
	run, err = Abandon(run.ID, o)
	must(t, err)
	if run.Outcome != Abandoned {
		t.Errorf("%+v", run)
	}
	same(t, "abandoned", now, w.look(t))
	if wrong := (sweep{}).atRest(o); wrong != "" {
		t.Error(wrong)
	}
	next, err := Apply(t.Context(), &remediate.Plan{Changes: []remediate.Change{w.content(t, "/etc/bystander", "more\n")}},
		o)
	must(t, err)
	if got, err := Rollback(t.Context(), "", o); err != nil || got.ID != next.ID {
		t.Errorf("by default: %+v, %v", got, err)
	}
	o.Resolve.Skip = true
	_, err = Rollback(t.Context(), run.ID, o)
	must(t, err)
	if !strings.Contains(now[odd], "theirs") {
		t.Fatal(now[odd])
	}
	after := w.look(t)
	if after[daemonJSON] != before[daemonJSON] {
		t.Errorf("rolled back after all: %s, want %s", after[daemonJSON], before[daemonJSON])
	}
}

// tidy removes harden's own temporary files, which are no host's.
func (w world) tidy(t *testing.T) {
	t.Helper()
	must(t, filepath.WalkDir(w.root, func(p string, d os.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(d.Name(), ".harden-") {
			return os.Remove(p)
		}
		return err
	}))
}
