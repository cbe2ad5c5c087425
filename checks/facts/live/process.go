//go:build linux && !portable

package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"example.com/harden/checks/budget"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/kube"
)

// Processes returns the processes whose executable has that base name, by PID, and tells those of our own namespace
// from those in containers. One that cannot be looked at but bears the name is fs.ErrPermission: leaving it out would
// say that it does not run.
func (s *Source) Processes(ctx context.Context, name string) ([]facts.Process, error) {
	find, err := s.Census(ctx)
	if err != nil {
		return nil, err
	}
	return find(name)
}

// Census looks once at what every process runs. The function that it returns is Processes, of those that ran then.
func (s *Source) Census(ctx context.Context) (func(name string) ([]facts.Process, error), error) {
	if err := s.running(); err != nil {
		return nil, err
	}
	pids, err := pids()
	if err != nil {
		return nil, err
	}
	mine, err := namespacesOf("/proc/self")
	if err != nil {
		return nil, err
	}
	byName := map[string][]int{}
	var unknown []int // whose executable is not for us to know
	for _, pid := range pids {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		exe, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
		switch {
		case err == nil:
			name := executable(exe)
			byName[name] = append(byName[name], pid)
		case !gone(err):
			unknown = append(unknown, pid)
		}
	}
	return func(name string) ([]facts.Process, error) {
		var ps []facts.Process
		// anybody can call a program so, and give it megabytes to keep
		roots := budget.NewTogether("command lines of " + name)
		others := budget.NewTogether("command lines of others' " + name)
		for _, pid := range slices.Sorted(slices.Values(slices.Concat(byName[name], unknown))) {
			p, err := process(pid, name, mine)
			if gone(err) {
				continue
			}
			if err != nil {
				return nil, err
			}
			if p != nil {
				cost := others
				if p.UID == 0 && !p.Contained && !p.OtherUsers {
					cost = roots
				}
				if err := cost.Spend(budget.Bytes, len(strings.Join(p.Args, " ")), 0); err != nil {
					p.Args, p.Unread = p.Args[:0], err.Error()
				}
				ps = append(ps, *p)
			}
		}
		return ps, nil
	}, nil
}

// executable is the base name of what /proc/PID/exe leads to.
func executable(exe string) string { return path.Base(strings.TrimSuffix(exe, " (deleted)")) }

// pids returns the numbers in /proc, in order.
func pids() ([]int, error) {
	f, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	var ids []int
	for _, n := range names {
		if pid, err := strconv.Atoi(n); err == nil {
			ids = append(ids, pid)
		}
	}
	return ids, err
}

// gone reports whether an error means that a process has ended, or is a kernel thread, which has no executable.
func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) }

// process reads one process, nil when its executable is another. It looks twice: a user's process can run any program
// one moment and be a set-user-ID one the next, and its number can be another's by then. What of it cannot be read, of
// one that may well be a user's, is told of that one alone: else a user could keep harden from seeing root's.
func process(pid int, name string, mine namespaces) (*facts.Process, error) {
	first, err := look(pid, name, mine)
	if err != nil || first == nil {
		return nil, err
	}
	p, err := look(pid, name, mine)
	if err == nil && p != nil && !same(first, p) {
		p.Unread = "it became another program while harden read it"
	}
	return p, err
}

// same reports whether two looks saw one program, run by the same.
func same(a, b *facts.Process) bool {
	return a.Exe == b.Exe && a.UID == b.UID && a.RealUID == b.RealUID && a.SavedUID == b.SavedUID &&
		a.Cgroup == b.Cgroup &&
		a.Contained == b.Contained && a.OtherUsers == b.OtherUsers
}

