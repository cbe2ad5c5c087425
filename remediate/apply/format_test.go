package apply

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/harden/remediate"
)

// recorded is a host with a state directory that a harden without journal versions has written.
func recorded(t *testing.T) (w world, run string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: it changes owners")
	}
	dir := t.TempDir()
	w = world{filepath.Join(dir, "host"), filepath.Join(dir, "state")}
	must(t, os.CopyFS(w.state, os.DirFS("testdata/state0")))
	must(t, os.Chmod(w.state, 0o700))
	for _, d := range []string{"/etc/docker", "/etc/default"} {
		must(t, os.MkdirAll(w.path(d), 0o755))
	}
	run = "0001-20261128T100022Z"
	w.file(t, daemonJSON, "{\n  \"no-new-privileges\": true\n}\n", 0o644, 0, 0)
	w.file(t, "/etc/default/docker", "", 0o644, 0, 0)
	w.replan(t, run, func(plan []byte) []byte { // it was made below another directory
		root := base64.StdEncoding.EncodeToString([]byte(w.root))
		return regexp.MustCompile(`"root": "[^"]*"`).ReplaceAll(plan, []byte(`"root": "`+root+`"`))
	})
	return w, run
}

// replan changes a journal's plan, and the log so that it is of that plan.
func (w world) replan(t *testing.T, run string, change func(plan []byte) []byte) {
	t.Helper()
	dir := filepath.Join(w.state, "runs", run)
	plan, err := os.ReadFile(filepath.Join(dir, planFile))
	must(t, err)
	plan = change(plan)
	must(t, os.WriteFile(filepath.Join(dir, planFile), plan, 0o600))
	w.relog(t, run, func(log []entry) []entry { log[0].Reason = sum(plan); return log })
}

// relog writes a journal's log anew.
func (w world) relog(t *testing.T, run string, change func(log []entry) []entry) {
	t.Helper()
	name := filepath.Join(w.state, "runs", run, logFile)
	text, err := os.ReadFile(name)
	must(t, err)
	log, _, err := parseLog(name, text)
	must(t, err)
	var out []byte
	for _, e := range change(log) {
		body, err := json.Marshal(e)
		must(t, err)
		out = append(out, logLine(body)...)
	}
	must(t, os.WriteFile(name, out, 0o600))
}

// TestOlderJournal reads and rolls back what a harden without journal versions has applied.
func TestOlderJournal(t *testing.T) {
	w, run := recorded(t)
	o := w.options()
	must(t, VerifyHistory(o))
	if ds, err := Diagnose(o); len(ds) > 0 || err != nil {
		t.Errorf("diagnosed: %+v, %v", ds, err)
	}
	got, err := Rollback(t.Context(), "", o)
	must(t, err)
	if got.ID != run || got.Outcome != RolledBack {
		t.Errorf("%+v", got)
	}
	if now := w.look(t); !strings.HasPrefix(now[daemonJSON], `100666 0:0 "{}\n"`) ||
		!strings.HasPrefix(now["/etc/default/docker"], "100666") {
		t.Errorf("rolled back: %v", now)
	}
}

