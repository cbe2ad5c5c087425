package report

import (
	"cmp"
	"fmt"
	"html"
	"slices"
	"strconv"
	"strings"

	"example.com/harden/checks/mapping"
	"example.com/harden/checks/severity"
	"example.com/harden/remediate"
)

// findings are all that is open, and then what is waived or could not be judged, the most severe first, with what
// narrows them down.
func (p *htmlPage) findings() {
	rows, total, states := 0, 0, map[State]int{}
	for _, c := range p.results {
		rows += len(c.entries)
		for _, e := range c.entries {
			total += len(e.hosts)
			states[e.State]++
		}
	}
	p.open("section", "aria-labelledby", "findings")
	p.element("h2", "Findings", "id", "findings", "tabindex", "-1")
	if rows == 0 {
		p.element("p", "There are none.")
		p.close("section")
		return
	}
	p.filter(states)
	p.region("Table of findings")
	p.open("table", "id", "all", "class", map[bool]string{false: "host", true: "fleet"}[p.fleet()])
	caption := remediate.Count(total, "finding") + " and inconclusive checks; what is open first, the most severe first"
	if rows < total {
		caption += fmt.Sprintf("; %d rows, since hosts that are alike share one", rows)
	}
	p.element("caption", caption, "id", "count", "aria-live", "polite")
	p.open("thead")
	columns := []string{"Severity", "Check", "Subject", "Found", "Must be", "State"}
	if p.fleet() {
		columns = append(columns, "Hosts")
	}
	p.row("th", columns...)
	p.close("thead")
	p.open("tbody")
	rows = 0
	for _, open := range []bool{true, false} {
		for _, c := range p.results {
			for _, e := range c.entries {
				if e.open() != open {
					continue
				}
				if rows > 0 && rows%rowsTogether == 0 {
					p.close("tbody")
					p.open("tbody")
				}
				p.finding(c, e)
				rows++
			}
		}
	}
	p.close("tbody", "table", "div", "section")
}

// rowsTogether is how many rows a browser lays out at once: those out of sight it leaves until they are scrolled to.
const rowsTogether = 100

// filter narrows the findings down. It is of use with the script alone, which shows it.
func (p *htmlPage) filter(states map[State]int) {
	p.open("form", "id", "filter", "hidden", "", "role", "search", "aria-label", "Filter the findings")
	p.open("label")
	p.say("Search ")
	p.open("input", "type", "search", "name", "text", "autocomplete", "off")
	p.close("label")
	choose := func(label, name string, options []string) {
		p.open("label")
		p.say(label + " ")
		p.open("select", "name", name)
		p.element("option", "all", "value", "")
		for i, o := range options {
			value := o
			if name == "host" {
				value = strconv.Itoa(i)
			}
			p.element("option", o, "value", value)
		}
		p.close("select", "label")
	}
	var severities, of, hosts []string
	for _, s := range severity.All {
		severities = append(severities, s.String())
	}
	for _, s := range States {
		if states[s] > 0 {
			of = append(of, string(s))
		}
	}
	choose("Severity", "severity", severities)
	choose("State", "state", of)
	if p.fleet() {
		for _, r := range p.reports {
			hosts = append(hosts, r.Host.Name)
		}
		choose("Host", "host", hosts)
	}
	p.element("button", "Show all", "type", "reset")
	p.close("form")
}

func (p *htmlPage) finding(c *htmlCheck, e htmlRow) {
	s := severityOf(e.result).String()
	threats := ""
	if e.open() { // the others are not in the map
		threats = strings.Join(e.result.Threats, " ")
	}
	hosts := make([]string, len(e.hosts))
	for i, h := range e.hosts {
		hosts[i] = strconv.Itoa(h)
	}
	p.open("tr", "data-severity", s, "data-state", string(e.State), "data-host", strings.Join(hosts, " "),
		"data-threats", threats)
	p.element("td", s, "class", s)
	p.open("td")
	p.element("a", e.result.label(), "href", "#"+c.anchor)
	p.WriteString("<br>")
	p.say(e.result.Title)
	p.close("td")
	p.element("td", cmp.Or(e.Place, e.Subject))
	found := e.Got
	switch {
	case e.waiver != nil:
		found = strings.TrimPrefix(found+"; "+e.accepted(), "; ")
	case slices.Contains(inconclusive, e.State):
		found = firstLine(e.Reason)
	}
	p.element("td", found)
	p.element("td", e.Must)
	p.element("td", looks[e.State].phrase)
	if p.fleet() {
		p.element("td", p.members(e.hosts))
	}
	p.close("tr")
}

