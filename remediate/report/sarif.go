package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"example.com/harden/checks/severity"
)

// A sarifView is SARIF 2.1.0, within what GitHub takes: one run, 25,000 results, the most severe first, 20 tags a rule.
type sarifView struct{ findingsView }

func (sarifView) Name() string { return "sarif" }

// GitHub's limits.
const (
	sarifResults = 25_000
	sarifTags    = 20
	sarifFixes   = 20 // of a check's findings that its fixes are shown with: what fixes one fixes all
)

// sarifSeverity is the number that GitHub ranks alerts by; sarifLevel is what anybody else does.
var (
	sarifSeverity = map[severity.Severity]string{severity.Critical: "9.5", severity.High: "8.0", severity.Medium: "5.5",
		severity.Low: "3.0"}
	sarifLevel = map[severity.Severity]string{severity.Critical: "error", severity.High: "error",
		severity.Medium: "warning", severity.Low: "note"}
)

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool struct {
		Driver sarifDriver `json:"driver"`
	} `json:"tool"`
	Automation  sarifID                  `json:"automationDetails"`
	Bases       map[string]sarifArtifact `json:"originalUriBaseIds"`
	Invocations []sarifInvocation        `json:"invocations"`
	Results     []sarifResult            `json:"results"`
}

type sarifDriver struct {
	Name    string      `json:"name"`
	Version string      `json:"version,omitempty"`
	Rules   []sarifRule `json:"rules"`
}

