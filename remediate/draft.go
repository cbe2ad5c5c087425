package remediate

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/facts/kube"
	"example.com/harden/checks/want"
	"example.com/harden/remediate/edit"
)

// Files that are harden's own. The drop-in's name sorts after what administrators and vendors write, because the
// last drop-in wins.
const (
	auditRules = "/etc/audit/rules.d/50-harden-docker.rules"
	dropIn     = "zz-harden.conf"
	tmpfiles   = "/etc/tmpfiles.d/harden-docker.conf"
)

// A draft is a plan in the making: one change per file, however many fixes meet in it.
type draft struct {
	host        *facts.Host
	files       map[string]*Change
	asked       map[Kind]map[string]*Activation // by unit
	network     []restart                       // for keys of networkKeys
	waiting     []restart                       // that nothing here can do
	updates     map[string]*Update              // by container
	containers  map[string]*docker.Container    // by ID, once asked
	changes     []Change
	activations []Activation
	vows        []vow
	composed    map[string]*composed // Compose files as all fixes together leave them
}

func newDraft(h *facts.Host) *draft {
	return &draft{host: h, files: map[string]*Change{}, updates: map[string]*Update{},
		asked: map[Kind]map[string]*Activation{}}
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

// want works one want into the draft, by the editor of its kind.
func (d *draft) want(f fix, w want.Want) error {
	do := editors[reflect.TypeOf(w)]
	if do == nil {
		return fmt.Errorf("no editor for a %T: this is a bug in harden", w)
	}
	return do(d, f, w)
}

var _ = editor((*draft).auditRule)

func (d *draft) auditRule(f fix, w want.AuditRule) error {
	d.entitled(f, w.Path, Target.Audit, w.Warrant)
	d.activate(f, LoadAudit, "")
	line := fmt.Sprintf("-w %s -p wa -k docker", w.Path)
	if err := d.atBoot(f, w); err != nil {
		return err
	}
	return d.content(f, w, auditRules, 0o640, func(data []byte) ([]byte, error) { return edit.AuditRule(data, line) })
}

// atBoot has the directories of a watch below /run made before the rules are loaded. A boot empties /run, auditctl
// gives up at the first path that it does not find, with it all the rules that follow, and what is not yet a
// directory is watched as a file.
func (d *draft) atBoot(f fix, w want.AuditRule) error {
	var dirs []string
	for dir := path.Dir(w.Path); strings.HasPrefix(dir, "/run/"); dir = path.Dir(dir) {
		dirs = append(dirs, dir)
	}
	if w.Dir && strings.HasPrefix(w.Path, "/run/") {
		dirs = append([]string{w.Path}, dirs...)
	}
	for _, dir := range slices.Backward(dirs) {
		info, err := d.host.Info(dir)
		if err != nil {
			return err
		}
		line := fmt.Sprintf("d %s %04o %s %s -", dir, info.Mode, info.User, info.Group)
		if err := d.content(f, w, tmpfiles, 0o644, func(data []byte) ([]byte, error) {
			return edit.Line(data, line)
		}); err != nil {
			return err
		}
	}
	return nil
}

// dropInMode is 0600 for the kubelet, whose drop-ins the benchmark wants nobody else to read (4.1.1).
func dropInMode(unit string) fs.FileMode {
	if unit == kube.KubeletUnit {
		return 0o600
	}
	return 0o644
}

// dropInPath is where harden's own drop-in of a unit is.
func dropInPath(unit string) string { return path.Join("/etc/systemd/system", unit+".d", dropIn) }

var _ = editor((*draft).flag)

// flag changes a service's command-line flag where it is written: in the environment file that its variable comes
// from, else by a drop-in that repeats the whole command. The vendor's unit file is never written.
func (d *draft) flag(f fix, w want.Flag) error {
	if w.File != "" {
		return d.variable(f, w)
	}
	u, err := d.host.Unit(w.Unit)
	if err != nil {
		return err
	}
	commands := u.All("Service", "ExecStart")
	if len(commands) != 1 {
		return fmt.Errorf("%s has %d ExecStart= lines, choose which one to change", w.Unit, len(commands))
	}
	d.activate(f, Restart, w.Unit)
	if w.Gone {
		return d.withoutFlag(f, w, u, commands[0].Value)
	}
	if file, name, ok := u.FlagVariable(w.Name); ok {
		return d.content(f, w, file, 0o644, func(data []byte) ([]byte, error) {
			if len(w.Add)+len(w.Drop) > 0 {
				return edit.EnvFlagList(data, name, w.Name, w.Add, w.Drop)
			}
			return edit.EnvFlag(data, name, w.Name, w.Value)
		})
	}
	d.activate(f, ReloadManager, "")
	return d.content(f, w, dropInPath(w.Unit), dropInMode(w.Unit), func(data []byte) ([]byte, error) {
		line, err := edit.CommandLine(data, commands[0].Value), error(nil)
		if len(w.Add)+len(w.Drop) > 0 {
			line, err = edit.FlagList(line, w.Name, w.Add, w.Drop)
		} else {
			line, err = edit.Flag(line, w.Name, w.Value)
		}
		if err != nil {
			return nil, err
		}
		return edit.Unit(data, "Service", "ExecStart", line)
	})
}

// variable changes a flag in the variable of a file that no unit reads: what OpenRC's scripts do.
func (d *draft) variable(f fix, w want.Flag) error {
	d.restart(f, w.Name, w.Unit)
	return d.content(f, w, w.File, 0o644, func(data []byte) ([]byte, error) {
		if !w.Gone {
			return edit.EnvFlag(data, w.Variable, w.Name, w.Value)
		}
		return edit.RemoveEnvFlag(data, w.Variable, w.Name, false) // only lists go: a flag that is no list gets a value
	})
}

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
	}
	d.entitled(f, info.Path, Target.Refuse, w.Entitled())
	if c == nil {
		c = &Change{Path: info.Path, Before: facts.File{Info: info}, After: facts.File{Info: info}}
	}
	after := c.After
	if err := set(&after.Info); err != nil {
		return err
	}
	c.After = after
	d.note(c, f, w, w.Entitled())
	return nil
}

