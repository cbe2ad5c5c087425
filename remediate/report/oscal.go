package report

import (
	"crypto/sha1" // what a UUID of version 5 is made of; nothing is signed by it
	"encoding/hex"
	"io"
	"strconv"
	"strings"
	"time"

	"example.com/harden/checks/mapping"
)

// An oscalView is OSCAL's assessment results, 1.2: a result is the audit of one host, an observation is a finding, and
// an OSCAL finding says whether a check is satisfied. Its UUIDs are made of what they name, so that the same report
// gives the same document, and a finding that stays keeps its UUID.
type oscalView struct{ findingsView }

func (oscalView) Name() string { return "oscal" }

// oscalNamespace is of harden's UUIDs of version 5, and oscalNS of its properties.
const (
	oscalNamespace = "4d1f8a06-5d0e-4b53-9f0c-2f6f0b6f4a61"
	oscalNS        = "urn:harden:oscal"
)

type oscalDocument struct {
	Results oscalResults `json:"assessment-results"`
}

type oscalResults struct {
	UUID     string        `json:"uuid"`
	Metadata oscalMetadata `json:"metadata"`
	Plan     oscalHref     `json:"import-ap"`
	Results  []oscalResult `json:"results"`
	Back     oscalBack     `json:"back-matter"`
}

type oscalMetadata struct {
	Title    string `json:"title"`
	Modified string `json:"last-modified"`
	Version  string `json:"version"`
	OSCAL    string `json:"oscal-version"`
}

type oscalHref struct {
	Href string `json:"href"`
}

type oscalBack struct {
	Resources []oscalResource `json:"resources"`
}

type oscalResource struct {
	UUID        string `json:"uuid"`
	Title       string `json:"title"`
	Description string `json:"description"`
}

