package apply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
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

// why is what is told of an injected fault: the fault, or what harden does not know then.
var why = regexp.MustCompile("input/output error|cannot be chosen as ours|damage is no longer what was shown")

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
		if err == nil && !cmp.Equal(w.own(t), ends) {
			t.Errorf("%s failed, and nobody was told", f.failed)
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
			before := w.everything(t)
			for name, read := range readings {
				told := func(f *kernelFault) string {
					var got any
					err := f.during(t, func() (err error) {
						got, err = read(t.Context(), w.guarded(&guard{}, &clock{"one", time.Hour}))
						return err
					})
					text, bad := json.Marshal(got)
					must(t, bad)
					return fmt.Sprintf("%s %v", text, err)
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
