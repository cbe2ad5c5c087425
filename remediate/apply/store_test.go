package apply

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/harden/remediate"
)

func TestLocked(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	held, _, err := begin(o)
	must(t, err)
	before := w.look(t)
	var waited time.Duration
	o.sys.sleep = func(d time.Duration) { waited += d }
	check := func(what string, wait time.Duration, err error) {
		t.Helper()
		if waited != wait {
			t.Errorf("%s has waited for %s, not %s", what, waited, wait)
		}
		waited = 0
		var locked *LockedError
		if !errors.As(err, &locked) || locked.PID != os.Getpid() || time.Since(locked.Since) > time.Hour ||
			!strings.Contains(locked.Command, filepath.Base(os.Args[0])) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err = Apply(t.Context(), w.plan(t), o)
	check("apply", time.Second, err)
	_, err = Rollback(t.Context(), "", o)
	check("rollback", time.Second, err)
	_, err = Resume(t.Context(), o)
	check("resume", time.Second, err)
	_, err = Interrupted(o)
	check("interrupted", 0, err)
	same(t, "meanwhile", before, w.look(t))
	held.end()
	_, err = Apply(t.Context(), w.plan(t), o)
	must(t, err)
}

// TestReaders looks on at each step of a run, and is slow to let go when one begins: neither makes the run fail.
func TestReaders(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	must(t, os.Mkdir(o.State, 0o700))
	must(t, os.WriteFile(filepath.Join(o.State, "lock"), nil, 0o600))
	reader, err := openStore(o, false)
	must(t, err)
	o.sys.sleep = func(time.Duration) { reader.close() }
	steps := 0
	o.Progress = func(Step) {
		steps++
		var locked *LockedError
		if run, err := Interrupted(o); run != nil || !errors.As(err, &locked) {
			t.Errorf("a run at work is told as %+v, %v", run, err)
		}
		if runs, err := History(o); len(runs) > 0 || err != nil {
			t.Errorf("a run at work is told as history: %+v, %v", runs, err)
		}
	}
	_, err = Apply(t.Context(), w.plan(t), o)
	must(t, err)
	if steps < 10 {
		t.Errorf("only %d steps", steps)
	}
	if runs, err := History(o); len(runs) != 1 || err != nil {
		t.Errorf("history: %+v, %v", runs, err)
	}
}

func TestStateIsTrusted(t *testing.T) {
	for _, c := range []struct {
		name, says string
		spoil      func(state string) error
	}{
		{"group may write", "0770 lets others", func(s string) error { return unix.Chmod(s, 0o770) }},
		{"others alone may write", "0702 lets others", func(s string) error { return unix.Chmod(s, 0o702) }},
		{"all may write, sticky", "1777 lets others", func(s string) error { return unix.Chmod(s, 0o1777) }},
		{"another's", "belongs to uid 7", func(s string) error { return os.Chown(s, 7, 7) }},
		{"parent another's", "belongs to uid 7", func(s string) error { return os.Chown(filepath.Dir(s), 7, 7) }},
		{"parent open", "0777 lets others", func(s string) error { return unix.Chmod(filepath.Dir(s), 0o777) }},
		{"link", "symbolic link", func(s string) error { return errors.Join(os.Rename(s, s+"2"), os.Symlink(s+"2", s)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			o := w.options()
			must(t, os.Mkdir(o.State, 0o700))
			must(t, c.spoil(o.State))
			before := w.look(t)
			plan := w.plan(t)
			_, err := Apply(t.Context(), plan, o)
			_, looked := Interrupted(o)
			for _, err := range []error{err, looked} {
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v: must say %q", err, c.says)
				}
			}
			same(t, "after the refusal", before, w.look(t))
		})
	}
}

func TestStateModes(t *testing.T) {
	w := newWorld(t)
	_, err := Apply(t.Context(), w.plan(t), w.options())
	must(t, err)
	must(t, filepath.WalkDir(w.state, func(p string, d os.DirEntry, err error) error {
		must(t, err)
		info, err := d.Info()
		must(t, err)
		want := os.FileMode(0o600)
		if d.IsDir() {
			want = os.ModeDir | 0o700
		}
		if info.Mode() != want {
			t.Errorf("%s: mode %v, want %v", p, info.Mode(), want)
		}
		return nil
	}))
}

// TestLoose closes a state directory to others that was open to them, and says so when one of them has its lock.
func TestLoose(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	must(t, os.Mkdir(o.State, 0o755))
	must(t, os.WriteFile(filepath.Join(o.State, "lock"), nil, 0o644))
	must(t, os.Chmod(filepath.Join(o.State, "lock"), 0o644))
	theirs, err := os.Open(filepath.Join(o.State, "lock")) // as any user could
	must(t, err)
	must(t, unix.Flock(int(theirs.Fd()), unix.LOCK_EX))
	if _, err := Apply(t.Context(), w.plan(t), o); !isLocked(err) ||
		!strings.Contains(err.Error(), "remove "+filepath.Join(o.State, "lock")) {
		t.Errorf("while a user has the lock: %v", err)
	}
	must(t, theirs.Close())
	_, err = Apply(t.Context(), w.plan(t), o)
	must(t, err)
	for _, p := range []string{o.State, filepath.Join(o.State, "lock")} {
		if info, err := os.Stat(p); err != nil || info.Mode()&0o077 != 0 {
			t.Errorf("%s: %v, %v", p, info.Mode(), err)
		}
	}
}

// TestNoHistoryNoChange breaks the history and the journal before a run: nothing is changed.
func TestNoHistoryNoChange(t *testing.T) {
	for _, name := range []string{"audit.jsonl", "current", "runs"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			o := w.options()
			must(t, os.Mkdir(o.State, 0o700))
			if name == "runs" {
				must(t, os.WriteFile(filepath.Join(o.State, name), nil, 0o600))
			} else {
				must(t, os.Mkdir(filepath.Join(o.State, name), 0o700))
			}
			before := w.look(t)
			if run, err := Apply(t.Context(), w.plan(t), o); err == nil {
				t.Errorf("applied: %+v", run)
			}
			same(t, "afterwards", before, w.look(t))
		})
	}
}

