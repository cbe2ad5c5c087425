package apply

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestOtherRootUnsettled asks for an unsettled run with another host's root: nothing is done, and its own is named.
func TestOtherRootUnsettled(t *testing.T) {
	elsewhere := func(t *testing.T, o Options) Options {
		o.Root = t.TempDir()
		return o
	}
	refused := func(t *testing.T, w world, what string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), "made below "+w.root+", not below") {
			t.Errorf("%s: %v", what, err)
		}
	}
	t.Run("interrupted", func(t *testing.T) {
		w := newWorld(t)
		interrupt(t, w)
		before := w.look(t)
		o := elsewhere(t, w.options())
		_, err := Resume(t.Context(), o)
		refused(t, w, "resume", err)
		_, _, err = Onward(t.Context(), o)
		refused(t, w, "what a resume would do", err)
		_, err = Rollback(t.Context(), "", o)
		refused(t, w, "rollback", err)
		_, _, err = Abandonment("", o)
		refused(t, w, "what would be abandoned", err)
		_, err = Abandon("", o)
		refused(t, w, "abandon", err)
		same(t, "afterwards", before, w.look(t))
		if run, err := Interrupted(w.options()); run == nil || err != nil {
			t.Errorf("it is not interrupted any more: %+v, %v", run, err)
		}
	})
	t.Run("unconfirmed", func(t *testing.T) {
		w := newWorld(t)
		g, c := &guard{}, &clock{"one", time.Hour}
		run := w.unconfirmed(t, g, c)
		before := w.look(t)
		o := elsewhere(t, w.guarded(g, c))
		_, err := Confirm(run.ID, o)
		refused(t, w, "confirm", err)
		if compared, err := Drifted(still{}, o); err != nil || compared.Unconfirmed != "" || compared.Runs != 0 {
			t.Errorf("drift: %+v, %v", compared, err)
		}
		c.up += time.Minute
		_, err = Expire(t.Context(), run.ID, o)
		refused(t, w, "expire", err)
		same(t, "afterwards", before, w.look(t))
		if u, err := Unconfirmed(w.guarded(g, c)); u == nil || !errors.Is(err, ErrUnconfirmed) {
			t.Errorf("it is not unconfirmed any more: %+v, %v", u, err)
		}
	})
}

// TestKeptByOlder confirms a run of which an older harden has noted that it could not be taken back: it is told so, and
// its time does not end again.
func TestKeptByOlder(t *testing.T) {
	w := newWorld(t)
	g, c := &guard{}, &clock{"one", time.Hour}
	run := w.unconfirmed(t, g, c)
	c.up += time.Minute
	e, _, err := begin(mustDefaults(t, w.guarded(g, c)))
	must(t, err)
	u, err := e.store.unconfirmed()
	must(t, err)
	must(t, u.note(entry{Event: evKept, Reason: "/etc/x: changed"}))
	must(t, u.note(entry{Event: evActivate}))
	e.end()
	after := w.look(t)
	if got, err := Unconfirmed(w.guarded(g, c)); got == nil || !errors.Is(err, ErrUnconfirmed) ||
		!strings.Contains(err.Error(), "could not be rolled back: /etc/x: changed; keep it with `harden confirm "+run.ID) ||
		!got.Unconfirmed.Passed || got.Unconfirmed.Kept != "/etc/x: changed" {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := Expire(t.Context(), run.ID, w.guarded(g, c)); got != nil || err != nil || len(g.calls) > 0 {
		t.Errorf("its time ends again: %+v, %v, and then %v", got, err, g.calls)
	}
	for p := range after { // but for the call of the next boot
		if strings.Contains(p, "harden-unconfirmed") || strings.HasSuffix(p, "/sysinit.target.d") {
			delete(after, p)
		}
	}
	same(t, "afterwards", after, w.look(t))
	got, err := Confirm("", w.guarded(g, c))
	if err != nil || got.Outcome != Applied || got.Unconfirmed != nil {
		t.Errorf("confirmed: %+v, %v", got, err)
	}
}
