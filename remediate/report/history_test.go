package report_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/report"
)

// TestHistoryOutcome holds what the history says of a run that still has to be confirmed.
func TestHistoryOutcome(t *testing.T) {
	until := time.Date(2026, 6, 1, 12, 0, 5, 0, time.Local)
	for _, test := range []struct {
		run  apply.Run
		want string
	}{
		{apply.Run{Outcome: apply.Applied}, "applied"},
		{apply.Run{Outcome: apply.Applied, Unconfirmed: &apply.Deadline{Until: until}}, "unconfirmed, until 12:00:05"},
		{apply.Run{Outcome: apply.Applied, Unconfirmed: &apply.Deadline{Until: until, Passed: true}}, "unconfirmed, overdue"},
		{apply.Run{Outcome: apply.Applied, Unconfirmed: &apply.Deadline{Passed: true, Kept: "x"}},
			"unconfirmed, could not be rolled back"},
		{apply.Run{Outcome: apply.CutShort, Unconfirmed: &apply.Deadline{Until: until}},
			"interrupted, unconfirmed, until 12:00:05"},
	} {
		test.run.ID = "0001-x"
		var b bytes.Buffer
		if err := text(&b, report.HistoryOf([]apply.Run{test.run}), report.Style{}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), "  "+test.want+"  ") {
			t.Errorf("%q is not in\n%s", test.want, b.String())
		}
	}
}
