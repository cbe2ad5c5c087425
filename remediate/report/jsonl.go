package report

import (
	"bufio"
	"encoding/json"
	"io"
	"time"

	"example.com/harden/checks/want"
)

// FindingSchema names the shape of a line of jsonl.
const FindingSchema = "harden-finding/v1"

// A findingLine is one finding with all that is known of its host and its check, so that each line stands by itself.
type findingLine struct {
	Schema     string            `json:"schema"`
	Version    string            `json:"version"`
	Time       time.Time         `json:"time"`
	Host       findingHost       `json:"host"`
	ID         FindingID         `json:"id"`
	Check      string            `json:"check"`
	Items      map[string]string `json:"items"`
	Number     string            `json:"number,omitempty"`
	Title      string            `json:"title"`
	Why        string            `json:"why"`
	Severity   string            `json:"severity"`
	Level      int               `json:"level"`
	Threats    []string          `json:"threats"`
	State      State             `json:"state"`
	Subject    string            `json:"subject"`
	Got        string            `json:"got"`
	Must       string            `json:"must"`
	Place      string            `json:"place,omitempty"`
	Reason     string            `json:"reason,omitempty"`
	Fix        []string          `json:"fix"`
	Disruption want.Class        `json:"disruption"`
	Waiver     *findingWaiver    `json:"waiver,omitempty"`
}

type findingHost struct {
	Name    string `json:"name"`
	Machine string `json:"machine,omitempty"`
	OS      string `json:"os,omitempty"`
	Kernel  string `json:"kernel,omitempty"`
	Root    string `json:"root"`
}

type findingWaiver struct {
	Reason   string `json:"reason"`
	Approver string `json:"approver,omitempty"`
	Expires  string `json:"expires,omitempty"`
}

// A jsonlView is one finding a line, for log systems.
type jsonlView struct{ findingsView }

func (jsonlView) Name() string { return "jsonl" }

func (v jsonlView) Write(w io.Writer, d Document, _ Style) error {
	rs, err := reportsOf(v.Name(), d)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	for _, r := range rs {
		h := findingHost{r.Host.Name, r.Host.Machine, r.Host.OS, r.Host.Kernel, r.Host.Root}
		for f := range entries(r) {
			if err := e.Encode(lineOf(f, h)); err != nil {
				return err
			}
		}
	}
	return out.Flush()
}

func lineOf(f entry, h findingHost) findingLine {
	res := f.result
	l := findingLine{Schema: FindingSchema, Version: f.report.Version, Time: f.report.Time, Host: h, ID: f.ID,
		Check: res.ID, Items: res.Items, Number: res.Number, Title: res.Title, Why: res.Why,
		Severity: severityOf(res).String(), Level: res.Level, Threats: res.Threats, State: f.State,
		Subject: f.Subject, Got: f.Got, Must: f.Must,
		Place: f.Place, Reason: f.Reason, Fix: append([]string{}, f.Fix...), Disruption: f.Disruption}
	if a := f.waiver; a != nil {
		l.Waiver = &findingWaiver{a.Reason, a.Approver, a.Expires}
	}
	return l
}
