package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/catalog"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/want"
)

// An Entry is one check as the catalogue has it, whatever the host.
type Entry struct {
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
}

// Entries are the checks of a selection.
func Entries(s *catalog.Selection) []Entry {
	entries := []Entry{}
	for _, c := range s.Checks {
		_, number := s.Number(c)
		e := Entry{c.ID, map[string]string{}, number, c.Title, c.Why, c.Breaks, c.Class, c.Level, Threats(c.Threats), c.Manual}
		for b, n := range c.Items {
			e.Items[string(b)] = n
		}
		entries = append(entries, e)
	}
	return entries
}

// List writes the checks as a table.
func List(w io.Writer, entries []Entry, s Style) error {
	p := newPage(s)
	id := 2
	for _, e := range entries {
		id = max(id, len(e.ID))
	}
	p.line(p.paint(bold, pad("", 2)+pad("ITEM", numberWidth)+pad("LEVEL", 7)+pad("CHECK", id+2)+"WHAT MUST HOLD"))
	for _, e := range entries {
		head := "  " + pad(e.Number, numberWidth) + pad(fmt.Sprint(e.Level), 7) + pad(e.ID, id+2)
		p.block(head, len(head), "", e.Title)
	}
	_, err := w.Write(p.Bytes())
	return err
}

// Explain writes one check in full, and then what was found of it on this host.
func Explain(w io.Writer, c *checks.Check, res Result, s Style) error {
	p := newPage(s)
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
	field("why", c.Why)
	for _, t := range c.Threats {
		field("threat", threatLine(string(t)))
	}
	field("disruption", classText(c.Class))
	field("breaks", c.Breaks)
	field("by hand", c.Manual)
	look := looks[res.State]
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
	_, err := w.Write(p.Bytes())
	return err
}

func reasonAfter(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + firstLine(reason, false)
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
			fmt.Fprintf(&b, "\n### %s\n\n| item | check | what must hold | level | disruption | threats |\n|---|---|---|---|---|---|\n",
				strings.ToUpper(p[:1])+p[1:])
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %d | %s | %s |\n", number(e), e.ID, escape(e.Title), e.Level, e.Disruption,
			strings.Join(e.Threats, ", "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
