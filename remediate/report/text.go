package report

import (
	"fmt"
	"slices"
	"strings"

	"example.com/harden/checks/cis"
	"example.com/harden/checks/stride"
	"example.com/harden/checks/want"
)

// looks is how each state is shown: a sign, a word and a colour, so that none of them has to carry it alone.
var looks = map[State]struct{ sign, word, color, phrase string }{
	Pass:          {"✓", "pass", green, "pass"},
	Fail:          {"✗", "fail", red, "fail"},
	Planned:       {"±", "fix", cyan, "will be fixed"},
	Fixed:         {"✓", "fixed", green, "fixed"},
	Pending:       {"…", "pending", yellow, "pending restart"},
	Held:          {"=", "held", yellow, "held back"},
	Left:          {"✗", "left", red, "manual action required"},
	Failed:        {"✗", "failed", red, "failed to be fixed"},
	Waived:        {"~", "waived", yellow, "waived"},
	Unknown:       {"?", "unknown", yellow, "unknown"},
	Manual:        {"!", "manual", yellow, "manual review"},
	NotApplicable: {"-", "n/a", dim, "not applicable"},
}

// text is the report for people, up to what is proposed.
func (r *Report) text(p *page) {
	p.header(r)
	p.results(r)
	p.waivers(r)
	if r.Plan != nil {
		p.plan(r)
	}
	p.summary(r)
}

// outcome is what became of a plan that text has shown, and what is open all the same.
func (r *Report) outcome(p *page) {
	Applied{r}.text(p)
	p.stillOpen(r)
	if r.Hidden != "" && r.Run != nil && r.Run.Outcome == "applied" {
		p.WriteString("\nHidden until `harden rollback " + r.Run.ID + "`: " + r.Hidden + "\n")
	}
}

// Applied is a report of which people are told what became of it, and nothing else.
type Applied struct{ *Report }

func (a Applied) text(p *page) {
	p.run(a.Report)
	p.summary(a.Report)
}

// Nothing is a report of which there is nothing to apply.
type Nothing struct{ *Report }

func (n Nothing) text(p *page) {
	p.line("Nothing to apply.")
	p.stillOpen(n.Report)
}

func (p *page) header(r *Report) {
	var names []string
	for _, b := range r.Benchmarks {
		names = append(names, cis.Benchmark(b).Title())
	}
	p.block("", 0, bold, r.Host.Name)
	p.block("  "+p.paint(dim, pad("benchmark", 11)), 13, "", strings.Join(names, ", "))
	field := func(name, text string) { p.block("  "+p.paint(dim, pad(name, 11)), 13, "", text) }
	if r.Host.Root != "/" {
		field("root", r.Host.Root)
	}
	if e := r.Host.Engine; e != nil {
		switch {
		case e.Error != "":
			field("engine", e.Error)
		case e.Local:
			field("engine", fmt.Sprintf("%s at %s (%s), %s, %d running", e.Version, e.Endpoint, e.From,
				plural(e.Containers, "container"), e.Running))
		default:
			field("engine", fmt.Sprintf("%s on another machine, %s (%s)", e.Version, e.Endpoint, e.From))
		}
	}
	if d := r.Host.Daemon; d != nil {
		running := "not running"
		if d.PID != 0 {
			running = fmt.Sprintf("PID %d", d.PID)
		}
		if d.Unit != "" {
			running += ", " + d.Unit
		}
		field("dockerd", d.Flavour+", "+running)
		if d.Exists {
			field("config", d.Config)
		} else {
			field("config", d.Config+" (there is none yet)")
		}
		field("data root", d.DataRoot)
	}
	if n := r.Host.Node; n != nil {
		field("kubernetes", n.Flavour)
		for _, c := range n.Components {
			field("", componentText(c))
		}
		if len(n.Config) > 0 {
			field("", "the kubelet reads "+strings.Join(n.Config, ", "))
		}
	}
	for _, n := range r.Host.Notes {
		p.block("  "+p.paint(yellow, pad("note", 11)), 13, "", n)
	}
}

func componentText(c Component) string {
	switch {
	case c.Error != "":
		return c.Name + ": " + c.Error
	case c.PID != 0:
		return fmt.Sprintf("%s by %s, PID %d", c.Name, c.From, c.PID)
	}
	return c.Name + " by " + c.From
}

// quiet are the states that -q leaves out: nothing is to be done about them.
var quiet = []State{Pass, Fixed, NotApplicable, Waived}

// elsewhere counts the checks of each platform of which nothing is on this host, where another's checks were asked for
// too.
func elsewhere(r *Report) map[string]int {
	all, absent := map[string]int{}, map[string]int{}
	for _, res := range r.Results {
		all[platform(res.ID)]++
		if res.State == NotApplicable {
			absent[platform(res.ID)]++
		}
	}
	for name, n := range all {
		if absent[name] < n || len(all) == 1 {
			delete(absent, name)
		}
	}
	return absent
}

func platform(id string) string { name, _, _ := strings.Cut(id, "/"); return name }

func (p *page) results(r *Report) {
	absent := elsewhere(r)
	if p.Verbose || len(absent) > 1 { // of nothing at all there is nothing else to show
		absent = nil
	}
	section, of := "-", ""
	for _, res := range r.Results {
		if p.Quiet && slices.Contains(quiet, res.State) {
			continue
		}
		if n := absent[platform(res.ID)]; n > 0 {
			if of != platform(res.ID) {
				p.line()
				p.line(p.paint(dim, fmt.Sprintf("%s: not installed (%s not applicable; -v lists them)",
					platform(res.ID), plural(n, "check"))))
			}
			of = platform(res.ID)
			continue
		}
		if res.Section != section || of != platform(res.ID) {
			section, of = res.Section, platform(res.ID)
			p.line()
			if section == "" {
				p.line(p.paint(bold, "beyond the benchmark"))
			} else {
				p.line(p.paint(bold, strings.TrimSpace(res.Section+"  "+res.Heading)))
			}
		}
		p.result(res)
	}
}