// maxGroups bounds the rows of the table of hosts and checks: a page with more is of no use to a reader.
const maxGroups = 300

// differences is which hosts of a fleet differ, and in which checks. Hosts that are alike share a row.
func (p *htmlPage) differences() {
	if !p.fleet() || len(p.reports) == 0 {
		return
	}
	var differ []*htmlCheck
	for _, c := range p.results {
		if slices.ContainsFunc(c.states, func(s State) bool { return s != c.states[0] }) {
			differ = append(differ, c)
		}
	}
	p.open("section", "aria-labelledby", "differences")
	p.element("h2", "Hosts and checks", "id", "differences")
	defer p.close("section")
	if len(differ) == 0 {
		p.element("p", "Every check is in the same state on all hosts.")
		return
	}
	groups := p.groups(differ)
	p.region("Table of hosts and checks")
	p.open("table", "class", "matrix")
	caption := fmt.Sprintf("%s that are not in the same state on every host; hosts that are alike share a row",
		remediate.Count(len(differ), "check"))
	if more := len(groups) - maxGroups; more > 0 {
		caption += fmt.Sprintf("; %d rows more are left out, which the JSON and CSV formats have", more)
	}
	p.element("caption", caption)
	p.open("thead")
	p.open("tr")
	p.element("th", "Hosts", "scope", "col")
	for _, c := range differ {
		p.open("th", "scope", "col")
		p.element("a", cmp.Or(c.Number, c.ID), "href", "#"+c.anchor, "title", c.Title, "aria-label", c.label())
		p.close("th")
	}
	p.close("tr", "thead")
	p.open("tbody")
	for _, hosts := range groups[:min(len(groups), maxGroups)] {
		p.open("tr")
		p.element("th", p.members(hosts), "scope", "row")
		for _, c := range differ {
			s := c.states[hosts[0]]
			if s == "" {
				p.element("td", "not asked", "class", "none")
				continue
			}
			p.open("td", "class", "s-"+stateClass(s), "title", looks[s].phrase)
			p.element("span", looks[s].sign, "aria-hidden", "true")
			p.element("span", looks[s].phrase, "class", "sr")
			p.close("td")
		}
		p.close("tr")
	}
	p.close("tbody", "table", "div")
}

// groups are the hosts that are alike in some checks, the largest group first.
func (p *htmlPage) groups(differ []*htmlCheck) [][]int {
	var alike groups[string, int]
	for i := range p.reports {
		var key strings.Builder
		for _, c := range differ {
			key.WriteString(string(c.states[i]) + " ")
		}
		alike.add(key.String(), i)
	}
	var all [][]int
	for _, hosts := range alike.all() {
		all = append(all, hosts)
	}
	slices.SortStableFunc(all, func(a, b []int) int { return cmp.Compare(len(b), len(a)) })
	return all
}

// members names hosts: the first few of many.
func (p *htmlPage) members(hosts []int) string {
	var names []string
	for _, i := range hosts[:min(len(hosts), maxNamed)] {
		names = append(names, p.reports[i].Host.Name)
	}
	return listed(names, len(hosts))
}

// stateClass groups the states by the color that they are shown in.
func stateClass(s State) string {
	switch looks[s].color {
	case green:
		return "good"
	case red, cyan:
		return "bad"
	case yellow:
		return "open"
	}
	return "none"
}

