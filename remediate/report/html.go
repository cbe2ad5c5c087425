package report

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/harden/checks/severity"
	"example.com/harden/checks/stride"
	"example.com/harden/remediate"
)

// An htmlView is one page for people, of a host or of a fleet. It needs nothing else: its style and its script are in
// it, its policy lets it fetch nothing, and without the script all of it is there to read.
type htmlView struct{ findingsView }

func (htmlView) Name() string { return "html" }

//go:embed html.css
var htmlStyle string

//go:embed html.js
var htmlScript string

func (htmlView) Of(s Subject) bool { return findingsView{}.Of(s) || s == OfFleet }

func (v htmlView) Write(w io.Writer, d Document, _ Style) error {
	if f, ok := whole(d).(*Fleet); ok {
		return v.writeFleet(w, f)
	}
	rs, err := reportsOf(v.Name(), d)
	if err != nil {
		return err
	}
	p := newHTMLPage(bufio.NewWriterSize(w, 1<<16), rs)
	p.head()
	p.hosts()
	p.heatMap()
	p.findings()
	p.differences()
	p.changed()
	p.checks()
	p.foot()
	return p.Flush()
}

// An htmlPage is the page while it is written: its reports, the newest of each host.
type htmlPage struct {
	tags
	title   string
	version string // of the harden that wrote what it tells
	reports Reports
	earlier []*Report // of the same host, nil where there is none
	results []*htmlCheck
	byID    map[string]*htmlCheck
}

// An htmlCheck is a check that the page tells of.
type htmlCheck struct {
	*Result           // of the first report that has it
	anchor  string    // of the page
	entries []htmlRow // of all hosts
	rows    map[string]int
	states  []State    // by host; empty where it was not asked for
	changes []htmlDiff // what would be changed for it
}

// An htmlRow is a finding, and the hosts that have it alike.
type htmlRow struct {
	entry
	hosts []int
}

// An htmlDiff is what would be changed, alike on some hosts.
type htmlDiff struct {
	title, diff string
	hosts       []int
	first       *htmlCheck // under which it is shown
}

func newHTMLPage(w *bufio.Writer, rs Reports) *htmlPage {
	p := &htmlPage{tags: tags{w}, byID: map[string]*htmlCheck{}}
	var byHost groups[string, *Report]
	for _, r := range rs {
		byHost.add(r.Host.identityOf(), r)
	}
	for _, all := range byHost.all() {
		slices.SortStableFunc(all, func(a, b *Report) int { return a.Time.Compare(b.Time) })
		p.reports = append(p.reports, all[len(all)-1])
		p.earlier = append(p.earlier, nil)
		if len(all) > 1 {
			p.earlier[len(p.earlier)-1] = all[len(all)-2]
		}
	}
	p.title = p.name()
	for i, r := range p.reports {
		p.version = p.reports[0].Version
		p.collect(i, r)
	}
	slices.SortStableFunc(p.results, func(a, b *htmlCheck) int {
		return cmp.Compare(severityOf(b.Result), severityOf(a.Result))
	})
	return p
}

func (p *htmlPage) collect(host int, r *Report) {
	for i := range r.Results {
		res := &r.Results[i]
		c := p.byID[res.ID]
		if c == nil {
			c = &htmlCheck{Result: res, anchor: "check-" + strconv.Itoa(len(p.results)+1),
				states: make([]State, len(p.reports)), rows: map[string]int{}}
			p.results, p.byID[res.ID] = append(p.results, c), c
		}
		c.states[host] = res.State
		for _, e := range res.entries(r) {
			c.add(e, host)
		}
	}
	add := func(title, diff string, checks []string) {
		first := (*htmlCheck)(nil)
		for _, id := range checks {
			if c := p.byID[id]; c != nil && diff != "" {
				first = cmp.Or(first, c)
				c.change(htmlDiff{title, diff, []int{host}, first})
			}
		}
	}
	for _, c := range r.changes() {
		add(c.Target+" ("+c.Disruption.String()+")", c.Diff, c.Checks)
	}
	for _, u := range r.updates() {
		add("container "+u.Container+" ("+u.Disruption.String()+")", u.Diff, u.Checks)
	}
}

// add adds a finding; what is alike on several hosts is one row, and twice on one host two.
func (c *htmlCheck) add(e entry, host int) {
	key := joined(e.Subject, e.Place, e.Got, e.Must, e.Reason, string(e.State))
	if e.waiver != nil {
		key = joined(key, e.accepted())
	}
	i, known := c.rows[key]
	if known && !slices.Contains(c.entries[i].hosts, host) {
		c.entries[i].hosts = append(c.entries[i].hosts, host)
		return
	}
	c.rows[key] = len(c.entries)
	c.entries = append(c.entries, htmlRow{e, []int{host}})
}

func (c *htmlCheck) change(d htmlDiff) {
	i := slices.IndexFunc(c.changes, func(o htmlDiff) bool {
		return o.title == d.title && o.diff == d.diff && o.first == d.first
	})
	if i < 0 {
		c.changes = append(c.changes, d)
		return
	}
	c.changes[i].hosts = append(c.changes[i].hosts, d.hosts...)
}

// fleet reports whether the page is of several hosts.
func (p *htmlPage) fleet() bool { return len(p.reports) != 1 }

