package checks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"

	"example.com/harden/checks/aside"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/mapping"
	"example.com/harden/checks/severity"
	"example.com/harden/checks/stride"
	"example.com/harden/checks/want"
)

// A Check is one thing that must hold.
type Check struct {
	ID      string      // "docker/icc": words, never reused; numbers move between editions, the ID does not
	Items   cis.Items   // where each edition asks for it
	Own     bool        // asked for whatever the edition: harden's own, or one that newer editions have dropped
	Title   string      // what must hold, own words, lower case, no full stop
	Why     string      // what an attacker gains when it does not
	Breaks  string      // who will notice the fix; shown above the diff
	Class   want.Class  // the least its fix disturbs, where that is more than its wants say by themselves
	Threats []stride.ID // never empty
	Level   int         // benchmark level, 1 or 2
	Manual  string      // how a person settles it when no want can; shown with what is left
	Rule    Rule
	Named   bool   // its fix is made only where the check itself is named: no class allows it
	Live    bool   // its fix is made to what runs, and is lost when that is made again from its source
	Review  Review // which outcome only a person can give it
	Source  Rule   // judges Dockerfiles and Compose files by the same; nil where they tell nothing
}

func (c *Check) String() string { return c.ID }

// Severity is how much it matters that the check holds: what package severity has of it.
func (c *Check) Severity() severity.Severity { return severity.Of(c.ID).Severity }

// Mappings are the numbers of other frameworks that the check answers: what package mapping has of it.
func (c *Check) Mappings() map[mapping.Framework][]string { return mapping.Numbers(c.ID) }

// Equal makes a check equal to itself alone, whatever its rule is made of.
func (c *Check) Equal(d *Check) bool { return c == d }

// A Review says which outcome of a check takes a manual review, since no machine can tell it.
type Review int

// What a machine leaves to a manual review.
const (
	NoReview     Review = iota // nothing: it passes and fails by itself
	ReviewToFail               // that it fails: what is there may be meant
	ReviewToPass               // that it passes: where nothing bad is to be seen there may be more to know
	ReviewAlways               // either
)

// A Rule compares a host with what must hold. No findings means that it holds; an error means that the rule could
// not tell: facts.ErrAbsent that there is nothing to judge, ErrManual that only a person can.
type Rule interface {
	Judge(*facts.Host) ([]Finding, error)
}

// A Func is a rule written out by hand, for what no setting can express.
type Func func(*facts.Host) ([]Finding, error)

// Judge calls f.
func (f Func) Judge(h *facts.Host) ([]Finding, error) { return f(h) }

// ErrManual means that no machine can judge this on this host; the error's text is the evidence to look at.
var ErrManual = errors.New("manual review")

// A Finding is one place where a host differs from what must hold.
type Finding struct {
	Subject string      // what differs: a path, "daemon icc", "container web"
	Got     string      // what is there, and where it was read when that matters
	Must    string      // completes "must be …"
	Wants   []want.Want // what would settle it, all of them together; empty when a person must decide
	Pending bool        // configured as it must be, but the running service has not taken it up yet
	Reason  string      // why no want can settle it; empty to let the check's Manual say so
	Breaks  string      // what the fix disturbs on this very host, beside the check's own Breaks
	Remade  []want.Want // instead of Wants where a plan makes the container again from its Compose file
	Place   string      // the line that it is on, where it is of a source: "app/Dockerfile:12"
	Key     string      // names the subject the same on every audit, where Subject tells a state too; see Named
	Service string      // the Compose service that a container is of: "project/service"
}

// Named names the finding's subject the same on every audit.
func (f Finding) Named() string { return cmp.Or(f.Key, f.Subject) }

// A Status is the outcome of one check on one host.
type Status int

// The outcomes. The zero value is Unknown, which is never taken for a pass.
const (
	Unknown       Status = iota // could not tell
	Pass                        // holds
	Fail                        // does not hold
	NotApplicable               // what the check is about is not on this host
	Manual                      // only a person can judge; the evidence is in Err
	Waived                      // fails, and somebody has accepted it for now
)

var statusNames = []string{"unknown", "pass", "fail", "n/a", "manual", "waived"}

func (s Status) String() string { return statusNames[s] }

// MarshalText writes the status as reports spell it.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a status as reports spell it; any other text is an error.
func (s *Status) UnmarshalText(text []byte) error {
	i := slices.Index(statusNames, string(text))
	if i < 0 {
		return fmt.Errorf("unknown status %q", text)
	}
	*s = Status(i)
	return nil
}

// A Result is what one check said of one host.
type Result struct {
	Check    *Check
	Status   Status
	Findings []Finding
	Waived   []Accepted // findings that a waiver accepts: still judged, still shown, no longer among Findings
	Err      error      // why the status is Unknown, NotApplicable or Manual
}

// Run judges h by every check, several at a time. Results come back in the order of cs however the checks were
// scheduled. A rule that panics makes its own check Unknown and no other.
func Run(ctx context.Context, h *facts.Host, cs []*Check) []Result {
	results := make([]Result, len(cs))
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	var all aside.Group
	for i, c := range cs {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			results[i] = judge(ctx, h, c)
		})
	}
	all.Wait()
	return results
}

func judge(ctx context.Context, h *facts.Host, c *Check) (r Result) {
	r = Result{Check: c}
	if r.Err = ctx.Err(); r.Err != nil {
		return r
	}
	defer func() {
		if p := recover(); p != nil {
			r = Result{Check: c, Err: fmt.Errorf("this check has a bug: %v\n%s", p, debug.Stack())}
		}
	}()
	rule := c.Rule
	if len(h.SourceDirs) > 0 {
		rule = c.Source
	}
	if rule == nil {
		r.Status, r.Err = NotApplicable, fmt.Errorf("not checked: --source reads Dockerfiles and Compose files "+
			"only: %w", facts.ErrAbsent)
		return r
	}
	r.Findings, r.Err = rule.Judge(h)
	switch {
	case len(r.Findings) > 0: // what was found stands, whatever else could not be read
		r.Status = Fail
	case errors.Is(r.Err, facts.ErrAbsent):
		r.Status = NotApplicable
	case errors.Is(r.Err, ErrManual):
		r.Status = Manual
	case r.Err != nil:
		r.Status = Unknown
	default:
		r.Status = Pass
	}
	return r
}
