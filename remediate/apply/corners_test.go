package apply

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"example.com/harden/checks/want"
	"example.com/harden/remediate"
)

// TestDefaults fills in what options leave out, and nothing else.
func TestDefaults(t *testing.T) {
	o, err := Options{}.defaults()
	must(t, err)
	if o.Root != "/" || o.sys == nil || o.sys.self != "/proc/self/exe" || o.Containers != nil {
		t.Errorf("%+v", o)
	}
	wd, err := os.Getwd()
	must(t, err)
	s, c := quiet(), engineOfTwo()
	o, err = Options{Root: "host", sys: s, Containers: c}.defaults()
	must(t, err)
	if o.Root != filepath.Join(wd, "host") || o.sys != s || o.Containers != Containers(c) {
		t.Errorf("%+v", o)
	}
	w := newWorld(t)
	w.state += "/of [this\\ * host"
	_, err = Apply(t.Context(), w.plan(t), w.options())
	must(t, err)
	for _, dir := range []string{"state", "/var/lib/harden/", "/var/../lib", ""} {
		if _, err := Interrupted(Options{State: dir}); err == nil ||
			!strings.Contains(err.Error(), dir+": the state directory must be a clean absolute path") {
			t.Errorf("%q: %v", dir, err)
		}
	}
}

// blind cannot tell what runs.
type blind struct{ services }

func (*blind) Snapshot(context.Context) (json.RawMessage, error) { return nil, errBroken }

// TestSnapshotFails changes nothing where nobody can tell what runs, since nobody could tell what has stopped either.
func TestSnapshotFails(t *testing.T) {
	w := newWorld(t)
	before := w.look(t)
	o := w.options()
	o.Services = &blind{}
	if run, err := Apply(t.Context(), w.plan(t), o); run != nil || err == nil ||
		err.Error() != "running services: dockerd says no" {
		t.Errorf("%+v, %v", run, err)
	}
	same(t, "afterwards", before, w.look(t))
	if runs, err := History(o); err != nil || len(runs) > 0 {
		t.Errorf("history: %+v, %v", runs, err)
	}
	plan := w.plan(t)
	plan.Changes = plan.Changes[3:] // what is in a directory that is root's alone
	run, err := Apply(t.Context(), plan, w.options())
	must(t, err)
	must(t, os.WriteFile(w.path(odd), []byte("theirs"), 0))
	o = w.options()
	o.Resolve.Theirs = []string{odd}
	_, err = Rollback(t.Context(), run.ID, o)
	must(t, err)
	before = w.look(t)
	o.Services, o.Resolve = &blind{}, Resolution{Ours: []string{odd}}
	if run, err := Rollback(t.Context(), run.ID, o); run != nil || err == nil ||
		err.Error() != "running services: dockerd says no" {
		t.Errorf("amended: %+v, %v", run, err)
	}
	same(t, "not amended", before, w.look(t))
}

// A nurse starts again what a restart has ended.
type nurse struct {
	services
	asked  []string
	answer []string
	fails  error
}

func (n *nurse) Revive(_ context.Context, before json.RawMessage) ([]string, error) {
	n.asked = append(n.asked, strings.Join(strings.Fields(string(before)), ""))
	return n.answer, n.fails
}

// TestRevived tells what was started again after a run was taken back, and what was not.
func TestRevived(t *testing.T) {
	for name, test := range map[string]struct {
		fails  error
		says   string
		reason string
		ends   Outcome
		boot   string
	}{
		"started": {nil, "", "container web was started again", RolledBack, ""},
		"not started": {errBroken, "dockerd says no", "container web was started again; but then: dockerd says no", Failed,
			""},
		"booted": {nil, "", "", RolledBack, "another"},
	} {
		w := newWorld(t)
		o := w.options()
		n := &nurse{answer: []string{"container web was started again"}, fails: test.fails}
		interrupt(t, w)
		o.Services = n
		asked := []string{`{"web":4711}`}
		if test.boot != "" { // in which nothing runs that ran before
			o.sys.boot, n.pending, asked = test.boot, pendingAll(), nil
		}
		run, err := Rollback(t.Context(), "", o)
		says(t, name, err, test.says)
		if run.Outcome != test.ends || run.Reason != test.reason {
			t.Errorf("%s: %s: %q, want %q", name, run.Outcome, run.Reason, test.reason)
		}
		if d := cmp.Diff(asked, n.asked); d != "" {
			t.Errorf("%s: asked (-want +got):\n%s", name, d)
		}
	}
}

func pendingAll() map[remediate.Kind]string {
	all := map[remediate.Kind]string{}
	for _, k := range remediate.Kinds {
		all[k] = "not now"
	}
	return all
}