func (p *htmlPage) name() string {
	if len(p.reports) == 1 {
		return p.reports[0].Host.Name
	}
	return remediate.Count(len(p.reports), "host")
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func (p *htmlPage) head() {
	p.WriteString("<!DOCTYPE html>\n")
	p.open("html", "lang", "en")
	p.open("head")
	p.open("meta", "charset", "utf-8")
	p.open("meta", "http-equiv", "Content-Security-Policy", "content", "default-src 'none'; base-uri 'none'; "+
		"form-action 'none'; style-src "+hash(htmlStyle)+"; script-src "+hash(htmlScript))
	p.open("meta", "name", "viewport", "content", "width=device-width, initial-scale=1")
	p.open("meta", "name", "generator", "content", "harden")
	p.element("title", "harden: "+p.title)
	p.WriteString("\n<style>" + htmlStyle + "</style>\n")
	p.close("head")
	p.open("body")
	p.element("a", "Skip to the findings", "class", "skip", "href", "#findings")
	p.open("header")
	p.element("h1", "harden: "+p.title)
	p.element("button", "Light or dark", "id", "theme", "type", "button", "hidden", "")
	p.close("header")
	p.open("main")
}

func (p *htmlPage) foot() {
	p.close("main")
	p.open("footer")
	if p.version != "" {
		p.element("p", "Written by harden "+p.version+
			". A check that could not be judged is unknown, never a pass.")
	}
	p.close("footer")
	p.WriteString("<script>" + htmlScript + "</script>\n")
	p.close("body", "html")
}

// hosts tells of one host in words, and of several in a table.
func (p *htmlPage) hosts() {
	p.open("section", "aria-labelledby", "summary")
	p.element("h2", "Summary", "id", "summary")
	if !p.fleet() {
		r := p.reports[0]
		p.score(r)
		p.element("p", Totals(r)+".")
		p.element("p", strings.Join(about(r), "; ")+".", "class", "dim")
		for _, n := range r.Host.Notes {
			p.element("p", n, "class", "note")
		}
		p.close("section")
		return
	}
	columns := []string{"Host", "Score"}
	for _, s := range severity.All {
		columns = append(columns, s.String())
	}
	p.table("Table of hosts", "Hosts, and how many findings each has", append(columns, "About"), "class", "hosts")
	for _, r := range p.reports {
		score := "none"
		if r.Score != nil {
			score = strconv.Itoa(*r.Score)
		}
		cells := []string{r.Host.Name, score}
		open := map[severity.Severity]int{}
		for e := range entries(r) {
			if e.open() {
				open[severityOf(e.result)]++
			}
		}
		for _, s := range severity.All {
			cells = append(cells, strconv.Itoa(open[s]))
		}
		p.row("td", append(cells, strings.Join(about(r), "; "))...)
	}
	p.close("tbody", "table", "div", "section")
}

func (p *htmlPage) score(r *Report) {
	p.open("p", "class", "score")
	if r.Score == nil {
		p.say("no score: nothing was judged")
	} else {
		p.element("strong", strconv.Itoa(*r.Score))
		p.say(strings.TrimPrefix(scoreText(r), fmt.Sprintf("Score: %d", *r.Score)))
	}
	p.close("p")
}

// about is when and against what a host was audited, and what it is.
func about(r *Report) (parts []string) {
	parts = append(parts, "audited "+r.Time.UTC().Format(time.RFC3339))
	parts = append(parts, titles(r.Benchmarks)...)
	for _, s := range []string{r.Host.OS, r.Host.Kernel} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return parts
}

// heatMap is the threat model, a row for each thing that is attacked: how much of it is open.
func (p *htmlPage) heatMap() {
	p.open("section", "aria-labelledby", "threats")
	p.element("h2", "Threats", "id", "threats")
	p.region("Table of threats")
	p.open("table", "class", "heat")
	p.element("caption", "Findings by what is attacked and by kind of threat. Choose a cell to see only its findings.")
	p.open("thead")
	p.open("tr")
	p.element("th", "Surface", "scope", "col")
	for _, c := range stride.Categories {
		p.element("th", c.Letter()+" "+string(c), "scope", "col")
	}
	p.close("tr", "thead")
	p.open("tbody")
	open, worst, asked := p.exposure()
	told := map[string]bool{}
	for _, t := range stride.All {
		surface := t.ID.Platform() + "/" + t.ID.Surface()
		if told[surface] || !asked[surface] {
			continue
		}
		told[surface] = true
		p.open("tr")
		p.element("th", surface, "scope", "row")
		for _, c := range stride.Categories {
			p.cell(stride.ID(surface+"/"+string(c)), open, worst)
		}
		p.close("tr")
	}
	p.close("tbody", "table", "div", "section")
}

// exposure counts the findings that are open by threat, tells the most severe of them, and which surfaces the page has
// anything of.
func (p *htmlPage) exposure() (open map[string]int, worst map[string]severity.Severity, asked map[string]bool) {
	open, worst, asked = map[string]int{}, map[string]severity.Severity{}, map[string]bool{}
	for _, c := range p.results {
		n := 0
		for _, e := range c.entries {
			if e.open() {
				n += len(e.hosts)
			}
		}
		for _, t := range c.Threats {
			if slices.ContainsFunc(c.states, func(s State) bool { return s != "" && s != NotApplicable }) {
				asked[t[:max(0, strings.LastIndexByte(t, '/'))]] = true
			}
			if n > 0 {
				open[t] += n
				worst[t] = max(worst[t], severityOf(c.Result))
			}
		}
	}
	return open, worst, asked
}

func (p *htmlPage) cell(id stride.ID, open map[string]int, worst map[string]severity.Severity) {
	t, err := stride.Get(id)
	n := open[string(id)]
	switch {
	case err != nil:
		p.element("td", "", "class", "none")
	case n == 0:
		p.element("td", "0", "title", t.Title)
	default:
		p.open("td", "class", worst[string(id)].String())
		label := remediate.Count(n, "finding") + ", the most severe " + worst[string(id)].String() + ": " + t.Title
		p.element("button", strconv.Itoa(n), "type", "button", "data-threat", string(id), "aria-pressed", "false",
			"aria-label", label, "title", t.Title)
		p.close("td")
	}
}
