package facts

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"example.com/harden/checks/budget"
	"example.com/harden/checks/want"
)

// A Unit is a systemd unit as systemd would load it next.
type Unit struct {
	Name      string
	Fragment  string         // the unit file itself, link followed
	DropIns   []string       // in the order in which they apply
	Argv      []Token        // the command of the last ExecStart=, variables expanded; empty when there is none
	CommandBy want.Authority // whose word Argv is
	By        want.Authority // whose word all of it is: of the files that it is put together from, the least
	Env       map[string]UnitVar
	settings  []Setting
	cost      *budget.Budget
}

// A UnitVar is one environment variable that systemd sets for a service, and where it is written.
type UnitVar struct {
	Value string
	File  string // the unit file, drop-in or environment file
	Own   bool   // it is in an environment file
	By    want.Authority
}

// A Setting is one assignment of a unit, with the file that makes it.
type Setting struct {
	Section, Key, Value string
	File                string
	By                  want.Authority
}

// A Token is one word of a command line and where it is written.
type Token struct {
	Text     string
	File     string // unit file, drop-in or environment file
	Variable string // the environment file's variable that holds it; empty when the unit itself spells it out
	By       want.Authority
	Unclear  string // the variable of a pod that is part of it, whose value cannot be told
}

// All returns the assignments of a list-like key that are in effect: an empty assignment clears those before it.
func (u *Unit) All(section, key string) []Setting {
	var all []Setting
	for _, s := range u.settings {
		switch {
		case s.Section != section || s.Key != key:
		case s.Value == "":
			all = nil
		default:
			all = append(all, s)
		}
	}
	return all
}

// Get returns the assignment of a scalar key that is in effect.
func (u *Unit) Get(section, key string) (Setting, bool) {
	all := u.All(section, key)
	if len(all) == 0 {
		return Setting{}, false
	}
	return all[len(all)-1], true
}

// Flags returns the flags that the unit's command passes, read as dockerd reads its own.
func (u *Unit) Flags() Flags {
	if len(u.Argv) == 0 {
		return nil
	}
	return ParseFlags(u.Argv[1:])
}

// FlagVariable returns the environment file and its variable that a flag's effective value comes from. It reports
// false when the flag is not passed, or when the unit itself or a drop-in spells it out.
func (u *Unit) FlagVariable(name string) (file, variable string, ok bool) {
	f, ok := u.Flags()[name]
	return f.Origin, f.Variable, ok && f.Variable != ""
}

// Entitled is the warrant of what repeats the unit's command with another flag.
func (u *Unit) Entitled() want.Warrant {
	return want.Warrant{By: u.CommandBy, From: "the command of " + u.Name}
}

// Files are the unit file and its drop-ins, whose directories no unit chooses.
func (u *Unit) Files() []Place {
	var files []Place
	for _, p := range append([]string{u.Fragment}, u.DropIns...) {
		files = append(files, Place{p, want.Warrant{By: want.Root, Kind: want.UnitFile}})
	}
	return files
}

// StartDir is where relative paths of a program start from: systemd starts a service in WorkingDirectory=, else in /.
// What no unit starts would be started again where it was.
func StartDir(h *Host, unit string, p *Process) string {
	if u, err := h.Unit(unit); unit != "" && err == nil {
		s, _ := u.Get("Service", "WorkingDirectory")
		dir := strings.TrimPrefix(specifiers(s.Value, unit), "-")
		if dir == "~" {
			dir = "/root"
		}
		return path.Join("/", dir)
	}
	if p != nil {
		return path.Join("/", p.Dir)
	}
	return "/"
}

// From is a path as a program takes it whose relative paths start from dir.
func From(dir, p string) string {
	if path.IsAbs(p) {
		return p
	}
	return path.Join(dir, p)
}

// Where systemd looks for units of the system and of a user, what comes first wins. Source: systemd.unit(5).
var (
	systemUnits = []string{
		"/etc/systemd/system.control", "/run/systemd/system.control", "/run/systemd/transient",
		"/run/systemd/generator.early", "/etc/systemd/system", "/etc/systemd/system.attached", "/run/systemd/system",
		"/run/systemd/system.attached", "/run/systemd/generator", "/usr/local/lib/systemd/system",
		"/usr/lib/systemd/system", "/lib/systemd/system", "/run/systemd/generator.late",
	}
	UserUnits = []string{
		"/etc/systemd/user", "/run/systemd/user", "/usr/local/lib/systemd/user", "/usr/lib/systemd/user",
		"/lib/systemd/user",
	}
)

