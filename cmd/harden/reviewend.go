package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
	"example.com/harden/remediate/report"
)

// An ending is what a review comes to.
type ending struct {
	plan    *remediate.Plan
	report  *report.Report
	waivers int
}

// finish plans what was chosen, and shows that.
func (r *review) finish() (*ending, error) {
	waivers, err := r.accepted()
	if err != nil {
		return nil, err
	}
	s := r.session
	s.Waivers = append(slices.Clip(s.Waivers), waivers...)
	s.results = checks.Waive(r.found, waivers, s.now)
	s.picked, s.reviewed = r.chosen(), true
	plan, err := s.plan()
	if err != nil {
		return nil, err
	}
	rep := s.planned(plan)
	return &ending{plan, rep, len(waivers)}, r.show(page{text: func() (string, error) {
		return r.text(&report.Chosen{Report: rep, Line: r.line(), Notes: r.notes(plan)})
	}})
}

// agree asks the last question, where there is something to do.
func (r *review) agree(e *ending) error {
	if r.dry || e.plan.Empty() && e.waivers == 0 {
		return nil
	}
	question, write := r.question(e.plan), "write "+remediate.Count(e.waivers, "waiver")
	switch {
	case e.plan.Empty():
		question = write + "?"
	case e.waivers > 0:
		question = write + ", and " + question
	}
	r.say("")
	answer, _, err := r.prompted(question + " [y/N]")
	if err == nil && !isYes(answer) {
		err = errors.New("nothing was applied")
	}
	return err
}

// conclude does what was agreed to: it writes the waivers, and then applies the plan. A dry run saves it instead.
func (r *review) conclude(e *ending) error {
	if r.dry {
		if err := r.writeOutputs(e.report); err != nil {
			return err
		}
		return r.keep(e.plan, e.report)
	}
	if e.waivers > 0 {
		if err := r.writeWaivers(); err != nil {
			return err
		}
	}
	if !e.plan.Empty() {
		return r.carryOut(e.plan)
	}
	if err := r.nothing(e.report); err != nil || e.waivers == 0 || !r.Detailed || r.ExitZero {
		return err
	}
	return status(exitFindings)
}

// chosen are the fixes to apply.
func (r *review) chosen() map[string][]want.Class {
	chosen := map[string][]want.Class{}
	for _, o := range r.offers {
		if o.said == take {
			chosen[o.check.ID] = append(chosen[o.check.ID], o.classes...)
		}
	}
	return chosen
}

// line counts what was decided.
func (r *review) line() string {
	n := map[decision]int{}
	for _, o := range r.offers {
		n[o.said]++
	}
	return fmt.Sprintf("Review: %s chosen, %d skipped, %d waived.", remediate.Count(n[take], "fix"), n[skip], n[waived])
}

// notes say where a plan of what was chosen is not just that: fixes that depend on others, and that settle others.
func (r *review) notes(plan *remediate.Plan) (notes []string) {
	left := map[string]string{}
	key := func(c *checks.Check, f checks.Finding) string { return c.ID + "\x00" + f.Subject }
	for _, l := range plan.Left {
		left[key(l.Check, l.Finding)] = l.Reason
	}
	chosen := r.chosen()
	for _, o := range r.offers {
		settled := 0
		for _, f := range o.findings {
			reason, open := left[key(o.check, f)]
			if o.said == take && open {
				notes = append(notes, fmt.Sprintf("%s was chosen and is not applied to %s: %s", o.check.ID,
					report.Clean(f.Subject), r.redactor.RedactText(reason)))
			}
			if !open {
				settled++
			}
		}
		if o.said == skip && settled == len(o.findings) {
			notes = append(notes, o.check.ID+" was skipped, and a chosen fix resolves it too")
		}
	}
	for _, c := range changing(plan, false) {
		if chosen[c.ID] == nil {
			notes = append(notes, c.ID+" was not chosen and is in the plan: without it a chosen fix would undo a limit "+
				"that is set now")
		}
	}
	return notes
}

// changing are the checks that a plan changes something for, or those that it would if what is held were allowed.
func changing(plan *remediate.Plan, held bool) (all []*checks.Check) {
	parts := []remediate.Held{{Changes: plan.Changes, Updates: plan.Updates, Activations: plan.Activations}}
	if held {
		parts = plan.Held
	}
	for _, h := range parts {
		for _, c := range h.Changes {
			all = append(all, c.Checks...)
		}
		for _, u := range h.Updates {
			all = append(all, u.Checks...)
		}
		for _, a := range h.Activations {
			all = append(all, a.Checks...)
		}
	}
	slices.SortFunc(all, func(a, b *checks.Check) int { return strings.Compare(a.ID, b.ID) })
	return slices.Compact(all)
}

// covered reports whether waivers of this review accept all that a fix is for.
func (r *review) covered(o *offer) bool {
	waivers, err := r.accepted()
	return err == nil && !slices.ContainsFunc(o.findings, func(f checks.Finding) bool {
		return !slices.ContainsFunc(waivers, func(w checks.Waiver) bool {
			return w.Covers(o.check.ID, f) && !w.Expired(r.now)
		})
	})
}

// accepted are the waivers of this review.
func (r *review) accepted() (all []checks.Waiver, err error) {
	var errs []error
	for _, o := range r.offers {
		for _, w := range o.waivers {
			waiver, err := w.check()
			all, errs = append(all, waiver), append(errs, err)
		}
	}
	return all, errors.Join(errs...)
}
