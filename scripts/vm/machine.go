// Package vm runs tests on a real Debian host: systemd as PID 1, cgroup v2, dockerd and auditd, in QEMU, without the
// processor's help and without a network. A machine starts in seconds from a snapshot of a running one, takes scripts
// and files over a serial port, and can have its power cut.
package vm

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/harden/scripts/built"
	"example.com/harden/scripts/child"
	"example.com/harden/scripts/vm/wire"
)

// patience bounds every wait, so that a machine that hangs fails its test instead of the whole run. Nothing is judged
// by how long it took.
const patience = 15 * time.Minute

// A Machine is one virtual host. Its methods end the test on any error that is the machine's and not the script's.
type Machine struct {
	t     testing.TB
	from  Snapshot
	dir   string
	disk  string
	qemu  *exec.Cmd
	gone  <-chan struct{} // closed when the emulator has ended
	agent net.Conn
	qmp   *monitor
	last  uint64 // the ID of the last request
}

// Start runs a machine from a snapshot until the test ends.
func Start(t testing.TB, from Snapshot) *Machine {
	t.Helper()
	return StartIn(t, from, t.TempDir())
}

// StartIn is Start for a machine whose disk is to outlive the test, in a snapshot: it is kept in dir.
func StartIn(t testing.TB, from Snapshot, dir string) *Machine {
	t.Helper()
	m := &Machine{t: t, from: from, dir: dir, disk: filepath.Join(dir, "overlay.qcow2")}
	base, format := from.disk, "qcow2"
	if filepath.Ext(base) == ".img" {
		format = "raw"
	}
	if filepath.Dir(base) == dir {
		base = filepath.Base(base) // an image and what it stands on move together
	}
	if _, err := built.Output("qemu-img", "create", "-q", "-f", "qcow2", "-F", format, "-b", base, m.disk); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Cut)
	m.run(from.state)
	return m
}

// run starts the emulator, on the memory saved in state if there is one, and waits for the agent.
func (m *Machine) run(state string) {
	m.t.Helper()
	for _, socket := range []string{"agent", "qmp"} {
		os.Remove(filepath.Join(m.dir, socket))
	}
	m.qemu = exec.Command(emulator, hardware(m.from.kernel, m.from.initrd, m.disk)...)
	m.qemu.Dir = m.dir // the sockets are named from here: a unix socket's path may not be long
	var said strings.Builder
	m.qemu.Stdout, m.qemu.Stderr = &said, &said
	if state != "" {
		f, err := os.Open(state)
		if err != nil {
			m.t.Fatal(err)
		}
		defer f.Close()
		m.qemu.ExtraFiles = []*os.File{f}
		m.qemu.Args = append(m.qemu.Args, "-incoming", "fd:3")
	}
	var err error
	if m.gone, err = child.Start(m.qemu); err != nil {
		m.t.Fatalf("%v (scripts/setup installs what the tests need)", err)
	}
	m.agent = m.dial("agent", &said)
	m.qmp = newMonitor(m.t, m.dial("qmp", &said))
	m.qmp.run()
	m.OK(fmt.Sprintf("date -s @%d", time.Now().Unix())) // a resumed machine believes that no time has passed
}

// dial connects to one of the emulator's sockets, which appear a moment after it starts.
func (m *Machine) dial(name string, said fmt.Stringer) net.Conn {
	m.t.Helper()
	wd, err := os.Open(m.dir)
	if err != nil {
		m.t.Fatal(err)
	}
	defer wd.Close()
	path := fmt.Sprintf("/proc/self/fd/%d/%s", wd.Fd(), name)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("unix", path); err == nil {
			return c
		}
		select {
		case <-m.gone:
			m.t.Fatalf("%s: %v\n%s", emulator, m.qemu.ProcessState, said)
		default:
		}
	}
	m.t.Fatalf("%s made no %s", emulator, name)
	return nil
}

// Run runs a script with bash as root and gives what it printed, and how it exited.
func (m *Machine) Run(script string) (out string, code int) {
	m.t.Helper()
	r := m.ask(wire.Request{Script: script})
	return string(r.Out), r.Code
}

