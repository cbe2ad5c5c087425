package kube

import (
	"context"
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

	"golang.org/x/sys/unix"

	"example.com/harden/scripts/child"
)

// patience bounds every wait, so that a program that hangs fails its test. Nothing is judged by how long it took: it is
// more than what harden itself waits for, a roll-out and the way back from it.
const patience = 25 * time.Minute

// Address is where a Node's control plane is reached, from the range that is kept for documentation.
const Address = "192.0.2.10"

// Name is how a Node is called in its cluster.
const Name = "node1"

// A Node stands for a machine of a cluster: a root folder, and processes that see it as /, have the network to
// themselves (a loopback interface that answers to Address) and see only each other. Pod runs a static pod's program on
// the pod's own folders, which takes no time; RealKubelet has a kubelet and containerd run all of them.
type Node struct {
	Root string // where the node's / is for the test

	t    testing.TB
	bin  Binaries
	init *exec.Cmd
	gone <-chan struct{} // closed when init has ended, and all of the node with it
	dir  string          // the folders of pods and the output of programs
	pods int
}

// NewNode makes a node whose / is empty but for /dev, /proc, /sys, and this machine's /usr, read only, with Binaries in
// /usr/local/bin. These are mounts that only the node's processes see. It ends with the test, which is skipped where it
// does not run as root.
func NewNode(t testing.TB) *Node {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to make namespaces")
	}
	n := &Node{t: t, bin: Build(t), dir: t.TempDir()}
	n.Root = filepath.Join(n.dir, "root")
	for _, d := range []string{"dev", "etc/ssl/certs", "proc", "root", "run", "sys", "tmp", "usr", "var/lib", "var/log"} {
		if err := os.MkdirAll(filepath.Join(n.Root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []string{"bin", "lib", "lib64", "sbin"} {
		if err := os.Symlink("usr/"+d, filepath.Join(n.Root, d)); err != nil {
			t.Fatal(err)
		}
	}
	n.Write("/etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/bash\n")
	n.Write("/etc/group", 0o644, "root:x:0:\n")
	started, ready, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer started.Close()
	n.init = exec.Command("/bin/bash", "-euc", `
mount --make-rprivate /
mount --bind "$2" "$2" # a root that a container runtime can leave
ip link set lo up
ip addr add "$1/32" dev lo
mount -t proc proc "$2/proc"
mount --rbind /dev "$2/dev"
mount --rbind /sys "$2/sys"
mount -t cgroup2 cgroup2 "$2/sys/fs/cgroup" # a kubelet refuses a host of the first version
mount --rbind /usr "$2/usr"
mount --bind "$3" "$2/usr/local/bin"
mount -t tmpfs tmpfs "$2/usr/libexec" # a volume of the controller manager is made there
mount -o remount,bind,ro "$2/usr"
mount --make-rshared "$2" # as systemd has a machine's, for pods that see what is mounted later
echo >&3
exec 3>&-
exec sleep infinity`, "init", Address, n.Root, n.bin.Dir)
	var said strings.Builder
	n.init.Stdout, n.init.Stderr, n.init.ExtraFiles = &said, &said, []*os.File{ready}
	n.init.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID}
	n.gone, err = child.Start(n.init)
	ready.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.end)
	if _, err := started.Read(make([]byte, 1)); err != nil {
		n.end()
		t.Fatalf("the node does not start: %v\n%s", n.init.ProcessState, said.String())
	}
	return n
}

// end ends all of the node, with its first process.
func (n *Node) end() {
	n.init.Process.Kill()
	<-n.gone
}

// enter moves the calling thread, which must be locked and never used again, into the node.
func (n *Node) enter() error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil { // the kernel asks for it of a thread that changes its mounts
		return fmt.Errorf("unshare: %w", err)
	}
	kinds := []string{"net", "pid", "mnt"} // with mnt the files of /proc are others
	for _, kind := range kinds {
		ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/%s", n.init.Process.Pid, kind))
		if err != nil {
			return err
		}
		defer ns.Close()
		if err := unix.Setns(int(ns.Fd()), 0); err != nil {
			return fmt.Errorf("setns %s: %w", kind, err)
		}
	}
	return nil
}

// inside calls f on a thread that is in the node's namespaces, though not below its Root.
func (n *Node) inside(f func() error) error {
	done := make(chan error)
	child.Thread(func() {
		err := n.enter()
		if err == nil {
			err = f()
		}
		done <- err
	})
	return <-done
}

