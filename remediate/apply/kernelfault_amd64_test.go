package apply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"example.com/harden/remediate"
)

// TestKernelFault has a call of the kernel fail at each place that makes one, in each thing that harden does. As in
// TestFault, whoever asked is told, and what is done next leaves the host wholly as it was or as it was to be. Where
// nobody is told, harden did without: then the host is as if nothing had failed.
func TestKernelFault(t *testing.T) {
	for _, d := range deeds {
		t.Run(d.name, func(t *testing.T) {
			w := newWorld(t)
			old := w.look(t)
			hardened(t, w)
			new := w.look(t)
			fresh(t, w)
			d.kernel(t, w, func(err error) string { return wholeAgain(t, w, err, old, new) })
		})
	}
	for does, begin := range ends {
		t.Run("end "+does, func(t *testing.T) {
			w := newWorld(t)
			begin(t, w)
			must(t, doEnd(does, w.options()))
			want := w.lookPast(t)
			fresh(t, w)
			deed{name: does, begin: begin, do: func(_ context.Context, w world, _ func(*sys)) error {
				return doEnd(does, w.options())
			}}.kernel(t, w, func(err error) string {
				if errors.Is(err, ErrRolledBack) {
					return (sweep{}).atRest(w.options())
				}
				return endsAgain(t, w, does, want)
			})
		})
	}
}

// TestKernelFaultAmend has a call fail at each place of an amendment that makes one.
func TestKernelFaultAmend(t *testing.T) {
	w := newWorld(t)
	begin := func(t *testing.T, w world) {
		must(t, os.Chmod(w.path("/etc/docker"), 0o755)) // or somebody else could put something there
		ends["ours"](t, w)
		must(t, doEnd("ours", w.options()))
	}
	amend := func(ctx context.Context, w world, _ func(*sys)) error {
		o := w.options()
		runs, err := filepath.Glob(filepath.Join(w.state, "runs", "0001-*"))
		if err != nil || len(runs) != 1 {
			return fmt.Errorf("%q, %w", runs, err)
		}
		o.Resolve.Theirs = []string{daemonJSON}
		_, err = Rollback(ctx, filepath.Base(runs[0]), o)
		return err
	}
	begin(t, w)
	old := w.look(t)
	must(t, amend(t.Context(), w, nil))
	new := w.look(t)
	fresh(t, w)
	deed{begin: begin, do: amend}.kernel(t, w, func(err error) string { return wholeAgain(t, w, err, old, new) })
}

// why is what is told of an injected fault: the fault, or what harden does not know then.
var why = regexp.MustCompile("input/output error|cannot be chosen as ours|damage is no longer what was shown")

// changing are the calls that change something: harden does without none of them.
var changing = []int32{unix.SYS_WRITE, unix.SYS_PWRITE64, unix.SYS_RENAMEAT, unix.SYS_LINKAT, unix.SYS_MKDIRAT,
	unix.SYS_FCHOWNAT, unix.SYS_FCHMODAT, unix.SYS_FTRUNCATE, unix.SYS_REMOVEXATTR}

// doesWithout are the functions in which harden does without what cannot be read. Who does this, and in which boot, is
// only noted. What is looked for before it is removed, renamed, made or read is met by that itself. Bytes of the
// journal are in memory as well. What cannot be judged is left as it is, which the run tells; what cannot be salvaged
// is told as damage; and what is left of a run that is given up is nobody's to judge.
var doesWithout = regexp.MustCompile(`^(actor|aside|asideLock|bootID|copySelf|diagnose|disarm|item|keepOne|move|next|` +
	`openStore|Repair|restartHistory|volatile)\b|` +
	`\b(bytes|conflict|nameOf|remains|salvage|state|tidy|readState < keepOne)\b`)

// kernel does the deed once for each place in which it calls the kernel, and then what after does.
func (d deed) kernel(t *testing.T, w world, after func(error) string) {
	t.Helper()
	d.begin(t, w)
	m := w.template(t)
	do := func() error { return d.do(t.Context(), w, func(*sys) {}) }
	all := listing()
	must(t, all.during(t, do))
	ends := w.own(t)
	if len(all.first) < 40 {
		t.Fatalf("only %d places were seen: this tests nothing", len(all.first))
	}
	open := descriptors(t)
	for _, at := range all.first {
		m.again(t)
		f := &kernelFault{moment: at}
		err := f.during(t, do)
		if now := descriptors(t); now > open {
			t.Errorf("%s failed, and %d more files are open", f.failed, now-open)
			open = now
		}
		if err == nil && (slices.Contains(changing, f.nr) || !doesWithout.MatchString(f.within) ||
			!cmp.Equal(w.own(t), ends)) {
			t.Errorf("%s failed in %s, and nobody was told", f.failed, f.within)
		}
		if err != nil && !why.MatchString(err.Error()) {
			t.Errorf("%s failed, and all that was told is: %v", f.failed, err)
		}
		if wrong := after(err); wrong != "" {
			t.Errorf("after %s had failed (%v): %s", f.failed, err, wrong)
		}
	}
}

// endsAgain goes one of the ways out of a dead end once more, and tells what is wrong with the host then.
func endsAgain(t *testing.T, w world, does string, want map[string]string) string {
	t.Helper()
	if err := doEnd(does, w.options()); err != nil && !errors.Is(err, ErrNoRun) { // it was decided by then
		return fmt.Sprintf("once more: %v", err)
	}
	if got := w.lookPast(t); !cmp.Equal(want, got) {
		return "not as it was to be (-want +got):\n" + cmp.Diff(want, got)
	}
	if ds, err := Diagnose(w.options()); len(ds) > 0 || err != nil {
		return fmt.Sprintf("still damaged: %+v, %v", ds, err)
	}
	return (sweep{}).atRest(w.options())
}

