package report

import "slices"

// Severities of checks, the most severe first.
var severities = []string{"critical", "high", "medium", "low"}

// severityOf is how much a check matters. A report of a harden that did not tell yet counts by the benchmark's level.
func severityOf(res *Result) string {
	if res.Level > 1 {
		return "low"
	}
	return "medium"
}

// rank is a severity's place among them, the most severe first.
func rank(severity string) int { return slices.Index(severities, severity) }
