package apply

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"example.com/harden/checks"
	"example.com/harden/remediate"
)

var errBroken = errors.New("dockerd says no")

// TestTakenBack has an apply fail at each of its later stages.
func TestTakenBack(t *testing.T) {
	restart := []string{"reload-systemd", "restart docker.service"}
	for _, c := range []struct {
		name    string
		spoil   func(*services, *Options, context.CancelFunc)
		says    string
		outcome Outcome
		did     []string
		states  string // of what the undoing activates
	}{
		{"first activation fails", func(s *services, _ *Options, _ context.CancelFunc) { s.broken = failAt(1) },
			"dockerd says no", RolledBack, []string{"reload-systemd", "reload-systemd"}, "done"},
		{"restart fails", func(s *services, _ *Options, _ context.CancelFunc) { s.broken = failAt(2) },
			"dockerd says no", RolledBack, append(restart, restart...), "done done"},
		{"it never comes back", func(s *services, _ *Options, _ context.CancelFunc) { s.broken = failAt(2, 4) },
			"but then", Failed, append(restart, restart...), "done failed"},
		{"sick", func(s *services, _ *Options, _ context.CancelFunc) { s.sick = sickAt(1) },
			"dockerd says no", RolledBack, append(restart, restart...), "done done"},
		{"sick for good", func(s *services, _ *Options, _ context.CancelFunc) { s.sick = sickAt(1, 2) },
			"but then", Failed, append(restart, restart...), "done done"},
		{"a check still fails", func(_ *services, o *Options, _ context.CancelFunc) {
			o.Verify = func(context.Context, []string) (map[string]string, error) {
				return map[string]string{"docker/icc": "icc is true"}, nil
			}
		}, "docker/icc still fails: icc is true", RolledBack, append(restart, restart...), "done done"},
		{"no verdict", func(_ *services, o *Options, _ context.CancelFunc) {
			o.Verify = func(context.Context, []string) (map[string]string, error) { return nil, errBroken }
		}, "verification: dockerd says no", RolledBack, append(restart, restart...), "done done"},
		{"interrupted by hand while activating", func(s *services, _ *Options, cancel context.CancelFunc) {
			s.broken = func(nth int, _ remediate.Activation) error {
				if nth == 1 {
					cancel()
				}
				return nil
			}
		}, "context canceled", RolledBack, []string{"reload-systemd", "reload-systemd"}, "done"},
		{"interrupted by hand while writing", func(_ *services, o *Options, cancel context.CancelFunc) {
			o.Progress = func(s Step) {
				if s.Doing == Writing && s.Subject == odd {
					cancel()
				}
			}
		}, "context canceled", RolledBack, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			before := w.look(t)
			o := w.options()
			s := o.Services.(*services)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c.spoil(s, &o, cancel)
			run, err := Apply(ctx, w.plan(t), o)
			if !errors.Is(err, ErrRolledBack) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v", err)
			}
			if run.Outcome != c.outcome || !strings.Contains(run.Reason, c.says) || run.Finished.IsZero() {
				t.Errorf("the run: %+v", run)
			}
			same(t, "after it was taken back", before, w.look(t))
			if d := cmp.Diff(c.did, s.did); d != "" {
				t.Errorf("activations (-want +got):\n%s", d)
			}
			var states []string
			for _, a := range run.Activations {
				states = append(states, a.State)
			}
			if got := strings.Join(states, " "); got != c.states {
				t.Errorf("states %q, want %q", got, c.states)
			}
			for _, b := range s.before {
				if b != `{"web":4711}` {
					t.Errorf("compared with %q", b)
				}
			}
			runs, err := History(o)
			must(t, err)
			if len(runs) != 1 || runs[0].Outcome != c.outcome || runs[0].Head != run.Head {
				t.Errorf("history: %+v", runs)
			}
			if run, err := Interrupted(o); run != nil || err != nil {
				t.Errorf("interrupted: %+v, %v", run, err)
			}
			must(t, VerifyHistory(o))
			if _, err := Rollback(t.Context(), run.ID, o); !errors.Is(err, ErrNoRun) {
				t.Errorf("taken back twice: %v", err)
			}
		})
	}
}

func failAt(nths ...int) func(int, remediate.Activation) error {
	return func(nth int, _ remediate.Activation) error { return sickAt(nths...)(nth) }
}

func sickAt(nths ...int) func(int) error {
	return func(nth int) error {
		for _, n := range nths {
			if n == nth {
				return errBroken
			}
		}
		return nil
	}
}