// readings are what only looks, by name.
var readings = map[string]func(context.Context, Options) (any, error){
	"interrupted": func(_ context.Context, o Options) (any, error) { return Interrupted(o) },
	"unconfirmed": func(_ context.Context, o Options) (any, error) { return Unconfirmed(o) },
	"history":     func(_ context.Context, o Options) (any, error) { return History(o) },
	"newest":      func(_ context.Context, o Options) (any, error) { return Newest(o) },
	"verify":      func(_ context.Context, o Options) (any, error) { return nil, VerifyHistory(o) },
	"diagnose":    func(_ context.Context, o Options) (any, error) { return Diagnose(o) },
	"drifted":     func(_ context.Context, o Options) (any, error) { return Drifted(still{}, o) },
	"reverse":     func(ctx context.Context, o Options) (any, error) { return Reverse(ctx, "", o) },
	"onward": func(ctx context.Context, o Options) (any, error) {
		r, back, err := Onward(ctx, o)
		return []any{r, back}, err
	},
	"abandonment": func(_ context.Context, o Options) (any, error) {
		run, states, err := Abandonment("", o)
		return []any{run, states}, err
	},
}

// moments are the times in what is told: the one until which a run can be confirmed is reckoned anew each time.
var moments = regexp.MustCompile(`\d\d:\d\d:\d\d`)

// TestKernelFaultReading has a call fail at each place in which what only looks makes one. What is told is what is told
// without the fault, or says what failed; and nothing is written.
func TestKernelFaultReading(t *testing.T) {
	for from, begin := range map[string]func(*testing.T, world){
		"applied": hardened, "unconfirmed": waiting, "cut short": interrupt, "changed since": ends["ours"],
		"damaged": ends["repair"],
	} {
		t.Run(from, func(t *testing.T) {
			w := newWorld(t)
			begin(t, w)
			before, open := w.everything(t), descriptors(t)
			for name, read := range readings {
				told := func(f *kernelFault) string {
					var got any
					err := f.during(t, func() (err error) {
						got, err = read(t.Context(), w.guarded(&guard{}, &clock{"one", time.Hour}))
						return err
					})
					text, bad := json.Marshal(got)
					must(t, bad)
					return moments.ReplaceAllString(fmt.Sprintf("%s %v", text, err), "TIME")
				}
				all := listing()
				want := told(all)
				for _, at := range all.first {
					f := &kernelFault{moment: at}
					if got := told(f); got != want && !why.MatchString(got) {
						t.Errorf("%s, and %s failed:\nwant %s\n got %s", name, f.failed, want, got)
					}
				}
			}
			same(t, "afterwards", before, w.everything(t))
			if now := descriptors(t); now > open {
				t.Errorf("%d more files are open", now-open)
			}
		})
	}
}

// everything is the host and the state.
func (w world) everything(t *testing.T) map[string]string {
	t.Helper()
	all := w.look(t)
	for name, text := range (world{root: w.state}).look(t) {
		all["state:"+name] = text
	}
	return all
}

// TestKernelOld sets aside what is damaged on file systems and kernels that lack the rename which replaces nothing.
func TestKernelOld(t *testing.T) {
	for _, errno := range []unix.Errno{unix.EINVAL, unix.ENOSYS} {
		w := newWorld(t)
		ends["repair"](t, w)
		f := &kernelFault{moment: moment{nr: unix.SYS_RENAMEAT2}, every: true, errno: errno}
		must(t, f.during(t, func() error { return doEnd("repair", w.options()) }))
		if ds, err := Diagnose(w.options()); len(ds) > 0 || err != nil {
			t.Errorf("%v: still damaged: %+v, %v", errno, ds, err)
		}
		if aside, _ := filepath.Glob(filepath.Join(w.state, "damaged-*", "*")); len(aside) < 2 {
			t.Errorf("%v: set aside: %v", errno, aside)
		}
	}
}

// TestKernelOldCreates makes a file there too; any other error of that rename is told, and nothing is made.
func TestKernelOldCreates(t *testing.T) {
	for errno, made := range map[unix.Errno]bool{unix.EINVAL: true, unix.ENOSYS: true, unix.EIO: false} {
		w := newWorld(t)
		before := w.look(t)
		plan := &remediate.Plan{Changes: []remediate.Change{created("/etc/new", "x")}}
		f := &kernelFault{moment: moment{nr: unix.SYS_RENAMEAT2}, every: true, errno: errno}
		err := f.during(t, func() error {
			_, err := Apply(t.Context(), plan, w.options())
			return err
		})
		if made {
			must(t, err)
			before["/etc/new"] = `100640 0:0 "x"`
		} else if !errors.Is(err, errno) || !errors.Is(err, ErrRolledBack) {
			t.Errorf("%v: %v", errno, err)
		}
		same(t, errno.Error(), before, w.look(t))
	}
}

// TestAppearsAtLast has a file appear in the last moment before a new one takes its place: nothing is written over it.
func TestAppearsAtLast(t *testing.T) {
	w := newWorld(t)
	before := w.look(t)
	plan := &remediate.Plan{Changes: []remediate.Change{created("/etc/new", "x")}}
	f := &kernelFault{moment: moment{nr: unix.SYS_RENAMEAT2}, every: true, errno: unix.EEXIST}
	err := f.during(t, func() error {
		_, err := Apply(t.Context(), plan, w.options())
		return err
	})
	if says(t, "there by then", err, "it has appeared"); !errors.Is(err, ErrDrift) || !errors.Is(err, ErrRolledBack) {
		t.Error(err)
	}
	same(t, "afterwards", before, w.look(t))
}
