package facts

import (
	"cmp"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"example.com/harden/checks/budget"
)

// Audit is the host's audit rules, as loaded into the kernel and as the next boot would load them.
type Audit struct {
	Enabled int    // 0 off, 1 on, 2 on and locked until reboot
	Loaded  []Rule // nil, with LoadErr set, when the kernel could not be asked
	LoadErr error
	OnDisk  []Rule // of /etc/audit/rules.d/*.rules, in the order augenrules compiles them
}

// A Rule is one audit rule about a path, parsed. Rules about no path at all are left out, but for those that tell
// the kernel to record nothing: they are Never rules of "/".
type Rule struct {
	Text   string // as written
	File   string // where it is written; empty for a loaded rule
	Path   string // of -w, -F path= or -F dir=, links above its last component followed: the kernel follows no more
	Dir    bool   // covers everything below Path too
	Perms  string // subset of "rwxa"; "rwxa" when the rule names none
	Never  bool   // its action is never: it silences instead of recording
	Narrow string // what limits it to some processes or system calls, such as "auid>=1000"; empty for all
}

// Covers reports whether the rule by itself records every write to a path and every change of its attributes; with
// dir, to all that is below it too. path is one with links followed, as Info.Path gives it.
func (r Rule) Covers(path string, dir bool) bool {
	return !r.Never && r.Narrow == "" && strings.Contains(r.Perms, "w") && strings.Contains(r.Perms, "a") &&
		r.reaches(path, dir)
}

func (r Rule) reaches(p string, dir bool) bool {
	return r.Path == p && !dir || r.Dir && Within(p, r.Path)
}

// Covered reports whether rules, in their order, record what Covers says. The first rule that matches an event
// decides in the kernel, so that a Never rule silences those after it.
func Covered(rules []Rule, path string, dir bool) bool {
	for _, r := range rules {
		if r.Never && r.reaches(path, false) {
			return false
		}
		if r.Covers(path, dir) {
			return true
		}
	}
	return false
}

const auditDir = "/etc/audit"

// Audit returns the audit rules as loaded and as on disk. ErrAbsent on a host without an audit system.
func (h *Host) Audit() (*Audit, error) { return Once(h, "audit", Anew, readAudit) }

func readAudit(h *Host) (*Audit, error) {
	a := &Audit{}
	state, err := h.src.Audit(h.ctx)
	a.Enabled = state.Enabled
	if errors.Is(err, ErrAbsent) && !auditInstalled(h) {
		return nil, err
	}
	if err != nil {
		a.LoadErr = err
	} else {
		lines := make([]auditLine, len(state.Rules))
		for i, text := range state.Rules {
			lines[i] = auditLine{text: text}
		}
		a.Loaded = parseRules(h, lines)
	}
	lines, err := auditLines(h)
	if err != nil {
		return nil, err
	}
	a.OnDisk = parseRules(h, lines)
	if h.after.Audited && a.LoadErr == nil {
		a.Loaded = append(slices.Clone(a.Loaded), a.OnDisk...)
	}
	return a, nil
}

// auditInstalled reports whether there is anything that would load rules.
func auditInstalled(h *Host) bool {
	for _, p := range []string{auditDir, "/usr/sbin/auditctl", "/sbin/auditctl"} {
		if _, err := h.Info(p); !errors.Is(err, fs.ErrNotExist) {
			return true
		}
	}
	return false
}

type auditLine struct{ text, file string }

// auditLines returns the lines that the next boot loads: what augenrules compiles, or audit.rules by itself on a
// host that does not use it.
func auditLines(h *Host) ([]auditLine, error) {
	dir := path.Join(auditDir, "rules.d")
	names, err := h.List(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var files []string
	for _, n := range names {
		if strings.HasSuffix(n, ".rules") && !strings.HasPrefix(n, ".") {
			files = append(files, path.Join(dir, n))
		}
	}
	slices.SortFunc(files, byVersion)
	if len(files) == 0 {
		files = []string{path.Join(auditDir, "audit.rules")}
	}
	var lines []auditLine
	cost := budget.New(auditDir, nil)
	for _, file := range files {
		f, err := FileWithin(h, cost, file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(f.Data)) {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
				lines = append(lines, auditLine{line, file})
			}
		}
	}
	for _, l := range lines { // each that is put first or taken out moves all others
		if slices.Contains([]string{"-A", "-d", "-W"}, l.text[:min(2, len(l.text))]) {
			if err := cost.Spend(budget.Steps, len(lines), 0); err != nil {
				return nil, err
			}
		}
	}
	return lines, nil
}

