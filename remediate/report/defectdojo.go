package report

import (
	"io"
	"strconv"
	"strings"
	"time"
)

// A defectdojoView is DefectDojo's generic findings import. Its reader refuses a field that it does not know.
type defectdojoView struct{ findingsView }

func (defectdojoView) Name() string { return "defectdojo" }

type dojoFindings struct {
	Findings []dojoFinding `json:"findings"`
}

type dojoFinding struct {
	Title        string   `json:"title"`
	Severity     string   `json:"severity"` // "Critical", "High", "Medium", "Low" or "Info"
	Description  string   `json:"description"`
	Date         string   `json:"date"`
	Mitigation   string   `json:"mitigation,omitempty"`
	Impact       string   `json:"impact,omitempty"`
	References   string   `json:"references,omitempty"`
	Unique       string   `json:"unique_id_from_tool"`
	Vulnerable   string   `json:"vuln_id_from_tool"`
	Service      string   `json:"service"` // the host: in one product there are many
	Component    string   `json:"component_name,omitempty"`
	File         string   `json:"file_path,omitempty"`
	Line         int      `json:"line,omitempty"`
	Active       bool     `json:"active"`
	Verified     bool     `json:"verified"`
	RiskAccepted bool     `json:"risk_accepted"`
	Static       bool     `json:"static_finding"`
	Dynamic      bool     `json:"dynamic_finding"`
	Tags         []string `json:"tags"`
}

// Most of DefectDojo's columns; what is longer its database refuses, and the whole import with it.
const (
	dojoTitle = 511
	dojoName  = 200
)

func (v defectdojoView) Write(w io.Writer, d Document, _ Style) error {
	rs, err := reportsOf(v.Name(), d)
	if err != nil {
		return err
	}
	all := dojoFindings{Findings: []dojoFinding{}}
	for _, r := range rs {
		for e := range entries(r) {
			if e.State != Fixed {
				all.Findings = append(all.Findings, dojoOf(e))
			}
		}
	}
	return encode(w, "", all)
}

func dojoOf(e entry) dojoFinding {
	res := e.result
	severity := severityOf(res).String()
	severity = strings.ToUpper(severity[:1]) + severity[1:]
	if e.State == Unknown || e.State == Manual { // nothing is known to be wrong
		severity = "Info"
	}
	title := res.label() + ": " + res.Title
	if e.Subject != "" {
		title += ": " + Clean(e.Subject)
	}
	f := dojoFinding{Title: atMost(title, dojoTitle), Severity: severity, Description: dojoText(e),
		Date: e.report.Time.Format(time.DateOnly), Mitigation: mdLines(e.remedy()), Impact: markdown(res.Why),
		References: strings.Join(cited(res), "\n"), Unique: string(e.ID), Vulnerable: res.ID,
		Service: atMost(Clean(e.report.Host.Name), dojoName), Active: e.waiver == nil, RiskAccepted: e.waiver != nil,
		Static: e.Place != "", Dynamic: e.Place == "", Tags: append([]string{"harden", platform(res.ID)}, res.Threats...)}
	at := locate(e)
	if at.file {
		f.File, f.Line = atMost(Clean(at.path), 4000), at.line
	} else {
		f.Component = atMost(Clean(e.Subject), dojoName)
	}
	return f
}

// dojoText is shown as Markdown.
func dojoText(e entry) string {
	text := mdCode(e.sentence())
	if e.waiver != nil {
		text += "\n\n" + markdown(e.accepted())
	}
	return text + "\n\nState: " + looks[e.State].phrase + "; host " + mdCode(Clean(e.report.Host.Name)) + ", level " +
		strconv.Itoa(e.result.Level)
}

// cited are the numbers of a check, an edition each.
func cited(res *Result) (all []string) {
	for _, edition := range sortedKeys(res.Items) {
		all = append(all, "CIS "+edition+" "+res.Items[edition])
	}
	return all
}

// atMost cuts text at so many characters.
func atMost(text string, n int) string {
	if r := []rune(text); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return text
}