// TestDamagedJournal changes what a rollback would write: it is not believed.
func TestDamagedJournal(t *testing.T) {
	for _, name := range []string{"before.2", "plan.json", "log"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			o := w.options()
			run, err := Apply(t.Context(), w.plan(t), o)
			must(t, err)
			file := filepath.Join(o.State, "runs", run.ID, name)
			data, err := os.ReadFile(file)
			must(t, err)
			must(t, os.WriteFile(file, bytes.Replace(data, []byte("e"), []byte("E"), 1), 0o600))
			if _, _, err := RollbackPlan(t.Context(), run.ID, o); err == nil || !strings.Contains(err.Error(), "damaged") {
				t.Errorf("planned: %v", err)
			}
			if _, err := Rollback(t.Context(), run.ID, o); err == nil || !strings.Contains(err.Error(), "damaged") {
				t.Errorf("taken back: %v", err)
			}
		})
	}
}

// TestHistoryTampered changes the history in each way that a chain shows.
func TestHistoryTampered(t *testing.T) {
	for _, c := range []struct {
		name   string
		tamper func(lines [][]byte) [][]byte
		ok     bool
	}{
		{"untouched", func(l [][]byte) [][]byte { return l }, true},
		{"a record changed", func(l [][]byte) [][]byte {
			l[3] = bytes.Replace(l[3], []byte("write"), []byte("wrote"), 1)
			return l
		}, false},
		{"the last changed", func(l [][]byte) [][]byte {
			n := len(l) - 1
			l[n] = bytes.Replace(l[n], []byte("applied"), []byte("Applied"), 1)
			return l
		}, false},
		{"one removed", func(l [][]byte) [][]byte { return append(l[:3:3], l[4:]...) }, false},
		{"the first removed", func(l [][]byte) [][]byte { return l[1:] }, false},
		{"one twice", func(l [][]byte) [][]byte { return append(l[:4:4], l[3:]...) }, false},
		{"two swapped", func(l [][]byte) [][]byte { l[3], l[4] = l[4], l[3]; return l }, false},
		{"rubbish put in", func(l [][]byte) [][]byte {
			return append(l[:4:4], append([][]byte{[]byte("rubbish\n")}, l[4:]...)...)
		}, false},
		{"one written anew, with its hash", func(l [][]byte) [][]byte {
			l[3] = rehashed(t, l[3], func(r *record) { r.What = "another" })
			return l
		}, false},
		{"one put in, and the rest counted anew", func(l [][]byte) [][]byte {
			for i := 4; i < len(l); i++ {
				l[i] = rehashed(t, l[i], func(r *record) { r.Seq++ })
			}
			return append(l[:4:4], append([][]byte{rehashed(t, l[3], func(r *record) { r.Seq++ })}, l[4:]...)...)
		}, false},
		{"a number changed, and every hash after it", func(l [][]byte) [][]byte {
			for i, prev := 4, ""; i < len(l); i++ {
				l[i] = rehashed(t, l[i], func(r *record) {
					if r.Seq++; prev != "" {
						r.Prev = prev
					}
				})
				_, prev, _ = parseLine(l[i])
			}
			return l
		}, false},
		{"all removed", func([][]byte) [][]byte { return nil }, false},
		{"a crash in the last", func(l [][]byte) [][]byte { n := len(l) - 1; l[n] = l[n][:40]; return l }, true},
		{"a crash in marking a crash", func(l [][]byte) [][]byte {
			n := len(l) - 1
			l[n] = append(l[n][:40:40], '\n')
			return append(l, []byte(`{"hash":"`))
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			o := w.options()
			_, err := Apply(t.Context(), w.plan(t), o)
			must(t, err)
			name := filepath.Join(o.State, "audit.jsonl")
			data, err := os.ReadFile(name)
			must(t, err)
			lines := bytes.SplitAfter(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
			lines[len(lines)-1] = append(lines[len(lines)-1], '\n')
			must(t, os.WriteFile(name, bytes.Join(c.tamper(lines), nil), 0o600))
			err = VerifyHistory(o)
			if c.ok && err != nil || !c.ok && !errors.Is(err, ErrHistory) {
				t.Errorf("verify: %v", err)
			}
			if !c.ok {
				return
			}
			_, err = Rollback(t.Context(), "", o)
			must(t, err)
			must(t, VerifyHistory(o))
		})
	}
}

// rehashed is a line of the history with another record and the hash of that, as somebody writes it who knows how.
func rehashed(t *testing.T, text []byte, change func(*record)) []byte {
	t.Helper()
	r, _, err := parseLine(text)
	must(t, err)
	change(&r)
	body, err := json.Marshal(r)
	must(t, err)
	return fmt.Appendf(nil, "{\"hash\":%q,\"record\":%s}\n", sum(body), body)
}

// TestAnnounced listens where the system log would.
func TestAnnounced(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	o.sys.devlog = filepath.Join(t.TempDir(), "log")
	log, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: o.sys.devlog})
	must(t, err)
	defer log.Close()
	run, err := Apply(t.Context(), w.plan(t), o)
	must(t, err)
	buf := make([]byte, 1024)
	n, err := log.Read(buf)
	must(t, err)
	if got := string(buf[:n]); !strings.Contains(got, run.Head) || !strings.Contains(got, run.ID+" applied") ||
		!strings.HasPrefix(got, "<85>") {
		t.Errorf("announced %q", got)
	}
}

