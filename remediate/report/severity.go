package report

import (
	"cmp"

	"example.com/harden/checks/severity"
)

// severityOf is how much a check matters. One that this harden does not know, of a report that another has saved,
// counts by the benchmark's level.
func severityOf(res *Result) severity.Severity {
	switch s := cmp.Or(res.Severity, severity.Of(res.ID).Severity); {
	case s != severity.None:
		return s
	case res.Level > 1:
		return severity.Low
	}
	return severity.Medium
}
