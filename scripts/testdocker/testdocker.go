// Package testdocker runs a real Docker Engine that belongs to one test: its own dockerd and containerd, sockets,
// data and configuration, all below a temporary directory. It touches nothing of the engine that the machine may have.
package testdocker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/client"
	"golang.org/x/sys/unix"

	"example.com/harden/scripts/child"
)

// patience is how long the engine may take to start or to stop on a busy machine.
const patience = 2 * time.Minute

// A Daemon is a running dockerd.
type Daemon struct {
	Host       string // for --docker-host: unix:///…
	Socket     string // the same as a path
	PID        int
	ConfigFile string // its daemon.json, which holds {} at first
	PIDFile    string
	DataRoot   string
	Client     *client.Client

	t          testing.TB
	dir        string
	containerd *program
	dockerd    *program
	image      bool
}

// Start runs an engine until the test ends, without a bridge and without firewall rules; extra are further flags of
// dockerd. The test is skipped where dockerd is not installed or the test does not run as root: neither a mock nor
// another user can stand in for it.
func Start(t testing.TB, extra ...string) *Daemon {
	t.Helper()
	for _, program := range []string{"dockerd", "containerd"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("needs a real Docker Engine: %v", err)
		}
	}
	if os.Getuid() != 0 {
		t.Skip("needs root to run a Docker Engine")
	}
	dir, err := os.MkdirTemp("", "td") // t.TempDir is too long for a socket's 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	d := &Daemon{
		t: t, dir: dir,
		Socket:     filepath.Join(dir, "docker.sock"),
		ConfigFile: filepath.Join(dir, "daemon.json"),
		PIDFile:    filepath.Join(dir, "docker.pid"),
		DataRoot:   filepath.Join(dir, "data"),
	}
	d.Host = "unix://" + d.Socket
	t.Cleanup(d.close)
	d.write("daemon.json", "{}\n")
	d.write("containerd.toml", fmt.Sprintf(containerdConfig, dir, dir, dir))
	d.containerd = d.start("containerd", "--config", filepath.Join(dir, "containerd.toml"))
	d.Client, err = client.NewClientWithOpts(client.WithHost(d.Host), client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	d.run(extra)
	return d
}

// The plugins left out are those that the tests have no use for and that would write outside the directory.
const containerdConfig = `version = 2
root = "%s/c"
state = "%s/cs"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt", "io.containerd.internal.v1.tracing",
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper"]
[grpc]
  address = "%s/c.sock"
`

func (d *Daemon) write(name, content string) {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(d.dir, name), []byte(content), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

// Args is what Start passes to dockerd before the flags of the test.
func (d *Daemon) Args() []string {
	args := []string{"-H", d.Host, "--config-file", d.ConfigFile, "--data-root", d.DataRoot, "--pidfile", d.PIDFile,
		"--exec-root", filepath.Join(d.dir, "exec"), "--containerd", filepath.Join(d.dir, "c.sock"), "--storage-driver=vfs"}
	return append(args, "--bridge=none", "--iptables=false", "--ip-masq=false", "--ip-forward=false")
}

func (d *Daemon) run(extra []string) {
	d.t.Helper()
	d.dockerd = d.start("dockerd", append(d.Args(), extra...)...)
	d.PID = d.dockerd.cmd.Process.Pid
	if err := d.ready(); err != nil {
		log, _ := os.ReadFile(filepath.Join(d.dir, "dockerd.log"))
		d.t.Fatalf("dockerd does not answer: %v\n%s", err, log[max(0, len(log)-4000):])
	}
}

// ready waits until the engine answers, and fails at once when it has ended.
func (d *Daemon) ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		_, err := d.Client.Ping(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-d.dockerd.done:
			return errors.New("it has ended")
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Restart stops dockerd in good order and starts it again; extra takes the place of the flags it had.
func (d *Daemon) Restart(extra ...string) {
	d.t.Helper()
	d.Stop()
	d.run(extra)
}

// Stop ends dockerd in good order and leaves its files as they are. Containers survive it only with live-restore.
func (d *Daemon) Stop() {
	d.t.Helper()
	d.dockerd.stop()
}

// Log returns what dockerd has written so far.
func (d *Daemon) Log() string {
	log, _ := os.ReadFile(filepath.Join(d.dir, "dockerd.log"))
	return string(log)
}

func (d *Daemon) close() {
	d.removeContainers()
	for _, p := range []*program{d.dockerd, d.containerd} {
		if p != nil {
			p.stop()
		}
	}
	d.unmount()
	if err := os.RemoveAll(d.dir); err != nil {
		d.t.Errorf("testdocker leaves something behind: %v", err)
	}
}

// unmount takes off what dockerd mounts below its directory and leaves there.
func (d *Daemon) unmount() {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		d.t.Error(err)
	}
	lines := strings.Split(string(mounts), "\n")
	for _, line := range slices.Backward(lines) {
		if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[1], d.dir+"/") {
			if err := unix.Unmount(f[1], unix.MNT_DETACH); err != nil && !errors.Is(err, fs.ErrNotExist) {
				d.t.Errorf("unmount %s: %v", f[1], err)
			}
		}
	}
}

// A program is one that runs until it is stopped, or until the test's process ends however it ends.
type program struct {
	cmd  *exec.Cmd
	done <-chan struct{}
}

// start runs a program whose output goes to NAME.log.
func (d *Daemon) start(name string, args ...string) *program {
	d.t.Helper()
	log, err := os.OpenFile(filepath.Join(d.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		d.t.Fatal(err)
	}
	defer log.Close()
	p := &program{cmd: exec.Command(name, args...)}
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Dir = log, log, "/"
	if p.done, err = child.Start(p.cmd); err != nil {
		d.t.Fatal(err)
	}
	return p
}

// stop ends the program in good order, or by force when that takes too long.
func (p *program) stop() {
	select {
	case <-p.done:
		return
	default:
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(patience):
		p.cmd.Process.Kill()
		<-p.done
	}
}
