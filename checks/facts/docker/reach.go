package docker

import (
	"cmp"
	"errors"
	"example.com/harden/checks/facts"
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"
)

// A Hold is how firmly containers hold a path of the host. A container's root is uid 0 too: that a file is root's says
// nothing where a container can write.
type Hold int

// The holds, the weakest first.
const (
	NoHold      Hold = iota
	HoldBelow        // something below the path can be written; what the path itself names stays the same
	HoldContent      // it is mounted itself: its content can be written, but nothing else can take its name
	HoldName         // it is inside what can be written: another file, or a link, can take its place at any moment
)

// A Reach is what containers can do to one path of the host.
type Reach struct {
	Hold Hold
	By   string // who, and by what: "container web, which mounts /srv/shop"; empty without a hold
	// System tells that what is mounted is / or a system directory. Who writes there is root of this host anyway, and
	// nothing that harden does to the path makes that worse.
	System bool
}

// runtimeDirs are where container runtimes keep file systems, volumes and what else they mount into containers. Each
// directory itself is the host's; what is inside is not.
var runtimeDirs = []string{"/var/lib/docker", "/var/lib/containerd", "/run/containerd/io.containerd.runtime.v2.task",
	"/run/containerd/io.containerd.runtime.v1.linux", "/var/lib/kubelet/pods", "/var/lib/containers",
	"/run/containers/storage", "/var/lib/rancher/k3s/agent/containerd", "/var/lib/rancher/rke2/agent/containerd"}

// rootsDirs are directories whose writer is root of the host, by the next program or configuration that he puts there.
var rootsDirs = []string{"/", "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/root", "/run",
	"/sbin", "/sys", "/usr", "/var", "/var/lib"}

// A span is a part of the host's files that containers can write.
type span struct {
	at     string // without links
	inside bool   // only what is below it
	system bool   // it is one of rootsDirs
	by     string
}

// ContainerReach tells what containers can do to a path, which is absolute and has no links: by the mounts of the
// Engine's containers, stopped ones too, by its volumes, mounted or not, and by the directories of this and other
// runtimes. A read-only mount is none of them unless mounts are propagated from it to the host. A container that is
// root of this host by other means (privileged, devices, the API's socket) is not told: it can write every path.
//
// With an error, what is known is told all the same; NoHold then means nothing.
func ContainerReach(h *facts.Host, p string) (Reach, error) {
	s, err := allSpans(h)
	r := s.reach(s.all, p)
	if r.Hold > HoldBelow {
		err = nil // nothing that is not known makes it firmer
	}
	return r, err
}

// spans are all that containers can write, by path and by the name that the file system has for it: a bind mount shows
// one directory in two places.
type spans struct {
	all    index
	shared index // of containers' mounts
	mounts map[string]mountPoint
}

// An index finds a span by where it is, and by each directory above.
type index struct{ at, above map[string]span }

func newIndex() index { return index{map[string]span{}, map[string]span{}} }

func (x index) add(key string, sp span) {
	keep(x.at, key, sp)
	for dir := range ancestors(key) {
		keep(x.above, dir, sp)
	}
}

// keep leaves what says more: of two that are in one place, that of which more can be written, then what is not system.
func keep(m map[string]span, key string, sp span) {
	if old, ok := m[key]; !ok || old.inside && !sp.inside || old.inside == sp.inside && old.system && !sp.system {
		m[key] = sp
	}
}

// ancestors yields what is above a path, the nearest first. A path may have a file system's name before its first
// slash.
func ancestors(p string) iter.Seq[string] {
	return func(yield func(string) bool) {
		root := strings.IndexByte(p, '/') + 1
		for len(p) > root {
			p = p[:max(root, strings.LastIndexByte(p, '/'))]
			if !yield(p) {
				return
			}
		}
	}
}