// TestRevivable restarts a daemon that cannot be reloaded, where that is possible, and asks for nothing else.
func TestRevivable(t *testing.T) {
	reload := Activated{Kind: remediate.Reload, Unit: "docker.service", State: Pending, Reason: "it does not run"}
	for name, test := range map[string]struct {
		a       Activated
		pending map[remediate.Kind]string
		want    Activated
	}{
		"can be restarted": {reload, nil, Activated{Kind: remediate.Restart, Unit: "docker.service", Class: want.Restart,
			State: NotReached}},
		"cannot be restarted": {reload, pendingAll(), reload},
		"can be reloaded": {Activated{Kind: remediate.Reload, State: NotReached}, nil,
			Activated{Kind: remediate.Reload, State: NotReached}},
		"another kind": {Activated{Kind: remediate.LoadAudit, State: Pending}, nil,
			Activated{Kind: remediate.LoadAudit, State: Pending}},
	} {
		o := Options{Services: &services{pending: test.pending}}
		if d := cmp.Diff(test.want, o.revivable(t.Context(), test.a)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// TestRemovedMeanwhile has somebody come to a file that the run is about to remove, in that moment.
func TestRemovedMeanwhile(t *testing.T) {
	const timer = "/etc/systemd/system/gone.timer"
	for name, test := range map[string]struct {
		meanwhile func(w world) error
		says      string
		left      bool
	}{
		"changed": {func(w world) error { return os.WriteFile(w.path(timer), []byte("theirs"), 0) },
			"changed since the plan was made", true},
		"linked":      {func(w world) error { return os.Link(w.path(timer), w.path("/etc/second")) }, "2 names", true},
		"removed":     {func(w world) error { return os.Remove(w.path(timer)) }, "", false},
		"all removed": {func(w world) error { return os.RemoveAll(w.path("/etc/systemd/system")) }, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			o := w.options()
			plan := &remediate.Plan{Changes: []remediate.Change{w.content(t, odd, "new"), w.removed(t, timer)}}
			o.Progress = func(s Step) {
				if s.Doing == Writing && s.Subject == timer {
					must(t, test.meanwhile(w))
				}
			}
			before := w.look(t)[odd]
			run, err := Apply(t.Context(), plan, o)
			says(t, name, err, test.says)
			if test.says != "" && (!errors.Is(err, ErrDrift) || run.Outcome != RolledBack || w.look(t)[odd] != before) {
				t.Errorf("%+v, %v", run, err)
			}
			if _, there := w.look(t)[timer]; there != test.left {
				t.Errorf("it is there: %v", there)
			}
		})
	}
}

// TestTypeOf names what the kernel's words for a type are in a fact.
func TestTypeOf(t *testing.T) {
	for kernel, want := range map[uint32]fs.FileMode{unix.S_IFREG: 0, unix.S_IFDIR: fs.ModeDir,
		unix.S_IFSOCK: fs.ModeSocket, unix.S_IFIFO: fs.ModeIrregular, unix.S_IFLNK: fs.ModeIrregular} {
		if got := typeOf(kernel); got != want {
			t.Errorf("%o is %v, want %v", kernel, got, want)
		}
		im := image{Exists: true, Type: kernel, Mode: 0o640}
		it := &item{Path: []byte("/x")}
		if want != fs.ModeIrregular {
			if got := im.file(it, nil).Type; got != want {
				t.Errorf("%o is shown as %v, want %v", kernel, got, want)
			}
		}
	}
}

// TestRemark writes one record, and none beside somebody who is at work.
func TestRemark(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	must(t, Remark(o, "moved /var/lib/docker"))
	must(t, VerifyHistory(o))
	var got []record
	must(t, readHistory(filepath.Join(w.state, "audit.jsonl"), func(r record, _ string) { got = append(got, r) }))
	if len(got) != 1 || got[0].Event != hiRemark || got[0].What != "moved /var/lib/docker" || got[0].By != "test" ||
		got[0].Actor == nil || got[0].Actor.PID != os.Getpid() {
		t.Errorf("%+v", got)
	}
	_, release, err := Hold(o)
	must(t, err)
	if err := Remark(o, "more"); !isLocked(err) {
		t.Errorf("beside somebody else: %v", err)
	}
	if _, _, err := Hold(o); !isLocked(err) {
		t.Errorf("held twice: %v", err)
	}
	release()
	must(t, os.Chmod(w.state, 0o777))
	if err := Remark(o, "more"); err == nil {
		t.Error("written where anybody could have put it")
	}
	must(t, os.Chmod(w.state, 0o700))
	flip(t, filepath.Join(w.state, "audit.jsonl"), 80)
	if err := Remark(o, "more"); !errors.Is(err, ErrHistory) {
		t.Errorf("behind a record that is not as it was: %v", err)
	}
}

// TestSized asks again for what has grown in between, and tells what fails.
func TestSized(t *testing.T) {
	for name, test := range map[string]struct {
		answers []any // lengths and errors, in turn
		want    string
		err     error
	}{
		"as long":  {[]any{3, 3}, "xxx", nil},
		"shorter":  {[]any{3, 2}, "xx", nil},
		"grown":    {[]any{1, unix.ERANGE, 3, 3}, "xxx", nil},
		"empty":    {[]any{0}, "", nil},
		"fails":    {[]any{unix.EIO}, "", unix.EIO},
		"fails at": {[]any{3, unix.EIO}, "", unix.EIO},
	} {
		answers := test.answers
		got, err := sized(func(buf []byte) (int, error) {
			a := answers[0]
			answers = answers[1:]
			if err, ok := a.(error); ok {
				return -1, err
			}
			for i := range buf {
				buf[i] = 'x'
			}
			return a.(int), nil
		})
		if string(got) != test.want || err != test.err || len(answers) > 0 {
			t.Errorf("%s: %q, %v, and %v unasked", name, got, err, answers)
		}
	}
}

// TestNewestOfEach lists each timer and each recorded key once, as the newest run left it, in one order.
func TestNewestOfEach(t *testing.T) {
	timer := func(unit string) remediate.Activation {
		return remediate.Activation{Kind: remediate.SetTimer, Unit: unit}
	}
	run := func(id string, state string, as ...remediate.Activation) *txn {
		r := &txn{journal: journal{ID: id}}
		for i, a := range as {
			a.State = NotReached
			r.Activations = append(r.Activations, a)
			r.log = append(r.log, entry{Event: evActivation, N: i, State: state})
		}
		return r
	}
	keep := func(name, key string) remediate.Activation {
		return remediate.Activation{Kind: remediate.RecordInCluster, Record: &remediate.Record{Namespace: "kube-system",
			ConfigMap: name, Key: key}}
	}
	runs := []*txn{
		run("1", Done, timer("b.timer"), timer("a.timer"), keep("z", "k"), keep("y", "k")),
		run("2", Done, timer("b.timer"), keep("z", "k"), remediate.Activation{Kind: remediate.Restart, Unit: "c.timer"}),
		run("3", Failure, timer("a.timer"), keep("y", "k")),
	}
	var got []string
	for _, s := range timers(runs) {
		got = append(got, s.Unit+" of run "+s.Run)
	}
	for _, r := range records(runs) {
		got = append(got, r.Record.ConfigMap+" of run "+r.Run)
	}
	if d := cmp.Diff([]string{"a.timer of run 1", "b.timer of run 2", "y of run 1", "z of run 2"}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestDirectoryKept leaves a directory that the run has made where somebody has given it to another, opened it, or put
// something else in its place.
func TestDirectoryKept(t *testing.T) {
	const deep = "/etc/systemd/system/docker.service.d/deep"
	for name, test := range map[string]struct {
		since func(p string) error
		stays bool
	}{
		"as made":      {func(string) error { return nil }, false},
		"tighter":      {func(p string) error { return os.Chmod(p, 0o700) }, false},
		"set-group-ID": {func(p string) error { return unix.Chmod(p, 0o2755) }, false},
		"a file above": {func(p string) error {
			return errors.Join(os.RemoveAll(filepath.Dir(p)), os.WriteFile(filepath.Dir(p), nil, 0o600))
		}, false},
		"a link above": {func(p string) error {
			dir := filepath.Dir(p)
			return errors.Join(os.Rename(dir, dir+"x"), os.Symlink(dir+"x", dir))
		}, true},
		"open":              {func(p string) error { return os.Chmod(p, 0o775) }, true},
		"sticky":            {func(p string) error { return unix.Chmod(p, 0o1755) }, true},
		"given to somebody": {func(p string) error { return os.Chown(p, 7, 0) }, true},
		"a link":            {func(p string) error { return errors.Join(os.Remove(p), os.Symlink("/", p)) }, true},
		"a file":            {func(p string) error { return errors.Join(os.Remove(p), os.WriteFile(p, nil, 0o600)) }, true},
		"gone":              {os.Remove, false},
		"gone from above":   {func(p string) error { return os.RemoveAll(filepath.Dir(p)) }, false},
	} {
		w := newWorld(t)
		o := mustDefaults(t, w.options())
		tree, err := o.openTree()
		must(t, err)
		must(t, tree.makeDir(filepath.Dir(deep)))
		must(t, tree.makeDir(deep))
		must(t, test.since(w.path(deep)))
		flushed, fsync := 0, o.sys.fsync
		o.sys.fsync = func(fd int) error { flushed++; return fsync(fd) }
		if err := tree.dropDir(deep); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		tree.close()
		if _, err := os.Lstat(w.path(filepath.Dir(deep))); err == nil && !test.stays && flushed != 1 &&
			name != "a file above" { // that it is gone is on the disk, whoever has removed it
			t.Errorf("%s: flushed %d times", name, flushed)
		}
		if _, err := os.Lstat(w.path(deep)); (err == nil) != test.stays {
			t.Errorf("%s: %v", name, err)
		}
	}
}