// byVersion orders names as augenrules does (ls -v): numbers in them by value, so that 9 comes before 10.
func byVersion(a, b string) int {
	for a != "" && b != "" {
		da, db := digits(a), digits(b)
		if da > 0 && db > 0 {
			na, nb := strings.TrimLeft(a[:da], "0"), strings.TrimLeft(b[:db], "0")
			if c := cmp.Or(cmp.Compare(len(na), len(nb)), strings.Compare(na, nb)); c != 0 {
				return c
			}
			a, b = a[da:], b[db:]
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

func digits(s string) int { return len(s) - len(strings.TrimLeft(s, "0123456789")) }

// parseRules parses the rules about paths, in the order in which the kernel tries them. A removal takes the rules
// before it that say the same. -D is passed over: augenrules puts it first wherever it is written.
func parseRules(h *Host, lines []auditLine) []Rule {
	var rules []Rule
	for _, l := range lines {
		r, verb, ok := parseRule(h, l)
		switch {
		case !ok:
		case verb == remove:
			rules = slices.DeleteFunc(rules, func(o Rule) bool {
				return o.Path == r.Path && o.Dir == r.Dir && o.Perms == r.Perms && o.Never == r.Never && o.Narrow == r.Narrow
			})
		case verb == prepend:
			rules = append([]Rule{r}, rules...)
		default:
			rules = append(rules, r)
		}
	}
	return pairArchitectures(rules)
}

// pairArchitectures takes two rules that say the same of 64-bit and of 32-bit system calls for one about all, twice.
func pairArchitectures(rules []Rule) []Rule {
	const b64, b32 = "arch=b64", "arch=b32"
	same := func(r Rule, narrow string) Rule {
		return Rule{Path: r.Path, Dir: r.Dir, Perms: r.Perms, Never: r.Never, Narrow: narrow}
	}
	there := map[Rule]bool{}
	for _, r := range rules {
		there[same(r, r.Narrow)] = true
	}
	other := map[string]string{b64: b32, b32: b64}
	paired := slices.Clone(rules)
	for i, r := range rules {
		if o := other[r.Narrow]; o != "" && there[same(r, o)] {
			paired[i].Narrow = ""
		}
	}
	return paired
}

// What a rule's line does with the rule.
type verb int

const (
	add verb = iota
	prepend
	remove
)

// parseRule parses one line as auditctl takes it, be it written by a person or printed by auditctl -l.
func parseRule(h *Host, l auditLine) (Rule, verb, bool) {
	r := Rule{Text: l.text, File: l.file}
	var do verb
	var narrow []string
	watch, list := false, ""
	words := SplitWords(l.text, false)
	for i := 0; i < len(words); i++ {
		option, value := words[i], ""
		if i+1 < len(words) {
			value = words[i+1]
		}
		switch option {
		case "-w", "-W":
			r.Path, watch, list = value, true, "exit"
		case "-p":
			r.Perms = value
		case "-a", "-A", "-d":
			for part := range strings.SplitSeq(value, ",") {
				switch part {
				case "never":
					r.Never = true
				case "always":
				default:
					list = part
				}
			}
		case "-S":
			if value != "all" {
				narrow = append(narrow, "syscall="+value)
			}
		case "-F":
			narrow = append(narrow, r.field(value)...)
		case "-C":
			narrow = append(narrow, value)
		case "-k":
		default:
			continue
		}
		do = max(do, map[string]verb{"-A": prepend, "-d": remove, "-W": remove}[option])
		i++
	}
	r.Narrow = strings.Join(narrow, " ")
	if r.Perms == "" {
		r.Perms = "rwxa"
	}
	if r.Path == "" && r.Never && r.Narrow == "" && (list == "exit" || list == "task") {
		r.Path, r.Dir = "/", true
		return r, do, true
	}
	if r.Path == "" || list != "exit" {
		return r, do, false
	}
	place(h, &r, watch)
	return r, do, true
}

// field takes one -F into the rule, or returns it as what narrows the rule.
func (r *Rule) field(f string) []string {
	name, value, ok := strings.Cut(f, "=")
	switch {
	case !ok || strings.ContainsAny(name, "!<>&"):
		return []string{f}
	case name == "path":
		r.Path = value
	case name == "dir":
		r.Path, r.Dir = value, true
	case name == "perm":
		r.Perms = value
	case name == "key":
	default:
		return []string{f}
	}
	return nil
}

// place resolves the rule's path as the kernel does, and whether -w covers what is below: auditctl decides that by
// what the path is when the rule is loaded.
func place(h *Host, r *Rule, watch bool) {
	p := path.Clean(r.Path)
	if parent, err := h.Info(path.Dir(p)); err == nil {
		p = path.Join(parent.Path, path.Base(p))
	}
	if info, err := h.Info(p); watch {
		r.Dir = err == nil && info.Type == fs.ModeDir || err != nil && strings.HasSuffix(r.Path, "/")
	}
	r.Path = p
}
