package vm_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"example.com/harden/scripts/vm"
)

// TestTorturePowerCut cuts the power at moments all over an apply: twenty of them in `make torture`, six in `make
// test`. After the next boot harden says what it found, and the host is wholly old or wholly new: at once, or after the
// one command that harden names.
func TestTorturePowerCut(t *testing.T) {
	cuts := 6
	if os.Getenv("HARDEN_TORTURE") == "full" {
		cuts = 20
	}
	m := careless(t)
	old := portrait(m)
	ready := m.Snapshot()

	m = vm.Start(t, ready)
	begun, flushed := time.Now(), m.Flushes()
	m.OK(begin)
	for running(m) {
		time.Sleep(200 * time.Millisecond)
	}
	whole := moment{time.Since(begun), m.Flushes() - flushed}
	if out := m.OK("journalctl -u apply -o cat; systemctl show apply -p Result --value"); !strings.HasSuffix(out,
		"success\n") {
		t.Fatalf("an apply that nothing disturbs:\n%s", out)
	}
	fresh := portrait(m)
	m.Cut()
	t.Logf("an apply takes %v and %d flushes of the disk", whole.passed, whole.flushes)

	for i := range cuts {
		// By turns after so many flushes, which come close together while files are written, and after so much time,
		// most of which goes by while the daemon restarts and is watched.
		at := moment{flushes: whole.flushes*(i+1)/cuts + 1, passed: whole.passed}
		if i%2 == 1 {
			at = moment{flushes: 1 << 30, passed: whole.passed * time.Duration(i) / time.Duration(cuts)}
		}
		t.Run(fmt.Sprint(i), func(t *testing.T) { cut(t, ready, at, i%4 < 2, old, fresh) })
	}
}

// begin starts an apply that goes on by itself.
const begin = `systemd-run --quiet --unit=apply --property=RemainAfterExit=yes /usr/local/sbin/harden --yes --allow ` +
	`restart --color never`

func running(m *vm.Machine) bool {
	return m.OK("systemctl show apply -p SubState --value") == "running\n"
}

// A moment has come when the machine has made so many flushes or so much time has passed.
type moment struct {
	passed  time.Duration
	flushes int
}

func (at moment) wait(m *vm.Machine, flushed int) {
	for begun := time.Now(); time.Since(begun) < at.passed && m.Flushes()-flushed < at.flushes; {
		time.Sleep(2 * time.Millisecond)
	}
}

func cut(t *testing.T, ready vm.Snapshot, at moment, back bool, old, fresh string) {
	t.Parallel()
	m := vm.Start(t, ready)
	flushed := m.Flushes()
	m.OK(begin)
	at.wait(m, flushed)
	m.Cut()
	if failed := m.Boot(); failed != "" {
		t.Errorf("after the cut these did not start: %s", failed)
	}

	found, _ := m.Run("harden check --format text --color never")
	want := map[string]string{"the host as it was": old, "the host as it is to be": fresh}
	switch {
	case !strings.Contains(found, "was interrupted"):
		t.Log("no run is open")
	case back:
		delete(want, "the host as it is to be")
		t.Log(m.OK("harden rollback --yes --color never 2>&1 | tail -n 2"))
	default:
		delete(want, "the host as it was")
		t.Log(m.OK("harden --yes --allow restart --color never 2>&1 >/dev/null"))
	}
	got := portrait(m)
	state := ""
	for s, p := range want {
		if p == got {
			state = s
		}
	}
	t.Log(state)
	if state == "" {
		for s, p := range want {
			t.Errorf("after the cut this is not %s:\n%s", s, lines(p, got))
		}
	}
	if again, _ := m.Run("harden check --format text --color never"); strings.Contains(again, "was interrupted") {
		t.Errorf("the run stays open:\n%s", again)
	}
	// what runs is what the files say
	if got, want := m.OK("docker info -f '{{.LiveRestoreEnabled}}'"),
		fmt.Sprintln(strings.Contains(state, "is to be")); got != want {
		t.Errorf("the daemon's live-restore is %s on %s", got, state)
	}
}
