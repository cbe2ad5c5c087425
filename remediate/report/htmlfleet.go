package report

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"example.com/harden/remediate"
)

// maxFleetRows bounds the hosts of the page: one with more is of no use to a reader.
const maxFleetRows = 2000

// writeFleet is the page of a fleet: its groups, the checks in which hosts of a group differ, and the hosts that do.
func (htmlView) writeFleet(w io.Writer, f *Fleet) error {
	p := &fleetPage{htmlPage{tags: tags{bufio.NewWriterSize(w, 1<<16)}, title: remediate.Count(f.Merged, "host"),
		version: f.Version}, f}
	p.head()
	p.summary()
	p.differing()
	for i, g := range f.Groups {
		p.group(i, g)
	}
	p.left()
	p.foot()
	return p.Flush()
}

// A fleetPage is the page of a fleet while it is written.
type fleetPage struct {
	htmlPage
	of *Fleet
}

func (p *fleetPage) summary() {
	f := p.of
	p.open("section", "aria-labelledby", "summary")
	p.element("h2", "Summary", "id", "summary")
	p.element("p", f.title()+".")
	p.element("p", fmt.Sprintf("Merged from %s at %s, grouped by %s. What more than half of the hosts of a group have is "+
		"its majority.", remediate.Count(f.Reports, "report"), f.Time.Format("2006-01-02 15:04 MST"), f.GroupBy),
		"class", "dim")
	for _, n := range f.Notes {
		p.element("p", n, "class", "note")
	}
	p.table("Table of groups", "Groups", []string{"Group", "Hosts", "Hosts that differ", "Checks in different states"})
	for i, g := range f.Groups {
		p.open("tr")
		p.open("td")
		p.element("a", g.Name, "href", "#group-"+strconv.Itoa(i+1))
		p.close("td")
		for _, n := range []int{g.Hosts, g.Differing, len(g.Checks)} {
			p.element("td", strconv.Itoa(n))
		}
		p.close("tr")
	}
	p.close("tbody", "table", "div", "section")
}

// differing are the hosts that differ from their group, and in what.
func (p *fleetPage) differing() {
	p.open("section", "aria-labelledby", "findings")
	p.element("h2", "Hosts that differ", "id", "findings", "tabindex", "-1")
	defer p.close("section")
	if p.of.Differing == 0 {
		p.element("p", "No host differs from its group.")
		return
	}
	caption := "Hosts that differ from the majority of their group"
	if more := p.of.Differing - maxFleetRows; more > 0 {
		caption += fmt.Sprintf("; %d of them are left out, which the JSON and CSV formats have", more)
	}
	p.table("Table of hosts that differ", caption, []string{"Host", "Score", "Group", "Differs in"}, "class",
		"hosts differ")
	rows := 0
	for h := range p.of.hosts() {
		if len(h.Differences) == 0 {
			continue
		}
		if rows++; rows > maxFleetRows {
			break
		}
		p.host(h)
	}
	p.close("tbody", "table", "div")
}

func (p *fleetPage) host(h FleetHost) {
	score := "none"
	if h.Score != nil {
		score = strconv.Itoa(*h.Score)
	}
	p.open("tr")
	p.element("th", h.Name, "scope", "row", "title", h.File)
	p.element("td", score)
	p.element("td", h.Group)
	p.open("td")
	p.open("ul")
	for _, d := range h.Differences {
		p.open("li")
		p.element("b", d.Severity.String())
		p.say(" " + strings.TrimSpace(d.Number+" "+d.ID) + ": " + d.sentence())
		p.close("li")
	}
	p.close("ul", "td", "tr")
}

// group are the checks that are not in the same state on all hosts of a group.
func (p *fleetPage) group(i int, g FleetGroup) {
	id := "group-" + strconv.Itoa(i+1)
	p.open("section", "aria-labelledby", id)
	p.element("h2", g.title(), "id", id)
	defer p.close("section")
	if len(g.Checks) == 0 {
		p.element("p", "Every check is in the same state on all hosts.")
		return
	}
	p.table("Table of checks of "+g.Name, "Checks that are not in the same state on all hosts",
		[]string{"Severity", "Check", "Majority", "Hosts"})
	for _, c := range g.Checks {
		p.open("tr")
		p.element("td", c.Severity.String(), "class", c.Severity.String())
		p.open("td")
		p.say(strings.TrimSpace(c.Number + " " + c.ID))
		p.WriteString("<br>")
		p.say(c.Title)
		p.close("td")
		majority := "none"
		if 2*c.Sides[0].Hosts > g.Hosts {
			majority = statePhrase(c.Sides[0].State)
		}
		p.element("td", majority)
		p.element("td", c.sides())
		p.close("tr")
	}
	p.close("tbody", "table", "div")
}

// left are the files that are no part of the fleet.
func (p *fleetPage) left() {
	f := p.of
	if len(f.Refused)+len(f.Superseded) == 0 {
		return
	}
	p.open("section", "aria-labelledby", "left")
	p.element("h2", "Files that do not count", "id", "left")
	p.open("ul")
	for _, r := range f.Refused[:min(len(f.Refused), maxFleetRows)] {
		p.element("li", r.Reason)
	}
	for _, s := range f.Superseded[:min(len(f.Superseded), maxFleetRows)] {
		p.element("li", fmt.Sprintf("%s: a report of %s; %s is newer", s.File, s.Host, s.Newer))
	}
	p.close("ul", "section")
}
