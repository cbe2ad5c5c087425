package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"example.com/harden/remediate"
)

// A junitView is JUnit's XML: a host is a test suite, and a check a test case.
type junitView struct{ findingsView }

func (junitView) Name() string { return "junit" }

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name      string      `xml:"name,attr"`
	Tests     int         `xml:"tests,attr"`
	Failures  int         `xml:"failures,attr"`
	Errors    int         `xml:"errors,attr"`
	Skipped   int         `xml:"skipped,attr"`
	Time      string      `xml:"time,attr"`
	Timestamp string      `xml:"timestamp,attr"` // UTC, and without a zone: the schema allows none
	Hostname  string      `xml:"hostname,attr"`
	Cases     []junitCase `xml:"testcase"`
}

// A junitCase has one outcome at most.
type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	Time    string        `xml:"time,attr"`
	Skipped *junitOutcome `xml:"skipped"`
	Error   *junitOutcome `xml:"error"`
	Failure *junitOutcome `xml:"failure"`
}

type junitOutcome struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

func (v junitView) Write(w io.Writer, d Document, _ Style) error {
	rs, err := reportsOf(v.Name(), d)
	if err != nil {
		return err
	}
	all := junitSuites{Name: "harden", Suites: []junitSuite{}}
	for _, r := range rs {
		s := suiteOf(r)
		all.Tests, all.Failures, all.Errors = all.Tests+s.Tests, all.Failures+s.Failures, all.Errors+s.Errors
		all.Suites = append(all.Suites, s)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return err
	}
	_, err = io.WriteString(w, "\n")
	return err
}

func suiteOf(r *Report) junitSuite {
	s := junitSuite{Name: Clean(r.Host.Name), Tests: len(r.Results), Time: "0", Hostname: Clean(r.Host.Name),
		Timestamp: r.Time.UTC().Format("2006-01-02T15:04:05"), Cases: []junitCase{}}
	for i := range r.Results {
		c := caseOf(r, &r.Results[i])
		switch {
		case c.Failure != nil:
			s.Failures++
		case c.Error != nil:
			s.Errors++
		case c.Skipped != nil:
			s.Skipped++
		}
		s.Cases = append(s.Cases, c)
	}
	return s
}

// caseOf is a check. One that could not be judged is an error, so that nobody takes it for one that passed; one that
// was waived, does not apply or is for a person to judge is skipped.
func caseOf(r *Report, res *Result) junitCase {
	class := platform(res.ID) + ".own"
	if res.Section != "" {
		class = platform(res.ID) + "." + res.Section
	}
	c := junitCase{Name: res.label() + ": " + res.Title, Class: class, Time: "0"}
	switch res.State {
	case Pass, Fixed:
	case Unknown:
		c.Error = &junitOutcome{Message: Clean(firstLine(res.Reason)), Type: string(Unknown)}
	case Manual, NotApplicable:
		c.Skipped = &junitOutcome{Message: string(res.State) + ": " + Clean(firstLine(res.Reason))}
	case Waived:
		c.Skipped = &junitOutcome{Message: remediate.Count(len(res.Waived), "finding") + " waived", Text: junitText(r, res)}
	default:
		c.Failure = &junitOutcome{Message: fmt.Sprintf("%s, severity %s: %s", remediate.Count(len(res.Findings), "finding"),
			severityOf(res), looks[res.State].phrase), Type: severityOf(res).String(), Text: junitText(r, res)}
	}
	return c
}

// junitText is a line for each finding, with what to do about it below.
func junitText(r *Report, res *Result) string {
	var b strings.Builder
	for _, e := range res.entries(r) {
		b.WriteString(e.sentence())
		if e.waiver != nil {
			b.WriteString(" (" + Clean(e.accepted()) + ")")
		} else if e.State != res.State {
			b.WriteString(" (" + looks[e.State].phrase + ")")
		}
		b.WriteByte('\n')
		for _, l := range e.remedy() {
			b.WriteString("  " + Clean(firstLine(l)) + "\n")
		}
	}
	return b.String()
}
