package report

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"example.com/harden/checks"
	"example.com/harden/remediate"
)

// ComparisonSchema names the shape of a Comparison as JSON.
const ComparisonSchema = "harden-diff/v1"

// A Comparison is what one report says otherwise than an older one.
type Comparison struct {
	Schema  string      `json:"schema"`
	Version string      `json:"version"` // harden's own
	Old     Compared    `json:"old"`
	New     Compared    `json:"new"`
	Notes   []string    `json:"notes"` // what a reader must know before believing the rest
	Changes []Shift     `json:"changes"`
	Counts  ShiftCounts `json:"counts"`
}

// A Compared is one of the two reports.
type Compared struct {
	File    string    `json:"file"`
	Host    string    `json:"host"`
	Machine string    `json:"machine,omitempty"`
	Time    time.Time `json:"time"`
	Version string    `json:"version"`
	Command string    `json:"command"`
	Score   *int      `json:"score,omitempty"`
	Summary Summary   `json:"summary"`
}

// ShiftCounts are how many changes there are of each kind.
type ShiftCounts map[string]int

// Contrast compares two reports that were read from files.
func Contrast(version, oldFile string, before *Report, newFile string, now *Report) *Comparison {
	c := &Comparison{Schema: ComparisonSchema, Version: version, Old: compared(oldFile, before),
		New: compared(newFile, now), Notes: []string{}, Counts: ShiftCounts{}}
	c.Changes = Compare(unfixed(before), unfixed(now))
	for _, k := range ShiftKinds {
		c.Counts[k] = 0
	}
	for _, s := range c.Changes {
		c.Counts[s.Kind]++
	}
	note := func(format string, args ...any) { c.Notes = append(c.Notes, fmt.Sprintf(format, args...)) }
	if before.Host.identityOf() != now.Host.identityOf() {
		note("the reports are of different hosts: %s and %s", Clean(before.Host.Name), Clean(now.Host.Name))
	}
	if now.Time.Before(before.Time) {
		note("%s is older than %s", Clean(newFile), Clean(oldFile))
	}
	if !slices.Equal(before.Benchmarks, now.Benchmarks) {
		note("the benchmarks are not the same: %s, then %s", strings.Join(before.Benchmarks, ", "),
			strings.Join(now.Benchmarks, ", "))
	}
	if dropped := unasked(before, now); dropped > 0 {
		note("%s not selected in %s; their findings count as gone", remediate.Count(dropped, "check"), Clean(newFile))
	}
	return c
}

func compared(file string, r *Report) Compared {
	return Compared{File: file, Host: r.Host.Name, Machine: r.Host.Machine, Time: r.Time, Version: r.Version,
		Command: r.Command, Score: r.Score, Summary: r.Summary}
}

// unfixed is a report as its host was at the end: what a run has fixed is no finding any more.
func unfixed(r *Report) *Report {
	out := *r
	out.Results = slices.Clone(r.Results)
	for i := range out.Results {
		res := &out.Results[i]
		res.Findings = slices.DeleteFunc(slices.Clone(res.Findings), func(f Finding) bool { return f.State == Fixed })
		if res.State == Fixed {
			res.Status = checks.Pass
		}
	}
	return &out
}

// unasked counts the checks with findings that the later report does not have.
func unasked(before, now *Report) (n int) {
	for _, res := range before.Results {
		if _, still := now.Result(res.ID); !still && len(res.Findings) > 0 {
			n++
		}
	}
	return n
}

// Worse reports whether there is anything to look into: a finding that is new, is otherwise than it was, or is no
// longer waived.
func (c *Comparison) Worse() bool {
	return c.Counts[ShiftNew]+c.Counts[ShiftChanged]+c.Counts[ShiftExpired] > 0
}

// Doubtful reports whether something could be judged before and cannot be now.
func (c *Comparison) Doubtful() bool { return c.Counts[ShiftUnknown] > 0 }

func (c *Comparison) text(p *page) {
	p.block("", 0, bold, c.title())
	for _, n := range c.Notes {
		p.block("  "+p.paint(yellow, pad("note", 11)), 13, "", n)
	}
	for _, s := range c.Changes {
		p.shift(s)
	}
	if c.Old.Score != nil && c.New.Score != nil {
		p.line()
		p.line(c.scores())
	}
	p.summary(&Report{Summary: c.New.Summary})
}

// title counts what has changed, and says between when.
func (c *Comparison) title() string {
	said := "no change"
	if len(c.Changes) > 0 {
		var parts []string
		for _, k := range ShiftKinds {
			if n := c.Counts[k]; n > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", n, k))
			}
		}
		said = strings.Join(parts, ", ")
	}
	return fmt.Sprintf("%s: %s from %s to %s", Clean(c.New.Host), said, c.Old.Time.UTC().Format("2006-01-02 15:04"),
		c.New.Time.UTC().Format("2006-01-02 15:04 MST"))
}

// scores is how the score has changed.
func (c *Comparison) scores() string {
	if *c.Old.Score == *c.New.Score {
		return fmt.Sprintf("Score: %d, as before", *c.New.Score)
	}
	return fmt.Sprintf("Score: %d, was %d", *c.New.Score, *c.Old.Score)
}

// shiftColumns are the columns of a comparison as a table. New ones are added at the end.
var shiftColumns = []string{"change", "check", "number", "title", "subject", "was", "is", "must", "reason", "id",
	"host", "old_time", "new_time"}

// writeComparison is the table of a comparison, a row for each change.
func (csvView) writeComparison(w io.Writer, c *Comparison) error {
	out := newTable(w, shiftColumns)
	for _, s := range c.Changes {
		out.row([]string{s.Kind, s.ID, s.Number, s.Title, s.Subject, s.Was, s.Is, s.Must, firstLine(s.Reason),
			string(s.Finding), c.New.Host, c.Old.Time.Format(time.RFC3339), c.New.Time.Format(time.RFC3339)})
	}
	return out.end()
}

// writeComparison is a comparison as Markdown, such as for the comment of a CI.
func (markdownView) writeComparison(w io.Writer, c *Comparison) error {
	out := &markdownWriter{bufio.NewWriter(w)}
	fmt.Fprintf(out, "# harden diff: %s\n\n%s.\n", mdCode(Clean(c.New.Host)), markdown(c.title()))
	for _, n := range c.Notes {
		fmt.Fprintf(out, "\n> %s\n", mdCode(Clean(n)))
	}
	if c.Old.Score != nil && c.New.Score != nil {
		fmt.Fprintf(out, "\n%s.\n", markdown(c.scores()))
	}
	if len(c.Changes) > 0 {
		out.WriteString("\n| Change | Check | Title | Subject | Was | Is | Must be |\n" +
			"|---|---|---|---|---|---|---|\n")
	}
	for _, s := range c.Changes {
		row := []string{s.Kind, strings.TrimSpace(s.Number + " " + s.ID), markdown(s.Title)}
		for _, said := range []string{s.Subject, s.Was, s.Is, s.Must} {
			row = append(row, strings.ReplaceAll(mdCode(Clean(said)), "|", `\|`))
		}
		fmt.Fprintf(out, "| %s |\n", strings.Join(row, " | "))
	}
	return out.Flush()
}