// TestPending applies where not everything can be activated.
func TestPending(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	s := o.Services.(*services)
	s.pending = map[remediate.Kind]string{remediate.Restart: "web has no restart policy"}
	var verified []string
	o.Verify = func(_ context.Context, ids []string) (map[string]string, error) {
		verified = ids
		return nil, nil
	}
	before := w.look(t)
	plan := w.plan(t)
	left, held := &checks.Check{ID: "docker/left"}, &checks.Check{ID: "docker/held"}
	plan.Changes[0].Checks = append(plan.Changes[0].Checks, left, held)
	plan.Left = []remediate.Left{{Check: left}}
	plan.Held = []remediate.Held{{Changes: []remediate.Change{{Checks: []*checks.Check{held}}}}}
	run, err := Apply(t.Context(), plan, o)
	must(t, err)
	want := []Activated{{Kind: remediate.ReloadManager, State: Done},
		{Kind: remediate.Restart, Unit: "docker.service", State: Pending, Reason: "web has no restart policy"}}
	if d := cmp.Diff(want, run.Activations); d != "" {
		t.Errorf("activations (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"docker/icc"}, run.Waiting); d != "" {
		t.Errorf("waiting (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"docker/attributes", "docker/content", "docker/unit"}, verified); d != "" {
		t.Errorf("verified (-want +got):\n%s", d)
	}
	if s.watched != 0 {
		t.Error("watched, though nothing was disturbed")
	}
	// What was never done needs nothing undone; but somebody may have done it, and it has to be said.
	run, err = Rollback(t.Context(), "", o)
	must(t, err)
	same(t, "after the rollback", before, w.look(t))
	if d := cmp.Diff([]string{"reload-systemd", "reload-systemd"}, s.did); d != "" {
		t.Errorf("activations (-want +got):\n%s", d)
	}
	if a := run.Activations[1]; a.State != Pending || !strings.Contains(a.Reason, "not done by the run") {
		t.Errorf("the rollback's restart: %+v", a)
	}
}

// TestReversals says what undoes which activation, in the same boot and in a later one.
func TestReversals(t *testing.T) {
	as := []remediate.Activation{{Kind: remediate.LoadAudit}, {Kind: remediate.Reload, Unit: "docker.service"},
		{Kind: remediate.Restart, Unit: "docker.service"}}
	for _, c := range []struct {
		name    string
		pending []remediate.Kind
		boot    string
		did     []string
		before  string
	}{
		{"a reload and a restart are undone by one restart", nil, "", []string{"load-audit-rules", "restart docker.service"},
			`{"web":4711}`},
		{"a reload alone does not end in a restart", []remediate.Kind{remediate.Restart}, "",
			[]string{"load-audit-rules", "reload docker.service"}, `{"web":4711}`},
		{"nothing was done", remediate.Kinds, "", nil, ""},
		{"a boot has done what was pending", remediate.Kinds, "another",
			[]string{"load-audit-rules", "restart docker.service"}, `{"web":4711}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			o := w.options()
			s := o.Services.(*services)
			s.pending = map[remediate.Kind]string{}
			for _, k := range c.pending {
				s.pending[k] = "not now"
			}
			plan := w.plan(t)
			plan.Activations = as
			_, err := Apply(t.Context(), plan, o)
			must(t, err)
			o.Services = &services{}
			if c.boot != "" {
				o.sys.boot = c.boot
			}
			_, err = Rollback(t.Context(), "", o)
			must(t, err)
			s = o.Services.(*services)
			if d := cmp.Diff(c.did, s.did); d != "" {
				t.Errorf("activations (-want +got):\n%s", d)
			}
			if got := strings.Join(s.before, " "); got != c.before {
				t.Errorf("compared with %q, want %q", got, c.before)
			}
		})
	}
}

// TestNothing applies plans that there is nothing to do for: nothing is written, not even a state directory's mtime.
func TestNothing(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	run, err := Apply(t.Context(), &remediate.Plan{}, o)
	must(t, err)
	if _, err := os.Lstat(w.state); run.Outcome != Unchanged || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%+v, %v", run, err)
	}
	_, err = Apply(t.Context(), w.plan(t), o)
	must(t, err)
	pending := &remediate.Plan{Activations: []remediate.Activation{{Kind: remediate.Restart, Unit: "docker.service"}}}
	o.Services = nil
	times := func() map[string]string {
		all := map[string]string{}
		for _, dir := range []string{w.root, w.state} {
			must(t, filepath.WalkDir(dir, func(p string, _ os.DirEntry, err error) error {
				var st unix.Stat_t
				if p != filepath.Join(w.state, "lock") {
					err = errors.Join(err, unix.Lstat(p, &st))
					all[p] = fmt.Sprint(st.Ino, st.Mtim, st.Ctim)
				}
				return err
			}))
		}
		return all
	}
	before := times()
	for _, p := range []*remediate.Plan{{}, pending} {
		run, err := Apply(t.Context(), p, o)
		must(t, err)
		if run.Outcome != Unchanged || len(run.Activations) != len(p.Activations) {
			t.Errorf("%+v", run)
		}
	}
	same(t, "times", before, times())
}

// TestConflict changes a file after an apply: taking it back is refused, by name, and nothing at all is changed.
func TestConflict(t *testing.T) {
	const json = "/etc/docker/daemon.json"
	for _, c := range []struct {
		name, p, says string
		spoil         func(p string) error
	}{
		{"content", json, "content", func(p string) error { return os.WriteFile(p, []byte("{}"), 0o644) }},
		{"mode", json, "mode: 0600", func(p string) error { return os.Chmod(p, 0o600) }},
		{"owner", json, "owner: 5:6", func(p string) error { return os.Chown(p, 5, 6) }},
		{"attribute", json, `attribute "user.note"`, func(p string) error {
			return unix.Setxattr(p, "user.note", []byte("x"), 0)
		}},
		{"access list", json, xattrACL, func(p string) error { return unix.Removexattr(p, xattrACL) }},
		{"gone", json, "gone", os.Remove},
		{"link", json, "symbolic link", func(p string) error {
			return errors.Join(os.Remove(p), os.Symlink("/etc/passwd", p))
		}},
		{"mode only", "/etc/default/docker", "mode: 0600", func(p string) error { return os.Chmod(p, 0o600) }},
		{"content under mode only", "/etc/default/docker", "its content is another's", func(p string) error {
			return os.WriteFile(p, []byte("x"), 0)
		}},
		{"half back", "/etc/default/docker", "owner: 7:8", func(p string) error { return os.Chown(p, 7, 8) }},
		{"directory", "/etc/docker", "mode: 0700", func(p string) error { return os.Chmod(p, 0o700) }},
		{"created", "/etc/systemd/system/docker.service.d/empty.conf", "content", func(p string) error {
			return os.WriteFile(p, []byte("x"), 0o640)
		}},
		{"odd name", odd, "content", func(p string) error { return os.WriteFile(p, []byte("x"), 0o640) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			o := w.options()
			_, err := Apply(t.Context(), w.plan(t), o)
			must(t, err)
			must(t, c.spoil(w.path(c.p)))
			before := w.look(t)
			_, _, planErr := RollbackPlan(t.Context(), "", o)
			_, err = Rollback(t.Context(), "", o)
			for _, err := range []error{planErr, err} {
				if !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), c.p) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v: must name %s and say %s", err, c.p, c.says)
				}
			}
			same(t, "after the refusal", before, w.look(t))
			runs, err := History(o)
			must(t, err)
			if len(runs) != 1 || runs[0].Outcome != Applied {
				t.Errorf("history: %+v", runs)
			}
		})
	}
}

// TestNoConflict changes what a rollback has no business with.
func TestNoConflict(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	_, err := Apply(t.Context(), w.plan(t), o)
	must(t, err)
	theirs := "/etc/systemd/system/docker.service.d/theirs.conf" // in a directory of ours
	w.file(t, theirs, "x", 0o600, 0, 0)
	_, err = Rollback(t.Context(), "", o)
	must(t, err)
	got := w.look(t)
	if _, ok := got[theirs]; !ok {
		t.Error("a file in a directory that the run had made is gone")
	}
	if _, ok := got["/etc/systemd/system/docker.service.d/deep"]; ok {
		t.Error("an empty directory that the run had made is still there")
	}
}

// TestMeanwhile has somebody write a target after the journal and before us: what they wrote stays, the rest goes back.
func TestMeanwhile(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	before := w.look(t)
	o.Progress = func(s Step) {
		if s.Doing == Writing && s.Subject == odd {
			w.file(t, odd, "theirs", 0o600, 0, 0)
		}
	}
	_, err := Apply(t.Context(), w.plan(t), o)
	if !errors.Is(err, ErrRolledBack) || !errors.Is(err, ErrDrift) || !strings.Contains(err.Error(), odd) {
		t.Errorf("%v", err)
	}
	before[odd] = `100600 0:0 "theirs"`
	same(t, "afterwards", before, w.look(t))
}

// TestReloadThatEndsTheDaemon takes back a reload that dockerd did not survive: there is nothing to reload any more.
func TestReloadThatEndsTheDaemon(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	s := o.Services.(*services)
	s.pending = map[remediate.Kind]string{}
	s.broken = func(_ int, a remediate.Activation) error {
		if a.Kind != remediate.Reload {
			return nil
		}
		s.pending[remediate.Reload] = "no dockerd runs"
		return errors.New("dockerd ended on the reload")
	}
	before := w.look(t)
	plan := w.plan(t)
	plan.Activations = []remediate.Activation{{Kind: remediate.Reload, Unit: "docker.service"}}
	run, err := Apply(t.Context(), plan, o)
	if !errors.Is(err, ErrRolledBack) || run.Outcome != RolledBack {
		t.Errorf("%+v, %v", run, err)
	}
	same(t, "after the rollback", before, w.look(t))
	if d := cmp.Diff([]string{"reload docker.service", "restart docker.service"}, s.did); d != "" {
		t.Errorf("activations (-want +got):\n%s", d)
	}
}
