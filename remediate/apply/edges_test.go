package apply

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestWrittenWhileResuming has somebody write a file that an earlier attempt may have written, in the moment in which
// it is written again: it was touched, so it is judged when the run is taken back, and that stops there.
func TestWrittenWhileResuming(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	if !killed(t, helper(w, "apply"), point{"renameat", 2}) { // announced, and not in its place yet
		t.Fatal("the apply was not killed")
	}
	o.Progress = func(s Step) {
		if s.Doing == Writing && s.Subject == daemonJSON {
			w.file(t, daemonJSON, "theirs", 0o600, 0, 0)
		}
	}
	run, err := Resume(t.Context(), o)
	if !errors.Is(err, ErrConflict) || errors.Is(err, ErrRolledBack) || run.Outcome != CutShort ||
		!strings.Contains(err.Error(), daemonJSON) {
		t.Errorf("%+v, %v", run, err)
	}
	if got := w.look(t)[daemonJSON]; !strings.HasPrefix(got, `100600 0:0 "theirs"`) {
		t.Errorf("it is now %s", got)
	}
	o.Progress = nil
	o.Resolve.Skip = true
	_, err = Rollback(t.Context(), "", o)
	must(t, err)
}

// TestGrown tells a file that has grown by its size, whatever it holds.
func TestGrown(t *testing.T) {
	w := newWorld(t)
	plan := w.plan(t)
	f, err := os.OpenFile(w.path(daemonJSON), os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	_, err = f.WriteString("\n")
	must(t, errors.Join(err, f.Close()))
	refused(t, w, w.options(), plan, ErrDrift, daemonJSON, "its content: 21 bytes, not 20")
}

// TestLinkedWhileTakenBack gives a file another name while the run is taken back, after it was judged: that file is
// left alone.
func TestLinkedWhileTakenBack(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	run, err := Apply(t.Context(), w.plan(t), o)
	must(t, err)
	left := w.look(t)[daemonJSON]
	linked := false
	o.Progress = func(s Step) {
		if s.Doing == Restoring && !linked {
			linked = true
			must(t, os.Link(w.path(daemonJSON), w.path("/etc/second")))
		}
	}
	_, err = Rollback(t.Context(), run.ID, o)
	if !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), daemonJSON) ||
		!strings.Contains(err.Error(), "it has 2 names") {
		t.Errorf("%v", err)
	}
	if got := w.look(t); got[daemonJSON] != left || got["/etc/second"] != left {
		t.Errorf("it is now %s, and %s by its second name", got[daemonJSON], got["/etc/second"])
	}
}

// TestStateAbove makes the state directory for root alone, whatever the umask, and what is above it for all to pass.
func TestStateAbove(t *testing.T) {
	w := newWorld(t)
	defer unix.Umask(unix.Umask(0))
	above := filepath.Join(filepath.Dir(w.state), "var/lib")
	o := w.options()
	o.State = filepath.Join(above, "harden")
	_, err := Apply(t.Context(), w.plan(t), o)
	must(t, err)
	for p, mode := range map[string]os.FileMode{filepath.Dir(above): 0o755, above: 0o755, o.State: 0o700,
		filepath.Join(o.State, "runs"): 0o700} {
		info, err := os.Stat(p)
		must(t, err)
		if info.Mode() != mode|os.ModeDir {
			t.Errorf("%s is %s, want %s", p, info.Mode(), mode|os.ModeDir)
		}
	}
}

// TestRollbackCancelled asks for a rollback that is cancelled before it begins: nothing is changed.
func TestRollbackCancelled(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	_, err := Apply(t.Context(), w.plan(t), o)
	must(t, err)
	before := w.look(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if run, err := Rollback(ctx, "", o); run != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%+v, %v", run, err)
	}
	same(t, "afterwards", before, w.look(t))
	if runs, err := History(o); err != nil || len(runs) != 1 || runs[0].Outcome != Applied {
		t.Errorf("history: %+v, %v", runs, err)
	}
}

// TestStuckSince has a file that nothing can change any more: the way on is named, and leaves that file alone.
func TestStuckSince(t *testing.T) {
	if !inside(t) {
		return
	}
	w := newWorld(t)
	must(t, os.RemoveAll(w.root))
	ext4(t, filepath.Join(filepath.Dir(w.root), "img"), w.root)
	defer command(t, "umount", w.root)
	w.furnish(t)
	before := w.look(t)
	o := w.options()
	run, err := Apply(t.Context(), w.plan(t), o)
	must(t, err)
	before[daemonJSON] = w.look(t)[daemonJSON]
	chattr("+i", daemonJSON)(t, w)
	defer chattr("-i", daemonJSON)(t, w)
	if _, err := Rollback(t.Context(), "", o); err == nil || !strings.Contains(err.Error(), "--theirs "+daemonJSON) {
		t.Errorf("as it is: %v", err)
	}
	o.Resolve.Skip = true
	got, err := Rollback(t.Context(), run.ID, o)
	must(t, err)
	if got.Outcome != RolledBack || len(got.Left) != 1 || got.Left[0].Path != daemonJSON {
		t.Errorf("%+v", got)
	}
	same(t, "rolled back", before, w.look(t))
	if wrong := (sweep{}).atRest(w.options()); wrong != "" {
		t.Error(wrong)
	}
}

