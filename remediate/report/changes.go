package report

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/harden/checks"
)

// ChangesSchema names the shape of Changes as JSON.
const ChangesSchema = "harden-changes/v1"

// Changes are what one look at a host found otherwise than the look before it.
type Changes struct {
	Schema  string    `json:"schema"`
	Version string    `json:"version"` // harden's own
	Host    string    `json:"host"`
	Time    time.Time `json:"time"`           // of this look, UTC
	Since   time.Time `json:"since,omitzero"` // of the look before; zero when this is the first
	Changes []Shift   `json:"changes"`
	Summary Summary   `json:"summary"` // of this look
}

// A Shift is one finding, or one check, that is not as it was.
type Shift struct {
	Kind    string `json:"kind"`
	ID      string `json:"id"`
	Number  string `json:"number,omitempty"`
	Title   string `json:"title"`
	Subject string `json:"subject,omitempty"` // empty where it is the check as a whole
	Was     string `json:"was,omitempty"`
	Is      string `json:"is,omitempty"`
	Must    string `json:"must,omitempty"`
	Reason  string `json:"reason,omitempty"` // of a waiver, or why it is unknown
}

// The kinds of Shift.
const (
	ShiftNew     = "new"     // a finding that was not there
	ShiftChanged = "changed" // a finding still, and another than it was
	ShiftExpired = "expired" // a finding that a waiver covered, and none does any more
	ShiftUnknown = "unknown" // what could be judged cannot be now
	ShiftFixed   = "fixed"   // a finding that is no more, of a check that is still judged
	ShiftGone    = "gone"    // a finding of a check that no longer applies, or is no longer asked for
	ShiftWaived  = "waived"  // a finding that somebody has accepted since
	ShiftKnown   = "known"   // what could not be judged can be now, and holds
)

// ShiftKinds lists the kinds in the order in which they are shown.
var ShiftKinds = []string{ShiftNew, ShiftChanged, ShiftExpired, ShiftUnknown, ShiftFixed, ShiftGone, ShiftWaived,
	ShiftKnown}

// Compare tells what is not as it was. Both reports are settled.
//
// Of a check that cannot be judged now, whether its findings are still there is not known: before's are copied into
// now's Kept, so that a later comparison does not take them for new ones.
func Compare(before, now *Report) []Shift {
	shifts := []Shift{}
	for i := range now.Results {
		res := &now.Results[i]
		was, known := before.Result(res.ID)
		if !known {
			was = Result{Status: checks.Pass}
		}
		shifts = append(shifts, compare(was, res)...)
	}
	for _, was := range before.Results {
		if _, still := now.Result(was.ID); !still {
			for _, f := range was.last() {
				shifts = append(shifts, was.shift(ShiftGone, f))
			}
		}
	}
	slices.SortStableFunc(shifts, func(a, b Shift) int {
		return slices.Index(ShiftKinds, a.Kind) - slices.Index(ShiftKinds, b.Kind)
	})
	return shifts
}

func compare(was Result, is *Result) (shifts []Shift) {
	if is.Status == checks.Unknown {
		is.Kept = was.last()
		if was.Status != checks.Unknown {
			shifts = append(shifts, Shift{Kind: ShiftUnknown, ID: is.ID, Number: is.Number, Title: is.Title, Reason: is.Reason})
		}
	}
	old := was.last()
	for _, f := range is.Findings {
		i := slices.IndexFunc(old, func(o Finding) bool { return same(o.Subject, f.Subject) })
		waived := slices.IndexFunc(was.Waived, func(a Accepted) bool { return same(a.Subject, f.Subject) })
		d := is.shift(ShiftNew, f)
		d.Was, d.Is = "", f.Got
		switch {
		case waived >= 0:
			d.Kind, d.Reason = ShiftExpired, was.Waived[waived].Reason
			if e := was.Waived[waived].Expires; e != "" {
				d.Reason += ", until " + e
			}
		case i < 0:
		case !same(old[i].Got, f.Got) || !same(old[i].Must, f.Must):
			d.Kind, d.Was = ShiftChanged, old[i].Got
		default:
			continue
		}
		shifts = append(shifts, d)
	}
	for _, a := range is.Waived {
		if !slices.ContainsFunc(was.Waived, func(o Accepted) bool { return same(o.Subject, a.Subject) }) {
			shifts = append(shifts, Shift{Kind: ShiftWaived, ID: is.ID, Number: is.Number, Title: is.Title, Subject: a.Subject,
				Is: a.Got, Must: a.Must, Reason: a.Reason})
		}
	}
	if is.Status == checks.Unknown {
		return shifts
	}
	ended := ShiftFixed
	if is.Status == checks.NotApplicable {
		ended = ShiftGone
	}
	for _, o := range old {
		if !is.has(o.Subject) {
			shifts = append(shifts, is.shift(ended, o))
		}
	}
	for _, a := range was.Waived {
		if !is.has(a.Subject) {
			shifts = append(shifts, is.shift(ended, Finding{Subject: a.Subject, Got: a.Got, Must: a.Must}))
		}
	}
	if was.Status == checks.Unknown && is.Status == checks.Pass && len(old) == 0 {
		shifts = append(shifts, Shift{Kind: ShiftKnown, ID: is.ID, Number: is.Number, Title: is.Title})
	}
	return shifts
}

