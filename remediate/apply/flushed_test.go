package apply

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFlushOrder lists what is flushed, in its order: the journal before the files that it tells of, a file before it
// takes its place, and each directory in which a name has changed, on both sides of a move. TestTorturePowerLoss finds
// what this means.
func TestFlushOrder(t *testing.T) {
	const dir = "/etc/systemd/system/docker.service.d"
	w := newWorld(t)
	var got []string
	run := ""
	o := w.options()
	real := o.sys.fsync
	o.sys.fsync = func(fd int) error {
		name, err := os.Readlink(procFD(fd))
		name = strings.NewReplacer(w.root, "", w.state, "state", filepath.Dir(w.root), "above").Replace(name)
		got = append(got, name)
		return errors.Join(err, real(fd))
	}
	expect := func(what, want string) {
		t.Helper()
		for i := range got {
			got[i] = strings.NewReplacer(run, "RUN", dir, "DIR").Replace(got[i])
		}
		if d := cmp.Diff(strings.Fields(want), got); d != "" {
			t.Errorf("%s flushes (-want +got):\n%s", what, d)
		}
		got = nil
	}
	plan := w.small(t, odd)
	plan.Changes = append(plan.Changes, created(dir+"/x.conf", "[Service]\n"), w.attributes(t, "/etc/docker", 0o700, 0, 0))
	applied, err := Apply(t.Context(), plan, o)
	must(t, err)
	run = applied.ID
	expect("apply", `above state
		state/audit.jsonl
		state/staging/before.0 state/staging/after.0 state/staging/after.1 state/staging/plan.json state/staging/log
		state/staging state
		DIR /etc/systemd/system
		/etc/.harden-RUN-0 DIR/.harden-RUN-1
		state/audit.jsonl state/current/log /etc state/audit.jsonl
		state/audit.jsonl state/current/log DIR state/audit.jsonl
		state/audit.jsonl state/current/log /etc/docker state/audit.jsonl
		state/current/log
		state/audit.jsonl state/runs state`)
	must(t, touches["content"](w.path(odd)))
	o.Resolve.Ours = []string{odd}
	_, err = Rollback(t.Context(), run, o)
	must(t, err)
	expect("rollback", `state/audit.jsonl
		state state/runs
		state/current/theirs.0.4086b2675f9961cd state/current
		state/audit.jsonl state/current/log
		state/audit.jsonl /etc/docker state/audit.jsonl
		DIR state/audit.jsonl DIR state/audit.jsonl
		/etc state/audit.jsonl /etc/.harden-RUN-0 /etc state/audit.jsonl
		/etc/systemd/system
		state/current/log
		state/audit.jsonl state/runs state`)
}
