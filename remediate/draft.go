package remediate

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
	"example.com/harden/remediate/edit"
)

// Files that are harden's own. The drop-in's name sorts after what administrators and vendors write, because the
// last drop-in wins.
const (
	auditRules = "/etc/audit/rules.d/50-harden-docker.rules"
	dropIn     = "zz-harden.conf"
)

// A draft is a plan in the making: one change per file, however many fixes meet in it.
type draft struct {
	host        *facts.Host
	files       map[string]*Change
	asked       map[Kind]map[string]*Activation // by unit
	changes     []Change
	activations []Activation
}

func newDraft(h *facts.Host) *draft {
	return &draft{host: h, files: map[string]*Change{}, asked: map[Kind]map[string]*Activation{}}
}

// add works all of a fix's wants into the draft.
func (d *draft) add(f fix) error {
	for _, w := range f.finding.Wants {
		if err := d.want(f, w); err != nil {
			return err
		}
	}
	return nil
}

func (d *draft) want(f fix, w want.Want) error {
	switch w := w.(type) {
	case want.Mode:
		return d.attribute(f, w, w.File, func(i *facts.Info) error {
			i.Mode &= w.Mode // two checks may each clear bits of one file
			return nil
		})
	case want.Owner:
		return d.attribute(f, w, w.File, func(i *facts.Info) error { return d.setOwner(i, w.Owner) })
	case want.Key:
		if err := d.activateKey(f, w); err != nil {
			return err
		}
		return d.content(f, w, w.File, 0o644, func(data []byte) ([]byte, error) { return edit.JSON(data, w.Key, w.Value) })
	case want.Env:
		return d.content(f, w, w.File, 0o644, func(data []byte) ([]byte, error) { return edit.Env(data, w.Name, w.Value) })
	case want.AuditRule:
		d.activate(f, LoadAudit, "")
		line := fmt.Sprintf("-w %s -p wa -k docker", w.Path)
		return d.content(f, w, auditRules, 0o640, func(data []byte) ([]byte, error) { return edit.AuditRule(data, line) })
	case want.Setting:
		d.activate(f, ReloadManager, "")
		return d.content(f, w, dropInPath(w.Unit), 0o644, func(data []byte) ([]byte, error) {
			return edit.Unit(data, w.Section, w.Key, w.Value)
		})
	case want.Flag:
		return d.flag(f, w)
	case want.Service:
		if w.Reload {
			d.activate(f, Reload, w.Unit)
		} else {
			d.activate(f, Restart, w.Unit)
		}
		return nil
	}
	return fmt.Errorf("no editor for a %T: this is a bug in harden", w)
}

// dropInPath is where harden's own drop-in of a unit is.
func dropInPath(unit string) string { return path.Join("/etc/systemd/system", unit+".d", dropIn) }

// flag changes a service's command-line flag where it is written: in the environment file that its variable comes
// from, else by a drop-in that repeats the whole command. The vendor's unit file is never written.
func (d *draft) flag(f fix, w want.Flag) error {
	u, err := d.host.Unit(w.Unit)
	if err != nil {
		return err
	}
	commands := u.All("Service", "ExecStart")
	if len(commands) != 1 {
		return fmt.Errorf("%s has %d ExecStart= lines, so which one to change is a person's choice", w.Unit, len(commands))
	}
	d.activate(f, Restart, w.Unit)
	if file, name, ok := u.FlagVariable(w.Name); ok {
		return d.content(f, w, file, 0o644, func(data []byte) ([]byte, error) {
			return edit.EnvFlag(data, name, w.Name, w.Value)
		})
	}
	d.activate(f, ReloadManager, "")
	return d.content(f, w, dropInPath(w.Unit), 0o644, func(data []byte) ([]byte, error) {
		line := commands[0].Value
		if mine, err := edit.UnitValue(data, "Service", "ExecStart"); err == nil && mine != "" {
			line = mine // an earlier fix of this draft has written the command already
		}
		line, err := edit.Flag(line, w.Name, w.Value)
		if err != nil {
			return nil, err
		}
		return edit.Unit(data, "Service", "ExecStart", line)
	})
}

// activateKey asks for what makes dockerd take up a key of its configuration file.
func (d *draft) activateKey(f fix, w want.Key) error {
	unit := "docker.service"
	daemon, err := d.host.Daemon()
	if errors.Is(err, facts.ErrAbsent) || err == nil && daemon.Process == nil && !daemon.Unseen {
		return nil // nothing runs that could take it up; the next start will
	}
	if err == nil && daemon.Unit != "" {
		unit = daemon.Unit
	}
	if !want.Reloadable[w.Key[0]] {
		d.activate(f, Restart, unit)
		return nil
	}
	if err == nil && daemon.Running.Carries(daemon.Next) {
		// dockerd refuses to reload a file with a key that it was started with as a flag. Live-restore is in
		// force already then: it was kept on while a run was taken back.
		if w.Key[0] == "live-restore" {
			return nil
		}
		return fmt.Errorf("dockerd has to be restarted first: it runs with --live-restore, which nothing configures")
	}
	d.activate(f, Reload, unit)
	return nil
}