// cutAfterDeciding applies a small plan and leaves its journal where it is when harden is killed right before it is put
// away.
func cutAfterDeciding(t *testing.T, w world, p string) *Run {
	t.Helper()
	run, err := Apply(t.Context(), w.small(t, p), w.options())
	must(t, err)
	must(t, os.Rename(filepath.Join(w.state, "runs", run.ID), filepath.Join(w.state, "current")))
	return run
}

// TestDecidedNotPutAway goes on after a run that was over but for its journal's place.
func TestDecidedNotPutAway(t *testing.T) {
	w := newWorld(t)
	run := cutAfterDeciding(t, w, "/etc/bystander")
	must(t, os.WriteFile(w.path("/etc/bystander"), []byte("somebody's\n"), 0))
	if c, err := Drifted(still{}, w.options()); err != nil || c.Runs != 1 || len(c.Drifts) != 1 ||
		c.Drifts[0].Run != run.ID {
		t.Errorf("drift: %+v, %v", c, err)
	}
	next, err := Apply(t.Context(), w.small(t, odd), w.options())
	if err != nil || next.Outcome != Applied {
		t.Errorf("the next run: %+v, %v", next, err)
	}
	if _, err := os.Stat(filepath.Join(w.state, "runs", run.ID)); err != nil {
		t.Errorf("it was not put away: %v", err)
	}
}

// TestNewest asks for the last run that is over.
func TestNewest(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	if run, err := Newest(o); run != nil || err != nil {
		t.Errorf("without a state directory: %+v, %v", run, err)
	}
	_, err := Apply(t.Context(), w.small(t, "/etc/bystander"), o)
	must(t, err)
	last, err := Apply(t.Context(), w.small(t, odd), o)
	must(t, err)
	if run, err := Newest(o); err != nil || run == nil || run.ID != last.ID || run.Outcome != Applied {
		t.Errorf("of two: %+v, %v", run, err)
	}
	other := o
	other.Root = t.TempDir()
	if run, err := Newest(other); run != nil || err != nil {
		t.Errorf("of another root: %+v, %v", run, err)
	}
	flip(t, filepath.Join(w.state, "runs", last.ID, planFile), 30)
	if run, err := Newest(o); run != nil || !errors.Is(err, ErrDamaged) {
		t.Errorf("damaged: %+v, %v", run, err)
	}
}

// TestUnconfirmedUnread says why it cannot tell whether a run has to be confirmed.
func TestUnconfirmedUnread(t *testing.T) {
	w := newWorld(t)
	if run, err := Unconfirmed(w.options()); run != nil || err != nil {
		t.Errorf("without a state directory: %+v, %v", run, err)
	}
	run := w.unconfirmed(t, &guard{}, &clock{"one", time.Hour})
	flip(t, filepath.Join(w.state, "runs", run.ID, planFile), 30)
	if run, err := Unconfirmed(w.options()); run != nil || !errors.Is(err, ErrDamaged) {
		t.Errorf("the newest is damaged: %+v, %v", run, err)
	}
	if _, err := Apply(t.Context(), w.small(t, "/etc/bystander"), w.options()); !errors.Is(err, ErrDamaged) {
		t.Errorf("another run: %v", err)
	}
	must(t, os.Remove(filepath.Join(w.state, "lock")))
	must(t, os.RemoveAll(filepath.Join(w.state, "runs")))
	must(t, os.WriteFile(filepath.Join(w.state, "runs"), nil, 0o600))
	must(t, os.WriteFile(filepath.Join(w.state, "lock"), nil, 0o600))
	if run, err := Unconfirmed(w.options()); run != nil || err == nil {
		t.Errorf("no runs can be listed: %+v, %v", run, err)
	}
}

