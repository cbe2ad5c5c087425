// Package schedule plans what runs harden by the clock: units and timers of systemd, or a file for cron where systemd
// does not run. It plans them as any other change is planned, whole and with nothing written, so that they are shown as
// a diff, journaled, and taken back byte for byte.
package schedule

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
)

// A Manager starts programs by the clock.
type Manager string

// The managers.
const (
	Systemd Manager = "systemd"
	Cron    Manager = "cron"
)

// The timers.
const (
	AuditTimer = "harden-audit.timer"
	ApplyTimer = "harden-apply.timer"
)

// Timers lists the timers.
var Timers = []string{AuditTimer, ApplyTimer}

const (
	units    = "/etc/systemd/system/"
	cronFile = "/etc/cron.d/harden"
	// what the timer of audits is called
	auditTitle = "Audit this host on a schedule"
	mark       = "# Written by `harden schedule install`; `harden schedule remove` takes it away."
)

// DefaultMetrics is where the node exporter reads text files when it is told to, by its own documentation.
const DefaultMetrics = "/var/lib/node_exporter/textfile_collector/harden.prom"

// A Spec is what shall run and when. Its paths are those of the host.
type Spec struct {
	Manager Manager
	Program string // harden itself
	State   string // the state directory
	Args    []string
	Metrics string // the file of metrics
	Network bool   // the Docker Engine is reached by TCP
	Audit   Timing
	Apply   *Apply // nil when nothing is to be applied by the clock

	packaged bool // the units are a package's
}

// A Timing says when. Calendar is as systemd.time(7) has it, or for cron hourly, daily, weekly, monthly or five fields
// of crontab(5). Delay is the most that a start is put off by chance, so that a fleet does not start as one.
type Timing struct {
	Calendar string
	Delay    time.Duration
}

// An Apply is a scheduled apply, which can write below these directories and nowhere else.
type Apply struct {
	Timing
	Writable []string
	Kinds    []remediate.Kind // the activations it may come to
}

// Detect says what starts programs by the clock on a host: of a host that runs what runs there, and of another what its
// files tell.
// mine is what entitles to the files of a schedule, whose places harden names.
var mine = []want.Warrant{want.Mine}

func Detect(h *facts.Host, runs bool) (Manager, error) {
	sign := "/run/systemd/system" // as sd_booted(3) tells
	if !runs {
		sign = "/usr/lib/systemd/systemd"
	}
	_, err := h.Info(sign)
	switch {
	case err == nil:
		return Systemd, nil
	case errors.Is(err, fs.ErrNotExist):
		return Cron, nil
	}
	return "", err
}

// Plan is what makes the host's schedule what spec says, and removes whatever else of a schedule was there. A nil spec
// removes all of it. A file of one of these names that harden has not written is an error.
func Plan(h *facts.Host, spec *Spec) (*remediate.Plan, error) {
	files := map[string]string{}
	if spec != nil {
		if err := spec.check(); err != nil {
			return nil, err
		}
		files = spec.files(h)
	}
	plan := new(remediate.Plan)
	changed := map[string]bool{}
	for _, p := range paths() {
		c, err := change(h, p, files[p])
		if err != nil {
			return nil, err
		}
		if c != nil {
			plan.Changes = append(plan.Changes, *c)
			changed[p] = true
		}
	}
	slices.SortFunc(plan.Changes, func(a, b remediate.Change) int { return cmp.Compare(a.Path, b.Path) })
	var timers []remediate.Activation
	for _, t := range Timers {
		if slices.ContainsFunc(unitFiles(t), func(p string) bool { return changed[p] }) {
			timers = append(timers, remediate.Activation{Kind: remediate.SetTimer, Unit: t})
		}
	}
	if len(timers) > 0 {
		plan.Activations = append([]remediate.Activation{{Kind: remediate.ReloadManager}}, timers...)
	}
	return plan, nil
}

