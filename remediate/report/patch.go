package report

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/hashicorp/go-multierror"

	"example.com/harden/remediate"
	"example.com/harden/remediate/diff"
)

// A patchView is a plan for sources as what patch(1) and git apply take: its changes, exactly, with paths below the
// directory of --source. None is written where one could not be: half of a plan that looks like the whole is a wrong
// one.
type patchView struct{}

func (patchView) Name() string      { return "patch" }
func (patchView) Of(s Subject) bool { return s == OfPlan }
func (patchView) Talks() bool       { return false }

func (patchView) Refuse(dry bool, sources int) error {
	if dry && sources == 1 {
		return nil
	}
	return errors.New("--format patch needs --dry-run and exactly one --source")
}

func (patchView) Write(w io.Writer, d Document, s Style) error {
	r, ok := d.(*Report)
	if !ok || r.exact == nil {
		return fmt.Errorf("--format patch: %T has no changes", d)
	}
	var b strings.Builder
	var errs *multierror.Error
	for _, c := range r.exact.plan.Changes {
		text, err := diff.Exact(c, r.exact.below(c.Path), r.exact.redactor)
		if err != nil {
			errs = multierror.Append(errs, err)
		}
		b.WriteString(text)
	}
	if err := errs.ErrorOrNil(); err != nil {
		return err
	}
	if s.Terminal && diff.Deceptive(b.String()) {
		return errors.New("--format patch: it contains control characters; write it to a file")
	}
	if n := len(r.exact.plan.Left); n > 0 {
		s.Aside(fmt.Sprintf("%d findings have no fix here; --format text shows them.", n))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// An exact is what a patch is made of. It has secrets, and is in no other format.
type exact struct {
	plan     *remediate.Plan
	below    func(path string) string // the directory of --source
	redactor *diff.Redactor
}

// Propose adds a plan, its secrets hidden by redactor; below is a path as a patch has it.
func (r *Report) Propose(p *remediate.Plan, redactor *diff.Redactor, below func(path string) string) {
	r.Plan, r.exact = PlanOf(p, redactor), &exact{p, below, redactor}
}
