package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"

	"example.com/harden/remediate"
)

// A markdownView is GitHub's Markdown, for issues, wikis and summaries of a CI. What a host says is in code spans, in
// which nothing is a link, a mention or markup.
type markdownView struct{ findingsView }

func (markdownView) Name() string { return "markdown" }

func (markdownView) Of(s Subject) bool { return findingsView{}.Of(s) || s == OfComparison }

func (v markdownView) Write(w io.Writer, d Document, _ Style) error {
	if c, ok := whole(d).(*Comparison); ok {
		return v.writeComparison(w, c)
	}
	rs, err := reportsOf(v.Name(), d)
	if err != nil {
		return err
	}
	out := &markdownWriter{bufio.NewWriter(w)}
	for i, r := range rs {
		if i > 0 {
			out.WriteString("\n")
		}
		out.report(r)
	}
	return out.Flush()
}

type markdownWriter struct{ *bufio.Writer }

func (w *markdownWriter) report(r *Report) {
	fmt.Fprintf(w, "# harden: %s\n\n", mdCode(Clean(r.Host.Name)))
	fmt.Fprintf(w, "Audited %s against %s.", r.Time.UTC().Format(time.RFC3339),
		markdown(strings.Join(titles(r.Benchmarks), ", ")))
	if r.Host.OS != "" {
		fmt.Fprintf(w, " Host: %s, kernel %s.", mdCode(Clean(r.Host.OS)), mdCode(Clean(r.Host.Kernel)))
	}
	fmt.Fprintf(w, "\n\n%s.\n", markdown(Totals(r)))
	for _, n := range r.Host.Notes {
		fmt.Fprintf(w, "\n> %s\n", mdCode(Clean(n)))
	}
	var open, waived, unclear []entry
	for e := range entries(r) {
		switch {
		case e.waiver != nil:
			waived = append(waived, e)
		case e.open():
			open = append(open, e)
		case e.State != Fixed:
			unclear = append(unclear, e)
		}
	}
	columns := "Severity | Check | Title | Subject | Found | Must be | State"
	w.table("Findings", columns, bySeverity(open), func(e entry) []string {
		return []string{severityOf(e.result).String(), e.result.label(), markdown(e.result.Title), mdCode(Clean(e.Subject)),
			mdCode(Clean(e.Got)), mdCode(Clean(e.Must)), looks[e.State].phrase}
	})
	w.table("Waived", "Check | Subject | Found | Reason", waived, func(e entry) []string {
		return []string{e.result.label(), mdCode(Clean(e.Subject)), mdCode(Clean(e.Got)), mdCode(Clean(e.accepted()))}
	})
	w.table("Manual review and inconclusive checks", "Check | Title | Why", unclear, func(e entry) []string {
		return []string{e.result.label(), markdown(e.result.Title), mdCode(e.sentence())}
	})
	w.plan(r)
}

// table writes a section with a table; nothing where it would have no rows.
func (w *markdownWriter) table(title, columns string, all []entry, row func(entry) []string) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(w, "\n## %s (%d)\n\n| %s |\n|%s\n", title, len(all), columns,
		strings.Repeat("---|", strings.Count(columns, "|")+1))
	for _, e := range all {
		cells := row(e)
		for i := range cells {
			cells[i] = strings.ReplaceAll(cells[i], "|", `\|`)
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
	}
}

// plan shows the diffs.
func (w *markdownWriter) plan(r *Report) {
	changes := r.changes()
	if len(changes) == 0 {
		return
	}
	fmt.Fprintf(w, "\n## Plan: %s\n", remediate.Count(len(changes), "change"))
	for _, c := range changes {
		fmt.Fprintf(w, "\n### %s\n\nFor %s; %s.\n\n", mdCode(Clean(c.Target)), strings.Join(c.Checks, ", "),
			classText(c.Disruption))
		fence := strings.Repeat("`", max(3, longestRun(c.Diff)+1))
		fmt.Fprintf(w, "%sdiff\n%s\n%s\n", fence, strings.TrimSuffix(c.Diff, "\n"), fence)
	}
}

// mdCode is one line of text as a code span; empty where there is none.
func mdCode(text string) string {
	text = strings.NewReplacer("\n", " ", "\r", " ").Replace(text)
	if strings.TrimSpace(text) == "" {
		return ""
	}
	if strings.Contains(text, `\`) && strings.Contains(text, "|") { // no code span of a table holds one before the other
		return "<code>" + mdEscapes.Replace(text) + "</code>"
	}
	ticks := strings.Repeat("`", longestRun(text)+1)
	if len(ticks) > 1 || strings.HasPrefix(text, " ") || strings.HasSuffix(text, " ") {
		text = " " + text + " " // which a reader takes away again
	}
	return ticks + text + ticks
}

// longestRun is how many backticks stand side by side at most.
func longestRun(text string) (longest int) {
	for run := 0; text != ""; text = text[1:] {
		if run++; text[0] != '`' {
			run = 0
		}
		longest = max(longest, run)
	}
	return longest
}

// mdLines are lines of text as a list of code spans.
func mdLines(lines []string) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString("- " + mdCode(Clean(firstLine(l))) + "\n")
	}
	return b.String()
}

var mdEscapes = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", "&lt;",
	">", "&gt;", "&", "&amp;", "|", "&#124;", "#", `\#`, "~", `\~`, "@", "&#64;")

// markdown is text of harden's own, or of whoever waived something, as Markdown that shows it.
func markdown(text string) string { return mdEscapes.Replace(Clean(text)) }