func look(pid int, name string, mine namespaces) (*facts.Process, error) {
	dir := fmt.Sprintf("/proc/%d", pid)
	exe, err := os.Readlink(dir + "/exe")
	if errors.Is(err, fs.ErrPermission) {
		comm, commErr := os.ReadFile(dir + "/comm")
		if commErr == nil && strings.TrimSpace(string(comm)) != name[:min(len(name), 15)] { // as long as the kernel keeps it
			return nil, nil
		}
	}
	if err != nil {
		return nil, err
	}
	exe, deleted := strings.CutSuffix(exe, " (deleted)")
	if path.Base(exe) != name {
		return nil, nil
	}
	its, err := namespacesOf(dir)
	if err != nil {
		return nil, err
	}
	p := &facts.Process{PID: pid, Exe: exe, Contained: its.pid != mine.pid, Origin: facts.Origin{Deleted: deleted,
		OtherUsers: its.user != mine.user, OtherMounts: its.mnt != mine.mnt, OtherNetwork: its.net != mine.net}}
	users, err := usersOf(dir)
	if err != nil {
		return nil, err
	}
	p.RealUID, p.UID, p.SavedUID = users[0], users[1], users[2]
	cgroup, err := os.ReadFile(dir + "/cgroup")
	if err != nil {
		return nil, err
	}
	p.Dir, _ = os.Readlink(dir + "/cwd")
	p.Unit, p.Cgroup = unitOf(string(cgroup)), groupOf(string(cgroup))
	if p.Started, err = started(dir); err != nil {
		return nil, err
	}
	if p.UID == 0 && !p.OtherUsers || p.Unit == name+".service" {
		// the program of anybody else counts for nothing, and may be where a user's own file system keeps who looks waiting
		if err := program(dir, p); gone(err) {
			return nil, err
		} else if err != nil {
			p.Unread = err.Error()
		}
	}
	cmdline, err := commandLine(dir + "/cmdline")
	switch {
	case gone(err):
		return nil, err
	case err != nil:
		p.Unread = err.Error()
	case len(cmdline) == 0:
		return nil, nil // ended, and not yet waited for
	default:
		p.Args = strings.Split(strings.TrimSuffix(string(cmdline), "\x00"), "\x00")
	}
	if name == kube.Etcd && (p.UID == 0 || p.Unit != "") {
		options(dir, p)
	}
	return p, nil
}

// options reads what of a process's environment is for etcd. The rest is nobody's business and may be secret. Where it
// cannot be read, what the process was told is not known.
func options(dir string, p *facts.Process) {
	data, err := commandLine(dir + "/environ")
	if err != nil {
		return
	}
	p.Env = map[string]string{}
	for variable := range strings.SplitSeq(string(data), "\x00") {
		if name, value, ok := strings.Cut(variable, "="); ok && strings.HasPrefix(name, "ETCD_") {
			p.Env[name] = value
		}
	}
}

// namespaces are those of a process that say what it sees.
type namespaces struct{ pid, mnt, user, net string }

func namespacesOf(dir string) (n namespaces, err error) {
	for kind, into := range map[string]*string{"pid": &n.pid, "mnt": &n.mnt, "user": &n.user, "net": &n.net} {
		*into, err = os.Readlink(dir + "/ns/" + kind)
		if errors.Is(err, fs.ErrNotExist) && kind == "user" {
			continue // a kernel without them
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// program looks at the file that a process runs, which need not be the one that now has its name.
func program(dir string, p *facts.Process) error {
	var runs, here unix.Stat_t
	if err := unix.Stat(dir+"/exe", &runs); err != nil {
		return &fs.PathError{Op: "stat", Path: dir + "/exe", Err: err}
	}
	p.ProgramUID, p.ProgramMode = runs.Uid, fs.FileMode(runs.Mode&0o7777)
	err := unix.Stat(p.Exe, &here)
	p.Elsewhere = !p.Deleted && (err != nil || here.Dev != runs.Dev || here.Ino != runs.Ino)
	return nil
}

// Process describes one process, whatever it runs.
func (s *Source) Process(pid int) (facts.Process, error) {
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return facts.Process{}, fmt.Errorf("PID %d: %w", pid, err)
	}
	mine, err := namespacesOf("/proc/self")
	if err != nil {
		return facts.Process{}, err
	}
	p, err := process(pid, executable(exe), mine)
	if err == nil && p == nil {
		err = fs.ErrNotExist
	}
	if err != nil {
		return facts.Process{}, fmt.Errorf("PID %d: %w", pid, err)
	}
	return *p, nil
}

// maxArguments is how much of a command line is read, in bytes. The kernel lets a program have six megabytes.
const maxArguments = 1 << 20

func commandLine(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxArguments+1))
	if err == nil && len(data) > maxArguments {
		err = fmt.Errorf("%s has more than the limit of %d bytes", file, maxArguments)
	}
	return data, err
}