// changed is what is not as it was in an earlier report of the same host.
func (p *htmlPage) changed() {
	began := false
	for i, before := range p.earlier {
		if before == nil {
			continue
		}
		if !began {
			p.open("section", "aria-labelledby", "changed")
			p.element("h2", "What has changed", "id", "changed")
			began = true
		}
		now := p.reports[i]
		shifts := Compare(before, now)
		p.element("h3", fmt.Sprintf("%s: %s since %s", Clean(now.Host.Name), remediate.Count(len(shifts), "change"),
			before.Time.UTC().Format("2006-01-02 15:04 MST")))
		p.open("ul")
		for _, s := range shifts {
			p.open("li")
			p.element("b", s.Kind)
			p.say(" " + strings.TrimSpace(s.Number+" "+s.ID) + ": ")
			p.say(strings.TrimSpace(s.Title))
			if s.Subject != "" {
				p.WriteString("; ")
				p.WriteString(html.EscapeString(difference(Clean(s.Subject), cmp.Or(s.Is, s.Was), s.Must)))
			}
			p.close("li")
		}
		p.close("ul")
	}
	if began {
		p.close("section")
	}
}

// maxFixes bounds the fixes that are named for one check: what fixes one finding mostly fixes all.
const maxFixes = 20

// checks tell of each check that has something open: why it matters, and what would be changed for it.
func (p *htmlPage) checks() {
	p.open("section", "aria-labelledby", "checks")
	p.element("h2", "Checks", "id", "checks")
	for _, c := range p.results {
		if len(c.entries) > 0 || len(c.changes) > 0 {
			p.check(c)
		}
	}
	p.close("section")
}

func (p *htmlPage) check(c *htmlCheck) {
	class := "open"
	if len(c.changes) == 0 && !slices.ContainsFunc(c.entries, func(e htmlRow) bool { return e.open() }) {
		class = "closed"
	}
	p.open("article", "id", c.anchor, "tabindex", "-1", "class", class)
	p.element("h3", c.label()+": "+c.Title)
	p.open("dl")
	item := func(term string, texts ...string) {
		if len(texts) > 0 {
			p.element("dt", term)
		}
		for _, t := range texts {
			p.element("dd", t)
		}
	}
	rating := severityOf(c.Result).String()
	if reason := severity.Of(c.ID).Reason; reason != "" {
		rating += ": " + reason
	}
	item("Severity", rating)
	item("Why", c.Why)
	var threats []string
	for _, t := range c.Threats {
		threats = append(threats, threatLine(t))
	}
	item("Threats", threats...)
	var numbers []string
	all := mapping.Numbers(c.ID)
	for _, f := range mapping.Frameworks {
		if n := all[f]; len(n) > 0 {
			numbers = append(numbers, f.Title()+": "+strings.Join(n, ", "))
		}
	}
	item("Also asked for by", numbers...)
	var fixes []string
	for _, e := range c.entries {
		for _, f := range e.Fix {
			if len(fixes) < maxFixes && !slices.Contains(fixes, f) {
				fixes = append(fixes, f)
			}
		}
	}
	item("Fix", fixes...)
	p.close("dl")
	for _, d := range c.changes {
		p.diff(c, d)
	}
	p.close("article")
}

// diff shows a change once, and refers to it under every further check that it serves.
func (p *htmlPage) diff(c *htmlCheck, d htmlDiff) {
	title := d.title
	if p.fleet() {
		title = p.members(d.hosts) + ": " + title
	}
	if d.first != c {
		p.open("p")
		p.say(title + ": see ")
		p.element("a", d.first.label(), "href", "#"+d.first.anchor)
		p.close("p")
		return
	}
	p.open("details")
	p.element("summary", title)
	p.open("pre", "tabindex", "0", "aria-label", "Diff of "+title)
	for line := range strings.Lines(d.diff) {
		line = strings.TrimSuffix(line, "\n")
		name := map[byte]string{'+': "ins", '-': "del"}[(line + " ")[0]]
		if name == "" || strings.HasPrefix(line, "+++") || strings.HasPrefix(line, "---") {
			name = "span"
		}
		p.open(name)
		p.WriteString(html.EscapeString(line))
		p.WriteString("</" + name + ">\n")
	}
	p.close("pre", "details")
}
