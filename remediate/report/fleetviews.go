package report

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"example.com/harden/remediate"
)

// maxHostsShown and maxDifferencesShown bound the hosts of a group, and what of a host is shown, to people; the other
// formats have all.
const maxHostsShown, maxDifferencesShown = 20, 10

func (f *Fleet) text(p *page) {
	p.line(p.paint(bold, f.title()))
	told := map[string]int{}
	var hosts []FleetHost
	for h := range f.hosts() {
		if told[h.Group]++; len(h.Differences) > 0 && (told[h.Group] <= maxHostsShown || p.Verbose) {
			hosts = append(hosts, h)
		}
	}
	for _, g := range f.Groups {
		p.line()
		p.block("", 0, bold, g.title())
		shown := 0
		for _, h := range hosts {
			if h.Group == g.Name {
				p.fleetHost(h)
				shown++
			}
		}
		if more := g.Differing - shown; more > 0 {
			p.block("  ", 2, dim, fmt.Sprintf("and %s; use -v, or --format csv", remediate.Count(more, "more host")))
		}
		p.undecided(g)
	}
	for _, n := range f.Notes {
		p.line()
		p.block("", 0, "", "Note: "+n+".")
	}
}

// title counts what was merged.
func (f *Fleet) title() string {
	return fmt.Sprintf("%s in %s: %d %s from %s group", remediate.Count(f.Merged, "host"),
		remediate.Count(len(f.Groups), "group"), f.Differing, verb(f.Differing, "differ"), possessive(f.Differing))
}

func (g FleetGroup) title() string {
	text := fmt.Sprintf("%s: %s, ", Clean(g.Name), remediate.Count(g.Hosts, "host"))
	if g.Differing == 0 && len(g.Checks) == 0 {
		return text + "all alike"
	}
	return text + fmt.Sprintf("%d %s", g.Differing, verb(g.Differing, "differ"))
}

func verb(n int, word string) string {
	if n == 1 {
		return word + "s"
	}
	return word
}

func possessive(n int) string {
	if n == 1 {
		return "its"
	}
	return "their"
}

func (p *page) fleetHost(h FleetHost) {
	score := ""
	if h.Score != nil {
		score = fmt.Sprintf(" (score %d)", *h.Score)
	}
	p.line("  ", p.paint(bold, Clean(h.Name)), p.paint(dim, score))
	shown := h.Differences
	if !p.Verbose {
		shown = shown[:min(len(shown), maxDifferencesShown)]
	}
	for _, d := range shown {
		look := looks[d.State]
		p.block("    "+p.paint(look.color, pad(cmp.Or(look.sign, "-")+" "+d.Kind, wordWidth))+pad(d.Number, numberWidth),
			4+wordWidth+numberWidth, "", d.ID+": "+d.sentence())
	}
	if more := len(h.Differences) - len(shown); more > 0 {
		p.block("    ", 4, dim, fmt.Sprintf("and %s; use -v", remediate.Count(more, "more difference")))
	}
}

// undecided tells of checks in which no state has the majority.
func (p *page) undecided(g FleetGroup) {
	for _, c := range g.Checks {
		if c.Majority != "" || c.Sides[0].State == "" && 2*c.Sides[0].Hosts > g.Hosts {
			continue
		}
		p.block("  "+p.paint(yellow, pad("? split", wordWidth+2))+pad(c.Number, numberWidth), 4+wordWidth+numberWidth, "",
			c.ID+": no state has the majority: "+c.sides())
	}
}

// sides are the states of a check, and which hosts have them.
func (c FleetCheck) sides() string {
	var parts []string
	for _, s := range c.Sides {
		parts = append(parts, fmt.Sprintf("%d %s (%s)", s.Hosts, statePhrase(s.State), listed(s.Names, s.Hosts)))
	}
	return strings.Join(parts, ", ")
}

func statePhrase(s State) string { return cmp.Or(looks[s].phrase, "not selected") }

// sentence is the difference, on one line.
func (d FleetDifference) sentence() string {
	switch d.Kind {
	case FleetMissing:
		return fmt.Sprintf("%s: not found here; the group: %s", Clean(d.Subject), Clean(d.MajorityGot))
	case FleetValue:
		return difference(Clean(d.Subject), d.Got, d.Must) + "; the group: " + Clean(d.MajorityGot)
	case FleetMore:
		return "further findings differ; the host's own report has them"
	case FleetState:
		return statePhrase(d.State) + "; the group: " + statePhrase(d.Majority)
	}
	text := difference(Clean(d.Subject), d.Got, d.Must)
	if d.State != d.Majority {
		text += "; the group: " + statePhrase(d.Majority)
	}
	return text
}

// fleetColumns are the columns of a fleet as a table. New ones are added at the end.
var fleetColumns = []string{"host", "group", "score", "check", "number", "title", "severity", "difference", "state",
	"majority", "subject", "got", "must", "majority_got", "machine", "os", "kernel", "time", "file"}

// writeFleet is the table of a fleet: a row for each difference, and one for each host that has none.
func (csvView) writeFleet(w io.Writer, f *Fleet) error {
	out := newTable(w, fleetColumns)
	for h := range f.hosts() {
		all := h.Differences
		if len(all) == 0 {
			all = []FleetDifference{{}}
		}
		score := ""
		if h.Score != nil {
			score = strconv.Itoa(*h.Score)
		}
		for _, d := range all {
			rating := ""
			if d.ID != "" {
				rating = d.Severity.String()
			}
			out.row([]string{h.Name, h.Group, score, d.ID, d.Number, d.Title, rating, d.Kind, string(d.State),
				string(d.Majority), d.Subject, d.Got, d.Must, d.MajorityGot, h.Machine, h.OS, h.Kernel,
				h.Time.Format(time.RFC3339), h.File})
		}
	}
	return out.end()
}