// dial connects to an address of the node's network: a numeric one, since names are resolved outside.
func (n *Node) dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = n.inside(func() error {
		conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// A Process is a program that runs on a node until it ends, is stopped, or the test ends.
type Process struct {
	PID int // as the machine of the test counts

	cmd    *exec.Cmd
	done   <-chan struct{}
	log    string
	peak   string   // the file that Measure has it written to
	probes []string // URLs
}

// Start runs a program of the node: one of Binaries by its name, or another by its path.
func (n *Node) Start(program string, args ...string) *Process {
	n.t.Helper()
	return n.start(n.Root, program, args)
}

// Run runs a program of the node to its end and gives what it said; that it ends well is a matter of err.
func (n *Node) Run(program string, args ...string) (out string, err error) {
	n.t.Helper()
	p := n.Start(program, args...)
	if err := p.Wait(); err != nil {
		return p.Log(), fmt.Errorf("%s: %w\n%s", program, err, p.Log())
	}
	return p.Log(), nil
}

func (n *Node) start(root, program string, args []string) *Process {
	n.t.Helper()
	log, err := os.CreateTemp(n.dir, filepath.Base(program)+"-*.log")
	if err != nil {
		n.t.Fatal(err)
	}
	defer log.Close()
	if !filepath.IsAbs(program) {
		program = "/usr/local/bin/" + program
	}
	p := &Process{log: log.Name(), cmd: &exec.Cmd{
		Path: program, Args: append([]string{filepath.Base(program)}, args...), Dir: "/", Stdout: log, Stderr: log,
		Env:         []string{"PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"},
		SysProcAttr: &syscall.SysProcAttr{Chroot: root},
	}}
	if p.done, err = child.StartIn(p.cmd, n.enter); err != nil {
		n.t.Fatalf("%s: %v", program, err)
	}
	p.PID = p.cmd.Process.Pid
	return p
}

// Log gives what the program has written to its standard output and error.
func (p *Process) Log() string {
	text, _ := os.ReadFile(p.log)
	return string(text)
}

// Wait waits until the program has ended, and says how when not well. One that does not end it kills.
func (p *Process) Wait() error {
	select {
	case <-p.done:
	case <-time.After(patience):
		p.Kill()
		return fmt.Errorf("it was killed: it had not ended within %v", patience)
	}
	if !p.cmd.ProcessState.Success() {
		return errors.New(p.cmd.ProcessState.String())
	}
	return nil
}

// Running reports whether the program has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Code gives how a program that has ended exited, -1 for one that a signal ended.
func (p *Process) Code() int { return p.cmd.ProcessState.ExitCode() }

// Measure is Start for a program that ends by itself, and of which Peak tells.
func (n *Node) Measure(program string, args ...string) *Process {
	n.t.Helper()
	dir, err := os.MkdirTemp(filepath.Join(n.Root, "tmp"), "peak-*")
	if err != nil {
		n.t.Fatal(err)
	}
	argv := child.Measured(filepath.Join("/tmp", filepath.Base(dir), "peak"), append([]string{program}, args...)...)
	p := n.Start(argv[0], argv[1:]...)
	p.peak = filepath.Join(dir, "peak")
	return p
}

// Peak gives the most memory that a program of Measure held, or any that it waited for, in bytes.
func (p *Process) Peak() int64 {
	peak, err := child.Peak(p.peak)
	if err != nil {
		panic(err) // it has not ended, or is not of Measure
	}
	return peak
}

// Kill ends the program at once.
func (p *Process) Kill() {
	p.cmd.Process.Kill()
	<-p.done
}

// Stop ends the program in good order.
func (p *Process) Stop() error {
	if p.Running() {
		if err := syscall.Kill(p.PID, syscall.SIGTERM); err != nil && err != syscall.ESRCH {
			return err
		}
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(patience):
		return fmt.Errorf("%s does not end", p.cmd.Path)
	}
}

// Write writes a file of the node, whose folders it makes.
func (n *Node) Write(path string, mode fs.FileMode, text string) {
	n.t.Helper()
	path = filepath.Join(n.Root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		n.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		n.t.Fatal(err)
	}
}

// Read gives a file of the node.
func (n *Node) Read(path string) string {
	n.t.Helper()
	text, err := os.ReadFile(filepath.Join(n.Root, path))
	if err != nil {
		n.t.Fatal(err)
	}
	return string(text)
}
