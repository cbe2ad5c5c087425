package report

import (
	"fmt"
	"testing"

	"example.com/harden/checks/severity"
)

func TestScore(t *testing.T) {
	of := func(s severity.Severity, states ...State) (results []Result) {
		for _, state := range states {
			results = append(results, Result{Severity: s, State: state})
		}
		return results
	}
	const none = "<nil>"
	low, medium, high, critical := severity.Low, severity.Medium, severity.High, severity.Critical
	for name, test := range map[string]struct {
		results [][]Result
		want    string
		text    string
	}{
		"nothing":         {nil, none, ""},
		"nothing judged":  {[][]Result{of(critical, Unknown, Manual, NotApplicable, Waived)}, none, ""},
		"of no severity":  {[][]Result{of(severity.None, Pass, Fail)}, none, ""},
		"all hold":        {[][]Result{of(low, Pass), of(critical, Pass, Fixed)}, "100", "Score: 100 of 100"},
		"none holds":      {[][]Result{of(low, Fail)}, "0", "Score: 0 of 100; failing: 1 low"},
		"one of each two": {[][]Result{of(high, Pass, Fail)}, "50", "Score: 50 of 100; failing: 1 high"},
		"critical counts as thirty low ones": {[][]Result{of(critical, Fail), of(high, Pass), of(medium, Pass, Pass, Pass),
			of(low, Pass)}, "40", "Score: 40 of 100; failing: 1 critical"},
		"rounded down": {[][]Result{of(critical, Pass, Pass, Pass, Pass), of(low, Left)}, "99",
			"Score: 99 of 100; failing: 1 low"},
		"what counts on neither side": {[][]Result{of(low, Pass, Fail), of(critical, Waived, Unknown, Manual, NotApplicable)},
			"50", "Score: 50 of 100; failing: 1 low"},
		"until its fix is in effect": {[][]Result{of(medium, Fixed, Planned, Pending, Held, Left, Failed)}, "16",
			"Score: 16 of 100; failing: 5 medium"},
	} {
		var r Report
		for _, some := range test.results {
			r.Results = append(r.Results, some...)
		}
		r.Score = score(r.Results)
		got, text := none, ""
		if r.Score != nil {
			got, text = fmt.Sprint(*r.Score), scoreText(&r)
		}
		if got != test.want || text != test.text {
			t.Errorf("%s: score %s, %q; want %s, %q", name, got, text, test.want, test.text)
		}
	}
}
