package report

import (
	"fmt"
	"strings"
	"time"

	"example.com/harden/checks"
	"example.com/harden/checks/severity"
)

// score is how much of what was judged holds, from 0 to 100: the weights of the checks that pass, of those that pass or
// fail. A check fails as a whole, however many of its findings there are, and until its fix is in effect. What nobody
// could judge, what does not apply and what somebody has accepted counts on neither side: a waiver is no pass, and no
// reason for a worse score either. It is rounded down, so that 100 means that nothing fails; where nothing was judged
// it is nil.
func score(results []Result) *int {
	return scoreOf(results, func(r *Result) (holds, judged bool) {
		holds = r.State == Pass || r.State == Fixed
		return holds, holds || r.State.failing()
	})
}

// scoreFound is the score as the host was found, before anything was fixed.
func scoreFound(results []Result) *int {
	return scoreOf(results, func(r *Result) (holds, judged bool) {
		return r.Status == checks.Pass, r.Status == checks.Pass || r.Status == checks.Fail
	})
}

func scoreOf(results []Result, is func(*Result) (holds, judged bool)) *int {
	holds, judged := 0, 0
	for i := range results {
		r := &results[i]
		h, j := is(r)
		if h {
			holds += r.Severity.Weight()
		}
		if j {
			judged += r.Severity.Weight()
		}
	}
	if judged == 0 {
		return nil
	}
	n := 100 * holds / judged
	return &n
}

// failing reports whether what is in this state does not hold now.
func (s State) failing() bool {
	switch s {
	case Fail, Planned, Pending, Held, Left, Failed:
		return true
	}
	return false
}

// A Scored is the score of an earlier report of the same host by the same checks.
type Scored struct {
	Score int       `json:"score"`
	Time  time.Time `json:"time"` // of that report, UTC
}

// scoreText is the score, how it has changed, and how many checks of each severity are against it.
func scoreText(r *Report) string {
	against := map[severity.Severity]int{}
	for i := range r.Results {
		if res := &r.Results[i]; res.State.failing() {
			against[severityOf(res)]++
		}
	}
	var counts []string
	for _, s := range severity.All {
		if n := against[s]; n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", n, s))
		}
	}
	text := fmt.Sprintf("Score: %d of 100", *r.Score) + scoreChange(r)
	if len(counts) > 0 {
		text += "; failing: " + strings.Join(counts, ", ")
	}
	return text
}

// scoreChange compares the score with the one before the run, or else with the last one that was kept.
func scoreChange(r *Report) string {
	var before int
	var when string
	switch found := scoreFound(r.Results); {
	case r.Run != nil && found != nil:
		before, when = *found, "before the run"
	case r.Run == nil && r.Previous != nil:
		before, when = r.Previous.Score, "on "+r.Previous.Time.Format(time.DateOnly)
	default:
		return ""
	}
	switch is := *r.Score; {
	case is > before:
		return fmt.Sprintf(", up from %d %s", before, when)
	case is < before:
		return fmt.Sprintf(", down from %d %s", before, when)
	}
	return ", the same as " + when
}
