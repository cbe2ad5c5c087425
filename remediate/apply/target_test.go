package apply

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"example.com/harden/remediate"
)

// TestSocket changes a socket where a boot, or its daemon, makes it anew: that is nobody's interference.
func TestSocket(t *testing.T) {
	if !inside(t) {
		return
	}
	const sock = "/run/docker.sock"
	for _, c := range []struct {
		name  string
		since func(w world) error
		want  string
	}{
		{"the same", func(world) error { return nil }, "140666 7:8"},
		{"gone", func(w world) error { return os.Remove(w.path(sock)) }, ""},
		{"made anew", func(w world) error {
			return errors.Join(os.Remove(w.path(sock)), socket(w, w.path(sock)), os.Chmod(w.path(sock), 0o640),
				os.Chown(w.path(sock), 0, 99))
		}, "140640 0:99"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			command(t, "mount", "-t", "tmpfs", "-o", "mode=755", "none", w.path("/run"))
			defer command(t, "umount", w.path("/run"))
			must(t, socket(w, w.path(sock)))
			must(t, os.Chown(w.path(sock), 7, 8))
			must(t, os.Chmod(w.path(sock), 0o666))
			o := w.options()
			_, err := Apply(t.Context(), &remediate.Plan{Changes: []remediate.Change{w.attributes(t, sock, 0o660, 0, 8)}}, o)
			must(t, err)
			if got := w.look(t)[sock]; got != "140660 0:8" {
				t.Errorf("applied: %s", got)
			}
			must(t, c.since(w))
			_, _, err = RollbackPlan(t.Context(), "", o)
			must(t, err)
			_, err = Rollback(t.Context(), "", o)
			must(t, err)
			if got := w.look(t)[sock]; got != c.want {
				t.Errorf("taken back: %q, want %q", got, c.want)
			}
		})
	}
}

// TestInherited makes files where the directory passes an access list and a group on: the plan's mode is what counts.
func TestInherited(t *testing.T) {
	w := newWorld(t)
	must(t, unix.Setxattr(w.path("/etc/systemd/system"), "system.posix_acl_default", acl(7, 7, 7, 7), 0))
	must(t, os.Chown(w.path("/etc/systemd/system"), 0, 55))
	must(t, unix.Chmod(w.path("/etc/systemd/system"), 0o2755))
	before := w.look(t)
	o := w.options()
	p := "/etc/systemd/system/x.conf"
	_, err := Apply(t.Context(), &remediate.Plan{Changes: []remediate.Change{created(p, "x"),
		created("/etc/systemd/system/d/y.conf", "y")}}, o)
	must(t, err)
	got := w.look(t)
	if got[p] != `100640 0:0 "x"` {
		t.Errorf("made %s", got[p])
	}
	if d := got["/etc/systemd/system/d"]; len(d) < 10 || d[:10] != "040755 0:0" {
		t.Errorf("made %s", d)
	}
	_, err = Rollback(t.Context(), "", o)
	must(t, err)
	same(t, "afterwards", before, w.look(t))
}

