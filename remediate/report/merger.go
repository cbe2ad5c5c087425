package report

import (
	"cmp"
	"slices"

	"example.com/harden/checks"
	"example.com/harden/checks/catalog"
	"example.com/harden/checks/severity"
)

// A Merger puts the reports of many hosts together. Of each it keeps one number per check, and of what many hosts have
// alike one copy: so its size is that of the differences, and bounded.
type Merger struct {
	by         Grouping
	redact     func(string) string
	reports    int
	refused    []Refused
	superseded []Superseded

	hosts   []mergedHost
	byHost  map[string]int // by identity
	checks  []mergedCheck
	byCheck map[string]int
	marks   []mark // what hosts have, by its number; 0 is a check that was not selected
	byMark  map[markKey]uint32
	texts   map[string]string // each once, its secrets hidden
	room    int               // bytes of marks and texts that may yet be kept
	unkept  int               // results of which only the state is kept
	strange int               // checks that this harden does not know
	passed  int               // results of such checks that are passed over
	norms   map[string][]norm // by group
}

type mergedHost struct {
	FleetHost
	group   string
	marks   []uint32 // by check
	differs int      // checks
}

type mergedCheck struct {
	id, number, title string
	severity          severity.Severity
}

// A mark is how a check stands on some hosts alike.
type mark struct {
	standing State
	seen     []sighting
	total    int
	whole    bool // not only the state is kept
}

type markKey struct {
	check    int
	standing State
	sum      [2]uint64
	whole    bool
}

// maxStrange bounds the checks of a fleet that this harden does not know: another may have some more.
const maxStrange = 256

// maxMerged bounds what a merge keeps of what differs, in bytes; beyond it only states are kept.
const maxMerged = 48 << 20

// NewMerger merges reports of hosts in groups. redact hides the secrets in a text.
func NewMerger(by Grouping, redact func(string) string) *Merger {
	return &Merger{by: by, redact: redact, byHost: map[string]int{}, byCheck: map[string]int{}, marks: []mark{{}},
		byMark: map[markKey]uint32{}, texts: map[string]string{}, room: maxMerged, norms: map[string][]norm{},
		refused: []Refused{}, superseded: []Superseded{}}
}

// Refuse tells of a file that is not a report.
func (m *Merger) Refuse(file string, err error) {
	m.reports++
	if len(m.refused) < maxRefused {
		m.refused = append(m.refused, Refused{m.redact(file), m.redact(err.Error())})
	}
}

// Add adds a host, or, where the host is there already, the newer of its two reports.
func (m *Merger) Add(g *Gist) {
	m.reports++
	identity := g.Host.identityOf()
	at, known := m.byHost[identity]
	if !known {
		at = len(m.hosts)
		m.byHost[identity] = at
		m.hosts = append(m.hosts, mergedHost{})
	} else if old := &m.hosts[at]; g.Time.Before(old.Time) {
		m.supersede(m.redact(g.File), old.Name, old.File)
		return
	} else {
		m.supersede(old.File, old.Name, m.redact(g.File))
	}
	h := mergedHost{FleetHost: FleetHost{Name: m.redact(clipped(g.Host.Name)), Machine: g.Host.Machine,
		OS: m.keep(clipped(g.Host.OS)), Kernel: m.keep(clipped(g.Host.Kernel)), File: m.redact(g.File),
		Version: m.keep(clipped(g.Version)), Time: g.Time, Score: g.Score, Failing: map[severity.Severity]int{}},
		group: m.keep(clipped(m.by.of(g)))}
	h.Group = h.group
	for i := range g.results {
		r := &g.results[i]
		if r.standing == Fail {
			h.Failing[r.severity]++
		}
		check, ok := m.check(r)
		if !ok {
			continue
		}
		for len(h.marks) <= check {
			h.marks = append(h.marks, 0)
		}
		h.marks[check] = m.mark(check, r)
	}
	h.marks = slices.Clip(h.marks)
	m.hosts[at] = h
}

func (m *Merger) supersede(file, host, newer string) {
	if len(m.superseded) < maxRefused {
		m.superseded = append(m.superseded, Superseded{file, host, newer})
	}
}

// check numbers a check. Those that this harden knows are called as it calls them, whatever the first host says of
// them, and there is always room for them: no host can hide the checks of the others behind some of its own making.
func (m *Merger) check(r *gistResult) (int, bool) {
	n, merged := m.byCheck[r.id]
	if merged {
		return n, true
	}
	c := mergedCheck{r.id, r.number, m.redact(clipped(r.title)), r.severity}
	if i := slices.IndexFunc(catalog.All, func(c *checks.Check) bool { return c.ID == r.id }); i >= 0 {
		c.title, c.severity = catalog.All[i].Title, catalog.All[i].Severity()
	} else if m.strange == maxStrange {
		m.passed++
		return 0, false
	} else {
		m.strange++
	}
	n = len(m.checks)
	m.byCheck[r.id] = n
	m.checks = append(m.checks, c)
	return n, true
}

