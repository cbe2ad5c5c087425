package apply

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/harden/remediate"
)

// TestSocketMeanwhile has a daemon make its socket anew between the look and the change, which is its right, and
// somebody put another kind of file there, which is nobody's.
func TestSocketMeanwhile(t *testing.T) {
	if !inside(t) {
		return
	}
	const sock = "/run/docker.sock"
	anew := func(w world) error {
		return errors.Join(os.Remove(w.path(sock)), socket(w, w.path(sock)), os.Chmod(w.path(sock), 0o640),
			os.Chown(w.path(sock), 3, 4))
	}
	for name, c := range map[string]struct {
		meanwhile func(world) error
		want      string
		drift     bool
	}{
		"nothing":   {func(world) error { return nil }, "140660 0:8", false},
		"made anew": {anew, "140660 0:8", false},
		"gone":      {func(w world) error { return os.Remove(w.path(sock)) }, "", false},
		"now a file": {func(w world) error {
			return errors.Join(os.Remove(w.path(sock)), os.WriteFile(w.path(sock),
				nil, 0o666))
		}, "100644 0:0 \"\"", true},
		"now a FIFO": {func(w world) error {
			return errors.Join(os.Remove(w.path(sock)), unix.Mkfifo(w.path(sock),
				0o644))
		}, "010644 0:0", true},
		"now a child": {func(w world) error {
			return errors.Join(os.Remove(w.path(sock)), os.Mkdir(w.path(sock),
				0o755))
		}, "040755 0:0", true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			command(t, "mount", "-t", "tmpfs", "-o", "mode=0755", "none", w.path("/run"))
			defer command(t, "umount", w.path("/run"))
			must(t, socket(w, w.path(sock)))
			must(t, os.Chown(w.path(sock), 7, 8))
			must(t, os.Chmod(w.path(sock), 0o666))
			o := w.options()
			o.Progress = func(s Step) {
				if s.Doing == Writing && s.Subject == sock {
					must(t, c.meanwhile(w))
				}
			}
			_, err := Apply(t.Context(), &remediate.Plan{Changes: []remediate.Change{w.attributes(t, sock, 0o660, 0,
				8)}}, o)
			if errors.Is(err, ErrDrift) != c.drift || !c.drift && err != nil {
				t.Errorf("%v", err)
			}
			if got := w.look(t)[sock]; got != c.want {
				t.Errorf("afterwards it is %q, want %q", got, c.want)
			}
		})
	}
}

// TestSocketAfterwards looks at a socket once more when it has its new mode: one that is gone by then is its daemon's
// to make anew, and one that is not as it was written is told.
func TestSocketAfterwards(t *testing.T) {
	if !inside(t) {
		return
	}
	const sock = "/run/docker.sock"
	for name, c := range map[string]struct {
		then func(p string) error
		says string
	}{
		"gone": {os.Remove, ""},
		"open": {func(p string) error { return os.Chmod(p, 0o666) }, "it now has other content"},
	} {
		w := newWorld(t)
		command(t, "mount", "-t", "tmpfs", "-o", "mode=0755", "none", w.path("/run"))
		must(t, socket(w, w.path(sock)))
		must(t, os.Chmod(w.path(sock), 0o600))
		o := w.options()
		real := o.sys.syncfs
		o.sys.syncfs = func(fd int) error { return errors.Join(real(fd), c.then(w.path(sock))) }
		_, err := Apply(t.Context(), &remediate.Plan{Changes: []remediate.Change{w.attributes(t, sock, 0o660, 0, 0)}}, o)
		says(t, name, err, c.says)
		command(t, "umount", w.path("/run"))
	}
}

// TestArmedIsRootsAlone looks at what is kept of harden itself while a run is not confirmed: as closed as the state is,
// and with the label that lets systemd start it.
func TestArmedIsRootsAlone(t *testing.T) {
	w := newWorld(t)
	g, c := &guard{}, &clock{"one", time.Hour}
	o := w.guarded(g, c)
	self := filepath.Join(filepath.Dir(w.root), "self")
	must(t, os.WriteFile(self, []byte("harden"), 0o755))
	const label = "system_u:object_r:bin_t:s0\x00"
	labelled := unix.Setxattr(self, "security.selinux", []byte(label), 0) == nil
	o.sys.self = self
	g.o = o
	_, err := Apply(t.Context(), w.plan(t), o)
	must(t, err)
	for name, mode := range map[string]os.FileMode{"unconfirmed": 0o700 | os.ModeDir, "unconfirmed/harden": 0o700} {
		info, err := os.Stat(filepath.Join(w.state, name))
		must(t, err)
		if info.Mode() != mode {
			t.Errorf("%s is %s, want %s", name, info.Mode(), mode)
		}
	}
	buf := make([]byte, 64)
	n, err := unix.Getxattr(filepath.Join(w.state, "unconfirmed/harden"), "security.selinux", buf)
	if labelled && (err != nil || string(buf[:n]) != label) {
		t.Errorf("its label is %q, %v", buf[:max(n, 0)], err)
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{time.Minute: "1m", time.Hour: "1h", 90 * time.Minute: "1h30m",
		90 * time.Second: "1m30s",
		time.Second:      "1s", 10 * time.Minute: "10m", 10 * time.Hour: "10h", time.Hour + time.Second: "1h0m1s",
		20 * time.Second: "20s"} {
		if got := short(d); got != want {
			t.Errorf("%v is told as %s, want %s", d, got, want)
		}
	}
}
