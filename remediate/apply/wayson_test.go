package apply

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
)

// TestAmendOwners says of an amendment whose the file is and was: by name where the run knew it, else by number.
func TestAmendOwners(t *testing.T) {
	for name, c := range map[string]struct {
		uid, gid          int    // of what somebody has put there
		given, afterwards string // what is foreseen of the owner where it is given back, and where it is restored after all
	}{
		"another's":     {5, 6, "root:root to 5:6", "5:6 to root:root"},
		"the same":      {0, 0, "root:root to root:root", "root:root to root:root"},
		"another user":  {5, 0, "root:0 to 5:0", "5:root to root:root"},
		"another group": {0, 6, "0:root to 0:6", "root:6 to root:root"},
	} {
		amendOwners(t, name+", given back", "ours", "theirs", c.uid, c.gid, c.given)
		amendOwners(t, name+", after all", "theirs", "ours", c.uid, c.gid, c.afterwards)
	}
}

func amendOwners(t *testing.T, name, first, then string, uid, gid int, want string) {
	w := newWorld(t)
	must(t, os.Chmod(w.path("/etc/docker"), 0o755))
	w.file(t, daemonJSON, "{}\n", 0o644, 0, 0)
	o := w.options()
	change := w.content(t, daemonJSON, "{\"icc\": false}\n")
	for _, f := range []*facts.File{&change.Before, &change.After} {
		f.User, f.Group = "root", "root"
	}
	run, err := Apply(t.Context(), &remediate.Plan{Changes: []remediate.Change{change}}, o)
	must(t, err)
	must(t, os.WriteFile(w.path(daemonJSON), []byte("theirs"), 0o644))
	must(t, os.Chown(w.path(daemonJSON), uid, gid))
	o.Resolve = ways[first]
	_, err = Rollback(t.Context(), run.ID, o)
	must(t, err)
	o.Resolve = ways[then]
	r, err := Reverse(t.Context(), run.ID, o)
	must(t, err)
	if got := r.Plan.Changes[0]; got.Before.Owner()+" to "+got.After.Owner() != want {
		t.Errorf("%s: from %s to %s", name, got.Before.Owner(), got.After.Owner())
	}
	amended, err := Rollback(t.Context(), run.ID, o)
	must(t, err)
	theirs, ours := amended.Changes[0].After, amended.Changes[0].Before
	if then == "ours" {
		theirs, ours = ours, theirs
	}
	if ours.UID != 0 || ours.GID != 0 || theirs.UID != uint32(uid) || theirs.GID != uint32(gid) {
		t.Errorf("%s: %+v", name, amended.Changes[0])
	}
}

// TestNothingThere asks each way on for a run that is not there, or is none for it: each says so, by what it is.
func TestNothingThere(t *testing.T) {
	ask := func(o Options, id string) map[string]error {
		_, confirm := Confirm(id, o)
		_, abandon := Abandon(id, o)
		_, _, states := Abandonment(id, o)
		_, rollback := Rollback(t.Context(), id, o)
		_, resume := Resume(t.Context(), o)
		_, _, onward := Onward(t.Context(), o)
		return map[string]error{"confirm": confirm, "abandon": abandon, "abandonment": states, "rollback": rollback,
			"resume": resume, "onward": onward}
	}
	expect := func(name string, got map[string]error, want map[string]string) {
		t.Helper()
		for what, err := range got {
			if words, ok := want[what]; ok && (!errors.Is(err, ErrNoRun) || !strings.Contains(err.Error(), words)) {
				t.Errorf("%s, %s: %v: must say %q", name, what, err, words)
			}
		}
	}
	w := newWorld(t)
	o := w.guarded(&guard{}, &clock{"one", time.Hour})
	plain := w.options()
	none := map[string]string{"confirm": "nothing has been applied yet", "abandon": "is interrupted",
		"abandonment": "is interrupted",
		"rollback":    "nothing left to roll back", "resume": "is interrupted", "onward": ""}
	expect("nothing", ask(o, ""), none)
	named := map[string]string{"confirm": "0009-x: no such run", "abandon": "run 0009-x: no such run to abandon",
		"abandonment": "run 0009-x: no such run to abandon", "rollback": "0009-x: no such run"}
	expect("nothing, by name", ask(o, "0009-x"), named)
	run, err := Apply(t.Context(), w.small(t, odd), plain)
	must(t, err)
	if got := ask(o, "0009-x"); !strings.Contains(got["confirm"].Error(), "0009-x: no such run") {
		t.Errorf("another: %v", got["confirm"])
	}
	for _, id := range []string{"", run.ID} {
		if _, err := Confirm(id, o); !errors.Is(err, ErrNoRun) ||
			!strings.Contains(err.Error(), "started without --confirm-within") {
			t.Errorf("confirm %q: %v", id, err)
		}
	}
	_, err = Rollback(t.Context(), run.ID, plain)
	must(t, err)
	again := ask(o, run.ID)
	if text := again["confirm"].Error(); !strings.Contains(text, "to confirm: it is rolled-back since") ||
		strings.HasSuffix(text, ": ") {
		t.Errorf("rolled back: %s", text)
	}
	if text := again["rollback"].Error(); !strings.Contains(text, "to roll back: it is rolled-back") {
		t.Errorf("rolled back twice: %s", text)
	}
	interrupt(t, w.again(t))
	_, _, states := Abandonment(run.ID, plain)
	if states == nil || !strings.Contains(states.Error(), "is the interrupted one") {
		t.Errorf("another than the interrupted one: %v", states)
	}
	if _, err := Rollback(t.Context(), run.ID, plain); !errors.Is(err, ErrInterrupted) {
		t.Errorf("rolling back another: %v", err)
	}
}