// TestCapabilities keeps a file's capabilities, which chown takes away, while its owner stays, and gives none back to a
// file that root gets from somebody else. Either way they are there again when the run is taken back, and so are the
// bits of set-user-ID.
func TestCapabilities(t *testing.T) {
	capability := []byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0} // cap_net_bind_service=ep
	for name, c := range map[string]struct {
		change func(testing.TB, world, string) remediate.Change
		kept   bool
	}{
		"content": {func(t testing.TB, w world, p string) remediate.Change { return w.content(t, p, "new") }, true},
		"content, given to root": {func(t testing.TB, w world, p string) remediate.Change {
			c := w.content(t, p, "new")
			c.After.UID, c.After.Mode = 0, 0o755
			return c
		}, false},
		"mode": {func(t testing.TB, w world, p string) remediate.Change {
			return w.attributes(t, p, 0o4755, 7, 8)
		}, true},
		"attributes, given to root": {func(t testing.TB, w world, p string) remediate.Change {
			return w.attributes(t, p, 0o755, 0, 0)
		}, false},
		"the group's alone": {func(t testing.TB, w world, p string) remediate.Change {
			return w.attributes(t, p, 0o755, 7, 0)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := "/etc/tool"
			w.file(t, p, "old", 0o6775, 7, 8)
			must(t, unix.Setxattr(w.path(p), xattrCap, capability, 0))
			before := w.look(t)
			o := w.options()
			_, err := Apply(t.Context(), &remediate.Plan{Changes: []remediate.Change{c.change(t, w, p)}}, o)
			must(t, err)
			v := make([]byte, 64)
			n, err := unix.Getxattr(w.path(p), xattrCap, v)
			if kept := err == nil && bytes.Equal(v[:n], capability); kept != c.kept {
				t.Errorf("capabilities: %x, %v; want them kept: %v", v[:max(n, 0)], err, c.kept)
			}
			_, err = Rollback(t.Context(), "", o)
			must(t, err)
			same(t, "afterwards", before, w.look(t))
		})
	}
}

// TestGivenAway refuses a plan that would let a user's program run as root.
func TestGivenAway(t *testing.T) {
	w := newWorld(t)
	w.file(t, "/etc/tool", "old", 0o6775, 7, 8)
	for _, mode := range []fs.FileMode{0o4755, 0o2755} {
		c := w.attributes(t, "/etc/tool", mode, 0, 0)
		_, err := Apply(t.Context(), &remediate.Plan{Changes: []remediate.Change{c}}, w.options())
		if err == nil || !strings.Contains(err.Error(), "set-user-ID") {
			t.Errorf("%04o: %v", mode, err)
		}
	}
}

// TestRace changes a file in a directory where an unprivileged user swaps it for a link to root's file all the while.
// Each iteration either changes the user's own file or refuses; the file behind the link is never touched.
func TestRace(t *testing.T) {
	for name, spoil := range kernels {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for d := w.root; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
				must(t, os.Chmod(d, 0o755))
			}
			const victim, user = "/etc/bystander", "/home"
			must(t, os.Mkdir(w.path(user), 0o755))
			must(t, os.Chown(w.path(user), 65534, 65534))
			before := w.look(t)[victim]
			racer := helper(w, "race")
			self, err := os.ReadFile(racer.Path)
			must(t, err)
			racer.Path = filepath.Join(filepath.Dir(w.root), "racer") // the test's own directory is root's alone
			must(t, os.WriteFile(racer.Path, self, 0o755))
			racer.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			ready, err := racer.StdoutPipe()
			must(t, err)
			must(t, racer.Start())
			stop := sync.OnceFunc(func() {
				racer.Process.Kill()
				racer.Wait()
			})
			defer stop()
			_, err = ready.Read(make([]byte, 1)) // it has begun
			must(t, err)
			changed, refused := race(t, w, spoil, user+"/f")
			stop()
			if changed == 0 || refused == 0 {
				t.Errorf("changed %d times, refused %d times: this was no race", changed, refused)
			}
			if got := w.look(t)[victim]; got != before {
				t.Errorf("the file behind the link is now %s", got)
			}
			t.Logf("changed %d times, refused %d times", changed, refused)
		})
	}
}

