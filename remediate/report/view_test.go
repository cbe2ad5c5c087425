package report_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks"
	"example.com/harden/checks/want"
	"example.com/harden/remediate/report"
)

// TestViews holds the registry of formats: each has a name of its own and is of something, each subject has one, and
// who asks for another is told which there are.
func TestViews(t *testing.T) {
	seen := map[string]bool{}
	subjects := []report.Subject{report.OfOther, report.OfPlan, report.OfMetrics, report.OfReport}
	for _, v := range report.Views {
		if seen[v.Name()] || !slices.ContainsFunc(subjects, v.Of) {
			t.Errorf("%s is there twice, or of nothing", v.Name())
		}
		seen[v.Name()] = true
	}
	for _, s := range subjects {
		names := report.Formats(s)
		for _, n := range names {
			if v, err := report.ViewOf(n, s); err != nil || v.Name() != n {
				t.Errorf("%s: %v %v", n, v, err)
			}
		}
		if _, err := report.ViewOf("x", s); err == nil || !strings.Contains(err.Error(), strings.Join(names, ", ")) {
			t.Errorf("%v: %v", names, err)
		}
	}
	if v := report.Views[0]; !v.Talks() || !v.Of(report.OfOther) || !v.Of(report.OfPlan) {
		t.Errorf("%s is the default of every command", v.Name())
	}
}

// TestEnded tells people what became of what they have seen, and programs all of it.
func TestEnded(t *testing.T) {
	r := settled(t, checks.Result{Status: checks.Fail, Findings: []checks.Finding{fix("/a", want.None)}},
		planOf([]report.Change{{Target: "/a", Checks: []string{"docker/x"}}}, nil, 0), runOf("applied", nil))
	r.Hidden = "2 images"
	written := func(format string, d report.Document) string {
		v, err := report.ViewOf(format, report.OfPlan)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := v.Write(&b, d, report.Style{}); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if diff := cmp.Diff(written("json", r), written("json", report.Ended{Document: r})); diff != "" {
		t.Errorf("(-whole +ended)\n%s", diff)
	}
	want := "\nApplied as run 1\n\n1 check: 1 fixed\n\nHidden until `harden rollback 1`: 2 images\n"
	if diff := cmp.Diff(want, written("text", report.Ended{Document: r})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, format := range []string{"patch"} {
		v, _ := report.ViewOf(format, report.OfPlan)
		if err := v.Write(&bytes.Buffer{}, report.HistoryOf(nil), report.Style{}); err == nil {
			t.Errorf("%s writes what it is not of", format)
		}
	}
}
