package report_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"example.com/harden/checks"
	"example.com/harden/remediate/report"
)

// TestContrast tells when there is something to look into, and what to know before believing the rest.
func TestContrast(t *testing.T) {
	found := func(got ...string) *report.Report {
		result := checks.Result{Status: checks.Pass}
		for _, g := range got {
			result.Status = checks.Fail
			result.Findings = append(result.Findings, checks.Finding{Subject: "/" + g[:1], Got: g, Must: "good"})
		}
		r := settled(t, result, nil, nil)
		r.Command = "check"
		return r
	}
	unknown := settled(t, checks.Result{Status: checks.Unknown}, nil, nil)
	ran := found("a")
	ran.Results[0].Findings[0].State, ran.Results[0].State = report.Fixed, report.Fixed
	moved := found("a")
	moved.Host.Name, moved.Time = "other", now.Add(-time.Hour)
	moved.Benchmarks = []string{"docker@1.6.0"}
	fewer := found()
	fewer.Results = []report.Result{}
	for name, test := range map[string]struct {
		old, new        *report.Report
		counts          map[string]int
		worse, doubtful bool
		notes           []string
	}{
		"nothing":        {found("a"), found("a"), nil, false, false, nil},
		"new":            {found(), found("a"), map[string]int{"new": 1}, true, false, nil},
		"another value":  {found("a1"), found("a2"), map[string]int{"changed": 1}, true, false, nil},
		"fixed":          {found("a"), found(), map[string]int{"fixed": 1}, false, false, nil},
		"unknown":        {found("a"), unknown, map[string]int{"unknown": 1}, false, true, nil},
		"fixed by a run": {found("a"), ran, map[string]int{"fixed": 1}, false, false, nil},
		"and back":       {ran, found("a"), map[string]int{"new": 1}, true, false, nil},
		"other host": {found("a"), moved, nil, false, false,
			[]string{"different hosts", "new.json is older than old.json", "benchmarks are not the same"}},
		"not selected": {found("a"), fewer, map[string]int{"gone": 1}, false, false, []string{"1 check not selected"}},
	} {
		c := report.Contrast("1", "old.json", test.old, "new.json", test.new)
		for _, k := range report.ShiftKinds {
			if c.Counts[k] != test.counts[k] {
				t.Errorf("%s: %d %s, want %d", name, c.Counts[k], k, test.counts[k])
			}
		}
		if c.Worse() != test.worse || c.Doubtful() != test.doubtful {
			t.Errorf("%s: worse %v, doubtful %v", name, c.Worse(), c.Doubtful())
		}
		if len(c.Notes) != len(test.notes) {
			t.Errorf("%s: notes %q, want %q", name, c.Notes, test.notes)
		}
		for i, want := range test.notes {
			if i < len(c.Notes) && !strings.Contains(c.Notes[i], want) {
				t.Errorf("%s: note %q, want %q", name, c.Notes[i], want)
			}
		}
	}
}

// TestContrastHostile writes what containers may be called, in every format, so that it is data and nothing else.
func TestContrastHostile(t *testing.T) {
	none := findings(t, hostile)
	none.Results = []report.Result{}
	c := report.Contrast("1", "old", none, "new", findings(t, hostile))
	written := map[string]string{}
	for _, format := range report.Formats(report.OfComparison) {
		view, err := report.ViewOf(format, report.OfComparison)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := view.Write(&b, c, report.Style{}); err != nil {
			t.Fatal(err)
		}
		written[format] = b.String()
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(written["json"]))
	if err != nil {
		t.Fatal(err)
	}
	if err := compiler(t).MustCompile("urn:harden:v1#/$defs/comparison").Validate(doc); err != nil {
		t.Error(err)
	}
	if strings.ContainsAny(written["text"], "\x1b\x00\u202e") {
		t.Errorf("text moves the cursor: %q", written["text"])
	}
	rows := 0
	for line := range strings.Lines(written["markdown"]) {
		if strings.HasPrefix(line, "| ") {
			rows++
			if n := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|"); n != 8 {
				t.Errorf("%d cells: %s", n-1, line)
			}
		}
	}
	if rows != len(c.Changes)+1 {
		t.Errorf("%d rows of %d changes", rows, len(c.Changes))
	}
}
