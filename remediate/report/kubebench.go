package report

import (
	"io"
	"strings"

	"example.com/harden/checks/cis"
)

// A kubeBenchView is the JSON of kube-bench, of one host's Kubernetes checks.
type kubeBenchView struct{ findingsView }

func (kubeBenchView) Name() string { return "kube-bench" }

type kubeBench struct {
	Controls []kubeBenchControls
	Totals   kubeBenchTotals
}

type kubeBenchTotals struct {
	Pass int `json:"total_pass"`
	Fail int `json:"total_fail"`
	Warn int `json:"total_warn"`
	Info int `json:"total_info"`
}

type kubeBenchControls struct {
	ID       string           `json:"id"`
	Version  string           `json:"version"`
	Detected string           `json:"detected_version"`
	Text     string           `json:"text"`
	NodeType string           `json:"node_type"`
	Groups   []kubeBenchGroup `json:"tests"`
	kubeBenchTotals
}

type kubeBenchGroup struct {
	Section string            `json:"section"`
	Type    string            `json:"type"`
	Pass    int               `json:"pass"`
	Fail    int               `json:"fail"`
	Warn    int               `json:"warn"`
	Info    int               `json:"info"`
	Title   string            `json:"desc"`
	Results []kubeBenchResult `json:"results"`
}

type kubeBenchResult struct {
	Number      string   `json:"test_number"`
	Title       string   `json:"test_desc"`
	Audit       string   `json:"audit"`
	AuditEnv    string   `json:"AuditEnv"`
	AuditConfig string   `json:"AuditConfig"`
	Type        string   `json:"type"`
	Remediation string   `json:"remediation"`
	Info        []string `json:"test_info"`
	Status      string   `json:"status"` // "PASS", "FAIL", "WARN" or "INFO"
	Actual      string   `json:"actual_value"`
	Scored      bool     `json:"scored"`
	Multiple    bool     `json:"IsMultiple"`
	Expected    string   `json:"expected_result"`
	Reason      string   `json:"reason,omitempty"`
}

// kubeBenchStatus are the words of kube-bench: whatever else fails.
var kubeBenchStatus = map[State]string{Pass: "PASS", Fixed: "PASS", Manual: "WARN", Unknown: "WARN",
	NotApplicable: "INFO", Waived: "INFO"}

// kubeBenchTypes are the kinds of node of the benchmark's chapters.
var kubeBenchTypes = map[string]string{"1": "master", "2": "etcd", "3": "controlplane", "4": "node", "5": "policies"}

func (v kubeBenchView) Write(w io.Writer, d Document, _ Style) error {
	r, err := oneReport(v.Name(), d)
	if err != nil {
		return err
	}
	out := kubeBench{Controls: []kubeBenchControls{}}
	for _, g := range groupsOf(r, "kubernetes") {
		chapter, _, _ := strings.Cut(g.id, ".")
		if n := len(out.Controls); n == 0 || out.Controls[n-1].ID != chapter {
			out.Controls = append(out.Controls, kubeBenchChapter(r, chapter, g))
		}
		c := &out.Controls[len(out.Controls)-1]
		one := kubeBenchGroup{Section: g.id, Title: g.title, Results: []kubeBenchResult{}}
		for _, res := range g.results {
			result := kubeBenchResultOf(r, res)
			for _, count := range [][3]*int{{&one.Pass, &c.Pass, &out.Totals.Pass}, {&one.Fail, &c.Fail, &out.Totals.Fail},
				{&one.Warn, &c.Warn, &out.Totals.Warn}, {&one.Info, &c.Info, &out.Totals.Info}}[kubeBenchWord(result.Status)] {
				*count++
			}
			one.Results = append(one.Results, result)
		}
		c.Groups = append(c.Groups, one)
	}
	return encode(w, "", out)
}

func kubeBenchWord(status string) int {
	return map[string]int{"PASS": 0, "FAIL": 1, "WARN": 2, "INFO": 3}[status]
}

func kubeBenchChapter(r *Report, chapter string, g group) kubeBenchControls {
	c := kubeBenchControls{ID: chapter, Text: g.title, NodeType: kubeBenchTypes[chapter], Groups: []kubeBenchGroup{}}
	for _, b := range r.Benchmarks {
		if e := cis.Benchmark(b); e.Platform() == "kubernetes" {
			c.Version = string(e)
		}
	}
	return c
}

func kubeBenchResultOf(r *Report, res *Result) kubeBenchResult {
	out := kubeBenchResult{Number: benchNumber(res), Title: res.Title, Status: kubeBenchStatus[res.State], Scored: true,
		Remediation: strings.Join(remedies(r, res), "\n"), Info: []string{}, Reason: Clean(firstLine(res.Reason))}
	if out.Status == "" {
		out.Status = "FAIL"
	}
	if res.State == Manual {
		out.Type, out.Scored = "manual", false
	}
	out.Actual = strings.Join(sentences(r, res), "\n")
	if len(res.Findings) > 0 {
		out.Expected = Clean(res.Findings[0].Must)
	}
	if out.Remediation != "" {
		out.Info = []string{out.Remediation}
	}
	return out
}