// TestLocated names the byte at which JSON cannot be read, where its error does.
func TestLocated(t *testing.T) {
	var into struct{ A int }
	for text, want := range map[string]string{
		"{\"a\":1,]": "byte 8: invalid character ']' looking for beginning of object key string",
		"{\"b\":1}":  `unknown field "b"`,
		"{} {}":      "byte 4: data after the JSON",
		"":           "EOF",
	} {
		if err := strictly([]byte(text), &into); err == nil || located(err) != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// TestOtherJournal refuses a journal that says what this harden does not know, whoever wrote it.
func TestOtherJournal(t *testing.T) {
	put := func(old, new string) func(plan []byte) []byte {
		return func(plan []byte) []byte { return bytes.Replace(plan, []byte(old), []byte(new), 1) }
	}
	for name, c := range map[string]struct {
		change func([]byte) []byte
		is     error
		says   string
	}{
		"newer":         {put(journalSchema, "harden-journal/v9"), ErrNewer, "harden-journal/v9"},
		"unknown field": {put(`"seq":`, `"sequel": 1, "seq":`), ErrNewer, `unknown field "sequel"`},
		"something after": {func(p []byte) []byte {
			return append(p, "{}"...)
		}, ErrDamaged, "something follows|invalid character"},
		"another run":       {put(`"id": "0001`, `"id": "0002`), ErrDamaged, "0002-"},
		"a path for an ID":  {put(`"id": "0001-`, `"id": "../../0001-`), ErrDamaged, "../"},
		"a path for a temp": {put(`"temp": ".harden-`, `"temp": "../x`), ErrDamaged, "temporary file"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			run, err := Apply(t.Context(), w.plan(t), w.options())
			must(t, err)
			before := w.look(t)
			w.replan(t, run.ID, c.change)
			_, err = Rollback(t.Context(), "", w.options())
			if !errors.Is(err, c.is) || !slices.ContainsFunc(strings.Split(c.says, "|"), func(s string) bool {
				return strings.Contains(err.Error(), s)
			}) {
				t.Errorf("%v: must be %v and say %q", err, c.is, c.says)
			}
			if c.is == ErrDamaged && !strings.Contains(err.Error(), "`harden repair`") {
				t.Errorf("%v: must name harden repair", err)
			}
			same(t, "afterwards", before, w.look(t))
			_, err = Diagnose(w.options())
			if (c.is == ErrNewer) != errors.Is(err, ErrNewer) {
				t.Errorf("diagnosed: %v", err)
			}
		})
	}
}

// TestOutOfRange has numbers in a journal that are no index of anything: they are told, and nothing panics.
func TestOutOfRange(t *testing.T) {
	for name, e := range map[string]entry{
		"write":      {Event: evWrite, N: 99},
		"activate":   {Event: evActivate, N: 99},
		"activation": {Event: evActivation, N: 2},
		"below":      {Event: evActivation, N: -1},
		"update":     {Event: evUpdate, N: 0},
		"resolved":   {Event: evResolved, Resolved: []resolved{{N: 99, Keep: true}}},
		"of an undo": {Event: evUndo, Activations: []Activated{{Kind: remediate.Reload}}, N: 0},
		"of no undo": {Event: evLost, N: 7, State: "before"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			run, err := Apply(t.Context(), w.plan(t), w.options())
			must(t, err)
			w.relog(t, run.ID, func(log []entry) []entry {
				last := log[len(log)-1]
				more := []entry{e, last}
				if e.Event == evUndo {
					more = []entry{e, {Event: evActivate, N: 1}, last}
				}
				return append(log[:len(log)-1], more...)
			})
			if _, err := History(w.options()); !errors.Is(err, ErrDamaged) {
				t.Errorf("history: %v", err)
			}
			if _, err := Rollback(t.Context(), "", w.options()); !errors.Is(err, ErrDamaged) {
				t.Errorf("rollback: %v", err)
			}
			repair(t, w.options())
		})
	}
}

// TestFIFO has a FIFO wherever the state keeps a file: nothing waits for it, and it can be set aside.
func TestFIFO(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	for _, name := range []string{"lock", "audit.jsonl", "last.json", "runs/X/plan.json", "runs/X/log",
		"runs/X/before.2", "current", "unconfirmed/armed.json"} {
		t.Run(name, func(t *testing.T) {
			fresh(t, w)
			run, err := Apply(t.Context(), w.plan(t), o)
			must(t, err)
			p := filepath.Join(w.state, strings.Replace(name, "X", run.ID, 1))
			must(t, os.RemoveAll(p))
			must(t, os.MkdirAll(filepath.Dir(p), 0o700))
			must(t, unix.Mkfifo(p, 0o600))
			done := make(chan bool)
			go func() {
				defer close(done)
				_, _ = Interrupted(o)
				_, _ = Unconfirmed(o)
				_, _ = History(o)
				_ = VerifyHistory(o)
				_, _ = Reverse(t.Context(), "", o)
				_, _ = Earlier(o, daemonJSON)
				_, _ = Expire(t.Context(), "", o)
				_, _ = Drifted(still{}, o)
				_, _ = Apply(t.Context(), &remediate.Plan{Changes: []remediate.Change{created("/etc/new", "x")}}, o)
				_, _ = Rollback(t.Context(), "", o)
			}()
			select {
			case <-done:
			case <-time.After(time.Minute):
				t.Fatal("it waits for the FIFO")
			}
			repair(t, o)
			_, err = Apply(t.Context(), &remediate.Plan{Changes: []remediate.Change{created("/etc/newer", "x")}}, o)
			must(t, err)
		})
	}
}

// repair sets aside all damage there is, and fails the test when there is none or when some is left.
func repair(t *testing.T, o Options) *Repaired {
	t.Helper()
	ds, err := Diagnose(o)
	must(t, err)
	if len(ds) == 0 {
		t.Fatal("no damage is found")
	}
	r, err := Repair(ds, o)
	must(t, err)
	if left, err := Diagnose(o); len(left) > 0 || err != nil {
		t.Errorf("still damaged: %+v, %v", left, err)
	}
	must(t, VerifyHistory(o))
	return r
}
