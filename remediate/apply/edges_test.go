package apply

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
	if !errors.Is(err, ErrConflict) || errors.Is(err, ErrRolledBack) || run.Outcome != CutShort || !strings.Contains(err.Error(), daemonJSON) {
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
