package report

import (
	"fmt"
	"strings"

	"example.com/harden/checks/cis"
	"example.com/harden/checks/stride"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
)

// looks is how each state is shown: a sign, a word and a colour, so that none of them has to carry it alone.
var looks = map[State]look{
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

// A look is how a state is shown.
type look struct{ sign, word, color, phrase string }

func (p *page) look(s State) look {
	l := looks[s]
	l.sign = p.sign(l.sign)
	return l
}

// counted says of so many checks in which state they are.
func (s State) counted(n int) string {
	need := "need"
	if n == 1 {
		need = "needs"
	}
	switch s {
	case Left:
		return fmt.Sprintf("%d %s manual action", n, need)
	case Manual:
		return fmt.Sprintf("%d %s manual review", n, need)
	}
	return fmt.Sprintf("%d %s", n, looks[s].phrase)
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
	p.block("", 0, bold, r.Host.Name)
	field := func(name, text string) { p.block("  "+p.paint(dim, pad(name, 11)), 13, "", text) }
	field("benchmark", strings.Join(titles(r.Benchmarks), ", "))
	if r.Host.Root != "/" {
		field("root", r.Host.Root)
	}
	if e := r.Host.Engine; e != nil {
		switch {
		case e.Error != "":
			field("engine", e.Error)
		case e.Local:
			field("engine", fmt.Sprintf("%s at %s (%s), %s, %d running", e.Version, e.Endpoint, e.From,
				remediate.Count(e.Containers, "container"), e.Running))
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

// titles are those of editions of benchmarks.
func titles(benchmarks []string) (titles []string) {
	for _, b := range benchmarks {
		titles = append(titles, cis.Benchmark(b).Title())
	}
	return titles
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
			counts = append(counts, p.paint(looks[s].color, s.counted(n)))
		}
	}
	return p.paint(bold, remediate.Count(r.Summary.Selected, "check")) + ": " + strings.Join(counts, ", ")
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
