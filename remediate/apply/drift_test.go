package apply

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/remediate"
)

// still is what runs on a host on which nothing runs.
type still struct{}

func (still) Engine() (*docker.EngineFacts, error)    { return nil, facts.ErrAbsent }
func (still) Containers() ([]docker.Container, error) { return nil, facts.ErrAbsent }
func (still) Audit() (*facts.Audit, error)            { return nil, facts.ErrAbsent }
func (still) Unit(string) (*facts.Unit, error)        { return nil, facts.ErrAbsent }

// told is a drift on few lines: hashes cut short, contents whole.
func told(d Drift) []string {
	var lines []string
	for _, x := range d.Differences {
		cut := func(s string) string { return s[:min(len(s), 12)] }
		lines = append(lines, fmt.Sprintf("%s: %s -> %s", x.What, cut(x.Was), cut(x.Now)))
	}
	if c := d.Change; c.Before.Data != nil {
		lines = append(lines, fmt.Sprintf("%q -> %q", c.Before.Data, c.After.Data))
	}
	if d.Replaced {
		lines = append(lines, "replaced")
	}
	if d.Missing {
		lines = append(lines, "missing")
	}
	return lines
}

func TestDrifted(t *testing.T) {
	const json, created = "/etc/docker/daemon.json", "/etc/systemd/system/docker.service.d/deep/zz-harden.conf"
	const left = "{\n  \"debug\": true,\n  \"icc\": false\n}\n"
	const same = `"new\r\nno newline at the end" -> "new\r\nno newline at the end"`
	for name, test := range map[string]struct {
		change func(t *testing.T, w world)
		path   string
		want   []string
	}{
		"nothing": {func(*testing.T, world) {}, "", nil},
		"a file that harden has not touched": {func(t *testing.T, w world) {
			w.file(t, "/etc/bystander", "x", 0o666, 0,
				0)
		}, "", nil},
		"content": {func(t *testing.T, w world) { must(t, os.WriteFile(w.path(json), []byte("{}"), 0)) }, json,
			[]string{"content: sha256 " + sum([]byte(left))[:5] + " -> sha256 " + sum([]byte("{}"))[:5],
				fmt.Sprintf("%q -> %q", left, "{}")}},
		"emptied": {func(t *testing.T, w world) { must(t, os.Truncate(w.path(json), 0)) }, json,
			[]string{"content: sha256 " + sum([]byte(left))[:5] + " -> sha256 " + sum(nil)[:5], fmt.Sprintf("%q -> %q", left,
				"")}},
		"mode and owner": {func(t *testing.T, w world) {
			must(t, os.Chown(w.path(odd), 7, 8))
			must(t, os.Chmod(w.path(odd), 0o666))
		}, odd, []string{"mode: 0640 -> 0666", "owner: 1:2 -> 7:8", same}},
		"content under attributes alone": {func(t *testing.T, w world) {
			must(t, os.WriteFile(w.path("/etc/default/docker"),
				[]byte("X=1\n"), 0))
		},
			"/etc/default/docker", []string{"content: sha256 " + sum([]byte("DOCKER_OPTS=\n"))[:5] + " -> sha256 " +
				sum([]byte("X=1\n"))[:5], "replaced"}},
		"an attribute under attributes alone": {func(t *testing.T, w world) {
			must(t, unix.Setxattr(w.path("/etc/default/docker"), "user.new", []byte("v"), 0))
		}, "/etc/default/docker", []string{"xattr user.new: none -> sha256 " + sum([]byte("v"))[:5]}},
		"a default access list": {func(t *testing.T, w world) {
			must(t, unix.Setxattr(w.path("/etc/docker"), "system.posix_acl_default", acl(7, 7, 5, 5), 0))
		}, "/etc/docker", []string{"xattr system.posix_acl_default: none -> sha256 " + sum(acl(7, 7, 5, 5))[:5]}},
		"a directory that was made": {func(t *testing.T, w world) {
			must(t, os.Chmod(w.path("/etc/systemd/system/docker.service.d"), 0o777))
		}, "/etc/systemd/system/docker.service.d", []string{"mode: 0755 -> 0777"}},
		"a directory": {func(t *testing.T, w world) { must(t, os.Chmod(w.path("/etc/docker"), 0o777)) }, "/etc/docker",
			[]string{"mode: 0755 -> 0777"}},
		"an attribute": {func(t *testing.T, w world) { must(t, unix.Setxattr(w.path(odd), "user.new", []byte("v"), 0)) }, odd,
			[]string{"xattr user.new: none -> sha256 " + sum([]byte("v"))[:5], same}},
		"gone": {func(t *testing.T, w world) { must(t, os.Remove(w.path(created))) }, created,
			[]string{"existence: there -> gone", `"[Service]\n" -> ""`, "missing"}},
		"its directory too": {func(t *testing.T, w world) {
			must(t, os.RemoveAll(w.path("/etc/systemd/system/docker.service.d/deep")))
		}, created,
			[]string{"existence: there -> gone", `"[Service]\n" -> ""`, "missing"}},
		"there again": {func(t *testing.T, w world) { w.file(t, "/etc/systemd/system/gone.timer", "[Timer]\n", 0o644, 0, 0) },
			"/etc/systemd/system/gone.timer", []string{"existence: gone -> there"}},
		"a link": {func(t *testing.T, w world) {
			must(t, os.Remove(w.path(created)))
			must(t, os.Symlink("/dev/null", w.path(created)))
		}, created, []string{"type: a regular fi -> a symbolic l"}},
		"a link above": {func(t *testing.T, w world) {
			deep := w.path("/etc/systemd/system/docker.service.d/deep")
			must(t, os.Rename(deep, w.path("/elsewhere")))
			must(t, os.Symlink(w.path("/elsewhere"), deep))
		}, created, []string{"type: a path witho -> a symbolic l"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			run, err := Apply(t.Context(), w.plan(t), w.options())
			must(t, err)
			test.change(t, w)
			now := w.look(t)
			c, err := Drifted(still{}, w.options())
			must(t, err)
			if len(c.Unknown) > 0 || c.Runs != 1 || c.Files != 7 || c.Unconfirmed != "" {
				t.Errorf("compared: %+v", c)
			}
			var got []string
			for _, d := range c.Drifts {
				if d.Change.Path != test.path || d.Run != run.ID {
					t.Errorf("%s of run %s", d.Change.Path, d.Run)
				}
				got = append(got, told(d)...)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(now, w.look(t)); diff != "" {
				t.Errorf("looking has changed something:\n%s", diff)
			}
		})
	}
}

// TestDriftedRuns compares with what the last of several runs has left: content of one, attributes of another, and
// nothing of one that was taken back.
func TestDriftedRuns(t *testing.T) {
	w := newWorld(t)
	if c, err := Drifted(still{}, w.options()); err != nil || c.Runs+c.Files+len(c.Drifts) != 0 {
		t.Errorf("without any run: %+v, %v", c, err)
	}
	one := func(c remediate.Change) *Run {
		t.Helper()
		run, err := Apply(t.Context(), &remediate.Plan{Changes: []remediate.Change{c}}, w.options())
		must(t, err)
		return run
	}
	expect := func(runs int, want ...string) {
		t.Helper()
		c, err := Drifted(still{}, w.options())
		must(t, err)
		var got []string
		for _, d := range c.Drifts {
			got = append(got, d.Run)
			got = append(got, told(d)...)
		}
		if diff := cmp.Diff(want, got); diff != "" || c.Runs != runs {
			t.Errorf("of %d runs, want %d (-want +got):\n%s", c.Runs, runs, diff)
		}
	}
	const p = "/etc/bystander"
	one(w.content(t, p, "first\n"))
	second := one(w.content(t, p, "second\n"))
	expect(2)
	third := one(w.attributes(t, p, 0o640, 3, 4))
	expect(3)
	must(t, os.WriteFile(w.path(p), []byte("somebody's\n"), 0))
	changed := []string{"content: sha256 " + sum([]byte("second\n"))[:5] + " -> sha256 " +
		sum([]byte("somebody's\n"))[:5], `"second\n" -> "somebody's\n"`}
	expect(3, append([]string{third.ID}, changed...)...)
	must(t, os.WriteFile(w.path(p), []byte("second\n"), 0))
	_, err := Rollback(t.Context(), third.ID, w.options())
	must(t, err)
	must(t, os.WriteFile(w.path(p), []byte("somebody's\n"), 0))
	expect(2, append([]string{second.ID}, changed...)...)

	must(t, os.WriteFile(w.path(p), []byte("second\n"), 0))
	expect(2)
	g, c := &guard{}, &clock{kernel().boot, time.Hour}
	o := w.guarded(g, c)
	run, err := Apply(t.Context(), &remediate.Plan{Changes: []remediate.Change{w.attributes(t, p, 0o400, 3, 4)}}, o)
	must(t, err)
	cmpd, err := Drifted(still{}, o)
	must(t, err)
	if cmpd.Unconfirmed != run.ID || len(cmpd.Drifts) != 0 || cmpd.Runs != 3 {
		t.Errorf("with one unconfirmed: %+v", cmpd)
	}
}

func TestDriftedInterrupted(t *testing.T) {
	w := newWorld(t)
	if !killed(t, helper(w, "apply"), point{"renameat", 3}) {
		t.Fatal("it was not killed")
	}
	if _, err := Drifted(still{}, w.options()); !errors.Is(err, ErrInterrupted) {
		t.Errorf("%v", err)
	}
}

// older makes a run's journal one of a harden that recorded no content of files of which it changed attributes alone.
func (w world) older(t *testing.T, id string) {
	t.Helper()
	w.relog(t, id, func(log []entry) []entry {
		for i := range log {
			log[i].Sums = nil
		}
		return log
	})
}

// TestDriftedOlder: what an older harden did not record is unknown until a run records or writes it.
func TestDriftedOlder(t *testing.T) {
	w := newWorld(t)
	const p = "/etc/bystander"
	apply := func(c remediate.Change) string {
		t.Helper()
		run, err := Apply(t.Context(), &remediate.Plan{Changes: []remediate.Change{c}}, w.options())
		must(t, err)
		return run.ID
	}
	expect := func(unknown []Unknown, drifts int) {
		t.Helper()
		c, err := Drifted(still{}, w.options())
		must(t, err)
		if d := cmp.Diff(unknown, c.Unknown); d != "" || len(c.Drifts) != drifts {
			t.Errorf("%d drifts, want %d; unknown (-want +got):\n%s", len(c.Drifts), drifts, d)
		}
	}
	id := apply(w.attributes(t, p, 0o640, 3, 4))
	expect(nil, 0)
	w.older(t, id)
	unknown := []Unknown{{p, id, "content unknown to this run, which set mode and owner only: it was not recorded"}}
	expect(unknown, 0)
	must(t, os.Chmod(w.path(p), 0o644))
	expect(unknown, 1)
	apply(w.attributes(t, p, 0o600, 3, 4))
	expect(nil, 0)
	must(t, os.WriteFile(w.path(p), []byte("somebody's\n"), 0))
	expect(nil, 1)
	apply(w.attributes(t, p, 0o400, 3, 4)) // which finds that content, and has its word
	expect(nil, 0)
}

// TestDriftedTooLong: content that is longer than is ever read cannot be compared.
func TestDriftedTooLong(t *testing.T) {
	w := newWorld(t)
	const p = "/etc/bystander"
	must(t, os.Truncate(w.path(p), facts.MaxFile+1))
	run, err := Apply(t.Context(), &remediate.Plan{Changes: []remediate.Change{w.attributes(t, p, 0o640, 3, 4)}},
		w.options())
	must(t, err)
	c, err := Drifted(still{}, w.options())
	must(t, err)
	if len(c.Unknown) != 1 || c.Unknown[0].Run != run.ID || len(c.Drifts) != 0 {
		t.Errorf("%+v", c)
	}
}

// TestRollbackReplaced: the mode of before was not meant for what somebody has put there since.
func TestRollbackReplaced(t *testing.T) {
	w := newWorld(t)
	const p = "/etc/bystander"
	run, err := Apply(t.Context(), &remediate.Plan{Changes: []remediate.Change{w.attributes(t, p, 0o400, 0, 0)}},
		w.options())
	must(t, err)
	before := "not in the plan\n"
	must(t, os.WriteFile(w.path(p), []byte("a new secret\n"), 0))
	after := w.look(t)
	for range 2 {
		if _, _, err := RollbackPlan(t.Context(), "", w.options()); !errors.Is(err, ErrConflict) ||
			!strings.Contains(err.Error(), p+": changed by somebody else since the run: its content is another's") {
			t.Errorf("the plan: %v", err)
		}
		if _, err := Rollback(t.Context(), run.ID, w.options()); !errors.Is(err, ErrConflict) {
			t.Errorf("the rollback: %v", err)
		}
	}
	same(t, "after the refusal", after, w.look(t))
	must(t, os.WriteFile(w.path(p), []byte(before), 0))
	if run, err := Rollback(t.Context(), run.ID, w.options()); err != nil || run.Outcome != RolledBack {
		t.Errorf("%+v, %v", run, err)
	}

	// The journal of an older harden does not know, and where the mode is back already nothing is done to the file.
	run, err = Apply(t.Context(), &remediate.Plan{Changes: []remediate.Change{w.attributes(t, p, 0o400, 0, 0)}},
		w.options())
	must(t, err)
	must(t, os.WriteFile(w.path(p), []byte("another\n"), 0))
	must(t, os.Chown(w.path(p), 3, 4))
	must(t, os.Chmod(w.path(p), 0o600))
	if run, err := Rollback(t.Context(), run.ID, w.options()); err != nil || run.Outcome != RolledBack {
		t.Errorf("with the mode back: %+v, %v", run, err)
	}
	run, err = Apply(t.Context(), &remediate.Plan{Changes: []remediate.Change{w.attributes(t, p, 0o400, 0, 0)}},
		w.options())
	must(t, err)
	w.older(t, run.ID)
	must(t, os.WriteFile(w.path(p), []byte("a third\n"), 0))
	if run, err := Rollback(t.Context(), run.ID, w.options()); err != nil || run.Outcome != RolledBack {
		t.Errorf("of an older harden: %+v, %v", run, err)
	}
}

// TestUnrecorded tells which files hold what no run knows: plain ones of which a run has set the mode and owner, and
// which are still that run's, not what a boot has made anew.
func TestUnrecorded(t *testing.T) {
	tree := &tree{sys: &sys{boot: "two"}}
	for name, test := range map[string]struct {
		spoil func(l *legacy)
		want  bool
	}{
		"attributes alone":          {func(*legacy) {}, true},
		"of this boot":              {func(l *legacy) { l.Volatile, l.run.Boot = true, "two" }, true},
		"made anew by a boot":       {func(l *legacy) { l.Volatile = true }, false},
		"its content was written":   {func(l *legacy) { l.content = l.run }, false},
		"its content was looked at": {func(l *legacy) { l.after.Sum = "s" }, false},
		"removed":                   {func(l *legacy) { l.after.Exists = false }, false},
		"a directory":               {func(l *legacy) { l.after.Type = unix.S_IFDIR }, false},
	} {
		l := &legacy{run: &txn{journal: journal{Boot: "one"}}, after: image{Exists: true, Type: unix.S_IFREG}}
		test.spoil(l)
		if got := l.unrecorded(tree); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