// A hidden secret has another tag in every process that hides it.
var tag = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(‹redacted [0-9]+ bytes), [0-9a-f]{8}›`)
})

// same reports whether two texts of different looks are one, but for the tags of what is hidden in them.
func same(a, b string) bool {
	if a == b || !strings.Contains(a, "‹redacted ") {
		return a == b
	}
	return tag().ReplaceAllString(a, "$1›") == tag().ReplaceAllString(b, "$1›")
}

// last are the findings that were last known: of a check that could not be judged, those of before beside what was
// seen.
func (r Result) last() []Finding {
	all := slices.Clone(r.Findings)
	for _, k := range r.Kept {
		if !r.has(k.Subject) {
			all = append(all, k)
		}
	}
	return all
}

func (r Result) has(subject string) bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return same(f.Subject, subject) }) ||
		slices.ContainsFunc(r.Waived, func(a Accepted) bool { return same(a.Subject, subject) })
}

func (r Result) shift(kind string, f Finding) Shift {
	return Shift{Kind: kind, ID: r.ID, Number: r.Number, Title: r.Title, Subject: f.Subject, Was: f.Got, Must: f.Must}
}

// shiftLooks is how each kind is shown.
var shiftLooks = map[string]struct{ sign, color string }{
	ShiftNew: {"✗", red}, ShiftChanged: {"✗", red}, ShiftExpired: {"✗", red}, ShiftUnknown: {"?", yellow},
	ShiftFixed: {"✓", green}, ShiftGone: {"-", dim}, ShiftWaived: {"~", yellow}, ShiftKnown: {"✓", green},
}

// text is changes for people: nothing at all where there are none, so that cron has nothing to mail.
func (c *Changes) text(p *page) {
	switch {
	case c.Since.IsZero():
		p.line(p.paint(bold, Clean(c.Host)+": first audit"), "; later runs report changes only")
	case len(c.Changes) == 0:
		return
	default:
		p.line(p.paint(bold, fmt.Sprintf("%s: %s since %s", Clean(c.Host), plural(len(c.Changes), "change"),
			c.Since.Format(time.RFC3339))))
	}
	for _, d := range c.Changes {
		p.shift(d)
	}
	p.summary(&Report{Summary: c.Summary})
}

func (p *page) shift(d Shift) {
	look := shiftLooks[d.Kind]
	p.block("  "+p.paint(look.color, pad(look.sign+" "+d.Kind, wordWidth))+pad(d.Number, numberWidth), indent, "",
		d.ID+": "+d.Title)
	margin := func(text string) { p.block(pad("", indent), indent, "", text) }
	switch d.Kind {
	case ShiftNew, ShiftExpired, ShiftWaived:
		margin(difference(Clean(d.Subject), d.Is, d.Must))
	case ShiftChanged:
		margin(difference(Clean(d.Subject), "was "+d.Was+", is "+d.Is, d.Must))
	case ShiftFixed, ShiftGone:
		margin(Clean(d.Subject) + ": was " + Clean(d.Was))
	}
	if d.Reason != "" {
		reason := d.Reason
		if d.Kind == ShiftWaived || d.Kind == ShiftExpired {
			reason = "waived: " + reason
		}
		p.block(pad("", indent), indent, dim, firstLine(reason, false))
	}
}
