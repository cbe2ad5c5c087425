package apply

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
)

// A world is a host below a directory, and a state directory beside it.
type world struct{ root, state string }

// newWorld makes the host that most tests change: each kind of target, loosely set, with odd names and attributes.
func newWorld(t testing.TB) world {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: it changes owners")
	}
	dir := t.TempDir()
	closes(t)
	w := world{filepath.Join(dir, "host"), filepath.Join(dir, "state")}
	must(t, os.Mkdir(w.root, 0o755))
	w.furnish(t)
	return w
}

// closes fails a test that leaves open what it, or harden in it, has opened.
func closes(t testing.TB) {
	t.Helper()
	descriptors := func() map[string]string {
		open := map[string]string{}
		all, err := os.ReadDir("/proc/self/fd")
		must(t, err)
		for _, d := range all { // the runtime keeps its own, which have no path
			name, err := os.Readlink("/proc/self/fd/" + d.Name())
			if err == nil && strings.HasPrefix(name, "/") && !strings.HasPrefix(name, "/proc/") {
				open[d.Name()] = name
			}
		}
		return open
	}
	was := descriptors()
	t.Cleanup(func() { same(t, "left open", was, descriptors()) })
}

const odd = "/etc/na\xffme \n\"x\".conf" // a name that JSON text cannot carry

func (w world) furnish(t testing.TB) {
	t.Helper()
	for _, d := range []string{"/etc", "/etc/docker", "/etc/default", "/etc/systemd", "/etc/systemd/system", "/run"} {
		must(t, os.MkdirAll(w.path(d), 0o755))
	}
	w.file(t, "/etc/docker/daemon.json", "{\n  \"debug\": true\n}\n", 0o666, 7, 8)
	must(t, unix.Setxattr(w.path("/etc/docker/daemon.json"), "user.note", []byte("kept\x00\xff"), 0))
	must(t, unix.Setxattr(w.path("/etc/docker/daemon.json"), xattrACL, acl(0o6, 0o4, 0o6, 0o6), 0))
	w.file(t, "/etc/default/docker", "DOCKER_OPTS=\n", 0o6755, 7, 8)
	must(t, unix.Setxattr(w.path("/etc/default/docker"), xattrACL, acl(0o7, 0o7, 0o5, 0o5), 0))
	must(t, os.Chmod(w.path("/etc/default/docker"), 0o755|fs.ModeSetuid|fs.ModeSetgid))
	w.file(t, odd, "old\r\nno newline at the end", 0o640, 1, 2)
	w.file(t, "/etc/systemd/system/gone.timer", "[Timer]\n", 0o604, 5, 6)
	must(t, unix.Setxattr(w.path("/etc/systemd/system/gone.timer"), "user.note", []byte("kept"), 0))
	w.file(t, "/etc/bystander", "not in the plan\n", 0o600, 3, 4)
	must(t, os.Chmod(w.path("/etc/docker"), 0o777))
}

// plan is what most tests apply.
func (w world) plan(t testing.TB) *remediate.Plan {
	t.Helper()
	json := w.content(t, "/etc/docker/daemon.json", "{\n  \"debug\": true,\n  \"icc\": false\n}\n")
	json.After.Mode, json.After.UID, json.After.GID, json.After.User, json.After.Group = 0o644, 0, 0, "root", "root"
	env := w.attributes(t, "/etc/default/docker", 0o644, 0, 0)
	return &remediate.Plan{
		Changes: []remediate.Change{
			env,
			w.attributes(t, "/etc/docker", 0o755, 0, 0),
			json,
			w.content(t, odd, "new\r\nno newline at the end"),
			created("/etc/systemd/system/docker.service.d/deep/zz-harden.conf", "[Service]\n"),
			created("/etc/systemd/system/docker.service.d/empty.conf", ""),
			w.removed(t, "/etc/systemd/system/gone.timer"),
		},
		Activations: []remediate.Activation{
			{Kind: remediate.ReloadManager, Checks: []*checks.Check{{ID: "docker/unit"}}},
			{Kind: remediate.Restart, Unit: "docker.service", Checks: []*checks.Check{{ID: "docker/icc"}}},
		},
	}
}

func (w world) options() Options {
	return Options{State: w.state, Root: w.root, Services: &services{}, Version: "test", sys: quiet()}
}

// quiet is the kernel with nobody listening on the system log.
func quiet() *sys {
	s := kernel()
	s.devlog = "/nonexistent/log"
	return s
}

func (w world) path(p string) string { return filepath.Join(w.root, p) }

func (w world) file(t testing.TB, p, data string, mode uint32, uid, gid int) {
	t.Helper()
	must(t, os.WriteFile(w.path(p), []byte(data), 0o600))
	must(t, os.Chown(w.path(p), uid, gid))
	must(t, unix.Chmod(w.path(p), mode))
}

