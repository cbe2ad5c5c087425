package vm_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/scripts/vm"
)

// TestMachine holds the harness to what the other tests take for granted of it.
func TestMachine(t *testing.T) {
	needsVM(t)
	t.Parallel()
	m := vm.Start(t, vm.Build(t, vm.Debian12))

	kind := m.OK(`cat /proc/1/comm; stat -f -c %T /sys/fs/cgroup; systemctl is-active docker auditd`)
	if diff := cmp.Diff("systemd\ncgroup2fs\nactive\nactive\n", kind); diff != "" {
		t.Fatalf("the kind of host (-want +got):\n%s", diff)
	}
	if out, code := m.Run(`echo said; kill -9 $$`); out != "said\n" || code != 128+9 {
		t.Errorf("a killed script gave %q and %d", out, code)
	}
	data := bytes.Repeat([]byte{0, 1, 0xff, '\n'}, 1<<20)
	m.Put("/root/bytes", 0o640, data)
	if !bytes.Equal(data, m.Get("/root/bytes")) {
		t.Error("a file did not come back as it was sent")
	}
	if got := m.OK("stat -c %a /root/bytes"); got != "640\n" {
		t.Errorf("it was written with mode %s", got)
	}

	// a snapshot keeps what runs, and what one machine does to it another does not see
	pid := m.OK(`setsid sleep 10000 >&- 2>&- & echo $!`)
	shot := m.Snapshot()
	m = vm.Start(t, shot)
	m.OK("rm /root/bytes; sync; kill " + pid)
	m.Cut()
	m = vm.Start(t, shot)
	m.OK("test -e /root/bytes && kill -0 " + pid)

	// a power cut takes what was not made durable, and only that
	before := m.Flushes()
	m.OK(`echo kept >/root/kept; sync /root/kept /root`)
	if m.Flushes() <= before {
		t.Error("an fsync in the machine was no flush of its disk")
	}
	m.OK(`echo lost >/root/lost`)
	m.Cut()
	if failed := m.Boot(); failed != "" {
		t.Errorf("after the cut these did not start: %s", failed)
	}
	if got := m.OK("cd /root; ls kept lost 2>/dev/null; true"); got != "kept\n" {
		t.Errorf("after the cut there is %q", strings.Fields(got))
	}
	boot := m.OK("cat /proc/sys/kernel/random/boot_id")
	if failed := m.Reboot(); failed != "" {
		t.Errorf("after the reboot these did not start: %s", failed)
	}
	if m.OK("cat /proc/sys/kernel/random/boot_id") == boot {
		t.Error("a reboot did not boot")
	}
}

// needsVM leaves the tests on a virtual machine, which take minutes, out of a short run.
func needsVM(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("on a virtual machine: not in a -short run")
	}
}
