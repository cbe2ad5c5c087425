package apply

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// A fault makes one call of the kernel fail, the nth of its kind, and counts how many there are.
type fault struct{ nth, calls int }

var errFault = fmt.Errorf("injected: %w", unix.EIO)

// errLeft says that a run was taken back but for what could not be read: nobody is there to be asked when it expires.
var errLeft = errors.New("left as it is")

func (f *fault) fails() bool { f.calls++; return f.calls == f.nth }

// faults are the calls that can be made to fail, by name.
var faults = map[string]func(*sys, *fault){
	"fsync": func(s *sys, f *fault) {
		real := s.fsync
		s.fsync = func(fd int) error {
			if f.fails() {
				return errFault
			}
			return real(fd)
		}
	},
	"syncfs": func(s *sys, f *fault) {
		real := s.syncfs
		s.syncfs = func(fd int) error {
			if f.fails() {
				return errFault
			}
			return real(fd)
		}
	},
	"openat2": func(s *sys, f *fault) {
		real := s.openat2
		s.openat2 = func(dir int, path string, how *unix.OpenHow) (int, error) {
			if f.fails() {
				return -1, errFault
			}
			return real(dir, path, how)
		}
	},
	"fchmodat": func(s *sys, f *fault) {
		real := s.fchmodat
		s.fchmodat = func(dir int, path string, mode uint32, flags int) error {
			if f.fails() {
				return errFault
			}
			return real(dir, path, mode, flags)
		}
	},
	"uptime": func(s *sys, f *fault) {
		real := s.uptime
		s.uptime = func() (time.Duration, error) {
			if f.fails() {
				return 0, errFault
			}
			return real()
		}
	},
}

// A deed is one thing that harden does to a host, from where it starts.
type deed struct {
	name  string
	back  bool // whether the host is to be as it was
	begin func(*testing.T, world)
	do    func(context.Context, world, func(*sys)) error
}

var deeds = []deed{
	{"apply", false, func(*testing.T, world) {}, func(ctx context.Context, w world, spoil func(*sys)) error {
		var t failer
		plan, o := w.plan(&t), w.options()
		spoil(o.sys)
		_, err := Apply(ctx, plan, o)
		return err
	}},
	{"apply, to be confirmed", false, func(*testing.T, world) {}, func(ctx context.Context, w world,
		spoil func(*sys)) error {
		var t failer
		plan, o := w.plan(&t), w.guarded(&guard{}, &clock{"one", time.Hour})
		spoil(o.sys)
		_, err := Apply(ctx, plan, o)
		return err
	}},
	{"rollback", true, hardened, func(ctx context.Context, w world, spoil func(*sys)) error {
		o := w.options()
		spoil(o.sys)
		_, err := Rollback(ctx, "", o)
		return err
	}},
	{"confirm", false, waiting, func(ctx context.Context, w world, spoil func(*sys)) error {
		o := w.guarded(&guard{}, &clock{"one", time.Hour})
		spoil(o.sys)
		_, err := Confirm("", o)
		return err
	}},
	{"expire", true, waiting, func(ctx context.Context, w world, spoil func(*sys)) error {
		o := w.guarded(&guard{}, &clock{"one", time.Hour + time.Minute})
		u, err := Unconfirmed(o)
		if u == nil {
			return err
		}
		spoil(o.sys)
		run, err := Expire(ctx, u.ID, o) // without an ID it would only try, in this boot
		if err == nil && len(run.Left) > 0 {
			return fmt.Errorf("%w: %+v", errLeft, run.Left)
		}
		return err
	}},
}

func hardened(t *testing.T, w world) {
	_, err := Apply(t.Context(), w.plan(t), w.options())
	must(t, err)
}

func waiting(t *testing.T, w world) { w.unconfirmed(t, &guard{}, &clock{"one", time.Hour}) }

// TestFault has each call fail in turn, once, in each thing that harden does. Whoever asked is told, and what is done
// next leaves the host wholly as it was or wholly as it was to be.
func TestFault(t *testing.T) {
	for _, d := range deeds {
		for call := range faults {
			t.Run(d.name+" "+call, func(t *testing.T) { d.sweep(t, call) })
		}
	}
}

func (d deed) sweep(t *testing.T, call string) {
	w := newWorld(t)
	old := w.look(t)
	hardened(t, w)
	new := w.look(t)
	ends := new
	if d.back {
		ends = old
	}
	for n := 1; ; n++ {
		f := &fault{nth: n}
		fresh(t, w)
		d.begin(t, w)
		err := d.do(t.Context(), w, func(s *sys) { faults[call](s, f) })
		if f.calls < n {
			if err != nil {
				t.Errorf("without a fault: %v", err)
			}
			return
		}
		// What is only noted, where it can be read, may stay unknown in a run that has done all that it was to do.
		looks := call == "openat2" || call == "uptime"
		if err == nil && !(looks && cmp.Equal(w.own(t), ends)) {
			t.Errorf("the %d. %s failed, and nobody was told", n, call)
		}
		if wrong := wholeAgain(t, w, err, old, new); wrong != "" {
			t.Errorf("after the %d. %s had failed (%v): %s", n, call, err, wrong)
		}
	}
}

// wholeAgain does what comes after a failure that was told, and tells what is wrong with the host then.
func wholeAgain(t *testing.T, w world, told error, old, new map[string]string) string {
	t.Helper()
	g, c := &guard{}, &clock{"one", 2 * time.Hour}
	o := w.guarded(g, c)
	if run, err := Interrupted(o); err != nil {
		return fmt.Sprintf("interrupted: %v", err)
	} else if run != nil {
		if _, err := Rollback(t.Context(), "", o); err != nil && !errors.Is(err, ErrUnconfirmed) {
			return fmt.Sprintf("rollback: %v", err)
		}
	}
	if u, err := Unconfirmed(o); err != nil && !errors.Is(err, ErrUnconfirmed) {
		return fmt.Sprintf("unconfirmed: %v", err)
	} else if u != nil || err != nil {
		if _, err := Expire(t.Context(), "", o); err != nil {
			return fmt.Sprintf("expire: %v", err)
		}
	}
	if wrong := (sweep{}).atRest(o); wrong != "" {
		return wrong
	}
	if _, err := os.Lstat(filepath.Join(w.state, "current")); err == nil {
		return "the journal of a run that has its outcome is not put away"
	}
	if got := w.own(t); !errors.Is(told, errLeft) && !cmp.Equal(got, old) && !cmp.Equal(got, new) {
		return fmt.Sprintf("neither wholly old nor wholly new:\nfrom old: %s\nfrom new: %s", cmp.Diff(old, got),
			cmp.Diff(new, got))
	}
	return ""
}

// own is the host without what takes a run back, which may stay until the next one: it undoes that run or nothing.
func (w world) own(t *testing.T) map[string]string {
	t.Helper()
	all := w.look(t)
	maps.DeleteFunc(all, func(p, _ string) bool {
		return strings.Contains(p, "harden-unconfirmed") || strings.HasSuffix(p, "/sysinit.target.d")
	})
	return all
}
