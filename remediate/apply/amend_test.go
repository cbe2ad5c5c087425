package apply

import (
	"errors"
	"maps"
	"os"
	"strings"
	"testing"
)

// TestAmend changes one's mind about a file after the rollback, and changes it back.
func TestAmend(t *testing.T) {
	for what, touch := range map[string]func(p string) error{
		"content": touches["content"], "mode": touches["mode"], "gone": touches["gone"],
		"attributes": nil, // of a file of which the run had changed those alone
	} {
		for _, ours := range []bool{true, false} {
			name := what + " left"
			if ours {
				name = what + " written over"
			}
			t.Run(name, func(t *testing.T) { amendOnce(t, touch, ours) })
		}
	}
}

func amendOnce(t *testing.T, touch func(p string) error, ours bool) {
	w := newWorld(t)
	must(t, os.Chmod(w.path("/etc/docker"), 0o755))
	before := w.look(t)
	o := w.options()
	run, err := Apply(t.Context(), w.plan(t), o)
	must(t, err)
	path := daemonJSON
	if touch == nil {
		path = "/etc/default/docker"
		must(t, os.Chmod(w.path(path), 0o604))
	} else {
		must(t, touch(w.path(path)))
	}
	theirs := maps.Clone(before)
	if s, ok := w.look(t)[path]; ok {
		theirs[path] = s
	} else {
		delete(theirs, path)
	}
	twice := []string{path, path} // as somebody may name it, and once is meant
	first, second := Resolution{Theirs: twice}, Resolution{Ours: twice}
	then, after := theirs, before
	if ours {
		first, second, then, after = second, first, before, theirs
	}
	o.Resolve = first
	_, err = Rollback(t.Context(), run.ID, o)
	must(t, err)
	same(t, "rolled back", then, w.look(t))
	o.Resolve = Resolution{}
	if _, err := Rollback(t.Context(), run.ID, o); !errors.Is(err, ErrNoRun) {
		t.Errorf("once more: %v", err)
	}
	o.Resolve = first
	if _, err := Rollback(t.Context(), run.ID, o); !errors.Is(err, ErrChoice) {
		t.Errorf("the same once more: %v", err)
	}
	o.Resolve = second
	r, err := Reverse(t.Context(), run.ID, o)
	if err != nil || len(r.Plan.Changes) != 1 || r.Plan.Changes[0].Path != path {
		t.Errorf("foreseen: %+v, %v", r, err)
	}
	o.Services.(*services).did = nil
	amended, err := Rollback(t.Context(), run.ID, o)
	must(t, err)
	same(t, "amended", after, w.look(t))
	if amended.ID == run.ID || amended.Outcome != Applied || len(o.Services.(*services).did) != 2 {
		t.Errorf("%+v, %v", amended, o.Services.(*services).did)
	}
	_, err = Rollback(t.Context(), "", w.options())
	must(t, err)
	same(t, "and back", then, w.look(t))
	if wrong := (sweep{}).atRest(w.options()); wrong != "" {
		t.Error(wrong)
	}
}

// TestAmendDrift gives nothing back over what somebody has changed since the rollback.
func TestAmendDrift(t *testing.T) {
	w := newWorld(t)
	must(t, os.Chmod(w.path("/etc/docker"), 0o755))
	o := w.options()
	run, err := Apply(t.Context(), w.plan(t), o)
	must(t, err)
	must(t, touches["content"](w.path(daemonJSON)))
	o.Resolve = ways["ours"]
	_, err = Rollback(t.Context(), run.ID, o)
	must(t, err)
	must(t, os.Chmod(w.path(daemonJSON), 0o600))
	now := w.look(t)
	o.Resolve = ways["theirs"]
	if _, err := Rollback(t.Context(), run.ID, o); !errors.Is(err, ErrConflict) ||
		!strings.Contains(err.Error(), "mode: 0600") {
		t.Errorf("%v", err)
	}
	same(t, "afterwards", now, w.look(t))
}

// TestAmendExposed restores nothing where another than root could put something else since the rollback.
func TestAmendExposed(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	run, err := Apply(t.Context(), w.plan(t), o)
	must(t, err)
	must(t, touches["content"](w.path(daemonJSON)))
	o.Resolve = ways["ours"]
	_, err = Rollback(t.Context(), run.ID, o) // which gives /etc/docker the mode of before, 0777
	must(t, err)
	now := w.look(t)
	o.Resolve = ways["theirs"]
	_, err = Rollback(t.Context(), run.ID, o)
	if !errors.Is(err, ErrChoice) || !strings.Contains(err.Error(), "everybody can write to /etc/docker") {
		t.Errorf("%v", err)
	}
	same(t, "afterwards", now, w.look(t))
	if wrong := (sweep{}).atRest(w.options()); wrong != "" {
		t.Error(wrong)
	}
}

// TestAmendFails takes an amendment back that could not be completed: what was chosen of the other run is not said of
// it.
func TestAmendFails(t *testing.T) {
	for _, first := range []string{"ours", "theirs"} {
		w := newWorld(t)
		must(t, os.Chmod(w.path("/etc/docker"), 0o755))
		o := w.options()
		run, err := Apply(t.Context(), w.plan(t), o)
		must(t, err)
		must(t, touches["content"](w.path(daemonJSON)))
		o.Resolve = ways[first]
		_, err = Rollback(t.Context(), run.ID, o)
		must(t, err)
		now := w.look(t)
		o = w.options()
		o.Resolve = map[string]Resolution{"ours": ways["theirs"], "theirs": ways["ours"]}[first]
		o.Progress = func(s Step) {
			if s.Doing == Writing {
				must(t, os.Chmod(w.path("/etc/docker"), 0o777))
			}
		}
		amended, err := Rollback(t.Context(), run.ID, o)
		if amended == nil || amended.Outcome != RolledBack || !errors.Is(err, ErrRolledBack) || !errors.Is(err, ErrDrift) {
			t.Errorf("%s: %+v, %v", first, amended, err)
		}
		must(t, os.Chmod(w.path("/etc/docker"), 0o755))
		same(t, "not amended", now, w.look(t))
		if wrong := (sweep{}).atRest(w.options()); wrong != "" {
			t.Error(wrong)
		}
	}
}
