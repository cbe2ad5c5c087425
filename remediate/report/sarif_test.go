package report_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks/facts"
	"example.com/harden/remediate"
	"example.com/harden/remediate/diff"
	"example.com/harden/remediate/report"
)

type sarif struct {
	Runs []struct {
		Tool struct {
			Driver struct {
				Rules []struct {
					ID         string
					Properties struct {
						Tags     []string
						Severity string `json:"security-severity"`
					}
				}
			}
		}
		Invocations []struct {
			ToolExecutionNotifications []struct{ Message struct{ Text string } }
		}
		Results []struct {
			RuleID, Level string
			RuleIndex     int
			Locations     []struct {
				PhysicalLocation struct {
					ArtifactLocation struct{ URI, URIBaseID string }
					Region           struct{ StartLine int }
				}
			}
			PartialFingerprints map[string]string
			Suppressions        []struct{ Kind, Justification string }
			Fixes               []struct {
				ArtifactChanges []struct {
					ArtifactLocation struct{ URI string }
					Replacements     []replacement
				}
			}
		}
	}
}

type replacement struct {
	DeletedRegion   struct{ StartLine, StartColumn, EndLine, EndColumn int }
	InsertedContent struct{ Text string }
}

// TestSARIF restates what GitHub insists on beyond the schema: its limits, relative locations with a line, a
// fingerprint for each result, and a justification for what is waived.
func TestSARIF(t *testing.T) {
	reading(t, "sarif", func(t *testing.T, rs report.Reports, text string) {
		var log sarif
		if err := json.Unmarshal([]byte(text), &log); err != nil || len(log.Runs) != 1 {
			t.Fatal(err, len(log.Runs))
		}
		run := log.Runs[0]
		for _, r := range run.Tool.Driver.Rules {
			if len(r.Properties.Tags) > 20 || !regexp.MustCompile(`^[0-9]\.[0-9]$`).MatchString(r.Properties.Severity) {
				t.Errorf("%+v", r)
			}
		}
		prints, suppressed := map[string]bool{}, 0
		for _, r := range run.Results {
			if run.Tool.Driver.Rules[r.RuleIndex].ID != r.RuleID || len(r.Locations) != 1 {
				t.Errorf("%+v", r)
			}
			at := r.Locations[0].PhysicalLocation
			u, err := url.Parse(at.ArtifactLocation.URI)
			if err != nil || u.IsAbs() || u.Host != "" || strings.HasPrefix(u.Path, "/") || u.Path == "" ||
				at.Region.StartLine < 1 {
				t.Errorf("%+v", at)
			}
			for _, key := range []string{"hardenFinding/v1", "primaryLocationLineHash"} {
				if prints[key+r.PartialFingerprints[key]] || r.PartialFingerprints[key] == "" {
					t.Errorf("%s: %s is another result's", r.RuleID, r.PartialFingerprints[key])
				}
				prints[key+r.PartialFingerprints[key]] = true
			}
			for _, s := range r.Suppressions {
				if suppressed++; s.Justification == "" || s.Kind != "external" {
					t.Errorf("%+v", s)
				}
			}
		}
		findings, waived, unclear := counted(rs)
		told := 0
		for _, i := range run.Invocations {
			told += len(i.ToolExecutionNotifications)
		}
		if len(run.Results) != findings+waived || suppressed != waived || told != unclear {
			t.Errorf("%d results, %d suppressed, %d notifications; want %d, %d, %d", len(run.Results), suppressed, told,
				findings+waived, waived, unclear)
		}
	})
}

// TestSARIFLimit leaves out what is more than GitHub takes, the least severe first, and says so.
func TestSARIFLimit(t *testing.T) {
	r := host(t)
	low, high := &r.Results[0], &r.Results[1]
	low.ID, high.ID = "docker/audit-dockerd", "docker/socket-mount"
	low.Findings, high.Findings = nil, nil
	for i := range 20_000 {
		f := report.Finding{Subject: fmt.Sprint("/", i), State: report.Fail}
		low.Findings, high.Findings = append(low.Findings, f), append(high.Findings, f)
	}
	low.State, high.State, r.Plan, r.Results = report.Fail, report.Fail, nil, r.Results[:2]
	var log sarif
	if err := json.Unmarshal([]byte(formatted(t, "sarif", r)), &log); err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, x := range log.Runs[0].Results {
		got[x.RuleID]++
	}
	said := log.Runs[0].Invocations[0].ToolExecutionNotifications
	if len(log.Runs[0].Results) != 25_000 || max(got[low.ID], got[high.ID]) != 20_000 || len(said) != 1 ||
		!strings.HasPrefix(said[0].Message.Text, "15000 findings") {
		t.Errorf("%v, %+v", got, said)
	}
}

// replaced makes the replacements of a fix, from the last to the first.
func replaced(text string, all []replacement) string {
	lines := strings.SplitAfter(text, "\n")
	for _, r := range slices.Backward(all) {
		d := r.DeletedRegion
		lines = slices.Replace(lines, d.StartLine-1, d.EndLine-1, r.InsertedContent.Text)
	}
	return strings.Join(lines, "")
}

// TestSARIFFixes makes the bytes that the plan would write out of those that are there; a fix in which something is
// hidden is none.
func TestSARIFFixes(t *testing.T) {
	numbered := func(from, to int) (text string) {
		for i := from; i < to; i++ {
			text += fmt.Sprintf("-w /%d -p wa\n", i)
		}
		return text
	}
	for name, c := range map[string]struct {
		before, after string
		fixes         bool
	}{
		"changed":  {numbered(0, 30), strings.Replace(numbered(0, 30), "-w /7 -p wa\n", "-w /seven -p wa\n-D\n", 1), true},
		"twice":    {numbered(0, 50), "-D\n" + strings.Replace(numbered(0, 50), "-w /40 -p wa\n", "", 1), true},
		"appended": {numbered(0, 9), numbered(0, 10), true},
		"cut":      {numbered(0, 9), numbered(0, 2), true},
		"hidden":   {"a\n# token=Abcdef12345\n", "b\n# token=Abcdef12345\n", false},
		"deceives": {"a\n\u202ex\n", "b\n\u202ex\n", false},
		"no end":   {"a", "b\n", false},
	} {
		change := remediate.Change{Path: "/etc/audit/rules.d/x.rules", Before: facts.File{Data: []byte(c.before)},
			After: facts.File{Data: []byte(c.after)}}
		r := host(t)
		r.Plan = &report.Plan{Changes: []report.Change{{Target: change.Path, Diff: diff.Unified(change, hidden),
			Checks: []string{"docker/file-2"}}}}
		r.Results = r.Results[1:2]
		r.Results[0].ID = "docker/file-2"
		r.Results[0].Findings = []report.Finding{{Subject: "daemon x", Fix: []string{"x"}, State: report.Planned}}
		var log sarif
		if err := json.Unmarshal([]byte(formatted(t, "sarif", r)), &log); err != nil {
			t.Fatal(err)
		}
		fixes := log.Runs[0].Results[0].Fixes
		if len(fixes) > 0 != c.fixes {
			t.Errorf("%s: %d fixes", name, len(fixes))
		}
		for _, f := range fixes {
			got := replaced(c.before, f.ArtifactChanges[0].Replacements)
			if d := cmp.Diff(c.after, got); d != "" || f.ArtifactChanges[0].ArtifactLocation.URI != "etc/audit/rules.d/x.rules" {
				t.Errorf("%s: (-want +got)\n%s", name, d)
			}
		}
	}
}
