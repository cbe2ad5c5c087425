package apply

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/harden/remediate"
)

// TestHistoryTail begins a run behind each kind of end that a history can have. Only the last part of a long one is
// read: where no record is in that, nothing tells which one the next has to follow, and nothing is begun.
func TestHistoryTail(t *testing.T) {
	long := func(t *testing.T, o Options) {
		s, err := openStore(o, true)
		must(t, err)
		defer s.close()
		h := newHistory(s)
		must(t, h.open())
		for range 2 * tailSize / (10 << 10) {
			must(t, h.append(record{Event: hiNothing, What: strings.Repeat("x", 10<<10)}))
		}
	}
	end := func(text string) func(*testing.T, string) {
		return func(t *testing.T, name string) {
			f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
			must(t, err)
			_, err = f.WriteString(text)
			must(t, err)
			must(t, f.Close())
		}
	}
	for name, c := range map[string]struct {
		long  bool
		spoil func(t *testing.T, name string)
		ok    bool
	}{
		"long":                      {true, end(""), true},
		"long, and a crash":         {true, end(`{"hash":"`), true},
		"long, and rubbish":         {true, end(strings.Repeat("x", 2*tailSize) + "\n"), false},
		"long, and another's words": {true, end(`{"hash":"","record":{}}` + "\n"), false},
		"a crash in the first record": {false, func(t *testing.T, name string) {
			must(t, os.WriteFile(name, []byte(`{"hash":"12`), 0o600))
		}, true},
		"a crash in the first record, and its line's end": {false, func(t *testing.T, name string) {
			must(t, os.WriteFile(name, []byte("{\"hash\":\"12\n"), 0o600))
		}, true},
		"two crashes": {false, end("{\"hash\":\"1\n{\"hash\":"), true},
		"empty":       {false, func(t *testing.T, name string) { must(t, os.WriteFile(name, nil, 0o600)) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			o := w.options()
			o.sys.fsync = func(int) error { return nil }
			if must(t, os.Mkdir(o.State, 0o700)); c.long {
				long(t, mustDefaults(t, o))
			} else if !strings.Contains(name, "first") && name != "empty" {
				e, _, err := begin(o)
				must(t, err)
				must(t, e.hist.open())
				must(t, e.hist.append(record{Event: hiNothing}))
				e.end()
			}
			file := filepath.Join(o.State, "audit.jsonl")
			c.spoil(t, file)
			before, err := os.ReadFile(file)
			must(t, err)
			host := w.look(t)
			_, err = Apply(t.Context(), w.small(t, odd), o)
			after, errRead := os.ReadFile(file)
			must(t, errRead)
			if !c.ok {
				if !errors.Is(err, ErrHistory) || !bytes.Equal(before, after) {
					t.Errorf("applied: %v; the history is as it was: %v", err, bytes.Equal(before, after))
				}
				same(t, "afterwards", host, w.look(t))
				return
			}
			if must(t, err); !bytes.HasPrefix(after, before) {
				t.Error("the history was not appended to")
			}
			must(t, VerifyHistory(o))
		})
	}
}

// TestRepairBesideAnother repairs nothing while another harden is at work, whose lock it must not set aside: with a
// second lock file there would be two at once.
func TestRepairBesideAnother(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	if r, err := Repair(nil, o); err != nil || len(r.Damages) > 0 {
		t.Errorf("without a state directory: %+v, %v", r, err)
	}
	lock := filepath.Join(o.State, "lock")
	before, err := os.Stat(lock)
	must(t, err)
	held, _, err := begin(o)
	must(t, err)
	if _, err := Repair(nil, o); !isLocked(err) {
		t.Errorf("repaired beside another: %v", err)
	}
	held.end()
	if r, err := Repair(nil, o); err != nil || r.Aside != "" {
		t.Errorf("a lock that nobody holds: %+v, %v", r, err)
	}
	if after, err := os.Stat(lock); err != nil || !os.SameFile(before, after) {
		t.Errorf("the lock is another: %v", err)
	}
	for name, make := range map[string]func() error{
		"a directory": func() error { return os.Mkdir(lock, 0o700) },
		"a FIFO":      func() error { return unix.Mkfifo(lock, 0o600) },
		"a link":      func() error { return os.Symlink("/dev/null", lock) },
	} {
		must(t, os.Remove(lock))
		must(t, make())
		if r := repair(t, o); r == nil {
			t.Errorf("%s: %+v", name, r)
		}
		info, err := os.Lstat(lock)
		if aside, _ := filepath.Glob(filepath.Join(o.State, "damaged-*", "lock")); err != nil || !info.Mode().IsRegular() ||
			len(aside) == 0 {
			t.Errorf("%s in the place of the lock: %v, %v", name, info, aside)
		}
	}
}

// descriptors counts what this process has open.
func descriptors(t testing.TB) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(all)
}

// TestDescriptors leaves nothing open, whatever becomes of a run: a timer holds the lock for hours.
func TestDescriptors(t *testing.T) {
	for name, do := range map[string]func(*testing.T, world, Options){
		"apply": func(t *testing.T, w world, o Options) {
			_, err := Apply(t.Context(), w.plan(t), o)
			must(t, err)
		},
		"rollback": func(t *testing.T, w world, o Options) {
			hardened(t, w)
			_, err := Rollback(t.Context(), "", o)
			must(t, err)
		},
		"without openat2": func(t *testing.T, w world, o Options) {
			without(unix.ENOSYS)(o.sys)
			_, err := Apply(t.Context(), w.plan(t), o)
			must(t, err)
		},
		"a state that others can write": func(t *testing.T, w world, o Options) {
			hardened(t, w)
			must(t, os.Chmod(w.state, 0o777))
			_, err := Apply(t.Context(), w.small(t, odd), o)
			if err == nil {
				t.Error("applied")
			}
		},
		"a root that is none": func(t *testing.T, w world, o Options) {
			o.Root += "/none"
			_, err := Apply(t.Context(), &remediate.Plan{Changes: []remediate.Change{created("/etc/new", "x")}}, o)
			if err == nil {
				t.Error("applied")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t) // which looks for what stays open
			do(t, w, w.options())
		})
	}
}

// TestHistoryFailsTwice goes on behind the last good record where marking the end of a line that was cut off has failed
// too.
func TestHistoryFailsTwice(t *testing.T) {
	o := mustDefaults(t, newWorld(t).options())
	s, err := openStore(o, true)
	must(t, err)
	defer s.close()
	h := newHistory(s)
	must(t, h.append(record{Event: hiNothing}))
	fsync := s.sys.fsync
	s.sys.fsync = func(int) error { return unix.EIO }
	says(t, "the first", h.append(record{Event: hiNothing}), "input/output error")
	info, err := os.Stat(h.name)
	must(t, err)
	must(t, os.Truncate(h.name, info.Size()-5))
	says(t, "the second", h.append(record{Event: hiNothing}), "input/output error")
	s.sys.fsync = fsync
	must(t, h.append(record{Event: hiNothing}))
	must(t, VerifyHistory(o))
}