// reach is the firmest hold that spans of an index have of a path.
func (s *spans) reach(x index, p string) Reach {
	p = path.Clean(p)
	var firmest Reach
	note := func(hold Hold, sp span, ok bool) {
		if ok && (hold > firmest.Hold || hold == firmest.Hold && firmest.System && !sp.system) {
			firmest = Reach{hold, sp.by, sp.system}
		}
	}
	for _, key := range []string{p, s.inode(p)} {
		if sp, ok := x.at[key]; ok && !sp.inside {
			note(HoldContent, sp, ok)
		} else {
			note(HoldBelow, sp, ok)
		}
		sp, ok := x.above[key]
		note(HoldBelow, sp, ok)
		for dir := range ancestors(key) {
			sp, ok := x.at[dir]
			note(HoldName, sp, ok)
		}
	}
	return firmest
}

// within reports whether p is strictly below dir.
func within(p, dir string) bool { return p != dir && facts.Within(p, dir) }

// allSpans are of before a plan: none changes what containers mount.
func allSpans(h *facts.Host) (*spans, error) { return facts.Once(h, "spans", facts.Kept, readSpans) }

func readSpans(h *facts.Host) (*spans, error) {
	s := &spans{all: newIndex(), shared: newIndex()}
	if f, err := h.File("/proc/self/mountinfo"); err == nil { // without it, or of another machine, paths have to do
		s.mounts = mountPoints(f.Data)
	}
	for _, dir := range runtimeDirs {
		addSpan(h, s, span{at: dir, inside: true, by: "container runtimes keep containers' files below " + dir})
	}
	e, err := EngineSays(h)
	switch {
	case errors.Is(err, facts.ErrAbsent):
		return s, nil
	case err != nil:
		return s, err
	case !e.Local:
		return s, nil
	}
	if root := e.DockerRootDir; path.IsAbs(root) {
		addSpan(h, s, span{at: root, inside: true, by: "the Docker Engine keeps containers' files below " + facts.Clip(root)})
	}
	volumes, errVolumes := Volumes(h)
	for _, v := range volumes {
		by := "every container that is given the volume " + facts.Clip(v.Name)
		addSpan(h, s, span{at: v.Mountpoint, by: by})
		addSpan(h, s, span{at: v.Options["device"], by: by}) // of a bind mount, and else no path of a file
	}
	containers, errContainers := Containers(h)
	for _, c := range containers {
		for _, m := range c.Mounts {
			if m.RW || m.Propagation == "shared" || m.Propagation == "rshared" {
				by := "container " + facts.Clip(c.ShortName()) + ", which mounts " + facts.Clip(m.Source)
				addSpan(h, s, span{at: m.Source, by: by}, s.shared)
			}
		}
	}
	return s, cmp.Or(errContainers, errVolumes)
}

// addSpan adds a place to s, and to more, by where it really is.
func addSpan(h *facts.Host, s *spans, sp span, more ...index) {
	if !path.IsAbs(sp.at) {
		return
	}
	sp.at = path.Clean(sp.at)
	if info, err := h.Info(sp.at); err == nil {
		sp.at = info.Path
	}
	sp.system = slices.Contains(rootsDirs, sp.at)
	for _, x := range append(more, s.all) {
		x.add(sp.at, sp)
		if inode := s.inode(sp.at); inode != "" {
			x.add(inode, sp)
		}
	}
}

// A mountPoint is one line of mountinfo. User is the uid of whose program answers for it, where that is not root's:
// what such a file system says of owners is what it likes.
type mountPoint struct{ device, root, at, user string }