func (d *draft) activate(f fix, kind Kind, unit string) {
	if d.asked[kind] == nil {
		d.asked[kind] = map[string]*Activation{}
	}
	a := d.asked[kind][unit]
	if a == nil {
		a = &Activation{Kind: kind, Unit: unit, Class: activationClass[kind]}
		d.asked[kind][unit] = a
	}
	a.Checks = addCheck(a.Checks, f.check)
}

var activationClass = map[Kind]want.Class{LoadAudit: want.Reload, ReloadManager: want.None, Reload: want.Reload, Restart: want.Restart}

// attribute works a change of mode or owner into the change of its file.
func (d *draft) attribute(f fix, w want.Want, file string, set func(*facts.Info) error) error {
	info, err := d.host.Info(file)
	if err != nil {
		return err
	}
	c := d.files[info.Path]
	if c == nil {
		if err := changeable(info); err != nil {
			return err
		}
		c = &Change{Path: info.Path, Before: facts.File{Info: info}, After: facts.File{Info: info}}
	}
	after := c.After
	if err := set(&after.Info); err != nil {
		return err
	}
	c.After = after
	d.note(c, f, w)
	return nil
}

// content works a change of bytes into the change of its file, which is created with mode when it does not exist.
func (d *draft) content(f fix, w want.Want, file string, mode fs.FileMode, set func([]byte) ([]byte, error)) error {
	loaded, err := d.load(file, mode)
	if err != nil {
		return err
	}
	c := d.files[loaded.Path]
	if c == nil || !c.Content() {
		if c != nil { // attributes were changed first
			loaded.After.Info = c.After.Info
			loaded.Class, loaded.Checks, loaded.Wants, loaded.Breaks = c.Class, c.Checks, c.Wants, c.Breaks
		}
		c = loaded
	}
	data, err := set(c.After.Data)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	c.After.Data, c.After.Size = data, int64(len(data))
	d.note(c, f, w)
	return nil
}

func (d *draft) load(file string, mode fs.FileMode) (*Change, error) {
	before, err := d.host.File(file)
	if errors.Is(err, fs.ErrNotExist) {
		info := facts.Info{Path: file, Mode: mode, User: "root", Group: "root", Links: 1}
		return &Change{Path: file, Created: true, After: facts.File{Info: info}}, nil
	}
	if err != nil {
		return nil, err
	}
	if before.Data == nil {
		before.Data = []byte{} // an empty file has content, of no bytes
	}
	if err := changeable(before.Info); err != nil {
		return nil, err
	}
	return &Change{Path: before.Path, Before: before, After: before}, nil
}

// changeable says why a file must not, or cannot, be changed.
func changeable(i facts.Info) error {
	switch {
	case i.Locked != "":
		return fmt.Errorf("%s cannot be changed: %s", i.Path, i.Locked)
	case i.Type == 0 && i.Links > 1:
		return fmt.Errorf("%s has %d names (hard links); a change would reach, or lose, the others", i.Path, i.Links)
	}
	return nil
}

func (d *draft) note(c *Change, f fix, w want.Want) {
	c.Checks = addCheck(c.Checks, f.check)
	c.Wants = append(c.Wants, w)
	c.Class = max(c.Class, f.class)
	c.Breaks = appendNew(c.Breaks, f.check.Breaks, f.finding.Breaks)
	d.files[c.Path] = c
}

// setOwner resolves "user:group" by the host's own accounts.
func (d *draft) setOwner(i *facts.Info, owner string) error {
	user, group, _ := strings.Cut(owner, ":")
	uid, err := id(user, d.host.UserID)
	if err != nil {
		return err
	}
	gid, err := id(group, d.host.GroupID)
	if err != nil {
		return err
	}
	i.User, i.UID, i.Group, i.GID = user, uid, group, gid
	return nil
}

func id(name string, lookup func(string) (uint32, error)) (uint32, error) {
	if name == "root" { // 0 whatever the files say
		return 0, nil
	}
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		return uint32(n), nil
	}
	return lookup(name)
}

// finish sorts the draft into what a plan holds: changes that change something, and activations in order.
func (d *draft) finish() {
	for _, c := range d.files {
		if c.changes() {
			d.changes = append(d.changes, *c)
		}
	}
	slices.SortFunc(d.changes, func(a, b Change) int { return cmp.Compare(a.Path, b.Path) })
	for _, kind := range Kinds {
		units := d.asked[kind]
		for _, unit := range slices.Sorted(maps.Keys(units)) {
			if kind == Reload && d.asked[Restart][unit] != nil && !d.wantsLiveRestore() {
				continue // the restart takes up what the reload would
			}
			d.activations = append(d.activations, *units[unit])
		}
	}
}

// wantsLiveRestore reports whether live-restore is being turned on: dockerd decides by the value it has in memory
// whether containers survive a restart, so it must be reloaded first (reliability: file and restart alone kill them).
func (d *draft) wantsLiveRestore() bool {
	for _, c := range d.files {
		for _, w := range c.Wants {
			if k, ok := w.(want.Key); ok && slices.Equal(k.Key, []string{"live-restore"}) {
				return true
			}
		}
	}
	return false
}

func (c *Change) changes() bool {
	if c.Created {
		return true
	}
	b, a := c.Before, c.After
	return string(b.Data) != string(a.Data) || b.Mode != a.Mode || b.UID != a.UID || b.GID != a.GID
}

func (d *draft) overlay() facts.Overlay { return overlayOf(d.changes, d.activations) }
