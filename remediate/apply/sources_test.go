package apply

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/harden/remediate"
	"example.com/harden/scripts/child"
)

// TestSources writes below a directory of sources: plain files of whoever runs harden, and nothing else there.
func TestSources(t *testing.T) {
	for name, c := range map[string]struct {
		plan func(t *testing.T, w world) remediate.Change
		says string
	}{
		"own file": {func(t *testing.T, w world) remediate.Change { return w.content(t, "/compose.yaml", "new\n") }, ""},
		"another's": {func(t *testing.T, w world) remediate.Change {
			must(t, os.Chown(w.path("/compose.yaml"), 7, 0))
			return w.content(t, "/compose.yaml", "new\n")
		}, "belongs to uid 7"},
		"a new file": {func(*testing.T, world) remediate.Change { return created("/new.yaml", "new\n") },
			"only plain files"},
		"set-user-ID": {func(t *testing.T, w world) remediate.Change {
			must(t, unix.Chmod(w.path("/compose.yaml"), 0o4755))
			return w.content(t, "/compose.yaml", "new\n")
		}, "has special bits"},
		"a directory that anybody can write to": {func(t *testing.T, w world) remediate.Change {
			c := w.content(t, "/compose.yaml", "new\n")
			must(t, os.Chmod(w.root, 0o777))
			return c
		}, "0777 lets others replace the files"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.file(t, "/compose.yaml", "old\n", 0o777, 0, 0)
			plan := &remediate.Plan{Changes: []remediate.Change{c.plan(t, w)}}
			before := w.look(t)
			o := w.options()
			o.Source = true
			_, err := Apply(t.Context(), plan, o)
			if c.says == "" {
				must(t, err)
				_, err = Rollback(t.Context(), "", o)
				must(t, err)
			} else if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v: must say %q", err, c.says)
			}
			same(t, "afterwards", before, w.look(t))
		})
	}
}

// as does something on a thread that is another user's, whose group and access the kernel judges by.
func as(t *testing.T, uid, gid int, do func()) {
	t.Helper()
	done := make(chan error)
	child.Thread(func() {
		_, _, e1 := unix.RawSyscall(unix.SYS_SETRESGID, uintptr(gid), uintptr(gid), uintptr(gid))
		_, _, e2 := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid))
		if e1 != 0 || e2 != 0 {
			done <- e1
			return
		}
		do()
		done <- nil
	})
	must(t, <-done)
}

// TestPrivate lets the group write to a user's own sources where nobody else is in that group, and not else.
func TestPrivate(t *testing.T) {
	if !inside(t) {
		return
	}
	dir := t.TempDir()
	give := func(name, text string, mode os.FileMode) {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		must(t, os.Chmod(filepath.Join(dir, name), mode))
	}
	give("passwd", "root:x:0:0::/:\nme:x:1000:1000::/:\nyou:x:1001:1001::/:\n", 0o644)
	give("group", "root:x:0:\nme:x:1000:\nours:x:1001:me,you\n", 0o644)
	for _, name := range []string{"passwd", "group"} {
		command(t, "mount", "--bind", filepath.Join(dir, name), "/etc/"+name)
	}
	mine := filepath.Join(dir, "mine")
	must(t, os.Mkdir(mine, 0o755))
	must(t, os.Chown(mine, 1000, 1000))
	for p := mine; p != "/"; p = filepath.Dir(p) { // testing makes its directories for one user alone
		info, err := os.Stat(p)
		must(t, err)
		if info.Mode()&0o055 != 0o055 {
			must(t, os.Chmod(p, 0o755))
		}
	}
	fd, err := unix.Open(mine, unix.O_RDONLY, 0)
	must(t, err)
	defer unix.Close(fd)
	proc, err := unix.Open("/proc", unix.O_RDONLY, 0)
	must(t, err)
	defer unix.Close(proc)
	expect := func(what string, want bool, uid, gid, fd int, group uint32) {
		t.Helper()
		as(t, uid, gid, func() {
			if got := private(fd, group); got != want {
				t.Errorf("%s: %v", what, got)
			}
		})
	}
	expect("one's own group", true, 1000, 1000, fd, 1000)
	expect("one's own group, without access lists", true, 1000, 1000, proc, 1000)
	expect("another group of one's", false, 1000, 1001, fd, 1000)
	expect("a group of two", false, 1000, 1001, fd, 1001)
	expect("root's own group", false, 0, 0, fd, 0)
	expect("nothing that is open", false, 1000, 1000, 1<<20, 1000)
	for _, name := range []string{"passwd", "group"} {
		give(name, "me:x:1000:1000::/:\n", 0o600)
		expect("without "+name, false, 1000, 1000, fd, 1000)
		must(t, os.Chmod(filepath.Join(dir, name), 0o644))
		give("passwd", "me:x:1000:1000::/:\n", 0o644)
		give("group", "me:x:1000:\n", 0o644)
	}
	for mode, says := range map[uint32]string{0o775: "", 0o755: "", 0o702: "0702", 0o772: "0772", 0o777: "0777"} {
		must(t, unix.Chmod(mine, mode))
		as(t, 1000, 1000, func() {
			err := owned(mine)
			if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), "mode "+says)) {
				t.Errorf("mode %04o: %v", mode, err)
			}
		})
	}
	must(t, unix.Chmod(mine, 0o775))
	for source, want := range map[bool]os.FileMode{true: 0o755, false: 0o775} {
		as(t, 1000, 1000, func() {
			tree := &tree{kernel(), fd, source}
			g, err := tree.open("/compose.yaml")
			if err != nil {
				t.Error(err)
				return
			}
			defer g.close()
			chain, err := tree.chain(g, sight{})
			if err != nil || len(chain) != 1 || chain[0].Mode != want || chain[0].UID != 0 {
				t.Errorf("sources: %v: %+v, %v", source, chain, err)
			}
		})
	}
	must(t, unix.Setxattr(mine, xattrACL, acl(7, 7, 7, 5), 0))
	expect("with an access list", false, 1000, 1000, fd, 1000)
}