// mountPoints reads mountinfo. Of several mounts on one place the last covers the others.
// Source: proc_pid_mountinfo(5).
func mountPoints(mountinfo []byte) map[string]mountPoint {
	all := map[string]mountPoint{}
	for line := range strings.Lines(string(mountinfo)) {
		head, tail, _ := strings.Cut(line, " - ")
		f := strings.Fields(head)
		if len(f) < 5 {
			continue
		}
		m := mountPoint{device: f[2], root: MountPath(f[3]), at: MountPath(f[4])}
		if strings.HasPrefix(tail, "fuse") {
			_, after, _ := strings.Cut(tail, "user_id=")
			m.user, _, _ = strings.Cut(strings.TrimSpace(after), ",")
		}
		if m.user == "0" {
			m.user = ""
		}
		all[m.at] = m
	}
	return all
}

// MountPath returns a path of mountinfo without what the kernel does there to blanks and backslashes.
func MountPath(field string) string { return unescape.Replace(field) }

var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// inode names a path by its file system and where it is there, "8:1/srv/shop"; empty where no mount is known to hold
// it.
func (s *spans) inode(p string) string {
	m, ok := s.mount(p)
	if !ok {
		return ""
	}
	return m.device + path.Join("/", m.root, strings.TrimPrefix(p, m.at))
}

// mount is what holds a path; false where that is not known.
func (s *spans) mount(p string) (mountPoint, bool) {
	if m, ok := s.mounts[p]; ok {
		return m, true
	}
	for dir := range ancestors(p) {
		if m, ok := s.mounts[dir]; ok {
			return m, true
		}
	}
	return mountPoint{}, false
}

// rootsAlone says why it is not certain that root alone has put there what is at p, which is absolute and clean. A link
// or a container on the way is one kind of doubt. The other kind, ErrNotRoots, is an owner: somebody whom root can
// name.
func rootsAlone(h *facts.Host, p string) error {
	reach, err := ContainerReach(h, p)
	s, _ := allSpans(h)
	m, _ := s.mount(p)
	switch {
	case m.user != "":
		return fmt.Errorf("%s: on a file system of uid %s, mounted at %s", facts.Clip(p), m.user, facts.Clip(m.at))
	case reach.Hold >= HoldContent:
		return fmt.Errorf("%s: a container can write it (%s)", facts.Clip(p), reach.By)
	case err != nil:
		return fmt.Errorf("%s: whether a container can write it is unknown: %w", facts.Clip(p), err)
	case slices.ContainsFunc([]string{"/proc", "/sys", "/dev"}, func(d string) bool { return p == d || within(p, d) }):
		return fmt.Errorf("%s: no place for files of root's", facts.Clip(p))
	}
	var doubt error
	below := facts.Info{UID: ^uint32(0)} // what the directory leads to; of p itself, nothing
	for at := p; ; at = path.Dir(at) {
		info, err := h.Info(at)
		switch {
		case err != nil && at == "/": // a recording need not have it
			return doubt
		case err != nil:
			return fmt.Errorf("%s: %w", facts.Clip(p), facts.Bare(err))
		case info.Path != at:
			return fmt.Errorf("%s: symbolic link on the path, to %s; harden follows none", facts.Clip(p), facts.Clip(info.Path))
		}
		if who := othersWrite(info, below); who != "" {
			doubt = fmt.Errorf("%s: %w (%s: %s)", facts.Clip(p), ErrNotRoots, facts.Clip(at), who)
		}
		if below = info; at == "/" {
			return doubt
		}
	}
}

// ErrNotRoots means that somebody else than root owns a file, or can write it or a directory above it.
var ErrNotRoots = errors.New("not only root can write it")

// othersWrite says who beside root can change what is at a path; empty where nobody can. In a sticky directory nobody
// can take away or rename what is root's.
func othersWrite(i, below facts.Info) string {
	sticky := i.Type.IsDir() && i.Mode&0o1000 != 0 && below.UID == 0
	switch {
	case i.UID != 0:
		return fmt.Sprintf("owner %s, uid %d", i.User, i.UID)
	case i.ACL && !sticky:
		return "an access control list"
	case i.Mode&0o022 != 0 && !sticky:
		return fmt.Sprintf("mode %04o", uint32(i.Mode))
	}
	return ""
}
