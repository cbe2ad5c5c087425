package vm_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"example.com/harden/scripts/vm"
)

// TestConfirm leaves runs unconfirmed, on a host with systemd: each has to be taken back by itself, after its time,
// after harden was killed on its way, and after the power was cut, before docker starts. One that was confirmed stays.
func TestConfirm(t *testing.T) {
	m := careless(t)
	// A flag of dockerd's is changed by a file of systemd's, which a boot has read before the run is taken back.
	m.OK(`
		mkdir -p /etc/systemd/system/docker.service.d
		printf '[Service]\nExecStart=\nExecStart=%s --log-level=debug\n' \
			"$(sed -n 's/^ExecStart=//p' /lib/systemd/system/docker.service)" >/etc/systemd/system/docker.service.d/flag.conf
		systemctl daemon-reload && systemctl restart docker`)
	before := portrait(m)

	const argv = `tr '\0' ' ' </proc/$(systemctl show -P MainPID docker)/cmdline`

	t.Log("nobody confirms, and the program is gone")
	m.OK("cp /usr/local/sbin/harden /var/tmp/vanishing && chmod 755 /var/tmp/vanishing")
	m.OK("/var/tmp/vanishing --yes --confirm-within 20s --only docker:3 >/run/out && rm /var/tmp/vanishing && grep " +
		"'is rolled back at .* unless you run: harden confirm' /run/out")
	if out, code := m.Run("harden --yes --only docker/log-level,docker:1 2>&1"); code != 1 ||
		!strings.Contains(out, "not confirmed yet") {
		t.Errorf("another run meanwhile exits %d: %s", code, out)
	}
	if out := m.OK("harden history"); !strings.Contains(out, "  unconfirmed, until ") &&
		!strings.Contains(out, "overdue") {
		t.Errorf("the history meanwhile:\n%s", out)
	}
	takenBack(t, m, 1, "not confirmed within 20s")
	if diff := lines(before, portrait(m)); diff != "" {
		t.Errorf("after its time (-want +got):\n%s", diff)
	}
	if out, code := m.Run("harden confirm 2>&1"); code != 1 || !strings.Contains(out, "rolled-back since") {
		t.Errorf("confirmed too late, exit %d: %s", code, out)
	}

	t.Log("harden is killed on its way")
	m.Run(`harden --yes --confirm-within 20s --only docker:3,docker:1 >/dev/null 2>&1 & until [ -e ` +
		`/var/lib/harden/current ]; do :; done; kill -9 $!`)
	takenBack(t, m, 2, "not confirmed within 20s")
	if diff := lines(before, portrait(m)); diff != "" {
		t.Errorf("after it was killed (-want +got):\n%s", diff)
	}

	t.Log("one is confirmed, and one is not when the power fails")
	m.OK("harden --yes --confirm-within 20s --only docker:3 && harden confirm && harden confirm")
	if out := m.OK("systemctl list-timers --all 'harden*' --no-legend; ls /etc/systemd/system | grep harden; ls " +
		"/var/lib/harden"); strings.Contains(out, "unconfirmed") {
		t.Errorf("confirmed, and still armed:\n%s", out)
	}
	confirmed := portrait(m)
	m.OK("harden --yes --confirm-within 1h --allow restart --only docker/live-restore,docker/log-level,docker:1")
	if lines(confirmed, portrait(m)) == "" {
		t.Fatal("the second run has changed nothing")
	}
	if got := m.OK(argv); strings.Contains(got, "--log-level=debug") {
		t.Fatalf("the second run has not changed dockerd's flags: %s", got)
	}
	// systemd knows by now what it is to start at boot, and whatever it starts has it started too: which must do nothing.
	m.OK("systemctl daemon-reload && systemctl restart docker && harden history | grep -q 'unconfirmed, until'")
	m.OK("sleep 21") // the confirmed one's time is over too
	m.Cut()
	if failed := m.Boot(); failed != "" {
		t.Errorf("after the power was cut these did not start: %s", failed)
	}
	takenBack(t, m, 4, "the host rebooted before it was confirmed")
	if diff := lines(confirmed, portrait(m)); diff != "" {
		t.Errorf("after the power was cut (-want +got):\n%s", diff)
	}
	if outcome, _ := runNumber(t, m, 3); outcome != "applied" {
		t.Errorf("the run that was confirmed is %s", outcome)
	}
	done, err := strconv.ParseInt(strings.TrimSpace(m.OK(`jq -s '[.[].record | `+
		`select(.event == "rolled-back")][-1].uptime_ns / 1000 | floor' /var/lib/harden/audit.jsonl`)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	for _, unit := range []string{"docker.service", "containerd.service", "auditd.service"} {
		out := strings.TrimSpace(m.OK("systemctl show -P ExecMainStartTimestampMonotonic " + unit))
		if started, err := strconv.ParseInt(out, 10, 64); err != nil || started < done {
			t.Errorf("%s started %s µs after the boot, and the run was taken back after %d", unit, out, done)
		}
	}
	if got := m.OK("docker info -f '{{.LiveRestoreEnabled}}'"); got != "false\n" {
		t.Errorf("dockerd has started with what was not confirmed: live-restore is %s", got)
	}
	if got := m.OK(argv); !strings.Contains(got, "--log-level=debug") {
		t.Errorf("dockerd has started with flags that were not confirmed: %s", got)
	}
	if out := m.OK("harden history; ls /var/lib/harden /etc/systemd/system"); strings.Contains(out, "unconfirmed") {
		t.Errorf("something is left of it:\n%s", out)
	}
}

// runNumber is what harden says of the nth run.
func runNumber(t *testing.T, m *vm.Machine, n int) (outcome, reason string) {
	t.Helper()
	var runs []struct{ ID, Outcome, Reason string }
	out := m.OK("harden history --format json")
	if err := json.Unmarshal([]byte(out), &runs); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, r := range runs {
		if strings.HasPrefix(r.ID, fmt.Sprintf("%04d-", n)) {
			return r.Outcome, r.Reason
		}
	}
	t.Fatalf("there is no run %d:\n%s", n, out)
	return "", ""
}

// takenBack waits until nothing is armed any more, and wants the nth run to have been taken back.
func takenBack(t *testing.T, m *vm.Machine, n int, reason string) {
	t.Helper()
	m.Run("for i in $(seq 240); do [ -e /var/lib/harden/unconfirmed ] || break; sleep 1; done")
	if outcome, why := runNumber(t, m, n); outcome != "rolled-back" || why != reason {
		t.Fatalf("run %d is %s (%s), and should be taken back because %s\n%s", n, outcome, why, reason,
			m.OK("journalctl -b --no-pager -u 'harden*' | tail -n 40"))
	}
}
