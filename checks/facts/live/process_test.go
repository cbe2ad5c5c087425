//go:build linux && !portable

package live_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/harden/checks/facts"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestProcesses(t *testing.T) {
	dir := t.TempDir()
	named := filepath.Join(dir, "some-daemon")
	program, err := os.ReadFile("/bin/sleep")
	must(t, err)
	must(t, os.WriteFile(named, program, 0o755))
	start := func(path string, args ...string) *exec.Cmd {
		cmd := exec.Command(path, args...)
		must(t, cmd.Start())
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		return cmd
	}
	before := time.Now()
	daemon := start(named, "600", "601")
	start("/bin/sleep", "602") // says nothing of the daemon
	teller := exec.Command("/bin/sleep", "603")
	teller.Args[0] = named // calls itself the daemon
	must(t, teller.Start())
	t.Cleanup(func() { teller.Process.Kill(); teller.Wait() })
	must(t, os.Remove(named)) // as an upgrade does
	ps, err := machine.Processes(t.Context(), "some-daemon")
	must(t, err)
	here, err := os.Getwd()
	must(t, err)
	want := []facts.Process{{PID: daemon.Process.Pid, Exe: named, Args: []string{named, "600", "601"},
		UID: uint32(os.Geteuid()), Dir: here,
		Origin: facts.Origin{RealUID: uint32(os.Getuid()), SavedUID: uint32(os.Geteuid()), ProgramUID: uint32(os.Geteuid()),
			ProgramMode: 0o755, Deleted: true}}}
	if diff := cmp.Diff(want, ps, cmpopts.IgnoreFields(facts.Process{}, "Started", "Unit", "Cgroup")); diff != "" {
		t.Fatalf("(-want +got)\n%s", diff)
	}
	const tick = 10 * time.Millisecond
	if s := ps[0].Started; s.Before(before.Add(-2*tick)) || s.After(time.Now().Add(tick)) {
		t.Errorf("started at %v, which is not between %v and now", s, before)
	}
	if ps, err := machine.Processes(t.Context(), "no-such-daemon"); err != nil || len(ps) != 0 {
		t.Errorf("of a program that does not run there are %v, %v", ps, err)
	}
}

// TestOptions reads of etcd's environment what etcd does, and nothing of another program's.
func TestOptions(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: who else runs an etcd is not asked")
	}
	program, err := os.ReadFile("/bin/sleep")
	must(t, err)
	dir := t.TempDir()
	for name, want := range map[string]map[string]string{"etcd": {"ETCD_AUTO_TLS": "true", "ETCD_NAME": "a=b"},
		"other-store": nil} {
		named := filepath.Join(dir, name)
		must(t, os.WriteFile(named, program, 0o755))
		cmd := exec.Command(named, "600")
		cmd.Env = []string{"ETCD_AUTO_TLS=true", "PASSWORD=x", "ETCD_NAME=a=b"}
		must(t, cmd.Start())
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		p, err := machine.Process(cmd.Process.Pid)
		must(t, err)
		if diff := cmp.Diff(want, p.Env); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

// TestLongCommandLine gives a program megabytes of arguments to keep, as anybody can: that is told of it, and not cut
// off, and hides no other of that name.
func TestLongCommandLine(t *testing.T) {
	named := filepath.Join(t.TempDir(), "wordy-daemon")
	program, err := os.ReadFile("/bin/sleep")
	must(t, err)
	must(t, os.WriteFile(named, program, 0o755))
	args := []string{"600"}
	for range 12 {
		args = append(args, strings.Repeat("0", 100_000))
	}
	cmd := exec.Command(named, args...)
	must(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	ps, err := machine.Processes(t.Context(), "wordy-daemon")
	if err != nil || len(ps) != 1 || len(ps[0].Args) > 0 {
		t.Fatalf("%d processes, %v", len(ps), err)
	}
	if why := ps[0].Doubt(false, ""); !strings.Contains(why, "more than the limit of 1048576 bytes") {
		t.Errorf("it counts: %q", why)
	}
}

// TestContained tells a process in a namespace of its own, as containers have one, from the host's.
func TestContained(t *testing.T) {
	named := filepath.Join(t.TempDir(), "some-contained")
	program, err := os.ReadFile("/bin/sleep")
	must(t, err)
	must(t, os.WriteFile(named, program, 0o755))
	cmd := exec.Command(named, "600")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
	}
	if err := cmd.Start(); err != nil {
		t.Skipf("this machine makes no namespaces: %v", err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	ps, err := machine.Processes(t.Context(), "some-contained")
	must(t, err)
	if len(ps) != 1 || !ps[0].Contained || ps[0].PID != cmd.Process.Pid {
		t.Fatalf("%+v", ps)
	}
	if own := facts.Own(ps); len(own) != 0 {
		t.Errorf("the host's own: %+v", own)
	}
}

func TestListeners(t *testing.T) {
	four, err := net.Listen("tcp4", "127.0.0.1:0")
	must(t, err)
	defer four.Close()
	dir, err := os.MkdirTemp("", "li") // t.TempDir is too long for a socket
	must(t, err)
	defer os.RemoveAll(dir)
	socket, err := net.Listen("unix", filepath.Join(dir, "a b.sock"))
	must(t, err)
	defer socket.Close()
	conn, err := net.Dial("tcp4", four.Addr().String()) // connections are no listeners
	must(t, err)
	defer conn.Close()
	want := []facts.Listener{{Network: "tcp", Address: four.Addr().String()}}
	if six, err := net.Listen("tcp6", "[::1]:0"); err == nil { // some machines have no IPv6
		defer six.Close()
		want = append(want, facts.Listener{Network: "tcp6", Address: six.Addr().String()})
	}
	all, err := net.Listen("tcp4", "0.0.0.0:0")
	must(t, err)
	defer all.Close()
	want = append(want, facts.Listener{Network: "tcp", Address: fmt.Sprintf("0.0.0.0:%d", all.Addr().(*net.TCPAddr).Port)},
		facts.Listener{Network: "unix", Address: filepath.Join(dir, "a b.sock")})
	got, err := machine.Listeners(t.Context(), os.Getpid())
	must(t, err)
	sorted := cmpopts.SortSlices(func(a, b facts.Listener) bool { return a.Network+a.Address < b.Network+b.Address })
	if diff := cmp.Diff(want, got, sorted); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if ls, err := machine.Listeners(t.Context(), 1<<30); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a process that does not exist listens on %v, %v", ls, err)
	}
}

// A Host looks at all processes once, whatever the number of names that it is asked for.
func TestCensus(t *testing.T) {
	dir := t.TempDir()
	program, err := os.ReadFile("/bin/sleep")
	must(t, err)
	start := func(name string) int {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, program, 0o755))
		cmd := exec.Command(path, "600")
		must(t, cmd.Start())
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		return cmd.Process.Pid
	}
	host := facts.New(t.Context(), machine, facts.Choices{})
	found := func(name string) (pids []int) {
		ps, err := host.Processes(name)
		must(t, err)
		for _, p := range ps {
			pids = append(pids, p.PID)
		}
		return pids
	}
	one, two := start("census-one"), start("census-two")
	if diff := cmp.Diff([]int{one}, found("census-one")); diff != "" {
		t.Errorf("one (-want +got)\n%s", diff)
	}
	start("census-late")
	if diff := cmp.Diff([]int{two}, found("census-two")); diff != "" {
		t.Errorf("two (-want +got)\n%s", diff)
	}
	if got := found("census-late"); got != nil {
		t.Errorf("one that was started later is among those that were counted: %v", got)
	}
}