// mark numbers how a check stands. Where there is no room left for its findings, it is known by its state alone.
func (m *Merger) mark(check int, r *gistResult) uint32 {
	key := markKey{check, r.standing, r.sum, true}
	n, known := m.byMark[key]
	if known {
		return n
	}
	size := 300 // of a mark, its key and what a map takes
	for _, s := range r.seen {
		size += 160 + len(s.subject) + len(s.got) + len(s.must)
	}
	if r.total > 0 && size > m.room {
		m.unkept++
		key.sum, key.whole = [2]uint64{}, false
		if n, known = m.byMark[key]; known {
			return n
		}
	}
	k := mark{standing: r.standing, total: r.total, whole: key.whole}
	if key.whole {
		m.room -= size
		for _, s := range r.seen {
			k.seen = append(k.seen, sighting{m.keep(s.subject), m.keep(s.got), m.keep(s.must), s.waived})
		}
		slices.SortFunc(k.seen, sighting.compare) // what is hidden in a text may change its place
	}
	n = uint32(len(m.marks))
	m.marks = append(m.marks, k)
	m.byMark[key] = n
	return n
}

// keep keeps one copy of a text, its secrets hidden.
func (m *Merger) keep(s string) string {
	clean, ok := m.texts[s]
	if !ok {
		clean = m.redact(s)
		m.texts[s] = clean
	}
	return clean
}

// A norm is how a check stands on more than half of the hosts of a group; its mark is 0 and its state empty where none
// does.
type norm struct {
	mark     uint32
	standing State
	some     bool // a state has the majority, if only that of not being selected
}

// on is a host's mark of a check.
func (h *mergedHost) on(check int) uint32 {
	if check < len(h.marks) {
		return h.marks[check]
	}
	return 0
}

func (m *Merger) normsOf(hosts []int) []norm {
	norms := make([]norm, len(m.checks))
	marks, states := map[uint32]int{}, map[State]int{}
	for check := range m.checks {
		clear(marks)
		clear(states)
		for _, i := range hosts {
			n := m.hosts[i].on(check)
			marks[n]++
			states[m.marks[n].standing]++
		}
		for s, n := range states {
			if 2*n > len(hosts) {
				norms[check].standing, norms[check].some = s, true
			}
		}
		for k, n := range marks {
			if 2*n > len(hosts) && m.marks[k].whole {
				norms[check].mark = k
			}
		}
	}
	return norms
}

// differs reports whether a host is otherwise than the norm of its group.
func (m *Merger) differs(n norm, mark uint32) bool {
	switch {
	case !n.some:
		return false
	case m.marks[mark].standing != n.standing:
		return true
	}
	return n.mark != 0 && n.mark != mark
}

// count counts the checks in which a host differs.
func (m *Merger) count(host int) (differs int) {
	h := &m.hosts[host]
	for check, n := range m.norms[h.group] {
		if m.differs(n, h.on(check)) {
			differs++
		}
	}
	return differs
}

// host is a host with what it differs in.
func (m *Merger) host(host int) FleetHost {
	h := &m.hosts[host]
	out := h.FleetHost
	out.Differences = []FleetDifference{}
	for check, n := range m.norms[h.group] {
		if is := h.on(check); m.differs(n, is) {
			out.Differences = append(out.Differences, m.differences(check, n, m.marks[is])...)
		}
	}
	slices.SortStableFunc(out.Differences, func(a, b FleetDifference) int { return cmp.Compare(b.Severity, a.Severity) })
	return out
}

// split are the checks that are not in the same state on all of some hosts.
func (m *Merger) split(hosts []int, norms []norm) []FleetCheck {
	all := []FleetCheck{}
	for check := range m.checks {
		sides := map[State]*FleetSide{}
		for _, i := range hosts {
			s := m.marks[m.hosts[i].on(check)].standing
			if sides[s] == nil {
				sides[s] = &FleetSide{State: s, Names: []string{}}
			}
			side := sides[s]
			if side.Hosts++; len(side.Names) < maxNamed {
				side.Names = append(side.Names, m.hosts[i].Name)
			}
		}
		if len(sides) < 2 {
			continue
		}
		c := m.checks[check]
		f := FleetCheck{ID: c.id, Number: c.number, Title: c.title, Severity: c.severity, Majority: norms[check].standing}
		for _, s := range sides {
			f.Sides = append(f.Sides, *s)
		}
		slices.SortFunc(f.Sides, func(a, b FleetSide) int {
			return cmp.Or(cmp.Compare(b.Hosts, a.Hosts), cmp.Compare(a.State, b.State))
		})
		all = append(all, f)
	}
	slices.SortStableFunc(all, func(a, b FleetCheck) int { return cmp.Compare(b.Severity, a.Severity) })
	return all
}