// Installed returns which files of a schedule there are, sorted.
func Installed(h *facts.Host) ([]facts.File, error) {
	var found []facts.File
	for _, p := range paths() {
		f, err := h.File(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found = append(found, f)
	}
	return found, nil
}

// Setting returns what a unit file that harden has written says of a key; empty when it does not.
func Setting(f facts.File, key string) string {
	for line := range strings.Lines(string(f.Data)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && name == key {
			return value
		}
	}
	return ""
}

// paths lists every file that a schedule can have.
func paths() []string {
	all := []string{cronFile}
	for _, t := range Timers {
		all = append(all, unitFiles(t)...)
	}
	slices.Sort(all)
	return all
}

// unitFiles are the files of one timer: itself, its service, and what has the timer started at boot. That is a drop-in
// and not the link that `systemctl enable` would make: so all that decides what starts is in the diff, and is taken
// back with it.
func unitFiles(timer string) []string {
	name := strings.TrimSuffix(timer, ".timer")
	return []string{units + timer, units + name + ".service", units + "timers.target.d/" + name + ".conf"}
}

// change is what makes a file hold text; an empty text removes it. Nil when it is so already.
func change(h *facts.Host, p, text string) (*remediate.Change, error) {
	before, err := h.File(p)
	gone := errors.Is(err, fs.ErrNotExist)
	switch {
	case err != nil && !gone:
		return nil, err
	case gone && text == "":
		return nil, nil
	case gone:
		info := facts.Info{Path: p, Mode: 0o644, User: "root", Group: "root", Links: 1, Size: int64(len(text))}
		return &remediate.Change{Warrants: mine, Path: p, Created: true, After: facts.File{Info: info, Data: []byte(text)},
			Class: want.None}, nil
	case !strings.Contains(string(before.Data), mark):
		return nil, fmt.Errorf("%s: harden has not written this: move it away first", p)
	case before.Path != p:
		return nil, fmt.Errorf("%s: a link, to %s, which harden has not made", p, before.Path)
	case before.Locked != "":
		return nil, fmt.Errorf("%s cannot be changed: %s", p, before.Locked)
	case text == "":
		return &remediate.Change{Warrants: mine, Path: p, Before: before, Removed: true, Class: want.None}, nil
	}
	after := before
	after.Data, after.Size = []byte(text), int64(len(text))
	after.Mode, after.UID, after.GID, after.User, after.Group = 0o644, 0, 0, "root", "root"
	if string(before.Data) == text && before.Mode == after.Mode && before.UID == 0 && before.GID == 0 {
		return nil, nil
	}
	return &remediate.Change{Warrants: mine, Path: p, Before: before, After: after, Class: want.None}, nil
}

// check refuses what a unit or a crontab would read as something else.
func (s *Spec) check() error {
	paths := []string{s.Program, s.State, s.Metrics}
	timings := []Timing{s.Audit}
	if s.Apply != nil {
		paths = append(paths, s.Apply.Writable...)
		timings = append(timings, s.Apply.Timing)
	}
	for _, p := range paths {
		if !path.IsAbs(p) || path.Clean(p) != p || !plain(p, "/") {
			return fmt.Errorf("%q: not a clean absolute path that a unit can name", p)
		}
	}
	for _, a := range s.Args {
		if !plain(a, "/=") {
			return fmt.Errorf("%q: not an argument that a unit can name", a)
		}
	}
	if dir := path.Dir(s.Metrics); dir == "/" || dir == "/etc" || dir == "/tmp" {
		return fmt.Errorf("%s: metrics need a directory of their own", s.Metrics)
	}
	for _, t := range timings {
		if t.Delay < 0 {
			return fmt.Errorf("%s: a delay is not negative", t.Delay)
		}
		if t.Calendar == "" || !plain(t.Calendar, " */:,.~") {
			return fmt.Errorf("%q: not a time such as daily or Mon *-*-* 04:00:00", t.Calendar)
		}
		if s.Manager == Cron {
			if _, err := t.fields(0); err != nil {
				return err
			}
		}
	}
	return nil
}

// plain reports whether text is letters, digits and these signs only: nothing that systemd or cron expand.
func plain(text, signs string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			strings.ContainsRune("-_.+@,:"+signs, r))
	})
}

func (s *Spec) files(h *facts.Host) map[string]string {
	if s.Manager == Cron {
		return map[string]string{cronFile: s.crontab(spread(h))}
	}
	files := map[string]string{}
	add := func(timer, title, service string, t Timing) {
		for i, text := range []string{s.timerUnit(title, t), service, wanted(timer)} {
			files[unitFiles(timer)[i]] = text
		}
	}
	add(AuditTimer, auditTitle, s.auditService(), s.Audit)
	if s.Apply != nil {
		add(ApplyTimer, "Harden this host on a schedule", s.applyService(), s.Apply.Timing)
	}
	return files
}

// command is what runs.
func (s *Spec) command(more ...string) string {
	return strings.Join(slices.Concat([]string{s.Program, "schedule", "run"}, more, s.Args), " ")
}

// Writable are the directories that must be writable to change these paths: of a directory itself, and of anything
// else the one that it is in. What does not exist yet needs the nearest that does.
func Writable(h *facts.Host, targets []string) ([]string, error) {
	var dirs []string
	for _, t := range targets {
		info, err := h.Info(t)
		if err == nil && info.Type.IsDir() {
			dirs = append(dirs, info.Path)
			continue
		}
		for d := path.Dir(t); ; d = path.Dir(d) {
			info, err := h.Info(d)
			if err == nil {
				dirs = append(dirs, info.Path)
				break
			}
			if !errors.Is(err, fs.ErrNotExist) || d == "/" {
				return nil, err
			}
		}
	}
	slices.Sort(dirs)
	dirs = slices.Compact(dirs)
	// A directory below another of them is writable with it.
	return slices.DeleteFunc(dirs, func(d string) bool {
		return slices.ContainsFunc(dirs, func(above string) bool {
			return above != "" && d != above && strings.HasPrefix(d, strings.TrimSuffix(above, "/")+"/")
		})
	}), nil
}