type sarifID struct {
	ID string `json:"id"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifArtifact struct {
	URI  string `json:"uri,omitempty"`
	Base string `json:"uriBaseId,omitempty"`
}

type sarifRule struct {
	ID      string    `json:"id"`
	Short   sarifText `json:"shortDescription"`
	Full    sarifText `json:"fullDescription"`
	Help    sarifText `json:"help"`
	Default struct {
		Level string `json:"level"`
	} `json:"defaultConfiguration"`
	Properties struct {
		Tags      []string `json:"tags"`
		Severity  string   `json:"security-severity"`
		Precision string   `json:"precision"`
	} `json:"properties"`
}

// A sarifInvocation is the audit of one host.
type sarifInvocation struct {
	Successful    bool                `json:"executionSuccessful"`
	Machine       string              `json:"machine,omitempty"`
	Start         string              `json:"startTimeUtc,omitempty"`
	Notifications []sarifNotification `json:"toolExecutionNotifications"`
}

type sarifNotification struct {
	Level   string    `json:"level"`
	Message sarifText `json:"message"`
	Rule    *sarifID  `json:"associatedRule,omitempty"`
}

type sarifResult struct {
	Rule         string             `json:"ruleId"`
	Index        int                `json:"ruleIndex"`
	Level        string             `json:"level"`
	Message      sarifText          `json:"message"`
	Locations    []sarifLocation    `json:"locations"`
	Fingerprints map[string]string  `json:"partialFingerprints"`
	Suppressions []sarifSuppression `json:"suppressions,omitempty"`
	Fixes        []sarifFix         `json:"fixes,omitempty"`
	Properties   struct {
		Host  string `json:"host"`
		State State  `json:"state"`
	} `json:"properties"`
}

type sarifLocation struct {
	Physical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	} `json:"physicalLocation"`
	Logical []sarifLogical `json:"logicalLocations"`
}

type sarifLogical struct {
	Name string `json:"fullyQualifiedName"`
}

type sarifSuppression struct {
	Kind          string `json:"kind"`
	Status        string `json:"status"`
	Justification string `json:"justification"`
}

func (v sarifView) Write(w io.Writer, d Document, _ Style) error {
	rs, err := reportsOf(v.Name(), d)
	if err != nil {
		return err
	}
	s := sarifWriter{rules: map[string]int{}}
	s.run.Tool.Driver = sarifDriver{Name: "harden", Rules: []sarifRule{}}
	s.run.Automation.ID = "harden/"
	s.run.Bases = map[string]sarifArtifact{rootPath: {URI: "file:///"}}
	s.run.Invocations, s.run.Results = []sarifInvocation{}, []sarifResult{}
	var all []entry
	for _, r := range rs {
		s.run.Tool.Driver.Version = r.Version
		all = append(all, s.host(r)...)
	}
	if more := len(all) - sarifResults; more > 0 {
		bySeverity(all)
		all = all[:sarifResults]
		last := &s.run.Invocations[len(s.run.Invocations)-1]
		last.Notifications = append(last.Notifications, sarifNotification{Level: "warning", Message: sarifText{
			fmt.Sprintf("%d findings of the lowest severity are left out: GitHub takes %d", more, sarifResults)}})
	}
	for _, e := range all {
		s.result(e)
	}
	return encode(w, "", sarifLog{Version: "2.1.0", Runs: []sarifRun{s.run},
		Schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"})
}

// A sarifWriter collects a run.
type sarifWriter struct {
	run   sarifRun
	rules map[string]int // by check
}

// host tells of the audit of a host and returns its findings. A check that could not be judged is no result, which
// would say that it fails, but a notification.
func (s *sarifWriter) host(r *Report) (all []entry) {
	i := sarifInvocation{Successful: true, Machine: Clean(r.Host.Name), Start: r.Time.UTC().Format(time.RFC3339),
		Notifications: []sarifNotification{}}
	for n := range r.Results {
		s.rule(&r.Results[n])
	}
	for e := range entries(r) {
		switch {
		case slices.Contains(inconclusive, e.State):
			i.Notifications = append(i.Notifications, sarifNotification{Level: "warning",
				Message: sarifMessage(e.result.label() + ": " + e.sentence()), Rule: &sarifID{e.result.ID}})
		case e.State != Fixed:
			all = append(all, e)
		}
	}
	s.run.Invocations = append(s.run.Invocations, i)
	return all
}

func (s *sarifWriter) rule(res *Result) {
	if _, ok := s.rules[res.ID]; ok {
		return
	}
	rated := severityOf(res)
	rule := sarifRule{ID: res.ID, Short: sarifText{res.Title}, Full: sarifText{res.Title + ". " + res.Why},
		Help: sarifText{strings.Join(append([]string{res.Why}, cited(res)...), "\n")}}
	rule.Default.Level = sarifLevel[rated]
	rule.Properties.Severity, rule.Properties.Precision = sarifSeverity[rated], "high"
	tags := append([]string{"security"}, append(slices.Clone(res.Threats), cited(res)...)...)
	rule.Properties.Tags = tags[:min(len(tags), sarifTags)]
	s.rules[res.ID] = len(s.run.Tool.Driver.Rules)
	s.run.Tool.Driver.Rules = append(s.run.Tool.Driver.Rules, rule)
}

func (s *sarifWriter) result(e entry) {
	res := e.result
	out := sarifResult{Rule: res.ID, Index: s.rules[res.ID], Level: sarifLevel[severityOf(res)],
		Message: sarifMessage(res.Title + ": " + e.sentence()), Locations: make([]sarifLocation, 1),
		// the first is the only one that GitHub goes by
		Fingerprints: map[string]string{"primaryLocationLineHash": string(e.ID) + ":1", "hardenFinding/v1": string(e.ID)}}
	at, l := locate(e), &out.Locations[0]
	l.Physical.Artifact = sarifArtifact{URI: at.uri(), Base: at.base}
	l.Physical.Region = sarifRegion{StartLine: at.line}
	l.Logical = []sarifLogical{{Clean(e.report.Host.Name + "/" + e.Subject)}}
	out.Properties.Host, out.Properties.State = Clean(e.report.Host.Name), e.State
	if e.waiver != nil {
		out.Suppressions = []sarifSuppression{{"external", "accepted", Clean(e.accepted())}}
	}
	out.Fixes = sarifFixesOf(e, at)
	s.run.Results = append(s.run.Results, out)
}

// sarifMessage is plain text: brackets would be a link, which a name of somebody else's could make lead anywhere.
func sarifMessage(text string) sarifText {
	return sarifText{strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`).Replace(text)}
}