// TestOtherRoot keeps the runs of two hosts that share a state directory apart.
func TestOtherRoot(t *testing.T) {
	a, b := newWorld(t), newWorld(t)
	b.state = a.state
	first, err := Apply(t.Context(), a.plan(t), a.options())
	must(t, err)
	before := b.look(t)
	if _, err := Rollback(t.Context(), "", b.options()); !errors.Is(err, ErrNoRun) {
		t.Errorf("another host's run by default: %v", err)
	}
	if _, err := Rollback(t.Context(), first.ID, b.options()); err == nil || !strings.Contains(err.Error(), a.root) {
		t.Errorf("another host's run by name: %v", err)
	}
	same(t, "the other host", before, b.look(t))
	second, err := Apply(t.Context(), b.plan(t), b.options())
	must(t, err)
	if run, err := Rollback(t.Context(), "", a.options()); err != nil || run.ID != first.ID {
		t.Errorf("%+v, %v", run, err)
	}
	runs, err := History(a.options())
	must(t, err)
	if len(runs) != 2 || runs[0].ID != second.ID || runs[1].Outcome != RolledBack {
		t.Errorf("history: %+v", runs)
	}
	if _, err := Rollback(t.Context(), "0099-none", a.options()); !errors.Is(err, ErrNoRun) {
		t.Errorf("no such run: %v", err)
	}
}

// TestInOrder takes back runs of the same file: only the newest can be, and then the one before it.
func TestInOrder(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	start := w.look(t)
	var ids []string
	for _, data := range []string{"one", "two"} {
		run, err := Apply(t.Context(), &remediate.Plan{Changes: []remediate.Change{w.content(t, odd, data)}}, o)
		must(t, err)
		ids = append(ids, run.ID)
	}
	if _, err := Rollback(t.Context(), ids[0], o); !errors.Is(err, ErrConflict) {
		t.Errorf("the older one first: %v", err)
	}
	for _, id := range []string{ids[1], ids[0]} {
		run, err := Rollback(t.Context(), "", o)
		must(t, err)
		if run.ID != id {
			t.Errorf("took back %s, want %s", run.ID, id)
		}
	}
	same(t, "at the end", start, w.look(t))
}

// TestHold holds the lock over several calls: whoever holds it works on, and nobody else.
func TestHold(t *testing.T) {
	w := newWorld(t)
	before := w.look(t)
	held, release, err := Hold(w.options())
	must(t, err)
	if _, _, err := Hold(w.options()); !isLocked(err) {
		t.Errorf("held twice: %v", err)
	}
	if _, err := Apply(t.Context(), w.plan(t), w.options()); !isLocked(err) {
		t.Errorf("another's apply: %v", err)
	}
	if _, err := Interrupted(w.options()); !isLocked(err) {
		t.Errorf("another's look: %v", err)
	}
	run, err := Interrupted(held)
	if err != nil || run != nil {
		t.Errorf("the holder's look: %v, %v", run, err)
	}
	_, err = Apply(t.Context(), w.plan(t), held)
	must(t, err)
	if _, _, err := Hold(w.options()); !isLocked(err) {
		t.Errorf("an apply has given the lock back: %v", err)
	}
	release()
	_, err = Rollback(t.Context(), "", w.options())
	must(t, err)
	same(t, "taken back", before, w.look(t))
}

func isLocked(err error) bool {
	_, ok := errors.AsType[*LockedError](err)
	return ok
}
