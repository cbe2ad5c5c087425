package report

import (
	"cmp"
	"iter"
	"slices"
	"time"

	"example.com/harden/checks/severity"
	"example.com/harden/remediate"
)

// FleetSchema names the shape of a Fleet as JSON.
const FleetSchema = "harden-fleet/v1"

// A Fleet is what the reports of many hosts say together: which hosts differ from their group, and in what. How a check
// stands on more than half of the hosts of a group is the group's majority.
type Fleet struct {
	Schema     string       `json:"schema"`
	Version    string       `json:"version"` // harden's own
	Time       time.Time    `json:"time"`    // of the merge, UTC
	GroupBy    string       `json:"group_by"`
	Reports    int          `json:"reports"`    // that were read
	Merged     int          `json:"merged"`     // hosts
	Differing  int          `json:"differing"`  // hosts that differ from their group
	Refused    []Refused    `json:"refused"`    // files that are not reports
	Superseded []Superseded `json:"superseded"` // reports of hosts that have a newer one
	Notes      []string     `json:"notes"`
	Groups     []FleetGroup `json:"groups"`
	// by group, those that differ most first; written one at a time, and so only there once they are read from JSON
	Hosts []FleetHost `json:"hosts"`

	merger *Merger
	order  []int // of the merger's hosts
}

// A Refused is a file that is not a report.
type Refused struct {
	File   string `json:"file"`
	Reason string `json:"reason"`
}

// A Superseded is a report of a host that has a newer one.
type Superseded struct {
	File  string `json:"file"`
	Host  string `json:"host"`
	Newer string `json:"newer"` // the file that counts
}

// A FleetGroup is hosts that are compared with each other.
type FleetGroup struct {
	Name      string       `json:"name"`
	Hosts     int          `json:"hosts"`
	Differing int          `json:"differing"` // of them
	Checks    []FleetCheck `json:"checks"`    // that are not in the same state on all of them
}

// A FleetCheck is a check that is not in the same state on all hosts of a group.
type FleetCheck struct {
	ID       string            `json:"id"`
	Number   string            `json:"number,omitempty"`
	Title    string            `json:"title"`
	Severity severity.Severity `json:"severity"`
	Majority State             `json:"majority,omitempty"` // empty where no state has one
	Sides    []FleetSide       `json:"sides"`              // the largest first
}

// A FleetSide is the hosts of a group on which a check is in the same state.
type FleetSide struct {
	State State    `json:"state,omitempty"` // empty where the check was not selected
	Hosts int      `json:"hosts"`
	Names []string `json:"names"` // the first of them
}

// A FleetHost is one host of a fleet.
type FleetHost struct {
	Name    string    `json:"name"`
	Machine string    `json:"machine,omitempty"`
	OS      string    `json:"os,omitempty"`
	Kernel  string    `json:"kernel,omitempty"`
	Group   string    `json:"group"`
	File    string    `json:"file"`
	Version string    `json:"version"` // of the harden that wrote the report
	Time    time.Time `json:"time"`    // of the report, UTC
	Score   *int      `json:"score,omitempty"`
	// failing checks by severity
	Failing     map[severity.Severity]int `json:"failing"`
	Differences []FleetDifference         `json:"differences"`
}

// A FleetDifference is what of a check is otherwise on a host than on the majority of its group.
type FleetDifference struct {
	Kind        string            `json:"kind"`
	ID          string            `json:"id"`
	Number      string            `json:"number,omitempty"`
	Title       string            `json:"title"`
	Severity    severity.Severity `json:"severity"`
	State       State             `json:"state,omitempty"`    // of the check on this host; empty where it was not selected
	Majority    State             `json:"majority,omitempty"` // of the check in the group
	Subject     string            `json:"subject,omitempty"`
	Got         string            `json:"got,omitempty"`
	Must        string            `json:"must,omitempty"`
	MajorityGot string            `json:"majority_got,omitempty"` // of a value
}

// The kinds of FleetDifference.
const (
	FleetState   = "state"   // the check is in another state
	FleetExtra   = "extra"   // a finding that the majority does not have
	FleetMissing = "missing" // a finding that only the majority has
	FleetValue   = "value"   // a finding with another value
	FleetMore    = "more"    // further findings, which are not kept
)

// maxRefused bounds the files that are named one by one.
const maxRefused = 10000

// FleetOf is what has been merged.
func (m *Merger) FleetOf(version string, now time.Time) *Fleet {
	f := &Fleet{Schema: FleetSchema, Version: version, Time: now.UTC().Truncate(time.Second), GroupBy: m.by.text,
		Reports: m.reports, Merged: len(m.hosts), Refused: m.refused, Superseded: m.superseded, Notes: []string{},
		Groups: []FleetGroup{}, Hosts: []FleetHost{}, merger: m}
	members := map[string][]int{}
	for i := range m.hosts {
		members[m.hosts[i].group] = append(members[m.hosts[i].group], i)
	}
	for name, hosts := range members {
		slices.SortFunc(hosts, func(a, b int) int {
			x, y := &m.hosts[a], &m.hosts[b]
			return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.Machine, y.Machine))
		})
		m.norms[name] = m.normsOf(hosts)
		g := FleetGroup{Name: name, Hosts: len(hosts), Checks: m.split(hosts, m.norms[name])}
		for _, i := range hosts {
			m.hosts[i].differs = m.count(i)
			if m.hosts[i].differs > 0 {
				g.Differing++
			}
		}
		f.Differing += g.Differing
		f.Groups = append(f.Groups, g)
	}
	slices.SortFunc(f.Groups, func(a, b FleetGroup) int {
		return cmp.Or(cmp.Compare(b.Hosts, a.Hosts), cmp.Compare(a.Name, b.Name))
	})
	for _, g := range f.Groups {
		hosts := members[g.Name]
		slices.SortStableFunc(hosts, func(a, b int) int { return cmp.Compare(m.hosts[b].differs, m.hosts[a].differs) })
		f.order = append(f.order, hosts...)
	}
	if m.unkept > 0 {
		f.Notes = append(f.Notes, remediate.Count(m.unkept, "result")+" differed too much from the others to be kept "+
			"whole: only their state is compared")
	}
	if m.passed > 0 {
		f.Notes = append(f.Notes, remediate.Count(m.passed, "result")+" of checks that this harden does not know: left "+
			"out; merge with a newer harden")
	}
	return f
}

// hosts goes through the hosts, those that differ most first within their group.
func (f *Fleet) hosts() iter.Seq[FleetHost] {
	return func(yield func(FleetHost) bool) {
		for _, h := range f.Hosts { // of a document that was read
			if !yield(h) {
				return
			}
		}
		for _, i := range f.order {
			if !yield(f.merger.host(i)) {
				return
			}
		}
	}
}
