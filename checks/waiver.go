package checks

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// A Waiver accepts what one check finds, for a reason and for a time.
type Waiver struct {
	Check    string    // the check's ID
	Scope    string    // glob of subjects or of their keys, where * crosses slashes too; empty means all of them
	Reason   string    // never empty
	Approver string    // who accepted it
	Expires  time.Time // its last day, UTC; zero when it never ends
}

// An Accepted is a finding that a waiver covers.
type Accepted struct {
	Finding Finding
	Waiver  Waiver
}

// Notice is how long before its last day a waiver is warned about.
const Notice = 14 * 24 * time.Hour

// Expired reports whether the waiver's last day, which still counts whole, is over.
func (w Waiver) Expired(now time.Time) bool { return !w.Expires.IsZero() && !now.Before(w.end()) }

// Expiring reports whether the waiver still holds and will not for much longer.
func (w Waiver) Expiring(now time.Time) bool {
	return !w.Expires.IsZero() && !w.Expired(now) && w.end().Sub(now) <= Notice
}

func (w Waiver) end() time.Time { return w.Expires.UTC().Truncate(24*time.Hour).AddDate(0, 0, 1) }

// Covers reports whether the waiver is about a check's finding, expired or not.
func (w Waiver) Covers(check string, f Finding) bool {
	if w.Check != check {
		return false
	}
	// Not path.Match, whose star stops at a slash: subjects are names of containers and images too.
	glob := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(w.Scope))
	scope := regexp.MustCompile(`(?s)\A` + glob + `\z`)
	return w.Scope == "" || scope.MatchString(f.Subject) || scope.MatchString(f.Named())
}

// Unmatched reports whether the waiver is known to cover nothing: its check was judged, and there is no finding that it
// covers, waived or not.
func (w Waiver) Unmatched(results []Result) bool {
	for _, r := range results {
		if r.Check.ID != w.Check {
			continue
		}
		covered := slices.ContainsFunc(r.Findings, func(f Finding) bool { return w.Covers(w.Check, f) }) ||
			slices.ContainsFunc(r.Waived, func(a Accepted) bool { return w.Covers(w.Check, a.Finding) })
		return r.Err == nil && !covered // what could not be read may be what it is for
	}
	return false
}

// Waive sets aside the findings that waivers still accept. A check with no finding left is Waived; one of which
// something is left still fails.
func Waive(results []Result, waivers []Waiver, now time.Time) []Result {
	waived := make([]Result, len(results))
	for i, r := range results {
		waived[i] = r
		if r.Status != Fail || !slices.ContainsFunc(waivers,
			func(w Waiver) bool { return w.Check == r.Check.ID && !w.Expired(now) }) {
			continue
		}
		waived[i].Findings = nil
		for _, f := range r.Findings {
			if w, ok := accepted(r.Check.ID, f, waivers, now); ok {
				waived[i].Waived = append(waived[i].Waived, Accepted{f, w})
			} else {
				waived[i].Findings = append(waived[i].Findings, f)
			}
		}
		// What a rule could not read may hide more than was accepted.
		if len(waived[i].Findings) == 0 {
			waived[i].Status = Waived
			if r.Err != nil {
				waived[i].Status = Unknown
			}
		}
	}
	return waived
}

func accepted(check string, f Finding, waivers []Waiver, now time.Time) (Waiver, bool) {
	for _, w := range waivers {
		if w.Covers(check, f) && !w.Expired(now) {
			return w, true
		}
	}
	return Waiver{}, false
}