// Columns of a result: sign and word, number, and then what everything beneath is aligned with.
const (
	wordWidth   = 12
	numberWidth = 8
	indent      = 2 + wordWidth + numberWidth
	labelWidth  = 2 + numberWidth // of a label, and of a fix's number
)

func (p *page) result(res Result) {
	look := looks[res.State]
	head := "  " + p.paint(look.color, pad(look.sign+" "+look.word, wordWidth)) + pad(res.Number, numberWidth)
	color := ""
	if res.State == NotApplicable {
		color = dim
	}
	p.block(head, indent, color, res.Title)
	margin := strings.Repeat(" ", indent)
	note := func(text string) { p.block(margin, indent, dim, text) }
	if p.Verbose {
		note(res.ID + " - " + res.Why)
	}
	p.findings(res)
	for _, a := range res.Waived {
		p.block(margin, indent, "", difference(Clean(a.Subject), a.Got, a.Must))
		note(waiverText(a.Reason, a.Approver, a.Expires))
	}
	if res.Reason != "" && (p.Verbose || res.State != NotApplicable) {
		note(firstLine(res.Reason, p.Verbose))
	}
}

// findings tells those that differ in their subject alone together: a check may find the same of ten thousand
// containers.
func (p *page) findings(res Result) {
	type kind struct {
		got, must, reason string
		state             State
	}
	var kinds []kind
	subjects := map[kind]*[]string{}
	var last kind // most are like the one before
	var alike *[]string
	for i := range res.Findings {
		f := &res.Findings[i]
		k := kind{got: f.Got, must: f.Must, state: f.State}
		if f.State == Failed {
			k.reason = f.Reason
		}
		if k != last || alike == nil {
			if last, alike = k, subjects[k]; alike == nil {
				alike = new([]string)
				kinds, subjects[k] = append(kinds, k), alike
			}
		}
		*alike = append(*alike, placed(f))
	}
	margin := strings.Repeat(" ", indent)
	for _, k := range kinds {
		text := difference(p.several(*subjects[k]), k.got, k.must)
		if k.state != res.State {
			text += " (" + looks[k.state].phrase + ")"
		}
		p.block(margin, indent, "", text)
		if k.reason != "" {
			p.block(margin, indent, red, k.reason)
		}
	}
}

// placed is a finding's subject, with the line that it is on where it is of a source.
func placed(f *Finding) string {
	if i := strings.LastIndexByte(f.Place, ':'); i > 0 {
		return f.Place + " " + strings.TrimPrefix(f.Subject, f.Place[:i]+" ")
	}
	return f.Subject
}

// difference words a finding. Its parts are data, each shown so that it cannot pass for another; the subject is clean
// already.
func difference(subject, got, must string) string {
	text := subject
	if got != "" {
		text += ": " + Clean(got)
	}
	if must != "" {
		text += "; must be " + Clean(must)
	}
	return text
}

func waiverText(reason, approver, expires string) string {
	text := "waived: " + reason
	if approver != "" {
		text += ", by " + approver
	}
	if expires != "" {
		text += ", until the end of " + expires + " UTC"
	}
	return text
}

// firstLine keeps a stack trace out of a report that did not ask for it.
func firstLine(s string, whole bool) string {
	if first, _, more := strings.Cut(s, "\n"); more && !whole {
		return first
	}
	return s
}

func (p *page) waivers(r *Report) {
	first := true
	for _, w := range r.Waivers {
		if w.State == "active" && !w.Unmatched {
			continue
		}
		if first {
			p.line()
			first = false
		}
		text := "the waiver of " + w.Check
		if w.Scope != "" {
			text += " for " + Clean(w.Scope)
		}
		switch {
		case w.State == "expired":
			text += " expired at the end of " + w.Expires + " UTC"
		case w.Unmatched:
			text += " matches no finding; remove it, or correct its scope"
		default:
			text += " expires at the end of " + w.Expires + " UTC"
		}
		p.block(p.paint(yellow, "waiver  "), 8, "", text)
	}
}

func (p *page) summary(r *Report) {
	p.line()
	p.line(p.totals(r))
	if r.Score != nil {
		p.block("", 0, "", scoreText(r))
	}
}

// Totals is the line that ends a report: how many checks are in which state.
func Totals(r *Report) string { return newPage(Style{}).totals(r) }

func (p *page) totals(r *Report) string {
	var counts []string
	for _, s := range States {
		if n := r.Summary.States[s]; n > 0 {
			counts = append(counts, p.paint(looks[s].color, fmt.Sprintf("%d %s", n, looks[s].phrase)))
		}
	}
	return p.paint(bold, plural(r.Summary.Selected, "check")) + ": " + strings.Join(counts, ", ")
}

// plural counts things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// threatLine names a threat by its letter, its ID and what goes wrong.
func threatLine(id string) string {
	t, err := stride.Get(stride.ID(id))
	if err != nil {
		return id
	}
	return fmt.Sprintf("%s %s: %s", t.ID.Category().Letter(), id, t.Title)
}

// classText names a class and says what that means.
func classText(c want.Class) string { return c.String() + ": " + classPhrases[c] }

var classPhrases = map[want.Class]string{
	want.None:      "no disruption",
	want.Reload:    "by reload, no restart",
	want.Restart:   "one restart",
	want.Workload:  "containers are recreated",
	want.Behaviour: "users will notice",
}
