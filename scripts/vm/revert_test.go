package vm_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRevert lets the daemon refuse its new configuration: it has to be back on the old one by itself, and harden has
// to say so.
func TestRevert(t *testing.T) {
	m := careless(t)
	m.OK(`
		mkdir -p /etc/systemd/system/docker.service.d
		printf '[Service]\nExecStartPre=/bin/sh -c "! grep -q no-new-privileges /etc/docker/daemon.json"\n' \
			>/etc/systemd/system/docker.service.d/refuse.conf
		systemctl daemon-reload`)
	before, ran := portrait(m), pids(m)
	daemon := m.OK("systemctl show docker -p MainPID")

	r := harden(t, m, "--yes --allow restart", 4)
	if r.Run == nil || r.Run.Outcome != "rolled-back" || r.Run.Reason == "" {
		t.Errorf("the run: %+v", r.Run)
	}
	said := m.OK("cat /run/said")
	for _, word := range []string{"restart docker.service", "rolled back"} {
		if !strings.Contains(said, word) {
			t.Errorf("harden does not say %q:\n%s", word, said)
		}
	}
	if diff := lines(before, portrait(m)); diff != "" {
		t.Errorf("after a restart that failed (-want +got):\n%s", diff)
	}
	if got := m.OK("systemctl is-active docker; docker run --rm sleeper /bin/busybox grep NoNewPrivs " +
		"/proc/self/status"); got != "active\nNoNewPrivs:\t0\n" {
		t.Errorf("the daemon: %s", got)
	}
	if m.OK("systemctl show docker -p MainPID") == daemon {
		t.Error("the daemon was never restarted, so nothing was tried")
	}
	if diff := cmp.Diff(ran, pids(m)); diff != "" {
		t.Errorf("the containers that ran before (-want +got):\n%s", diff)
	}
}