// content works a change of bytes into the change of its file, which is created with mode when it does not exist.
func (d *draft) content(f fix, w want.Want, file string, mode fs.FileMode, set func([]byte) ([]byte, error)) error {
	loaded, err := d.load(file, mode)
	if err != nil {
		return err
	}
	warrant := warrantOf(w)
	d.entitled(f, loaded.Path, Target.Refuse, warrant)
	c := d.files[loaded.Path]
	if c == nil || !c.Content() {
		if c != nil { // attributes were changed first
			loaded.After.Info = c.After.Info
			loaded.Class, loaded.Checks, loaded.Wants, loaded.Breaks = c.Class, c.Checks, c.Wants, c.Breaks
			loaded.Warrants = c.Warrants
		}
		c = loaded
	}
	data, err := set(c.After.Data)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	c.After.Data, c.After.Size = data, int64(len(data))
	d.note(c, f, w, warrant)
	return nil
}

func (d *draft) load(file string, mode fs.FileMode) (*Change, error) {
	before, err := d.host.File(file)
	if errors.Is(err, fs.ErrNotExist) {
		if err := d.room(file); err != nil {
			return nil, err
		}
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

// room says why nothing can be made at a path: the nearest directory there is cannot be changed. A scheduled run
// may write to a few directories only.
func (d *draft) room(file string) error {
	for dir := path.Dir(file); ; dir = path.Dir(dir) {
		info, err := d.host.Info(dir)
		if err == nil && info.Locked != "" {
			return fmt.Errorf("%s cannot be made: %s", file, info.Locked)
		}
		if !errors.Is(err, fs.ErrNotExist) || dir == "/" {
			return nil // what else hinders it is told when it is done
		}
	}
}

// changeable says why a file must not, or cannot, be changed.
func changeable(i facts.Info) error {
	switch {
	case i.Type != 0 && !i.Type.IsDir() && i.Type != fs.ModeSocket:
		return fmt.Errorf("%s is not a file, directory or socket; change it yourself", i.Path)
	case i.Locked != "":
		return fmt.Errorf("%s cannot be changed: %s", i.Path, i.Locked)
	case i.Type == 0 && i.Links > 1:
		return fmt.Errorf("%s has %d names (hard links); a change would change or unlink the others", i.Path, i.Links)
	}
	return nil
}

func (d *draft) note(c *Change, f fix, w want.Want, warrant want.Warrant) {
	if !slices.Contains(c.Warrants, warrant) {
		c.Warrants = append(c.Warrants, warrant)
	}
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
	if uid != i.UID || gid != i.GID {
		i.Mode, i.Capable = GivenAway(*i), false
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

func (c *Change) changes() bool {
	if c.Created {
		return true
	}
	b, a := c.Before, c.After
	return string(b.Data) != string(a.Data) || b.Mode != a.Mode || b.UID != a.UID || b.GID != a.GID
}

func (d *draft) overlay() facts.Overlay {
	return overlayOf(d.changes, d.sortedUpdates(), d.activations)
}