// ticks is how many clock ticks /proc counts in a second, on every Linux.
const ticks = 100

// started reads when a process began, to a hundredth of a second, cut off.
func started(dir string) (time.Time, error) {
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return time.Time{}, err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:])) // the name may hold anything
	if len(fields) < 20 {
		return time.Time{}, fmt.Errorf("%s/stat has only %d fields", dir, len(fields))
	}
	start, err := strconv.ParseInt(fields[19], 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s/stat: %w", dir, err)
	}
	var boot unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot); err != nil {
		return time.Time{}, err
	}
	age := time.Duration(boot.Nano()) - time.Duration(start)*(time.Second/ticks)
	return time.Now().Add(-age).Round(0), nil
}

// usersOf returns the real, effective and saved user of a process: whom it was started by, runs as and can become. The
// owner of its directory in /proc is not that: of a process that may not be dumped it is root.
func usersOf(dir string) (ids [3]uint32, err error) {
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		return ids, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "Uid:"); ok {
			_, err := fmt.Sscan(rest, &ids[0], &ids[1], &ids[2])
			return ids, err
		}
	}
	return ids, fmt.Errorf("%s/status has no Uid line", dir)
}

// groupOf reads from /proc/PID/cgroup the control group that systemd and a kubelet name a process by: of the unified
// hierarchy, else of systemd's own, and where both have one the unified's.
func groupOf(cgroup string) string {
	group := ""
	for line := range strings.Lines(cgroup) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) == 3 && (fields[1] == "" || fields[1] == "name=systemd") && fields[2] != "/" {
			group = fields[2]
		}
	}
	return group
}

// unitOf reads from /proc/PID/cgroup the service whose cgroup, or one below it, a process is in. systemd names the
// directory after the unit, in the unified hierarchy as in its own of version 1. A scope below the service, such as
// a terminal's below user@1000.service, is a session: what runs there was started by hand.
func unitOf(cgroup string) string {
	for line := range strings.Lines(cgroup) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) < 3 || fields[1] != "" && fields[1] != "name=systemd" {
			continue
		}
		names := strings.Split(fields[2], "/")
		for i := len(names) - 1; i >= 0; i-- {
			if strings.HasSuffix(names[i], ".scope") || strings.HasPrefix(names[i], "user@") {
				break
			}
			if strings.HasSuffix(names[i], ".service") {
				return names[i]
			}
		}
	}
	return ""
}

// Contained finds programs of these names in containers, by the control group that an engine gives each. The kernel's
// own name of a process is enough: what has another one can have any.
func (s *Source) Contained(ctx context.Context, names ...string) (map[string]string, error) {
	if err := s.running(); err != nil {
		return nil, err
	}
	pids, err := pids()
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, pid := range pids {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		dir := fmt.Sprintf("/proc/%d", pid)
		comm, err := os.ReadFile(dir + "/comm")
		name := strings.TrimSpace(string(comm))
		if err != nil || !slices.Contains(names, name) { // a process that is gone has no name any more
			continue
		}
		cgroup, err := os.ReadFile(dir + "/cgroup")
		if err != nil && !gone(err) {
			return nil, err
		}
		if id := containerOf(string(cgroup)); id != "" {
			found[id] = name
		}
	}
	return found, nil
}

// containerOf is the ID of the container that a process's control groups belong to: the last part of some path is it,
// or "docker-ID.scope". Empty for any other process.
func containerOf(cgroup string) string {
	const digits = 64
	for line := range strings.Lines(cgroup) {
		for part := range strings.SplitSeq(strings.TrimSpace(line), "/") {
			part = strings.TrimSuffix(strings.TrimPrefix(part, "docker-"), ".scope")
			if len(part) == digits && strings.Trim(part, "0123456789abcdef") == "" {
				return part
			}
		}
	}
	return ""
}
