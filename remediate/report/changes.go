package report

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/harden/checks"
	"example.com/harden/remediate"
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
	Kind    string    `json:"kind"`
	ID      string    `json:"id"`
	Finding FindingID `json:"finding,omitempty"` // absent where it is the check as a whole
	Number  string    `json:"number,omitempty"`
	Title   string    `json:"title"`
	Subject string    `json:"subject,omitempty"` // empty where it is the check as a whole
	Was     string    `json:"was,omitempty"`
	Is      string    `json:"is,omitempty"`
	Must    string    `json:"must,omitempty"`
	Reason  string    `json:"reason,omitempty"` // of a waiver, or why it is unknown
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
	old := was.last()
	if is.Status == checks.Unknown {
		is.Kept = old
		if was.Status != checks.Unknown {
			shifts = append(shifts, Shift{Kind: ShiftUnknown, ID: is.ID, Number: is.Number, Title: is.Title, Reason: is.Reason})
		}
	}
	before, now := sightings(old, was.Waived), sightings(is.Findings, is.Waived)
	from, still := pairs(before, now)
	for i, f := range is.Findings {
		d := is.shift(ShiftNew, f)
		d.Was, d.Is = "", f.Got
		switch k := from[i]; {
		case k < 0:
		case k >= len(old):
			a := was.Waived[k-len(old)]
			d.Kind, d.Reason = ShiftExpired, a.Reason
			if a.Expires != "" {
				d.Reason += ", until " + a.Expires
			}
		case !same(old[k].Got, f.Got) || !same(old[k].Must, f.Must):
			d.Kind, d.Was = ShiftChanged, old[k].Got
		default:
			continue
		}
		shifts = append(shifts, d)
	}
	for i, a := range is.Waived {
		if from[len(is.Findings)+i] < len(old) { // it was a finding, or was not there
			shifts = append(shifts, Shift{Kind: ShiftWaived, ID: is.ID, Finding: a.ID, Number: is.Number, Title: is.Title,
				Subject: a.Subject, Is: a.Got, Must: a.Must, Reason: a.Reason})
		}
	}
	if is.Status == checks.Unknown {
		return shifts
	}
	ended := ShiftFixed
	if is.Status == checks.NotApplicable {
		ended = ShiftGone
	}
	for i, o := range before {
		if !still[i] {
			shifts = append(shifts, is.shift(ended, o))
		}
	}
	if was.Status == checks.Unknown && is.Status == checks.Pass && len(old) == 0 {
		shifts = append(shifts, Shift{Kind: ShiftKnown, ID: is.ID, Number: is.Number, Title: is.Title})
	}
	return shifts
}

// sightings are the findings of one audit, those that are waived last.
func sightings(findings []Finding, waived []Accepted) []Finding {
	all := slices.Clone(findings)
	for _, a := range waived {
		all = append(all, Finding{ID: a.ID, Subject: a.Subject, Got: a.Got, Must: a.Must})
	}
	return all
}

// pairs finds the findings of now among those of before: by their subject as it was told, which two tags of one image
// have apart, and else by their ID. from is where each of now was, -1 where it is new; still is which of before are
// there.
func pairs(before, now []Finding) (from []int, still []bool) {
	from, still = slices.Repeat([]int{-1}, len(now)), make([]bool, len(before))
	for _, key := range []func(Finding) string{
		func(f Finding) string { return untagged(f.Subject) + "\x00" + string(f.ID) },
		func(f Finding) string { return untagged(f.Subject) },
		func(f Finding) string { return string(f.ID) },
	} {
		unpaired := map[string][]int{}
		for i, f := range before {
			if !still[i] {
				unpaired[key(f)] = append(unpaired[key(f)], i)
			}
		}
		for i, f := range now {
			if rest := unpaired[key(f)]; from[i] < 0 && key(f) != "" && len(rest) > 0 {
				from[i], still[rest[0]] = rest[0], true
				unpaired[key(f)] = rest[1:]
			}
		}
	}
	return from, still
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
	return untagged(a) == untagged(b)
}

// untagged is a text without the tags of what is hidden in it.
func untagged(text string) string {
	if !strings.Contains(text, "‹redacted ") {
		return text
	}
	return tag().ReplaceAllString(text, "$1›")
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
	return Shift{Kind: kind, ID: r.ID, Finding: f.ID, Number: r.Number, Title: r.Title, Subject: f.Subject, Was: f.Got,
		Must: f.Must}
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
		p.line(p.paint(bold, fmt.Sprintf("%s: %s since %s", Clean(c.Host), remediate.Count(len(c.Changes), "change"),
			c.Since.Format(time.RFC3339))))
	}
	for _, d := range c.Changes {
		p.shift(d)
	}
	p.summary(&Report{Summary: c.Summary})
}

func (p *page) shift(d Shift) {
	look := shiftLooks[d.Kind]
	p.block("  "+p.paint(look.color, pad(p.sign(look.sign)+" "+d.Kind, wordWidth))+pad(d.Number, numberWidth), indent, "",
		d.ID+": "+d.Title)
	switch d.Kind {
	case ShiftNew, ShiftExpired, ShiftWaived:
		p.under("", difference(Clean(d.Subject), d.Is, d.Must))
	case ShiftChanged:
		p.under("", difference(Clean(d.Subject), "was "+d.Was+", is "+d.Is, d.Must))
	case ShiftFixed, ShiftGone:
		p.under("", Clean(d.Subject)+": was "+Clean(d.Was))
	}
	if d.Reason != "" {
		reason := d.Reason
		if d.Kind == ShiftWaived || d.Kind == ShiftExpired {
			reason = "waived: " + reason
		}
		p.under(dim, firstLine(reason))
	}
}