type oscalResult struct {
	UUID        string `json:"uuid"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Start       string `json:"start"`
	End         string `json:"end"`
	Local       struct {
		Items []oscalItem `json:"inventory-items"`
	} `json:"local-definitions"`
	Reviewed     oscalReviewed      `json:"reviewed-controls"`
	Observations []oscalObservation `json:"observations,omitempty"`
	Findings     []oscalFinding     `json:"findings,omitempty"`
}

type oscalReviewed struct {
	Selections []oscalSelection `json:"control-selections"`
}

type oscalSelection struct {
	Description string   `json:"description"`
	All         struct{} `json:"include-all"`
}

type oscalItem struct {
	UUID        string      `json:"uuid"`
	Description string      `json:"description"`
	Props       []oscalProp `json:"props,omitempty"`
}

type oscalProp struct {
	Name  string `json:"name"`
	NS    string `json:"ns"`
	Value string `json:"value"`
}

type oscalObservation struct {
	UUID        string         `json:"uuid"`
	Title       string         `json:"title"`
	Description string         `json:"description"`
	Props       []oscalProp    `json:"props,omitempty"`
	Methods     []string       `json:"methods"`
	Subjects    []oscalSubject `json:"subjects"`
	Collected   string         `json:"collected"`
	Remarks     string         `json:"remarks,omitempty"`
}

type oscalSubject struct {
	UUID string `json:"subject-uuid"`
	Type string `json:"type"`
}

type oscalFinding struct {
	UUID         string          `json:"uuid"`
	Title        string          `json:"title"`
	Description  string          `json:"description"`
	Props        []oscalProp     `json:"props,omitempty"`
	Target       oscalTarget     `json:"target"`
	Observations []oscalObserved `json:"related-observations,omitempty"`
	Remarks      string          `json:"remarks,omitempty"`
}

type oscalTarget struct {
	Type   string      `json:"type"`
	ID     string      `json:"target-id"`
	Status oscalStatus `json:"status"`
}

type oscalStatus struct {
	State  string `json:"state"` // "satisfied" or "not-satisfied"
	Reason string `json:"reason,omitempty"`
}

type oscalObserved struct {
	UUID string `json:"observation-uuid"`
}

func (v oscalView) Write(w io.Writer, d Document, _ Style) error {
	rs, err := reportsOf(v.Name(), d)
	if err != nil {
		return err
	}
	plan := uuid5("plan")
	out := oscalResults{Plan: oscalHref{"#" + plan}, Results: []oscalResult{}, Back: oscalBack{[]oscalResource{{plan,
		"Checks of harden", "harden audits by its own catalogue of checks: there is no assessment plan in OSCAL."}}}}
	out.Metadata = oscalMetadata{Title: "harden: assessment results", Version: "1", OSCAL: "1.2.1"}
	var last time.Time
	parts := []string{"document"}
	for _, r := range rs {
		parts = append(parts, oscalID(r))
		if r.Time.After(last) {
			last = r.Time
		}
	}
	out.UUID, out.Metadata.Modified = uuid5(parts...), last.UTC().Format(time.RFC3339)
	return stream(w, oscalDocument{out}, "    ", "results", func(yield func(any) bool) {
		again := map[string]int{}
		for _, r := range rs {
			host := r.Host.identityOf()
			if !yield(oscalOf(r, oscalNames{host, again[host], map[string]int{}})) {
				return
			}
			again[host]++
		}
	})
}

// An oscalNames gives each part of a result a UUID that no other part of the document has: of one host there may be
// several reports, and a report may give two findings, or those of another host, one ID.
type oscalNames struct {
	host  string
	again int            // reports of the same host before this one
	used  map[string]int // how often by what is named
}

func (n oscalNames) uuid(kind, of string) string {
	parts := []string{kind, n.host, of}
	if n.again > 0 {
		parts = append(parts, "report", strconv.Itoa(n.again))
	}
	key := kind + "\x00" + of
	if n.used[key]++; n.used[key] > 1 {
		parts = append(parts, "again", strconv.Itoa(n.used[key]))
	}
	return uuid5(parts...)
}

// oscalID is the UUID of the audit of one host.
func oscalID(r *Report) string {
	return uuid5("result", r.Host.identityOf(), r.Time.UTC().Format(time.RFC3339), r.Command)
}

// oscalOf is the audit of one host.
func oscalOf(r *Report, names oscalNames) oscalResult {
	at, host := r.Time.UTC().Format(time.RFC3339), names.uuid("host", "")
	out := oscalResult{UUID: names.uuid("result", at+" "+r.Command), Title: oscalText("Audit of " + r.Host.Name),
		Description: oscalText("Audited against " + strings.Join(titles(r.Benchmarks), ", ") + ": " + Totals(r)),
		Start:       at, End: at}
	out.Reviewed.Selections = []oscalSelection{{Description: "The checks of harden that were selected."}}
	item := oscalItem{UUID: host, Description: oscalText(r.Host.Name)}
	for _, p := range [][2]string{{"host-name", r.Host.Name}, {"machine", r.Host.Machine}, {"os", r.Host.OS},
		{"kernel", r.Host.Kernel}} {
		item.Props = oscalAdd(item.Props, p[0], p[1])
	}
	out.Local.Items = []oscalItem{item}
	for i := range r.Results {
		res := &r.Results[i]
		f := oscalCheck(res, names)
		for _, e := range res.entries(r) {
			o := oscalEntry(e, at, host, names)
			out.Observations = append(out.Observations, o)
			f.Observations = append(f.Observations, oscalObserved{o.UUID})
		}
		if res.State != NotApplicable {
			out.Findings = append(out.Findings, f)
		}
	}
	return out
}

func oscalEntry(e entry, at, host string, names oscalNames) oscalObservation {
	o := oscalObservation{UUID: names.uuid("observation", string(e.ID)), Title: oscalText(e.result.Title),
		Description: oscalText(e.sentence()), Methods: []string{"TEST"}, Subjects: []oscalSubject{{host, "inventory-item"}},
		Collected: at, Props: []oscalProp{}}
	if e.State == Manual {
		o.Methods = []string{"EXAMINE"}
	}
	for _, p := range [][2]string{{"finding-id", string(e.ID)}, {"subject", e.Subject}, {"state", string(e.State)}} {
		o.Props = oscalAdd(o.Props, p[0], p[1])
	}
	if e.waiver != nil {
		o.Remarks = oscalText(e.accepted())
	} else if lines := e.remedy(); len(lines) > 0 {
		o.Remarks = oscalText(strings.Join(lines, "; "))
	}
	return o
}

// oscalCheck says whether a check is satisfied. One that nobody could judge is not.
func oscalCheck(res *Result, names oscalNames) oscalFinding {
	f := oscalFinding{UUID: names.uuid("finding", res.ID), Title: oscalText(res.Title),
		Description: oscalText(res.Why), Target: oscalTarget{Type: "objective-id", ID: strings.ReplaceAll(res.ID, "/", "."),
			Status: oscalStatus{State: "not-satisfied"}}}
	switch {
	case res.State == Pass || res.State == Fixed:
		f.Target.Status = oscalStatus{"satisfied", "pass"}
	case res.State.failing():
		f.Target.Status.Reason = "fail"
	default:
		f.Target.Status.Reason = "other"
		f.Remarks = oscalText(looks[res.State].phrase + ": " + firstLine(res.Reason))
	}
	for _, p := range [][2]string{{"check", res.ID}, {"number", res.Number}, {"severity", severityOf(res).String()},
		{"state", string(res.State)}} {
		f.Props = oscalAdd(f.Props, p[0], p[1])
	}
	for _, t := range res.Threats {
		f.Props = oscalAdd(f.Props, "threat", t)
	}
	numbers := mapping.Numbers(res.ID)
	for _, framework := range mapping.Frameworks {
		for _, n := range numbers[framework] {
			f.Props = oscalAdd(f.Props, "mapping-"+string(framework), n)
		}
	}
	return f
}

func oscalAdd(props []oscalProp, name, value string) []oscalProp {
	if value == "" {
		return props
	}
	return append(props, oscalProp{name, oscalNS, oscalText(value)})
}

// oscalText is one line without blanks at its ends, and never empty: nothing else is a string to OSCAL. In its markup
// nothing of a host is markup.
func oscalText(text string) string {
	if text = strings.TrimSpace(Clean(text)); text == "" {
		return "-"
	}
	return text
}

// uuid5 is the UUID of version 5 of what it names.
func uuid5(parts ...string) string {
	namespace, _ := hex.DecodeString(strings.ReplaceAll(oscalNamespace, "-", "")) // a constant
	sum := sha1.Sum(append(namespace, strings.Join(parts, "\x00")...))
	u := sum[:16]
	u[6], u[8] = u[6]&0x0f|0x50, u[8]&0x3f|0x80
	h := hex.EncodeToString(u)
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}
