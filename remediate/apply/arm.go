package apply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A Guard sees to it that harden is called when a run was not confirmed, whatever has become of this process. Before a
// run's first write Apply has it try a unit that the next boot will start, and asks it for a call in this one.
type Guard interface {
	// Ready returns nil where the others can be done, and else why not.
	Ready(ctx context.Context) error
	// Try starts a unit that is on disk and returns when that has ended, nil when its program did not fail.
	Try(ctx context.Context, unit string) error
	// Call has a program started once, after a time, by a transient unit of that name. It does not depend on who asks.
	Call(ctx context.Context, name, description string, argv []string, after time.Duration) error
	// Cancel forgets a Call. That there is none, or none any more, is no error.
	Cancel(ctx context.Context, name string) error
}

// The boot unit is wanted by sysinit.target, which every boot goes through, by a drop-in: a link among its wants would
// be the same, but that the tree makes regular files alone.
const (
	unitDir  = "/etc/systemd/system"
	wantedBy = "sysinit.target"
	armTemp  = ".harden-unconfirmed"
)

// An armed is what was put in place for one unconfirmed run. It is on disk before any of it is.
type armed struct {
	Boot string   `json:"boot"`
	Root []byte   `json:"root"`
	Dirs [][]byte `json:"dirs,omitempty"` // made for the unit files, the topmost first
}

func (s *store) armedDir() string  { return filepath.Join(s.dir, "unconfirmed") }
func (s *store) armedFile() string { return filepath.Join(s.armedDir(), "armed.json") }

// triedFile is made by the boot unit when it is tried.
func (s *store) triedFile() string { return filepath.Join(s.armedDir(), "tried") }
func (s *store) ownCopy() string   { return filepath.Join(s.armedDir(), "harden") }

// readArmed returns nil when nothing is armed.
func (s *store) readArmed() (*armed, error) {
	text, err := readState(s.armedFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	a := new(armed)
	if err := strictly(text, a); err != nil {
		return nil, damaged(s.armedFile(), located(err))
	}
	return a, nil
}

// unit is the boot unit's name, one for each state directory.
func (s *store) unit() string { return "harden-unconfirmed-" + sum([]byte(s.dir))[:8] + ".service" }

// call is the name of the transient unit for one run: it may outlive an arming that was cut short, and must then meet
// nothing of another's.
func call(id string) string { return "harden-unconfirmed-" + id }

// A planted file is one of those that have a boot call harden.
type planted struct{ path, text string }

func (e *engine) planted() []planted {
	name := e.store.unit()
	argv := append([]string{e.store.ownCopy()}, e.Recall...)
	return []planted{
		{path.Join(unitDir, name), fmt.Sprintf(
			`# Written by harden for a run that was not confirmed yet, and removed with that.
[Unit]
Description=Roll back unconfirmed changes of harden
DefaultDependencies=no
RequiresMountsFor=%[1]s
After=local-fs.target systemd-remount-fs.service
Before=sysinit.target auditd.service audit-rules.service docker.socket docker.service containerd.service `+
				`crio.service kubelet.service shutdown.target
Conflicts=shutdown.target
ConditionFileIsExecutable=%[1]s

[Service]
Type=oneshot
ExecStart=%[2]s
TimeoutStartSec=5min
`, e.store.ownCopy(), strings.Join(argv, " "))},
		{path.Join(unitDir, wantedBy+".d", strings.TrimSuffix(name, ".service")+".conf"),
			"# Written by harden for a run that was not confirmed yet, and removed with that.\n[Unit]\nWants=" + name + "\n"},
	}
}

// plain refuses what would have to be quoted in a unit file, and what systemd would expand.
func plain(args []string) error {
	for _, a := range args {
		if a == "" || strings.ContainsFunc(a, func(r rune) bool {
			return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' ||
				strings.ContainsRune("/._-+,:=@", r))
		}) {
			return fmt.Errorf("%q cannot be named in a systemd unit", a)
		}
	}
	return nil
}

