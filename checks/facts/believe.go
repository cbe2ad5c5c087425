package facts

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"example.com/harden/checks/want"
)

// An Origin is what the kernel tells of who started a process and what it runs. The zero value is that of a program
// which root started from where root alone can write.
type Origin struct {
	RealUID, SavedUID uint32
	OtherUsers        bool // it is in a user namespace that is not harden's: uid 0 there is anybody
	OtherMounts       bool // its files are not those that harden sees
	OtherNetwork      bool
	// as systemd and the kubelet name it: "/system.slice/docker.service"; empty where it is at the top
	Cgroup      string
	ProgramUID  uint32
	ProgramMode fs.FileMode
	Deleted     bool   // the program's file has been removed or replaced since, as upgrades do
	Elsewhere   bool   // Exe names another file than the one that runs
	Unread      string // why its program or its arguments, which are then left out, could not be read
}

// Doubt says why a process does not count as one of this host's own, empty when it does. systemd tells that it runs
// here, and exposed who besides root could replace the program or a directory above it. Its name and its arguments
// prove nothing: whoever starts a program chooses them.
func (p Process) Doubt(systemd bool, exposed string) string {
	switch {
	case p.UID != 0:
		return fmt.Sprintf("it runs as uid %d, not as root", p.UID)
	case p.RealUID != 0 || p.SavedUID != 0:
		return fmt.Sprintf("uid %d started it by a set-user-ID program", max(p.RealUID, p.SavedUID))
	}
	return p.disguised(systemd, exposed)
}

// disguised says why a process may not run the program that it seems to, or not where it seems to.
func (p Process) disguised(systemd bool, exposed string) string {
	service := SystemService(p.Cgroup) != ""
	switch {
	case p.OtherUsers:
		return "it is in a user namespace of its own, where anybody can be root"
	case !path.IsAbs(p.Exe):
		return fmt.Sprintf("its program %q cannot be found from here", p.Exe)
	case p.ProgramUID != 0:
		return fmt.Sprintf("its program %s belongs to uid %d", p.Exe, p.ProgramUID)
	case p.ProgramMode&0o022 != 0:
		return fmt.Sprintf("its program %s has mode %04o, so not only root can write it", p.Exe, p.ProgramMode)
	case exposed != "":
		return fmt.Sprintf("not only root can replace its program %s: %s", p.Exe, exposed)
	case p.Elsewhere || p.OtherMounts && p.Deleted:
		return fmt.Sprintf("its program is not the file that is at %s here", p.Exe)
	// systemd gives many services mounts of their own (PrivateTmp=, snaps); in this user namespace only root can
	case p.OtherMounts && !(systemd && service):
		return "it sees other files than harden does (a mount namespace of its own)"
	case systemd && !service:
		return fmt.Sprintf("it is not a system service: its control group is %s", cmp.Or(p.Cgroup, "/"))
	}
	return p.Unread
}

// aContainers is how an engine names a container's own control group: by its ID, at the end of the name.
var aContainers = regexp.MustCompile(`(^|[^0-9a-f])[0-9a-f]{64}(\.scope)?$`)

// SystemService returns the service of the system's own systemd that a control group belongs to. What is below
// user.slice, the users' own systemds and their sessions, is none, nor is a machine's or a container's: who is in a
// scope, or in a container that may write its control group, makes groups of any name below it.
func SystemService(cgroup string) string {
	service := ""
	for name := range strings.SplitSeq(strings.Trim(cgroup, "/"), "/") {
		switch {
		case name == "user.slice", name == "machine.slice", name == "..", strings.HasPrefix(name, "user@"),
			strings.Contains(name, "kubepods"),
			strings.HasSuffix(name, ".scope"), aContainers.MatchString(name):
			return ""
		case strings.HasSuffix(name, ".service"):
			service = cmp.Or(service, name)
		}
	}
	return service
}

// believe settles what counts of a process, and whose word its arguments are.
func believe(h *Host, p *Process, name string) {
	if p.Contained {
		p.By = want.Guest
		return
	}
	exposed := ""
	if p.UID == 0 || p.Unit == name+".service" { // where a user's own program is, need not be looked at
		var err error
		if exposed, err = h.Exposed(p.Exe); err != nil {
			exposed = err.Error()
		}
	}
	systemd := systemd(h)
	p.By = want.Root
	if p.Doubted = p.Doubt(systemd, exposed); p.Doubted == "" {
		return
	}
	p.By = want.User
	if p.UID != 0 && p.disguised(systemd, exposed) == "" && ownService(h, p, name) {
		p.Doubted = "" // it is what it seems, but what it says of itself it may have changed
	}
}

// systemd reports whether systemd runs here: as sd_booted(3) asks, and it is the first process.
func systemd(h *Host) bool {
	_, err := h.Info("/run/systemd/system")
	first, _ := h.read("/proc/1/comm")
	name := strings.TrimSpace(string(first))
	return err == nil && (name == "systemd" || name == "init")
}

// ownService reports whether a process that is not root's is the main program of the system's service of its name: etcd
// often has a user of its own.
func ownService(h *Host, p *Process, name string) bool {
	unit := name + ".service"
	if p.RealUID != p.UID || SystemService(p.Cgroup) != unit {
		return false
	}
	u, err := h.Unit(unit)
	if err != nil || u.By != want.Root || len(u.Argv) == 0 {
		return false
	}
	program := u.Argv[0].Text
	if i, err := h.Info(program); err == nil {
		program = i.Path
	}
	return program == p.Exe
}

// Foreign says why a process is not root's own, as Process.Doubt does; that it is no system service does not count
// here.
func (h *Host) Foreign(p Process) string {
	exposed, err := h.Exposed(p.Exe)
	if err != nil {
		return err.Error()
	}
	return p.Doubt(false, exposed)
}

// Uncounted returns the processes on this host that bear one of the names and do not count, with the reason in each.
// Those in containers are not among them.
func Uncounted(h *Host, names ...string) []Process {
	var all []Process
	for _, name := range names {
		ps, _ := h.AllProcesses(name)
		for _, p := range ps {
			if p.Doubted != "" {
				all = append(all, p)
			}
		}
	}
	return all
}

// Uncertain is an error where a program may be what it seems though it does not count: root runs it, but not only root
// could have chosen what it is. To take it for absent would be to pass over it.
func Uncertain(ps []Process) error {
	for _, p := range ps {
		if p.Doubted != "" && p.UID == 0 {
			return fmt.Errorf("%s (PID %d) is ignored: %s", path.Base(p.Exe), p.PID, p.Doubted)
		}
	}
	return nil
}
