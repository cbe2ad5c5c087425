package activate

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	"golang.org/x/sys/unix"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/facts/live"
	"example.com/harden/remediate/linux"
)

// A process is one process for ever: the kernel gives a number to another one later, never with the same start.
type process struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // in clock ticks since boot, field 22 of /proc/PID/stat
}

// dockerd returns the process if it is a dockerd. A package upgrade leaves the daemon running from a file that is
// gone; that is still a dockerd.
func dockerd(pid int) (process, error) {
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return process{}, fmt.Errorf("PID %d: %w", pid, err)
	}
	if name := filepath.Base(strings.TrimSuffix(exe, " (deleted)")); name != "dockerd" {
		return process{}, fmt.Errorf("PID %d is %s, not dockerd", pid, exe)
	}
	if err := ours(pid); err != nil {
		return process{}, fmt.Errorf("dockerd (PID %d) is not trusted: %w", pid, err)
	}
	start, err := startOf(pid)
	return process{pid, start}, err
}

// ours is an error where a process is not root's own: anybody can give a program any name.
func ours(pid int) error {
	machine := live.New("/", live.DockerOptions{})
	p, err := machine.Process(pid)
	if err != nil {
		return err
	}
	if why := facts.New(context.Background(), machine, facts.Choices{}).Foreign(p); why != "" {
		return errors.New(why)
	}
	return nil
}

// startOf reads when a process began. A zombie has ended, though its number is still taken.
func startOf(pid int) (uint64, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("PID %d: %w", pid, err)
	}
	// The second field is the program's name in parentheses, and the name may itself hold blanks and parentheses.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 {
		return 0, fmt.Errorf("/proc/%d/stat: too few fields", pid)
	}
	if fields[0] == "Z" || fields[0] == "X" {
		return 0, fmt.Errorf("PID %d has ended: %w", pid, fs.ErrNotExist)
	}
	return strconv.ParseUint(fields[19], 10, 64)
}

// alive reports whether the process still is that process.
func (p process) alive() bool {
	start, err := startOf(p.PID)
	return err == nil && start == p.Start
}

// ending reports whether the process ends within a second: its connections close a little earlier.
func (p process) ending() bool {
	for range 20 {
		if !p.alive() {
			return true
		}
		time.Sleep(50 * time.Millisecond)
	}
	return false
}

// hangup sends SIGHUP to the process if it still is a dockerd: to most other programs that signal is the end.
// The handle is taken before the process is looked at, so that a number which is given away in between hits nobody;
// os.FindProcess holds a pidfd wherever the kernel has it (5.4).
func (p process) hangup() error {
	handle, err := os.FindProcess(p.PID)
	if err != nil {
		return fmt.Errorf("PID %d: %w", p.PID, err)
	}
	defer handle.Release()
	now, err := dockerd(p.PID)
	if err != nil {
		return err
	}
	if now != p {
		return fmt.Errorf("dockerd (PID %d) was replaced in the meantime", p.PID)
	}
	if err := handle.Signal(syscall.SIGHUP); err != nil {
		return fmt.Errorf("dockerd (PID %d): %w", p.PID, err)
	}
	return nil
}

// daemon finds the dockerd that serves the Engine API here. The error wraps errAsleep when none runs.
func (s *Services) daemon(ctx context.Context, name string) (process, error) {
	if s.opts.PID != nil {
		pid, err := s.opts.PID(ctx)
		if err != nil {
			return process{}, err
		}
		return dockerd(pid)
	}
	name = cmp.Or(name, s.opts.Unit)
	if s.opts.Alone || docker.OpenRC(name) {
		pid, err := s.peer(ctx)
		if err != nil {
			return process{}, err
		}
		return dockerd(pid)
	}
	var main process
	err := s.withBus(ctx, func(c *dbus.Conn) error {
		u, err := unitOf(ctx, c, name)
		if err == nil && u.MainPID != 0 {
			main, err = dockerd(u.MainPID)
		}
		return err
	})
	systemd := err == nil
	if err != nil && !errors.Is(err, errNoSystemd) {
		return process{}, err
	}
	pid, err := s.peer(ctx)
	if err != nil {
		return process{}, err
	}
	peer, err := dockerd(pid)
	switch {
	case err != nil && main != process{}:
		return main, nil // systemd made the socket and handed it on
	case err != nil && systemd && pid == 1:
		return process{}, fmt.Errorf("%w: systemd listens at %s in place of %s", errAsleep, s.opts.DockerHost, name)
	case err != nil: // PID 0 is somebody outside of the container that harden runs in
		return process{}, fmt.Errorf("%s: its owner is unknown: %w", s.opts.DockerHost, err)
	case main != process{} && main != peer:
		return process{}, fmt.Errorf("%s belongs to the dockerd with PID %d, but %s runs the one with PID %d",
			s.opts.DockerHost, peer.PID, name, main.PID)
	}
	return peer, nil
}

// peer asks the kernel who listens on the Engine's socket. The error wraps errAsleep when nobody does.
func (s *Services) peer(ctx context.Context) (int, error) {
	if err := s.local(); err != nil {
		return 0, err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", strings.TrimPrefix(s.opts.DockerHost, "unix://"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ECONNREFUSED) {
		return 0, fmt.Errorf("%w: %w", errAsleep, err)
	}
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var pid int
	var unknown error
	err = raw.Control(func(fd uintptr) { pid, unknown = linux.Peer(int(fd)) })
	if err = cmp.Or(err, unknown); err != nil {
		return 0, fmt.Errorf("%s: %w", s.opts.DockerHost, err)
	}
	return pid, nil
}
