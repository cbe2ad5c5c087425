package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/severity"
	"example.com/harden/remediate"
)

// Columns of a result: sign and word, number, and then what everything beneath is aligned with.
const (
	wordWidth   = 10
	numberWidth = 8
	indent      = 2 + wordWidth + numberWidth
	labelWidth  = 2 + numberWidth // of a label, and of a fix's number
)

// folded are the states of checks of which nobody has to do anything, or about which nothing is known.
var folded = []State{Pass, NotApplicable, Unknown}

// quiet are the states that -q leaves out: nothing is to be done about them.
var quiet = []State{Pass, Fixed, NotApplicable, Waived}

// results tells what was found, the most severe first, and then of all other checks how many there are. Each check is
// counted in one place.
func (p *page) results(r *Report) {
	for _, s := range severity.All {
		p.severe(r, s)
	}
	switch {
	case p.Quiet:
	case p.Verbose:
		p.unfolded(r)
	default:
		p.sections(r)
	}
	p.unknown(r)
}

// severe tells what was found of the checks of one severity.
func (p *page) severe(r *Report, s severity.Severity) {
	var found []*Result
	for i := range r.Results {
		res := &r.Results[i]
		if severityOf(res) != s || slices.Contains(folded, res.State) || p.Quiet && slices.Contains(quiet, res.State) {
			continue
		}
		found = append(found, res)
	}
	p.lines(p.headed(s.String(), found))
}

// headed heads checks that are told together, and gives their lines: none where each was told in full.
func (p *page) headed(what string, found []*Result) (lines []foundLine) {
	if len(found) == 0 {
		return nil
	}
	p.title(what + ": " + remediate.Count(len(found), "check"))
	for _, res := range found {
		if p.Verbose {
			p.result(res)
		} else {
			lines = append(lines, linesOf(res)...)
		}
	}
	return merged(lines)
}

// A foundLine is what was found of one check, or the same of several.
type foundLine struct {
	state    State
	checks   []*Result
	subjects []string // clean and short
	text     string   // what was found of them, or the whole where there are none
	note     string
	more     int // further findings of the check
}

// maxLines is how many lines one check has: every one of ten thousand containers may have a value of its own.
const maxLines = 10

// linesOf are those of one check.
func linesOf(res *Result) []foundLine {
	type kind struct {
		state           State
		got, must, note string
	}
	var alike groups[kind, string]
	for i := range res.Findings {
		f, note := &res.Findings[i], ""
		if f.State == Failed {
			note = f.Reason
		}
		alike.add(kind{cmp.Or(f.State, res.State), f.Got, f.Must, note}, placed(f))
	}
	for _, a := range res.Waived {
		alike.add(kind{Waived, a.Got, a.Must, waiverText(a.Reason, a.Approver, a.Expires)}, a.Subject)
	}
	var lines []foundLine
	for k, subjects := range alike.all() {
		lines = append(lines, foundLine{state: k.state, checks: []*Result{res}, subjects: subjects,
			text: difference("", k.got, k.must), note: k.note})
	}
	if len(lines) == 0 {
		lines = append(lines, foundLine{state: res.State, checks: []*Result{res}, text: reasonOf(res)})
	}
	if more := len(lines) - maxLines; more > 0 {
		lines = lines[:maxLines]
		lines[maxLines-1].more = more
	}
	if told := len(res.Findings)+len(res.Waived) > 0; told && res.Reason != "" { // what could not be judged beside them
		state := Unknown
		if strings.HasPrefix(res.Reason, checks.ErrManual.Error()) {
			state = Manual
		}
		lines = append(lines, foundLine{state: state, checks: []*Result{res}, text: reasonOf(res)})
	}
	return lines
}

// reasonOf is what is to be known of a check without findings: why it could not be judged, or what it is about.
func reasonOf(res *Result) string {
	reason := strings.TrimPrefix(firstLine(res.Reason), checks.ErrManual.Error()+": ")
	if reason == "" || reason == checks.ErrManual.Error() {
		return res.Title
	}
	return reason
}

