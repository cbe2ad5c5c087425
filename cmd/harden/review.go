package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"example.com/harden/checks"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
	"example.com/harden/remediate/report"
)

func addReview(cmd *cobra.Command) {
	cmd.Flags().Bool("review", false, "decide about each fix on the terminal: apply, skip or waive it")
}

// asksForReview reads --review, which takes somebody who answers.
func asksForReview(cmd *cobra.Command) (bool, error) {
	asked, _ := cmd.Flags().GetBool("review")
	if !asked {
		return false, nil
	}
	for _, f := range []struct {
		name string
		file *os.File
	}{{"stdin", os.Stdin}, {"stdout", os.Stdout}} {
		if !isTerminal(f.file) {
			return true, usageError{fmt.Errorf("--review: %s is not a terminal; select fixes with --only, and use --yes or "+
				"--dry-run", f.name)}
		}
	}
	return true, nil
}

// A decision is what somebody has said of a fix.
type decision int

const (
	undecided decision = iota
	take
	skip
	waived
)

// An offer is one fix to decide about: what a plan would do for one check, as far as it takes the same permission.
type offer struct {
	check    *checks.Check
	findings []checks.Finding
	classes  []want.Class // of those findings
	held     bool         // it takes more permission than there is
	said     decision
	waivers  []fileWaiver // where waived is said
}

// class is the most that the fix disturbs.
func (o *offer) class() want.Class { return slices.Max(o.classes) }

// A review goes through the fixes of a plan, one by one.
type review struct {
	*session
	*dialog
	cmd    *cobra.Command
	dry    bool
	offers []*offer
	found  []checks.Result // as they were before anything was waived here
	file   *waiverFile     // the configuration file; nil until something is to be waived
	plans  map[*offer]*remediate.Plan
}

// review has somebody choose from a plan, and then applies, or saves, what was chosen.
func (s *session) review(cmd *cobra.Command, plan *remediate.Plan, dry bool) error {
	r := &review{session: s, cmd: cmd, dry: dry, found: s.results, plans: map[*offer]*remediate.Plan{}}
	if r.offers = s.offers(plan); len(r.offers) == 0 {
		if dry {
			return s.dryRun(plan)
		}
		return s.offer(plan, false)
	}
	s.asked = once(s.cluster())
	return r.run()
}

// once asks the cluster a single time, for many plans; nil stays nil.
func once(ask func(context.Context) (*remediate.Cluster, error)) func(context.Context) (*remediate.Cluster, error) {
	if ask == nil {
		return nil
	}
	var asked sync.Once
	var cluster *remediate.Cluster
	var err error
	return func(ctx context.Context) (*remediate.Cluster, error) {
		asked.Do(func() { cluster, err = ask(ctx) })
		return cluster, err
	}
}

// offers are the fixes of a plan, the most severe first, and otherwise in the order of the sections.
func (s *session) offers(plan *remediate.Plan) (all []*offer) {
	type place struct {
		check   *checks.Check
		subject string
	}
	left := map[place]bool{}
	for _, l := range plan.Left {
		left[place{l.Check, l.Finding.Subject}] = true
	}
	changed := map[bool]map[*checks.Check]bool{false: {}, true: {}}
	for held, of := range changed {
		for _, c := range changing(plan, held) {
			of[c] = true
		}
	}
	for _, r := range s.results {
		if r.Status != checks.Fail {
			continue
		}
		var own []*offer
		for _, f := range r.Findings {
			class := remediate.Class(s.host, r.Check, f)
			held := len(s.Sources) == 0 && !s.allows(r.Check, class)
			if len(f.Wants) == 0 || left[place{r.Check, f.Subject}] || !changed[held][r.Check] {
				continue
			}
			i := slices.IndexFunc(own, func(o *offer) bool { return o.held == held && (!held || o.class() == class) })
			if i < 0 {
				i, own = len(own), append(own, &offer{check: r.Check, held: held})
			}
			own[i].findings = append(own[i].findings, f)
			if !slices.Contains(own[i].classes, class) {
				own[i].classes = append(own[i].classes, class)
			}
		}
		all = append(all, own...)
	}
	slices.SortStableFunc(all, func(a, b *offer) int { return cmp.Compare(b.check.Severity(), a.check.Severity()) })
	return all
}

// keys are what may be answered to a fix, with what each does.
var reviewKeys = []struct {
	key  rune
	does string
}{
	{'y', "apply this fix"},
	{'n', "skip this fix"},
	{'a', "apply this and all later fixes of its class"},
	{'d', "skip this and all later fixes of its class"},
	{'w', "waive the finding: ask for a reason and a last day, and write a waiver"},
	{'e', "explain the check"},
	{'b', "go back to the fix before"},
	{'f', "finish: skip all later fixes, and go on with what was chosen"},
	{'q', "quit: apply nothing and write no waiver, whatever was chosen"},
	{'?', "show this help"},
}

// errQuit is how a review ends that is to change nothing.
var errQuit = errors.New("review ended: nothing was applied, and no waiver was written")

// run asks about each fix, and then goes on with what was chosen.
func (r *review) run() error {
	keys, err := openKeyboard(r.ctx)
	if err != nil {
		return err
	}
	r.dialog = &dialog{keys, r.stdout, terminalSize}
	var e *ending
	if err = r.walk(); err == nil {
		e, err = r.finish()
	}
	if err == nil {
		err = r.agree(e)
	}
	keys.close()
	if err != nil {
		return err
	}
	return r.conclude(e)
}