// OK runs a script that must succeed and gives what it printed.
func (m *Machine) OK(script string) string {
	m.t.Helper()
	out, code := m.Run(script)
	if code != 0 {
		m.t.Fatalf("%s\nexited %d:\n%s", script, code, out)
	}
	return out
}

// Put writes a file.
func (m *Machine) Put(path string, mode fs.FileMode, data []byte) {
	m.t.Helper()
	m.ask(wire.Request{Write: path, Mode: mode, Data: data})
}

// Install builds a program of this module, static, and puts it at a path of the machine.
func (m *Machine) Install(pkg, path string) {
	m.t.Helper()
	binary := filepath.Join(m.t.TempDir(), "program")
	if err := Compile(binary, pkg); err != nil {
		m.t.Fatal(err)
	}
	data, err := os.ReadFile(binary)
	if err != nil {
		m.t.Fatal(err)
	}
	m.Put(path, 0o755, data)
}

// Get reads a file.
func (m *Machine) Get(path string) []byte {
	m.t.Helper()
	return m.ask(wire.Request{Read: path}).Out
}

func (m *Machine) ask(req wire.Request) wire.Reply {
	m.t.Helper()
	m.last++
	req.ID = m.last
	m.agent.SetDeadline(time.Now().Add(patience))
	if err := wire.Send(m.agent, req); err != nil {
		m.t.Fatalf("the machine: %v\n%s", err, m.console())
	}
	for {
		var reply wire.Reply
		if err := wire.Receive(m.agent, &reply); err != nil {
			m.t.Fatalf("the machine, asked for %q %s%s: %v\n%s", req.Script, req.Write, req.Read, err, m.console())
		}
		if reply.ID != req.ID {
			continue // the answer to what the snapshot's own test had asked
		}
		if reply.Err != "" {
			m.t.Fatalf("%q %s%s: %s", req.Script, req.Write, req.Read, reply.Err)
		}
		return reply
	}
}

// console gives the last of what the machine said on its console.
func (m *Machine) console() string {
	text, _ := os.ReadFile(filepath.Join(m.dir, "console.log"))
	return string(text[max(0, len(text)-3000):])
}

// Booted waits until systemd has started all that it starts at boot, and says which units failed.
func (m *Machine) Booted() (failed string) {
	m.t.Helper()
	m.Run("systemctl is-system-running --wait") // "degraded" is no error here: the units that failed are the answer
	return strings.TrimSpace(m.OK("systemctl list-units --failed --plain --no-legend | awk '{print $1}'"))
}

// Cut takes the machine's power away: what it had not handed to its disk is lost.
func (m *Machine) Cut() {
	if m.qemu == nil {
		return
	}
	m.qemu.Process.Kill()
	m.down()
}

func (m *Machine) down() {
	<-m.gone
	m.agent.Close()
	m.qmp.close()
	m.qemu = nil
}

// Boot starts a machine that is off, from its disk, and waits until it has booted.
func (m *Machine) Boot() (failed string) {
	m.t.Helper()
	m.run("")
	return m.Booted()
}

// Reboot shuts the machine down in order and boots it again.
func (m *Machine) Reboot() (failed string) {
	m.t.Helper()
	m.last++
	m.agent.SetDeadline(time.Now().Add(patience))
	// not waited for: systemd may end the agent before it answers
	if err := wire.Send(m.agent, wire.Request{ID: m.last, Script: "systemctl --no-block poweroff"}); err != nil {
		m.t.Fatalf("the machine: %v\n%s", err, m.console())
	}
	select {
	case <-m.gone:
	case <-time.After(patience):
		m.t.Fatalf("the machine does not power off\n%s", m.console())
	}
	m.down()
	return m.Boot()
}

// Snapshot stops the machine for good and gives what any number of machines can go on from. The disk is brought up to
// date first, so that a power cut right after loses nothing of what was done before.
func (m *Machine) Snapshot() Snapshot {
	m.t.Helper()
	m.OK("sync")
	s := Snapshot{disk: m.disk, state: filepath.Join(m.dir, "state"), kernel: m.from.kernel, initrd: m.from.initrd}
	m.qmp.save(s.state)
	m.Cut()
	return s
}

// Flushes counts how often the machine has told its disk to make everything durable: a clock that ticks once a fsync.
func (m *Machine) Flushes() int {
	m.t.Helper()
	return m.qmp.flushes()
}