// TestNotPutAway asks for a way on with a run that has its outcome, and was ended before its journal was put away.
func TestNotPutAway(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	run, err := Apply(t.Context(), w.small(t, odd), o)
	must(t, err)
	must(t, os.Rename(filepath.Join(o.State, "runs", run.ID), filepath.Join(o.State, "current")))
	if r, _, err := Onward(t.Context(), o); !errors.Is(err, ErrNoRun) {
		t.Errorf("onward: %+v, %v", r, err)
	}
	if r, err := Resume(t.Context(), o); !errors.Is(err, ErrNoRun) {
		t.Errorf("resume: %+v, %v", r, err)
	}
}

// again makes the host anew, below the same state.
func (w world) again(t *testing.T) world {
	t.Helper()
	must(t, os.RemoveAll(w.root))
	must(t, os.MkdirAll(w.root, 0o755))
	w.furnish(t)
	return w
}

// TestEntitledByContent reads what a warrant's kind shows in, of what is held open: the plan's word is not enough.
func TestEntitledByContent(t *testing.T) {
	cert := want.Warrant{By: want.Root, From: "--tlscert in a test", Kind: want.Certificate}
	for name, c := range map[string]struct {
		change func(t *testing.T, w world) remediate.Change
		kind   want.Kind
		says   string
	}{
		"a key":      {secret("-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"), want.PrivateKey, ""},
		"not a key":  {secret("just a text\n"), want.PrivateKey, "not changed, because it is"},
		"not a cert": {secret("just a text\n"), want.Certificate, "not changed, because it is"},
		"not etcd's": {func(t *testing.T, w world) remediate.Change {
			must(t, os.MkdirAll(w.path("/srv/data/home"), 0o755))
			return w.attributes(t, "/srv/data", 0o700, 0, 0)
		}, want.EtcdData, "not changed, because it is"},
		"etcd's": {func(t *testing.T, w world) remediate.Change {
			must(t, os.MkdirAll(w.path("/srv/data/member"), 0o755))
			return w.attributes(t, "/srv/data", 0o700, 0, 0)
		}, want.EtcdData, ""},
	} {
		w := newWorld(t)
		must(t, os.MkdirAll(w.path("/srv"), 0o755))
		change := c.change(t, w)
		cert.Kind = c.kind
		change.Warrants = []want.Warrant{cert}
		_, err := Apply(t.Context(), &remediate.Plan{Changes: []remediate.Change{change}}, w.options())
		says(t, name, err, c.says)
		change.Warrants = nil
		_, err = Apply(t.Context(), &remediate.Plan{Changes: []remediate.Change{change}}, w.options())
		if err == nil {
			t.Errorf("%s: changed without a warrant", name)
		}
	}
}

// secret is a change of mode of a file with that content, at no well-known path.
func secret(text string) func(t *testing.T, w world) remediate.Change {
	return func(t *testing.T, w world) remediate.Change {
		w.file(t, "/srv/secret.pem", text, 0o644, 0, 0)
		return w.attributes(t, "/srv/secret.pem", 0o600, 0, 0)
	}
}

