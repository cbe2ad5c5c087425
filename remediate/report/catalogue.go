package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/catalog"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/mapping"
	"example.com/harden/checks/severity"
	"example.com/harden/checks/want"
)

// EntrySchema names the shape of an Entry, and of an Explanation, as JSON.
const EntrySchema = "harden-check/v1"

// An Entry is one check as the catalogue has it, whatever the host.
type Entry struct {
	Schema     string            `json:"schema"`
	ID         string            `json:"id"`
	Items      map[string]string `json:"items"`
	Number     string            `json:"number,omitempty"` // in the selected edition
	Title      string            `json:"title"`
	Why        string            `json:"why"`
	Breaks     string            `json:"breaks,omitempty"`
	Disruption want.Class        `json:"disruption"` // the least that its fix disturbs
	Level      int               `json:"level"`
	Threats    []string          `json:"threats"`
	Manual     string            `json:"manual,omitempty"` // how a person settles it

	Severity       severity.Severity `json:"severity,omitempty"`
	SeverityReason string            `json:"severity_reason,omitempty"`

	Mappings map[mapping.Framework][]string `json:"mappings,omitempty"` // numbers of other frameworks
}

// Entries are the checks of a selection.
func Entries(s *catalog.Selection) Catalogue {
	entries := Catalogue{}
	for _, c := range s.Checks {
		_, number := s.Number(c)
		e := Entry{EntrySchema, c.ID, map[string]string{}, number, c.Title, c.Why, c.Breaks, c.Class, c.Level,
			Threats(c.Threats), c.Manual, c.Severity(), severity.Of(c.ID).Reason, c.Mappings()}
		for b, n := range c.Items {
			e.Items[string(b)] = n
		}
		entries = append(entries, e)
	}
	return entries
}

// A Catalogue is a list of checks.
type Catalogue []Entry

const severityWidth = len("SEVERITY") + 2

// text is the checks as a table.
func (entries Catalogue) text(p *page) {
	id := 2
	for _, e := range entries {
		id = max(id, len(e.ID))
	}
	p.line(p.paint(bold, pad("", 2)+pad("ITEM", numberWidth)+pad("LEVEL", 7)+pad("SEVERITY", severityWidth)+
		pad("CHECK", id+2)+"WHAT MUST HOLD"))
	for _, e := range entries {
		head := "  " + pad(e.Number, numberWidth) + pad(fmt.Sprint(e.Level), 7) +
			pad(e.Severity.String(), severityWidth) + pad(e.ID, id+2)
		p.block(head, len(head), "", e.Title)
	}
}

// An Explanation is a check of the catalogue beside its result on this host.
type Explanation struct {
	Entry
	Result Result `json:"result"`

	check *checks.Check
}

// Explanations are of the checks of one name: a number of an older edition may be several.
type Explanations []Explanation

// Explain explains the checks of a selection by a report of them.
func Explain(s *catalog.Selection, r *Report) (all Explanations) {
	for i, e := range Entries(s) {
		res, _ := r.Result(e.ID)
		all = append(all, Explanation{e, res, s.Checks[i]})
	}
	return all
}

func (all Explanations) text(p *page) {
	for i, e := range all {
		if i > 0 {
			p.line()
		}
		p.explain(e.check, e.Result)
	}
}

// explain tells of one check in full, and then what was found of it on this host.
func (p *page) explain(c *checks.Check, res Result) {
	const label = 12
	field := func(name, text string) {
		if text != "" {
			p.block("  "+p.paint(dim, pad(name, label)), 2+label, "", text)
		}
	}
	p.line(p.paint(bold, c.ID), "  ", c.Title)
	var numbers []string
	for _, b := range cis.Editions {
		if n := c.Items[b]; n != "" {
			numbers = append(numbers, string(b)+":"+n)
		}
	}
	field("numbers", strings.Join(numbers, ", "))
	field("level", fmt.Sprint(c.Level))
	if r := severity.Of(c.ID); r.Severity != severity.None {
		field("severity", r.Severity.String()+": "+r.Reason)
	}
	name := "frameworks"
	for _, f := range mapping.Frameworks {
		if n := c.Mappings()[f]; len(n) > 0 {
			field(name, f.Title()+": "+strings.Join(n, ", "))
			name = ""
		}
	}
	field("why", c.Why)
	for _, t := range c.Threats {
		field("threat", threatLine(string(t)))
	}
	field("disruption", classText(c.Class))
	field("breaks", c.Breaks)
	field("by hand", c.Manual)
	look := p.look(res.State)
	field("this host", look.word+reasonAfter(res.Reason))
	for _, f := range res.Findings {
		field("finding", difference(Clean(f.Subject), f.Got, f.Must))
		for _, fix := range f.Fix {
			field("fix", Clean(fix)+" ("+classText(f.Disruption)+")")
		}
		field("left", f.Reason)
	}
	for _, a := range res.Waived {
		field("finding", difference(Clean(a.Subject), a.Got, a.Must))
		field("waived", strings.TrimPrefix(waiverText(a.Reason, a.Approver, a.Expires), "waived: "))
	}
}

func reasonAfter(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + firstLine(reason)
}

// number is an entry's number, and where no selected edition has one, the last that an older edition had.
func number(e Entry) string {
	if e.Number != "" {
		return e.Number
	}
	for _, b := range slices.Backward(cis.Editions) {
		if n := e.Items[string(b)]; n != "" {
			return fmt.Sprintf("own (%s in %s)", n, b.Version())
		}
	}
	return "own"
}

// Table is the catalogue as Markdown, a table for each platform.
func Table(w io.Writer, entries []Entry) error {
	var b strings.Builder
	of := ""
	escape := strings.NewReplacer("|", `\|`, "\n", " ").Replace
	for _, e := range entries {
		if p := platform(e.ID); p != of {
			of = p
			fmt.Fprintf(&b, "\n### %s\n\n| item | check | what must hold | level | severity | disruption | threats "+
				"|\n|---|---|---|---|---|---|---|\n",
				strings.ToUpper(p[:1])+p[1:])
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %d | %s | %s | %s |\n", number(e), e.ID, escape(e.Title), e.Level,
			e.Severity, e.Disruption, strings.Join(e.Threats, ", "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