// race tries both kinds of change, the one that flushes less often.
func race(t *testing.T, w world, spoil func(*sys), p string) (changed, refused int) {
	s := quiet()
	spoil(s)
	s.fsync = func(int) error { return nil } // the race is what counts, not the disk
	tree, err := Options{Root: w.root, sys: s}.openTree()
	must(t, err)
	defer tree.close()
	at := site{&txn{journal: journal{Items: make([]item, 1)}}, tree}
	was := image{Exists: true, Type: unix.S_IFREG, Mode: 0o644, UID: 65534, GID: 65534, Sum: sum([]byte("x"))}
	will := image{Exists: true, Type: unix.S_IFREG, Mode: 0o604, UID: 12, GID: 13, Sum: sum([]byte("y"))}
	for n := range 20000 {
		it := &item{Path: []byte(p), Before: was, After: will, Content: n%4 == 0, Temp: ".t"}
		if it.Content {
			err = replace(tree, it)
		} else {
			at.Items[0] = *it
			err = at.attributes(0)
		}
		if err == nil {
			changed++
		} else {
			refused++
		}
	}
	return changed, refused
}

func replace(tree *tree, it *item) error {
	g, err := tree.open(string(it.Path))
	if err != nil {
		return err
	}
	defer g.close()
	now, err := g.look(true)
	if err != nil {
		return err
	}
	if stands, why := it.stands(now.image); stands == isConflict {
		return errors.New(why)
	}
	s, err := g.stage(it.Temp, it.After, []byte("y"), now)
	if err != nil {
		return err
	}
	defer unix.Close(s.fd)
	return s.commit()
}

// swap is the racer: it never ends by itself.
func swap(w world) error {
	f, l := w.path("/home/f"), w.path("/home/l")
	for n := 0; ; n++ {
		os.Remove(f)
		os.WriteFile(f, []byte("x"), 0o644)
		os.Chmod(f, 0o644)
		os.Remove(l)
		if err := os.Symlink(w.path("/etc/bystander"), l); err != nil {
			return err
		}
		if err := os.Rename(l, f); err != nil {
			return err
		}
		if n == 1 {
			os.Stdout.Write([]byte("."))
		}
	}
}

// TestResumeAfterBoot resumes in another boot: what ran before the run does not run any more, and is not asked for.
func TestResumeAfterBoot(t *testing.T) {
	for _, then := range []string{"resume", "rollback"} {
		t.Run(then, func(t *testing.T) {
			w := newWorld(t)
			old := w.look(t)
			plan := w.plan(t)
			o := w.options()
			s := o.Services.(*services)
			o.Progress = func(st Step) {
				if st.Doing == Activating {
					panic("the power goes")
				}
			}
			func() {
				defer func() {
					if recover() == nil {
						t.Error("it was not interrupted")
					}
				}()
				Apply(t.Context(), plan, o)
			}()
			o.Progress = nil
			o.sys.boot = "the next"
			run, err := Interrupted(o)
			must(t, err)
			if run == nil || run.Outcome != CutShort || len(run.Changes) != 7 {
				t.Fatalf("interrupted: %+v", run)
			}
			if _, err := Apply(t.Context(), plan, o); !errors.Is(err, ErrInterrupted) {
				t.Errorf("another apply: %v", err)
			}
			if _, err := Rollback(t.Context(), "0099-none", o); !errors.Is(err, ErrInterrupted) {
				t.Errorf("another rollback: %v", err)
			}
			wantDid := []string{"reload-systemd", "restart docker.service"}
			wantBefore := []string{""}
			if then == "resume" {
				_, err = Resume(t.Context(), o)
				same(t, "resumed", applied(old), w.look(t))
			} else {
				_, err = Rollback(t.Context(), "", o)
				same(t, "taken back", old, w.look(t))
				wantBefore = []string{`{"web":4711}`} // of now, taken before the restart that undoes
			}
			must(t, err)
			if d := cmp.Diff(wantDid, s.did); d != "" {
				t.Errorf("activations (-want +got):\n%s", d)
			}
			if d := cmp.Diff(wantBefore, s.before); d != "" {
				t.Errorf("compared with (-want +got):\n%s", d)
			}
			if _, err := Resume(t.Context(), o); !errors.Is(err, ErrNoRun) {
				t.Errorf("resumed twice: %v", err)
			}
			must(t, VerifyHistory(o))
		})
	}
}
