package report

import (
	"fmt"
	"strings"

	"example.com/harden/checks/severity"
)

// score is how much of what was judged holds, from 0 to 100: the weights of the checks that pass, of those that pass or
// fail. A check fails as a whole, however many of its findings there are, and until its fix is in effect. What nobody
// could judge, what does not apply and what somebody has accepted counts on neither side: a waiver is no pass, and no
// reason for a worse score either. It is rounded down, so that 100 means that nothing fails; where nothing was judged
// it is nil.
func score(results []Result) *int {
	holds, judged := 0, 0
	for i := range results {
		r := &results[i]
		switch {
		case r.State == Pass || r.State == Fixed:
			holds += r.Severity.Weight()
		case !r.failing():
			continue
		}
		judged += r.Severity.Weight()
	}
	if judged == 0 {
		return nil
	}
	n := 100 * holds / judged
	return &n
}

// failing reports whether the check does not hold now.
func (r *Result) failing() bool {
	switch r.State {
	case Fail, Planned, Pending, Held, Left, Failed:
		return true
	}
	return false
}

// scoreText is the score, and how many checks of each severity are against it.
func scoreText(r *Report) string {
	against := map[severity.Severity]int{}
	for i := range r.Results {
		if res := &r.Results[i]; res.failing() {
			against[res.Severity]++
		}
	}
	var counts []string
	for _, s := range severity.All {
		if n := against[s]; n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", n, s))
		}
	}
	text := fmt.Sprintf("Score: %d of 100", *r.Score)
	if len(counts) > 0 {
		text += "; failing: " + strings.Join(counts, ", ")
	}
	return text
}