// TestConflictTells says of a conflict what is different, what comes first, and where the content of before is.
func TestConflictTells(t *testing.T) {
	for want, c := range map[string]Conflict{
		"/a: changed by somebody else since the run: w": {Path: "/a", Why: "w"},
		"/a: changed by somebody else since the run: w; its content from before the run is in /k": {Path: "/a", Why: "w",
			Kept: "/k"},
		"/a: it cannot be restored: w": {Path: "/a", Why: "w", err: errDied},
		"/a: changed by somebody else since the run: w; a later run has changed it: first `harden rollback 2`, then " +
			"`harden rollback 1`": {
			Path: "/a", Why: "w", Kept: "/k", Newer: []string{"2", "1"}},
	} {
		if got := c.Error(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestLinkedSince rolls back over a file that somebody has put right and given another name: nothing is written there.
// One that is as the run left it, with another name, is a conflict.
func TestLinkedSince(t *testing.T) {
	for name, before := range map[string]bool{"as before": true, "as the run left it": false} {
		w := newWorld(t)
		o := w.options()
		old, err := os.ReadFile(w.path(odd))
		must(t, err)
		run, err := Apply(t.Context(), w.small(t, odd), o)
		must(t, err)
		if before {
			must(t, os.WriteFile(w.path(odd), old, 0))
		}
		must(t, os.Link(w.path(odd), w.path("/etc/second")))
		if _, err := Rollback(t.Context(), run.ID, o); before && err != nil || !before && !errors.Is(err, ErrConflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRemains tells of a run whose journal is lost which files it has written by the history, and what is left of each.
func TestRemains(t *testing.T) {
	s, err := openStore(mustDefaults(t, world{state: t.TempDir() + "/state", root: "/"}.options()), true)
	must(t, err)
	defer s.close()
	h := newHistory(s)
	must(t, h.open())
	dir := s.run("0001-x")
	must(t, os.Mkdir(dir, 0o700))
	must(t, os.WriteFile(dir+"/before.0", []byte("kept"), 0o600))
	must(t, os.WriteFile(dir+"/after.1", []byte("after"), 0o600))
	for p, b := range map[string]*Image{
		"/new": nil, "/new too": {}, "/mode": {Mode: 0o640, UID: 1, GID: 2, Owner: "a:b"}, "/owned": {Owner: "a:b"},
		"/bits": {Mode: 0o600}, "/kept": {SHA256: sum([]byte("kept")), Mode: 0o600, UID: 3, GID: 4, Owner: "a:b"},
		"/lost": {SHA256: sum([]byte("after")), Mode: 0o600, Owner: "a:b"},
	} {
		must(t, h.append(record{Run: "0001-x", Event: hiWrite, Path: []byte(p), Before: b}))
	}
	must(t, h.append(record{Run: "0001-x", Event: hiWrite, Path: []byte("/lost"), Before: nil}))
	must(t, h.append(record{Run: "0002-y", Event: hiWrite, Path: []byte("/other")}))
	must(t, h.append(record{Run: "0001-x", Event: hiRestore, Path: []byte("/restored")}))
	must(t, h.append(record{Run: "0001-x", Event: hiWrite}))
	kept, lost := s.remains(dir, "0001-x", []string{"first"}, nil)
	slices.Sort(kept)
	want := []string{
		"/bits: before the run: mode 0600, owner 0:0",
		"/kept: its content from before the run is in runs/0001-x/before.0 (mode 0600, owner 3:4)",
		"/mode: before the run: mode 0640, owner 1:2",
		"/new too: created by the run",
		"/new: created by the run",
		"/owned: before the run: mode 0000, owner 0:0",
		"first",
	}
	if d := cmp.Diff(want, kept); d != "" {
		t.Errorf("kept (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"/lost: what it was before the run"}, lost); d != "" {
		t.Errorf("lost (-want +got):\n%s", d)
	}
}

// TestUnconfirmedWithoutGuard rolls a run back that was to be confirmed, where no systemd can be asked any more; and an
// arming that was cut short is taken away without a call by no name.
func TestUnconfirmedWithoutGuard(t *testing.T) {
	w := newWorld(t)
	before := w.look(t)
	g, c := &guard{}, &clock{"one", time.Hour}
	run := w.unconfirmed(t, g, c)
	o := w.guarded(g, c)
	o.Guard = nil
	_, err := Rollback(t.Context(), run.ID, o)
	must(t, err)
	same(t, "rolled back", before, w.look(t))
	g.calls = map[string][]string{call(""): nil}
	must(t, os.Mkdir(w.state+"/unconfirmed", 0o700))
	_, err = Apply(t.Context(), w.small(t, odd), w.guarded(g, c))
	must(t, err)
	if _, still := g.calls[call("")]; !still {
		t.Error("a call by no name was cancelled")
	}
}

// TestDraftFails changes nothing where the next run cannot be numbered, since the earlier ones cannot be listed.
func TestDraftFails(t *testing.T) {
	w := newWorld(t)
	e, _, err := begin(w.options())
	must(t, err)
	defer e.end()
	must(t, os.Remove(w.state+"/runs"))
	must(t, os.WriteFile(w.state+"/runs", nil, 0o600))
	if j, err := e.draft(); j != nil || err == nil {
		t.Errorf("a run: %+v, %v", j, err)
	}
	if j, err := e.view(&txn{}).amendment(); j != nil || err == nil {
		t.Errorf("an amendment: %+v, %v", j, err)
	}
}

// TestStepsBack tells of each file and container as it is restored.
func TestStepsBack(t *testing.T) {
	w, engine := newWorld(t), engineOfTwo()
	o := w.with(engine)
	_, err := Apply(t.Context(), updating(t, w), o)
	must(t, err)
	var told []string
	o.Progress = func(s Step) {
		if s.Doing == Restoring {
			told = append(told, s.Subject)
		}
	}
	_, err = Rollback(t.Context(), "", o)
	must(t, err)
	for _, want := range []string{"container web (a1)", "container db (b2)", daemonJSON, odd, "/etc/docker"} {
		if !slices.Contains(told, want) {
			t.Errorf("%s was restored without a word: %q", want, told)
		}
	}
}