// merged has what several checks found of the same things once, and what many found alike.
func merged(all []foundLine) []foundLine {
	all = mergedBy(all, func(l foundLine) string { return strings.Join(l.subjects, "\x00") + "\x00\x00" + l.text }, 1)
	all = mergedBy(all, func(l foundLine) string { return l.text }, maxNamed)
	for i := range all {
		all[i].checks, all[i].subjects = unique(all[i].checks), unique(all[i].subjects)
	}
	return all
}

// mergedBy makes one line of all that are of the same state, note and key, where there are more of them than few.
func mergedBy(all []foundLine, key func(foundLine) string, few int) (lines []foundLine) {
	of := make([]string, len(all))
	many, at := map[string]int{}, map[string]int{}
	for n, l := range all {
		of[n] = string(l.state) + "\x00" + l.note + "\x00" + key(l)
		many[of[n]]++
	}
	for n, l := range all {
		i, known := at[of[n]]
		if !known || many[of[n]] <= few {
			at[of[n]] = len(lines)
			lines = append(lines, l)
			continue
		}
		lines[i].checks = append(lines[i].checks, l.checks...)
		lines[i].subjects = append(lines[i].subjects, l.subjects...)
		lines[i].more += l.more
	}
	return lines
}

// unique leaves out what was there before.
func unique[T comparable](all []T) []T {
	seen := make(map[T]bool, len(all))
	return slices.DeleteFunc(all, func(v T) bool {
		was := seen[v]
		seen[v] = true
		return was
	})
}

// short is what a check is called in few letters: one of harden's own has no number.
func (res *Result) short() string { return cmp.Or(res.Number, res.ID) }

// lines shows what was found.
func (p *page) lines(all []foundLine) {
	for _, l := range all {
		text := p.several(l.subjects) + l.text
		if n := len(l.checks); n > 1 {
			text += fmt.Sprintf(" (%d checks, %s to %s)", n, l.checks[0].short(), l.checks[n-1].short())
		}
		p.row(l.state, l.checks[0].Number, "", text)
		if l.note != "" {
			p.under(dim, l.note)
		}
		if l.more > 0 {
			p.under(dim, fmt.Sprintf("and %d more; -v lists all", l.more))
		}
	}
}

// row is what is in a state, behind the number of its check.
func (p *page) row(s State, number, color, text string) {
	look := p.look(s)
	p.block("  "+p.paint(look.color, pad(look.sign+" "+look.word, wordWidth))+pad(number, numberWidth), indent, color,
		text)
}

// under is more of a row.
func (p *page) under(color, text string) { p.block(pad("", indent), indent, color, text) }

// result shows a check with all that is known of it.
func (p *page) result(res *Result) {
	color := ""
	if res.State == NotApplicable {
		color = dim
	}
	p.row(res.State, res.Number, color, res.Title)
	p.under(dim, res.ID+" - "+res.Why)
	p.findings(res)
	for _, a := range res.Waived {
		p.under("", difference(Clean(a.Subject), a.Got, a.Must))
		p.under(dim, waiverText(a.Reason, a.Approver, a.Expires))
	}
	if res.Reason != "" {
		p.under(dim, res.Reason)
	}
}

// findings tells those that differ in their subject alone together: a check may find the same of ten thousand
// containers.
func (p *page) findings(res *Result) {
	type kind struct {
		got, must, reason string
		state             State
	}
	var alike groups[kind, string]
	for i := range res.Findings {
		f := &res.Findings[i]
		k := kind{got: f.Got, must: f.Must, state: f.State}
		if f.State == Failed {
			k.reason = f.Reason
		}
		alike.add(k, placed(f))
	}
	for k, subjects := range alike.all() {
		text := difference(p.several(subjects), k.got, k.must)
		if k.state != res.State {
			text += " (" + looks[k.state].phrase + ")"
		}
		p.under("", text)
		if k.reason != "" {
			p.under(red, k.reason)
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

// firstLine keeps a stack trace out of a report.
func firstLine(s string) string {
	first, _, _ := strings.Cut(s, "\n")
	return first
}
