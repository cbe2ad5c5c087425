package apply

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/harden/remediate"
)

// refused applies a plan that must not be begun, and checks that nothing at all came of it.
func refused(t *testing.T, w world, o Options, p *remediate.Plan, is error, says ...string) {
	t.Helper()
	before := w.look(t)
	o.Verify = func(context.Context, []string) (map[string]string, error) {
		t.Error("verified")
		return nil, nil
	}
	run, err := Apply(t.Context(), p, o)
	if err == nil || run != nil {
		t.Fatalf("applied: %+v", run)
	}
	if is != nil && !errors.Is(err, is) {
		t.Errorf("%v: is no %v", err, is)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%v: does not say %q", err, s)
		}
	}
	same(t, "after a refusal", before, w.look(t))
	if got := o.Services.(*services).did; got != nil {
		t.Errorf("activated: %q", got)
	}
	if run, err := Interrupted(o); run != nil || err != nil {
		t.Errorf("interrupted: %+v, %v", run, err)
	}
	if runs, err := History(o); len(runs) > 0 || err != nil {
		t.Errorf("history: %+v, %v", runs, err)
	}
	if info, err := os.Stat(filepath.Join(w.state, "audit.jsonl")); err == nil && info.Size() > 0 {
		t.Error("the history has a record of it")
	}
}

// TestDrift puts something else in the place of a target between plan and apply.
func TestDrift(t *testing.T) {
	const (
		content = "/etc/docker/daemon.json"
		attrs   = "/etc/default/docker"
		dir     = "/etc/docker"
		fresh   = "/etc/systemd/system/docker.service.d/empty.conf"
		deep    = "/etc/systemd/system/docker.service.d/deep/zz-harden.conf"
	)
	replace := func(make func(w world, p string) error) func(*testing.T, world, string) {
		return func(t *testing.T, w world, p string) {
			must(t, os.RemoveAll(w.path(p)))
			must(t, os.MkdirAll(filepath.Dir(w.path(p)), 0o755))
			must(t, make(w, w.path(p)))
		}
	}
	victim := func(w world) string { return w.path("/etc/bystander") }
	swaps := []struct {
		name  string
		says  string
		of    []string
		spoil func(*testing.T, world, string)
	}{
		{"gone", "gone", []string{content, attrs}, func(t *testing.T, w world, p string) { must(t, os.Remove(w.path(p))) }},
		{"directory gone", "gone", []string{content}, func(t *testing.T, w world, p string) {
			must(t, os.RemoveAll(filepath.Dir(w.path(p))))
		}},
		{"link", "symbolic link", []string{content, attrs, dir}, replace(func(w world, p string) error {
			return os.Symlink(victim(w), p)
		})},
		{"dangling link", "symbolic link", []string{content, attrs}, replace(func(w world, p string) error {
			return os.Symlink("/nonexistent", p)
		})},
		{"FIFO", "FIFO", []string{content, attrs}, replace(func(w world, p string) error { return unix.Mkfifo(p, 0o666) })},
		{"directory", "directory", []string{content, attrs}, replace(func(w world, p string) error {
			return os.Mkdir(p, 0o755)
		})},
		{"device", "character device", []string{content, attrs}, replace(func(w world, p string) error {
			return unix.Mknod(p, unix.S_IFCHR|0o666, 0x103)
		})},
		{"socket", "socket", []string{content, attrs}, replace(socket)},
		{"1 GiB", "1073741824 bytes", []string{content}, func(t *testing.T, w world, p string) {
			must(t, os.Truncate(w.path(p), 1<<30))
		}},
		{"same size", "content", []string{content}, func(t *testing.T, w world, p string) {
			f, err := os.OpenFile(w.path(p), os.O_WRONLY, 0)
			must(t, err)
			_, err = f.WriteAt([]byte("!"), 3)
			must(t, errors.Join(err, f.Close()))
		}},
		{"mode", "mode: 0600", []string{content, attrs, dir}, func(t *testing.T, w world, p string) {
			must(t, unix.Chmod(w.path(p), 0o600))
		}},
		{"owner", "owner: 99:98", []string{content, dir}, func(t *testing.T, w world, p string) {
			must(t, os.Chown(w.path(p), 99, 98))
		}},
		{"hard link", "2 names", []string{content, attrs}, func(t *testing.T, w world, p string) {
			must(t, os.Link(w.path(p), w.path("/etc/other")))
		}},
		{"appeared", "appeared", []string{fresh, deep}, replace(func(w world, p string) error {
			return os.WriteFile(p, nil, 0o640)
		})},
		{"appeared as a link", "appeared", []string{fresh, deep}, replace(func(w world, p string) error {
			return os.Symlink(victim(w), p)
		})},
		{"appeared as a FIFO", "appeared", []string{fresh}, replace(func(w world, p string) error {
			return unix.Mkfifo(p, 0o666)
		})},
		{"link above", "symbolic link", []string{content, fresh}, func(t *testing.T, w world, p string) {
			d := filepath.Dir(w.path(p))
			if err := os.Rename(d, w.path("/etc/elsewhere")); err != nil {
				must(t, os.Mkdir(w.path("/etc/elsewhere"), 0o755))
			}
			must(t, os.Symlink(w.path("/etc/elsewhere"), d))
		}},
	}
	for _, s := range swaps {
		for _, p := range s.of {
			t.Run(s.name+" "+filepath.Base(p), func(t *testing.T) {
				w := newWorld(t)
				plan := w.plan(t)
				s.spoil(t, w, p)
				for name, spoil := range kernels {
					is := ErrDrift
					if s.name == "link above" && p == fresh {
						is = nil // nothing was planned of that directory
					}
					t.Run(name, func(t *testing.T) {
						o := w.options()
						spoil(o.sys)
						refused(t, w, o, plan, is, p[:4], s.says)
					})
				}
			})
		}
	}
}

