package report

import (
	"encoding/csv"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"example.com/harden/checks/mapping"
)

// A csvView is a table with a line for each finding, and one for each check that has none, for spreadsheets.
type csvView struct{ findingsView }

func (csvView) Name() string { return "csv" }

// csvColumns are the columns. New ones are added at the end.
var csvColumns = []string{"host", "time", "check", "number", "section", "title", "severity", "level",
	"state", "subject", "got", "must", "reason", "fix", "disruption", "place", "waiver", "threats", "items", "id",
	"machine", "os", "kernel", "nist", "800-190", "pci", "stig"}

func (csvView) Of(s Subject) bool { return findingsView{}.Of(s) || s == OfFleet || s == OfComparison }

func (v csvView) Write(w io.Writer, d Document, _ Style) error {
	switch d := whole(d).(type) {
	case *Fleet:
		return v.writeFleet(w, d)
	case *Comparison:
		return v.writeComparison(w, d)
	}
	rs, err := reportsOf(v.Name(), d)
	if err != nil {
		return err
	}
	out := newTable(w, csvColumns)
	for _, r := range rs {
		for i := range r.Results {
			all := r.Results[i].entries(r)
			if len(all) == 0 {
				all = []entry{{&Finding{State: r.Results[i].State, Reason: r.Results[i].Reason}, r, &r.Results[i], nil}}
			}
			for _, e := range all {
				out.row(csvRow(e))
			}
		}
	}
	return out.end()
}

// A csvTable is a table while it is written.
type csvTable struct{ *csv.Writer }

func newTable(w io.Writer, columns []string) csvTable {
	t := csvTable{csv.NewWriter(w)}
	t.UseCRLF = true     // RFC 4180
	_ = t.Write(columns) // end tells of any error
	return t
}

// row writes a row, each cell of it safe.
func (t csvTable) row(cells []string) {
	for i := range cells {
		cells[i] = cell(cells[i])
	}
	_ = t.Write(cells)
}

func (t csvTable) end() error {
	t.Flush()
	return t.Error()
}

func csvRow(e entry) []string {
	r, res := e.report, e.result
	waiver, disruption := "", ""
	if e.waiver != nil {
		waiver = e.accepted()
	}
	if len(e.Fix) > 0 {
		disruption = e.Disruption.String()
	}
	items := []string{}
	for edition, n := range res.Items {
		items = append(items, edition+":"+n)
	}
	slices.Sort(items)
	row := []string{r.Host.Name, r.Time.Format(time.RFC3339), res.ID, res.Number, res.Section, res.Title,
		severityOf(res).String(),
		strconv.Itoa(res.Level), string(e.State), e.Subject, e.Got, e.Must, firstLine(e.Reason),
		strings.Join(e.Fix, "; "), disruption, e.Place, waiver, strings.Join(res.Threats, " "), strings.Join(items, " "),
		string(e.ID), r.Host.Machine, r.Host.OS, r.Host.Kernel}
	numbers := mapping.Numbers(res.ID)
	for _, f := range mapping.Frameworks {
		row = append(row, strings.Join(numbers[f], " "))
	}
	return row
}

// cell makes text safe in a spreadsheet, which takes what begins with one of these for a formula, in whichever width
// they are, and passes over blanks before it. Nothing that is not printable is in a cell.
func cell(text string) string {
	text = Clean(text)
	first := strings.TrimLeftFunc(text, func(r rune) bool { return unicode.IsSpace(r) || r == '"' || r == '\'' })
	if first != "" && strings.ContainsRune("=+-@|%＝＋－＠", []rune(first)[0]) {
		return "'" + text
	}
	return text
}