// Unit returns a systemd unit as systemd would load it next: vendor file, overrides, drop-ins and environment files.
// ErrAbsent when there is none of that name.
func (h *Host) Unit(name string) (*Unit, error) { return OncePer(h, "unit", name, Anew, readUnit) }

func readUnit(h *Host, name string) (*Unit, error) { return LoadUnit(h, name, systemUnits) }

// LoadUnit puts a unit together from the directories. A masked unit is absent: nothing can start it.
func LoadUnit(h *Host, name string, dirs []string) (*Unit, error) {
	u := &Unit{Name: name, cost: budget.New(name, h.spent)}
	var fragment File
	for _, dir := range dirs {
		f, err := FileWithin(h, u.cost, path.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if f.Path == "/dev/null" || err == nil && f.Type == 0 && f.Size == 0 {
			return nil, fmt.Errorf("%s is masked by %s: %w", name, path.Join(dir, name), ErrAbsent)
		}
		if err != nil {
			return nil, err
		}
		u.Fragment, fragment = f.Path, f
		break
	}
	if u.Fragment == "" {
		return nil, fmt.Errorf("%s: %w", name, ErrAbsent)
	}
	u.By = h.Vouch(u.Fragment, want.Root)
	u.settings = parseUnit(fragment.Data, u.Fragment, u.By)
	dropIns, err := dropIns(h, dropInDirs(name, path.Base(u.Fragment)), dirs)
	if err != nil {
		return nil, err
	}
	for _, p := range dropIns {
		f, err := FileWithin(h, u.cost, p)
		if f.Path == "/dev/null" || errors.Is(err, fs.ErrNotExist) {
			continue // a masked drop-in, or a dangling link to one
		}
		if err != nil {
			return nil, err
		}
		u.DropIns = append(u.DropIns, p)
		by := h.Vouch(p, want.Root)
		u.By = min(u.By, by)
		u.settings = append(u.settings, parseUnit(f.Data, p, by)...)
	}
	u.Argv, err = command(h, u)
	u.CommandBy = want.Root
	if exec, ok := u.Get("Service", "ExecStart"); ok {
		u.CommandBy = exec.By
	}
	for _, t := range u.Argv {
		u.CommandBy = min(u.CommandBy, t.By)
	}
	u.By = min(u.By, u.CommandBy)
	return u, err
}

// dropInDirs names the drop-in directories of a unit, by its own name and the name that an alias stands for, the
// most specific first: docker.service.d, then a-.service.d of a-b.service, then service.d of all services.
func dropInDirs(names ...string) []string {
	var dirs []string
	for _, name := range names {
		kind := path.Ext(name)
		stem := strings.TrimSuffix(name, kind)
		dirs = append(dirs, name+".d")
		for i := len(stem) - 1; i > 0; i-- {
			if stem[i] == '-' && i < len(stem)-1 {
				dirs = append(dirs, stem[:i+1]+kind+".d")
			}
		}
		dirs = append(dirs, strings.TrimPrefix(kind, ".")+".d")
	}
	slices.SortStableFunc(dirs, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(dirs)
}

// dropIns lists *.conf of the named directories below the unit directories, sorted by file name whatever the
// directory. Of the same file name the more specific directory wins, then the earlier unit directory.
func dropIns(h *Host, names, dirs []string) ([]string, error) {
	found := map[string]string{}
	for _, name := range names {
		for _, dir := range dirs {
			entries, err := h.List(path.Join(dir, name))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			for _, e := range entries {
				if _, hidden := found[e]; !hidden && strings.HasSuffix(e, ".conf") {
					found[e] = path.Join(dir, name, e)
				}
			}
		}
	}
	byName := func(a, b string) int { return strings.Compare(path.Base(a), path.Base(b)) }
	return slices.SortedFunc(maps.Values(found), byName), nil
}

// parseUnit reads the assignments of a unit file. Source: systemd.syntax(7).
func parseUnit(data []byte, file string, by want.Authority) []Setting {
	var settings []Setting
	var section string
	var pending strings.Builder
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\r\n")
		start := strings.TrimLeft(line, " \t")
		if strings.HasPrefix(start, "#") || strings.HasPrefix(start, ";") {
			continue // also in the middle of a continued line, which goes on after the comment
		}
		if cut, ok := strings.CutSuffix(line, `\`); ok {
			pending.WriteString(cut + " ")
			continue
		}
		line = strings.TrimSpace(pending.String() + line)
		pending.Reset()
		if strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]") {
			section = line[1 : len(line)-1]
			continue
		}
		if key, value, ok := strings.Cut(line, "="); ok && section != "" {
			settings = append(settings, Setting{section, strings.TrimSpace(key), strings.TrimSpace(value), file, by})
		}
	}
	return settings
}