// TestArmingCutShort goes on after an arming that had come to its directory, and to half of its first file.
func TestArmingCutShort(t *testing.T) {
	for name, files := range map[string][]string{"empty": nil, "half": {"armed.json.new"}} {
		w := newWorld(t)
		must(t, os.MkdirAll(filepath.Join(w.state, "unconfirmed"), 0o700))
		for _, f := range files {
			must(t, os.WriteFile(filepath.Join(w.state, "unconfirmed", f), []byte("{"), 0o600))
		}
		g := &guard{}
		if run, err := Expire(t.Context(), "", w.guarded(g, &clock{"two", time.Second})); run != nil || err != nil {
			t.Errorf("%s: the next boot: %+v, %v", name, run, err)
		}
		_, err := Apply(t.Context(), w.plan(t), w.options())
		must(t, err)
		w.disarmed(t, g)
	}
}

// TestFlushed holds that whatever the state says at the end of a run is on the disk, and not only with the kernel.
func TestFlushed(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	flushed := map[uint64]int64{} // sizes by inode: files move meanwhile
	fsync := o.sys.fsync
	o.sys.fsync = func(fd int) error {
		var st unix.Stat_t
		must(t, unix.Fstat(fd, &st))
		flushed[st.Ino] = st.Size
		return fsync(fd)
	}
	check := func(what string) {
		t.Helper()
		must(t, filepath.WalkDir(w.state, func(p string, d os.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() || d.Name() == "lock" {
				return err
			}
			var st unix.Stat_t
			must(t, unix.Lstat(p, &st))
			if flushed[st.Ino] != st.Size {
				t.Errorf("%s: %s: %d of %d bytes are flushed", what, p, flushed[st.Ino], st.Size)
			}
			return nil
		}))
	}
	o.Progress = func(s Step) { check(fmt.Sprint(s)) }
	_, err := Apply(t.Context(), w.plan(t), o)
	must(t, err)
	check("applied")
	_, err = Rollback(t.Context(), "", o)
	must(t, err)
	check("rolled back")
}

// TestLockQuotes says who holds the lock in words that no terminal takes for commands.
func TestLockQuotes(t *testing.T) {
	w := newWorld(t)
	args := os.Args
	defer func() { os.Args = args }()
	os.Args = []string{"harden", "--only", "docker/icc", "\x1b[2J", "", "two words", "\u202e"}
	held, _, err := begin(w.options())
	must(t, err)
	defer held.end()
	_, err = Interrupted(w.options())
	var locked *LockedError
	if want := `harden --only docker/icc "\x1b[2J" "" "two words" "\u202e"`; !errors.As(err, &locked) ||
		locked.Command != want {
		t.Errorf("%+v, want %s", err, want)
	}
}

// TestConfirmed does not believe a write that has left something else than was written.
func TestConfirmed(t *testing.T) {
	w := newWorld(t)
	e, _, err := begin(w.options())
	must(t, err)
	defer e.end()
	it := &item{Path: []byte("/etc/bystander"), Content: true}
	now, err := it.look(e.tree)
	must(t, err)
	if err := it.confirm(e.tree, now.image); err != nil {
		t.Errorf("as it was written: %v", err)
	}
	for what, spoil := range map[string]func(*image){"mode": func(im *image) {
		im.Mode ^= 0o40
	}, "owner": func(im *image) { im.UID++ },
		"content": func(im *image) { im.Sum = sum([]byte("other")) }} {
		want := now.image
		spoil(&want)
		if err := it.confirm(e.tree, want); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestUpdating tells the containers that a run may have changed from those that it had not come to.
func TestUpdating(t *testing.T) {
	run := &txn{log: []entry{{Event: evWrite, N: 2}, {Event: evUpdate, N: 1}}}
	for i, want := range []bool{false, true, false} {
		if run.updating(i) != want {
			t.Errorf("container %d: %v", i, !want)
		}
	}
}

// TestRebooted counts the boots of the host that runs, and of no other.
func TestRebooted(t *testing.T) {
	run := &txn{journal: journal{ID: "0001-x", Boot: "one", Waiting: []string{"docker/a"},
		Checks: []string{"docker/a", "docker/b"}}}
	for _, root := range []string{"/", "/mnt"} {
		for _, boot := range []string{"one", "two"} {
			o := Options{Root: root, sys: &sys{boot: boot}}
			got := settled([]*txn{run}, o)
			if len(got) != 2 || !got[0].Waiting || got[0].Rebooted != (root == "/" && boot == "two") || got[1].Waiting {
				t.Errorf("%s in boot %s: %+v", root, boot, got)
			}
		}
	}
}

// TestCreatableSince finds nothing in the way where the directory of a new file has been made meanwhile.
func TestCreatableSince(t *testing.T) {
	w := newWorld(t)
	e, _, err := begin(w.options())
	must(t, err)
	defer e.end()
	must(t, planner{tree: e.tree}.creatable(created("/etc/default/new.conf", "text\n")))
}