// arm puts in place what takes the run back: first for the next boot, and tried, then for this one. From the moment in
// which the journal is published the run can be taken back, and what is armed does nothing before that.
func (e *engine) arm(ctx context.Context, j *journal) error {
	argv := append([]string{e.store.ownCopy()}, e.Recall...)
	if err := plain(argv); err != nil {
		return err
	}
	a := armed{Boot: e.sys.boot, Root: []byte(e.Root)}
	for _, f := range e.planted() {
		var err error
		if a.Dirs, err = e.tree.addMissing(a.Dirs, f.path); err != nil {
			return err
		}
	}
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if err := os.Mkdir(e.store.armedDir(), 0o700); err != nil {
		return err
	}
	if err := together(e.store.put(e.store.armedFile(), text), e.store.copySelf(), e.store.syncDir(e.store.armedDir()),
		e.store.syncDir(e.store.dir)); err != nil {
		return err
	}
	for _, d := range a.Dirs {
		if err := e.tree.makeDir(string(d)); err != nil {
			return err
		}
	}
	for _, f := range e.planted() {
		if err := e.tree.plant(f); err != nil {
			return err
		}
	}
	err = e.Guard.Try(ctx, e.store.unit())
	if err == nil { // a unit whose conditions are not met does not fail
		_, err = os.Lstat(e.store.triedFile())
	}
	if err != nil {
		return fmt.Errorf("the unit that would roll the run back after a reboot does not work: %w", err)
	}
	up, err := e.sys.uptime()
	if err != nil {
		return err
	}
	j.Confirm = &deadline{Within: e.Within, Uptime: up + e.Within}
	return e.Guard.Call(ctx, call(j.ID), "Take run "+j.ID+" of harden back unless it was confirmed", append(argv, j.ID),
		e.Within)
}

// disarm takes away all that arm has put in place, however far it had got. That the run is settled has to be on disk by
// then: until the last of it is gone it may still be called, and finds nothing to do.
func (e *engine) disarm(id string) error {
	if _, err := os.Lstat(e.store.armedDir()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	a, err := e.store.readArmed()
	if err != nil || a != nil && string(a.Root) != e.Root {
		return err
	}
	if e.Guard != nil && id != "" {
		_ = e.Guard.Cancel(context.Background(), call(id)) // it would find nothing to do
	}
	if a != nil {
		for _, f := range slices.Backward(e.planted()) {
			if err := e.tree.unplant(f); err != nil {
				return err
			}
		}
		for _, d := range slices.Backward(a.Dirs) {
			if err := e.tree.dropDir(string(d)); err != nil {
				return err
			}
		}
	}
	return together(os.RemoveAll(e.store.armedDir()), e.store.syncDir(e.store.dir))
}

// copySelf keeps the program that runs where it cannot vanish: what Ansible runs lies in a directory that goes away
// with it.
func (s *store) copySelf() error {
	from, err := os.Open(s.sys.self)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(s.ownCopy(), os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o700)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	if err == nil {
		if err = s.sys.fsync(int(to.Fd())); err != nil {
			err = &fs.PathError{Op: "fsync", Path: to.Name(), Err: err}
		}
	}
	// A program that systemd may start is told by its label, and a file made here has that of data.
	if label, labelErr := sized(func(buf []byte) (int, error) {
		return unix.Fgetxattr(int(from.Fd()), "security.selinux", buf)
	}); labelErr == nil {
		_ = unix.Fsetxattr(int(to.Fd()), "security.selinux", label, 0) // Try tells whether it was needed
	}
	return together(err, to.Close())
}

func (t *tree) plant(f planted) error {
	g, err := t.open(f.path)
	if err != nil {
		return err
	}
	defer g.close()
	now, err := g.look(true)
	if err != nil {
		return err
	}
	s, err := g.stage(armTemp, image{Exists: true, Fresh: true, Type: unix.S_IFREG, Mode: 0o644}, []byte(f.text), now)
	if err != nil {
		return err
	}
	defer unix.Close(s.fd)
	return s.commit()
}

func (t *tree) unplant(f planted) error {
	g, err := t.open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer g.close()
	if err := g.unstage(armTemp); err != nil {
		return err
	}
	now, err := g.look(true)
	if err != nil || !now.Exists {
		return together(err, g.syncDir())
	}
	return g.remove(now)
}