func socket(_ world, p string) error {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: p})
	if err != nil {
		return err
	}
	l.SetUnlinkOnClose(false)
	return l.Close()
}

// TestImproper gives Apply what no planner makes.
func TestImproper(t *testing.T) {
	w := newWorld(t)
	at := func(p string) remediate.Change { c := created(p, "x"); return c }
	removed := w.content(t, odd, "")
	removed.Removed = true
	noBefore := w.content(t, odd, "x")
	noBefore.Before.Data = nil
	mode := w.attributes(t, "/etc/docker", os.ModeDir|0o755, 0, 0)
	big := w.content(t, odd, strings.Repeat("x", 5<<20))
	for name, c := range map[string][]remediate.Change{
		"relative":  {at("etc/x")},
		"climbing":  {at("/etc/../../x")},
		"NUL":       {at("/etc/x\x00y")},
		"the root":  {at("/")},
		"twice":     {at("/etc/x"), at("/etc/x")},
		"removed":   {removed},
		"no before": {noBefore},
		"type bits": {mode},
		"too large": {big},
	} {
		t.Run(name, func(t *testing.T) { refused(t, w, w.options(), &remediate.Plan{Changes: c}, nil) })
	}
}

// TestStuck has targets that nothing can change. All but the last are known before anything is written.
func TestStuck(t *testing.T) {
	if !inside(t) {
		return
	}
	const json = "/etc/docker/daemon.json"
	for _, s := range []struct {
		name  string
		says  string
		spoil func(*testing.T, world)
		heal  func(*testing.T, world)
	}{
		{"immutable file", "it is immutable", chattr("+i", json), chattr("-i", json)},
		{"append-only file", "it is append-only", chattr("+a", json), chattr("-a", json)},
		{"immutable directory", "immutable", chattr("+i", "/etc/docker"), chattr("-i", "/etc/docker")},
		{"append-only directory", "append-only", chattr("+a", "/etc/docker"), chattr("-a", "/etc/docker")},
		{"immutable attributes", "/etc/default/docker cannot be changed: it is immutable",
			chattr("+i", "/etc/default/docker"), chattr("-i", "/etc/default/docker")},
		{"immutable directory of a new file", "zz-harden.conf cannot be changed: its directory is immutable",
			chattr("+i", "/etc/systemd/system"), chattr("-i", "/etc/systemd/system")},
		{"read-only", "read-only file system", func(t *testing.T, w world) {
			command(t, "mount", "--bind", w.path("/etc"), w.path("/etc"))
			command(t, "mount", "-o", "remount,ro,bind", w.path("/etc"))
		}, unmount("/etc")},
		{"mount point", json + " cannot be changed: it is a mount point", func(t *testing.T, w world) {
			command(t, "mount", "--bind", w.path(json), w.path(json))
		}, unmount(json)},
	} {
		t.Run(s.name, func(t *testing.T) {
			w := newWorld(t)
			must(t, os.RemoveAll(w.root))
			ext4(t, filepath.Join(filepath.Dir(w.root), "img"), w.root)
			defer command(t, "umount", w.root)
			w.furnish(t)
			plan := w.plan(t)
			s.spoil(t, w)
			defer s.heal(t, w)
			refused(t, w, w.options(), plan, nil, s.says)
		})
	}
}

