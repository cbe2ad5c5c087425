package ansible

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"example.com/harden/scripts/testdocker"
)

// TestRunningDaemon plays the role on a real dockerd that no systemd has started: what it takes up in place is done;
// what needs a restart is told of, and handed to the handler only where that is allowed.
func TestRunningDaemon(t *testing.T) {
	needs(t)
	d := testdocker.Start(t)
	h := newHost(t)
	h.root = "/"
	before, err := os.ReadFile(d.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	restarted := h.dir + "/restarted"
	playbook := fmt.Sprintf(`
- hosts: localhost
  gather_facts: false
  roles: [harden.hosts.harden]
  vars:
    harden_docker_host: %s
    harden_state_dir: %s
    harden_only: [docker/live-restore, docker/no-new-privileges]
    harden_config: %s/harden.yaml
    harden_settings: {allow: [restart]}
    harden_binary: %s/harden
    harden_binaries: {x86_64: %s}
    harden_restart_command: [touch, %s]
`, d.Host, h.state, h.dir, h.dir, built.installed, restarted)
	live := func() bool {
		t.Helper()
		info, err := d.Client.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return info.LiveRestoreEnabled
	}
	asked := func() bool { _, err := os.Stat(restarted); return err == nil }

	o := h.play(playbook, "--check", "--diff", "-e", "harden_restart=true")
	if now, err := os.ReadFile(d.ConfigFile); err != nil || string(now) != string(before) || live() || asked() {
		t.Errorf("--check has changed something: %v\n%s", err, now)
	}
	if o.code != 0 || o.changed == 0 || !strings.Contains(o.out, `"live-restore": true`) {
		t.Errorf("--check: %d changed, exit code %d\n%s", o.changed, o.code, o.out)
	}
	if o = h.play(playbook, "--check", "-e", "harden_restart_timeout=soon"); o.failed != 1 ||
		!strings.Contains(o.out, "use a time from 1s to 24h") {
		t.Errorf("with a restart timeout that is none: %d failed\n%s", o.failed, o.out)
	}
	if o = h.play(playbook, "-e", "harden_restart_timeout=10m"); o.code != 0 || o.changed == 0 ||
		!strings.Contains(o.out, "harden_restart lets this role do it") || asked() {
		t.Errorf("the run: %d changed, exit code %d, restart asked for: %v\n%s", o.changed, o.code, asked(), o.out)
	}
	if !live() {
		t.Error("dockerd has not taken live-restore up")
	}
	if o = h.play(playbook); o.code != 0 || o.changed != 0 || asked() {
		t.Errorf("again: %d changed, exit code %d, restart asked for: %v\n%s", o.changed, o.code, asked(), o.out)
	}
	if o = h.play(playbook, "-v", "-e", `{"harden_restart": true}`); o.code != 0 || !asked() {
		t.Errorf("with harden_restart: exit code %d, restart asked for: %v\n%s", o.code, asked(), o.out)
	}
	d.Restart()
	if err := os.Remove(restarted); err != nil {
		t.Error(err)
	}
	if o = h.play(playbook, "-e", `{"harden_restart": true, "harden_fail_on_findings": true}`); o.code != 0 ||
		o.changed != 0 || asked() {
		t.Errorf("after the restart: %d changed, exit code %d, restart asked for: %v\n%s", o.changed, o.code, asked(), o.out)
	}
	if o = h.play(playbook, "-e", "harden_rollback=newest"); o.code != 0 || o.changed != 1 {
		t.Errorf("the rollback: %d changed, exit code %d\n%s", o.changed, o.code, o.out)
	}
	if now, err := os.ReadFile(d.ConfigFile); err != nil || string(now) != string(before) {
		t.Errorf("daemon.json after the rollback, %v:\n%s", err, now)
	}
}