// walk asks about the fixes in order.
func (r *review) walk() error {
	for at, before := 0, -1; at < len(r.offers); {
		o := r.offers[at]
		if o.said == undecided && r.covered(o) {
			o.said = waived
			r.say("%s: waived by what was decided above.\n", o.check.ID)
		}
		if o.said != undecided {
			at++
			continue
		}
		p := r.page(at)
		p.again = at == before
		before = at
		key, err := r.ask(p)
		if err == nil {
			at, err = r.answer(at, key)
		}
		if err != nil {
			return err
		}
		r.say("")
	}
	return nil
}

// answer does what a key says about a fix, and returns which fix is the next to ask about.
func (r *review) answer(at int, key rune) (next int, err error) {
	o := r.offers[at]
	switch key {
	case 'y':
		return at, r.take(o)
	case 'n':
		o.said = skip
	case 'a':
		if o.held && o.check.Named {
			r.say("No class allows %s: press y to choose it by its name.", o.check.ID)
			break
		}
		r.rest(at, take)
	case 'd':
		r.rest(at, skip)
	case 'w':
		return at, r.waive(o)
	case 'e':
		return at, r.explain(o)
	case 'b':
		if at == 0 {
			r.say("This is the first fix.")
			break
		}
		at--
		r.offers[at].said, r.offers[at].waivers = undecided, nil
	case 'f':
		for _, later := range r.offers[at:] {
			if later.said == undecided {
				later.said = skip
			}
		}
	case '?':
		return at, r.help()
	case 'q':
		return at, errQuit
	}
	return at, nil
}

// take chooses a fix. One that no class allows has to be named.
func (r *review) take(o *offer) error {
	if o.held && o.check.Named {
		name, _, err := r.prompted("Type " + o.check.ID + " to choose it, anything else not to:")
		if err != nil || name != o.check.ID {
			return err
		}
	}
	o.said = take
	return nil
}

// rest decides about a fix and all later ones of its class that nothing was said of yet.
func (r *review) rest(at int, said decision) {
	of, n := r.offers[at], 0
	for _, o := range r.offers[at:] {
		named := o.held && o.check.Named && said == take
		if o.said == undecided && o.class() == of.class() && o.held == of.held && !named {
			o.said = said
			n++
		}
	}
	r.say("%s of class %s: %s.", remediate.Count(n, "fix"), of.class(), map[decision]string{take: "chosen",
		skip: "skipped"}[said])
}

// page is what is shown of a fix.
func (r *review) page(at int) page {
	o := r.offers[at]
	p := page{question: "Apply this fix", text: func() (string, error) {
		plan, err := r.alone(o)
		if err != nil {
			return "", err
		}
		doc := &report.Offer{Report: r.reportOf(o), Head: fmt.Sprintf("Fix %d of %d", at+1, len(r.offers)),
			Named: o.held && o.check.Named}
		doc.Plan = report.PlanOf(plan, r.redactor)
		if o.held {
			doc.Needs = report.Allow(o.class())
		}
		return r.text(doc)
	}}
	for _, k := range reviewKeys {
		p.keys = append(p.keys, k.key)
	}
	return p
}

// text is a document as people read it on the terminal.
func (r *review) text(d report.Document) (string, error) {
	var b bytes.Buffer
	err := r.write(&b, report.Views[0], d, r.style())
	return b.String(), err
}

// reportOf is a report of what a fix is for.
func (r *review) reportOf(o *offer) *report.Report {
	selection := *r.selection
	selection.Checks = []*checks.Check{o.check}
	rep := report.New(&selection, []checks.Result{{Check: o.check, Status: checks.Fail, Findings: o.findings}}, nil, r.now)
	rep.Redact(r.redactor)
	rep.Settle()
	return rep
}

// explain shows a check in full.
func (r *review) explain(o *offer) error {
	selection := *r.selection
	selection.Checks = []*checks.Check{o.check}
	return r.show(page{text: func() (string, error) { return r.text(report.Explain(&selection, r.reportOf(o))) }})
}

// help says what each key does.
func (r *review) help() error {
	return r.show(page{text: func() (string, error) {
		var b strings.Builder
		for _, k := range reviewKeys {
			fmt.Fprintf(&b, "  %c      %s\n", k.key, k.does)
		}
		b.WriteString("  Space  show the next screen, or the fix again from its start\n" +
			"  Ctrl-C end harden and change nothing\n")
		return b.String(), nil
	}})
}

// alone is the plan that a fix alone comes to.
func (r *review) alone(o *offer) (*remediate.Plan, error) {
	if r.plans[o] == nil {
		plan, err := r.planChosen(map[string][]want.Class{o.check.ID: o.classes})
		if err != nil {
			return nil, err
		}
		plan.Left = slices.DeleteFunc(plan.Left, func(l remediate.Left) bool {
			return l.Check != o.check || l.Reason == remediate.NotChosen ||
				!slices.ContainsFunc(o.findings, func(f checks.Finding) bool { return f.Subject == l.Finding.Subject })
		})
		r.plans[o] = plan
	}
	return r.plans[o], nil
}

// planChosen plans these fixes, by check and class, and no others.
func (s *session) planChosen(chosen map[string][]want.Class) (*remediate.Plan, error) {
	choose := func(c *checks.Check, class want.Class) bool { return slices.Contains(chosen[c.ID], class) }
	return s.planWith(choose, choose)
}