// facts describes a path as a Source would.
func (w world) facts(t testing.TB, p string) facts.File {
	t.Helper()
	var st unix.Stat_t
	must(t, unix.Lstat(w.path(p), &st))
	f := facts.File{Info: facts.Info{Path: p, Mode: fs.FileMode(st.Mode & 0o7777), UID: st.Uid, GID: st.Gid,
		User: fmt.Sprint(st.Uid), Group: fmt.Sprint(st.Gid), Size: st.Size, Links: uint64(st.Nlink)}}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		f.Type = fs.ModeDir
	case unix.S_IFSOCK:
		f.Type = fs.ModeSocket
	}
	return f
}

func (w world) content(t testing.TB, p, after string) remediate.Change {
	t.Helper()
	before := w.facts(t, p)
	data, err := os.ReadFile(w.path(p))
	must(t, err)
	before.Data = append([]byte{}, data...)
	c := remediate.Change{Warrants: mine, Path: p, Before: before, After: before,
		Checks: []*checks.Check{{ID: "docker/content"}}}
	c.After.Data = []byte(after)
	return c
}

func (w world) attributes(t testing.TB, p string, mode fs.FileMode, uid, gid uint32) remediate.Change {
	t.Helper()
	before := w.facts(t, p)
	c := remediate.Change{Warrants: mine, Path: p, Before: before, After: before,
		Checks: []*checks.Check{{ID: "docker/attributes"}}}
	c.After.Mode, c.After.UID, c.After.GID = mode, uid, gid
	c.After.User, c.After.Group = fmt.Sprint(uid), fmt.Sprint(gid)
	return c
}

func (w world) removed(t testing.TB, p string) remediate.Change {
	t.Helper()
	c := w.content(t, p, "")
	c.Removed, c.After = true, facts.File{}
	return c
}

func created(p, data string) remediate.Change {
	info := facts.Info{Path: p, Mode: 0o640, User: "root", Group: "root", Links: 1}
	return remediate.Change{Warrants: mine, Path: p, Created: true, After: facts.File{Info: info, Data: []byte(data)}}
}

// look describes every file of the host, whole, by other means than the package's own: one line a file.
func (w world) look(t testing.TB) map[string]string {
	t.Helper()
	all := map[string]string{}
	must(t, filepath.WalkDir(w.root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Name() == "lost+found" {
			return fs.SkipDir
		}
		var st unix.Stat_t
		if err := unix.Lstat(p, &st); err != nil {
			return err
		}
		text := fmt.Sprintf("%06o %d:%d", st.Mode, st.Uid, st.Gid)
		if st.Size >= 1<<20 {
			text += fmt.Sprintf(" %d bytes", st.Size)
		} else if d.Type().IsRegular() {
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			text += fmt.Sprintf(" %q", data)
		}
		buf := make([]byte, 4096)
		n, err := unix.Llistxattr(p, buf)
		if err != nil {
			return err
		}
		names := strings.Split(string(buf[:n]), "\x00")
		slices.Sort(names)
		for _, name := range names {
			if name == "" {
				continue
			}
			v := make([]byte, 4096)
			n, err := unix.Lgetxattr(p, name, v)
			if err != nil {
				return err
			}
			text += fmt.Sprintf(" %s=%x", name, v[:n])
		}
		all[strings.TrimPrefix(p, w.root)] = text
		return nil
	}))
	return all
}

// acl is a POSIX access control list that lets user 1234 in, with the rights of the owner, that user, the mask (as
// the group's bits of the mode show it) and others.
func acl(owner, user, mask, other uint16) []byte {
	const none = 1<<32 - 1
	out := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range []struct {
		tag, perm uint16
		id        uint32
	}{{1, owner, none}, {2, user, 1234}, {4, user, none}, {0x10, mask, none}, {0x20, other, none}} {
		out = binary.LittleEndian.AppendUint16(out, e.tag)
		out = binary.LittleEndian.AppendUint16(out, e.perm)
		out = binary.LittleEndian.AppendUint32(out, e.id)
	}
	return out
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t testing.TB, what string, want, got map[string]string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// services stands in for systemd and dockerd: it remembers what it was told and does as it is told to.
type services struct {
	did     []string                                    // "restart docker.service", in order
	pending map[remediate.Kind]string                   // why Ready says no
	broken  func(nth int, a remediate.Activation) error // what Activate answers
	sick    func(nth int) error                         // what Healthy answers
	watched int
	before  []string // what Healthy was given
}

func (s *services) Ready(_ context.Context, a remediate.Activation) error {
	if why := s.pending[a.Kind]; why != "" {
		return fmt.Errorf("%s", why)
	}
	return nil
}

func (s *services) Snapshot(context.Context) (json.RawMessage, error) {
	return json.RawMessage(`{"web":4711}`), nil
}

func (s *services) Activate(_ context.Context, a remediate.Activation) error {
	s.did = append(s.did, strings.TrimSpace(string(a.Kind)+" "+a.Unit))
	if s.broken != nil {
		return s.broken(len(s.did), a)
	}
	return nil
}

func (s *services) Healthy(_ context.Context, before json.RawMessage) error {
	s.watched++
	s.before = append(s.before, string(before))
	if s.sick != nil {
		return s.sick(s.watched)
	}
	return nil
}

// mine entitles to the files of these worlds.
var mine = []want.Warrant{want.Mine}