func chattr(flag, p string) func(*testing.T, world) {
	return func(t *testing.T, w world) { command(t, "chattr", flag, w.path(p)) }
}

func unmount(p string) func(*testing.T, world) {
	return func(t *testing.T, w world) { command(t, "umount", w.path(p)) }
}

// TestFull fills the disk under the files, and then under the state: either way everything is as it was.
func TestFull(t *testing.T) {
	if !inside(t) {
		return
	}
	big := strings.Repeat("x", 128<<10)
	t.Run("host", func(t *testing.T) {
		for name, limit := range map[string]string{"bytes": "size=64k", "inodes": "nr_inodes=16"} {
			w := newWorld(t)
			must(t, os.RemoveAll(w.root))
			must(t, os.Mkdir(w.root, 0o755))
			command(t, "mount", "-t", "tmpfs", "-o", limit, "none", w.root)
			defer command(t, "umount", w.root)
			w.furnish(t)
			before := w.look(t)
			plan := w.plan(t)
			if name == "bytes" {
				plan.Changes[3].After.Data = []byte(big)
			}
			run, err := Apply(t.Context(), plan, w.options())
			if !errors.Is(err, ErrRolledBack) || !errors.Is(err, unix.ENOSPC) || run.Outcome != RolledBack {
				t.Errorf("%s: %v, %+v", name, err, run)
			}
			same(t, name, before, w.look(t))
			must(t, VerifyHistory(w.options()))
		}
	})
	t.Run("state", func(t *testing.T) {
		w := newWorld(t)
		must(t, os.Mkdir(w.state, 0o700))
		command(t, "mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "none", w.state)
		defer command(t, "umount", w.state)
		before := w.look(t)
		plan := w.plan(t)
		plan.Changes[3].After.Data = []byte(big)
		if _, err := Apply(t.Context(), plan, w.options()); !errors.Is(err, unix.ENOSPC) || errors.Is(err, ErrRolledBack) {
			t.Errorf("%v", err)
		}
		same(t, "state", before, w.look(t))
		if run, err := Interrupted(w.options()); run != nil || err != nil {
			t.Errorf("interrupted: %+v, %v", run, err)
		}
		_, err := Apply(t.Context(), w.plan(t), w.options())
		must(t, err)
		must(t, VerifyHistory(w.options()))
	})
}

// TestExposedBelow makes nothing below a directory that everybody can write to, however much of the path is missing.
func TestExposedBelow(t *testing.T) {
	for _, p := range []string{"/etc/docker/zz.conf", "/etc/docker/new/zz.conf", "/etc/docker/new/deep/zz.conf"} {
		w := newWorld(t)
		refused(t, w, w.options(), &remediate.Plan{Changes: []remediate.Change{created(p, "text\n")}}, nil,
			"everybody can write to /etc/docker")
	}
}
