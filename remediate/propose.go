package remediate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
)

// A Policy is what a plan must respect beside the host itself.
type Policy struct {
	// Allow reports whether a fix of that class may be applied for that check; what it refuses is Held.
	Allow func(*checks.Check, want.Class) bool
	// Choose reports whether a fix of that class is wanted for that check at all; what it refuses is Left, unless another
	// fix settles it too. Nil wants every fix.
	Choose func(*checks.Check, want.Class) bool
	// Precheck looks at a drafted plan and says, by check ID, what it would break on this host and which fixes
	// must not be made at all. It may be nil.
	Precheck func(context.Context, *Plan, *facts.Host) (warnings map[string][]string, refusals map[string]string)
	// Validate judges the candidate content of a change as the program that reads it would. It may be nil.
	Validate func(context.Context, Change, *facts.Host) error
	// Judge judges the host as a plan would leave it: checks.Run, where it is nil. Waivers are the caller's.
	Judge func(context.Context, *facts.Host, []*checks.Check) []checks.Result
	// Cluster returns what the cluster keeps for kubeadm. Nil where no cluster can be asked.
	Cluster func(context.Context) (*Cluster, error)

	rehearsal bool // it is for what the next run would do
}

// A fix is one finding that wants something.
type fix struct {
	check   *checks.Check
	finding checks.Finding
	class   want.Class
}

func (f fix) key() string { return f.check.ID + "\x00" + f.finding.Subject }

// A planner narrows the fixes down until those that remain settle what they are for.
type planner struct {
	ctx     context.Context
	host    *facts.Host
	policy  Policy
	order   []*checks.Check
	fixes   []fix
	settled []*checks.Check        // which pass or do not apply: nothing is to be fixed for them
	dropped map[string]string      // by fix key: why it is left
	doubt   map[*checks.Check]bool // of which not everything could be judged in the first place
}

// Propose plans changes that settle the failures among results. Each draft of the plan is tried on a copy of the
// host before it is offered: a fix that does not settle its own finding, or that two checks want to differ, is left
// to a person rather than half made.
func Propose(ctx context.Context, h *facts.Host, results []checks.Result, policy Policy) (*Plan, error) {
	p := &planner{ctx: ctx, host: h, policy: policy, dropped: map[string]string{}, doubt: map[*checks.Check]bool{}}
	plan := new(Plan)
	for _, r := range results {
		p.order = append(p.order, r.Check)
		p.doubt[r.Check] = r.Err != nil
		if r.Status == checks.Pass || r.Status == checks.NotApplicable {
			p.settled = append(p.settled, r.Check)
		}
		if r.Status != checks.Fail {
			continue
		}
		for _, f := range r.Findings {
			if len(f.Wants) == 0 {
				plan.Left = append(plan.Left, Left{r.Check, f, cmp.Or(f.Reason, r.Check.Manual, "decide yourself")})
				continue
			}
			p.add(r.Check, f)
		}
	}
	p.dropConflicts()
	base, err := p.believed()
	if err != nil {
		return nil, err
	}
	plan.Changes, plan.Updates, plan.Activations = base.changes, base.sortedUpdates(), base.activations
	p.record(plan)
	if err := p.hold(plan, base); err != nil {
		return nil, err
	}
	settled := p.alsoSettled(base)
	for _, f := range p.fixes {
		if reason, ok := p.dropped[f.key()]; ok && !settled[f.key()] {
			plan.Left = append(plan.Left, Left{f.check, f.finding, reason})
		}
	}
	rank := map[*checks.Check]int{}
	for i, c := range p.order {
		rank[c] = i
	}
	slices.SortStableFunc(plan.Left, func(a, b Left) int { return rank[a.Check] - rank[b.Check] })
	return plan, nil
}

// classOf is what settling a finding disturbs: the most that its wants or its check say.
func classOf(c *checks.Check, f checks.Finding) want.Class {
	class := c.Class
	for _, w := range f.Wants {
		class = max(class, w.Class())
	}
	return class
}

// allowed returns the fixes that are still in and that policy allows, or those that it does not.
func (p *planner) allowed(yes bool) []fix {
	var out []fix
	for _, f := range p.fixes {
		if _, gone := p.dropped[f.key()]; !gone && p.policy.Allow(f.check, f.class) == yes {
			out = append(out, f)
		}
	}
	return out
}

// dropConflicts leaves every fix whose want another fix contradicts: harden does not choose between two checks.
func (p *planner) dropConflicts() {
	type claim struct {
		fix   fix
		value string
	}
	claims := map[string][]claim{}
	for _, f := range p.fixes {
		if p.dropped[f.key()] == NotChosen {
			continue
		}
		for _, w := range f.finding.Wants {
			if place, value := w.Claim(); place != "" {
				claims[place] = append(claims[place], claim{f, value})
			}
		}
	}
	for place, cs := range claims {
		for _, c := range cs[1:] {
			if c.value == cs[0].value {
				continue
			}
			for _, d := range cs {
				p.dropped[d.fix.key()] = fmt.Sprintf("%s and %s want different values for %s; choose one yourself",
					cs[0].fix.check, c.fix.check, place)
			}
		}
	}
}

// settle drafts fixes on h and drops, one round at a time, each that cannot be drafted, is refused, or does not
// settle its finding, until every fix that remains does.
func (p *planner) settle(h *facts.Host, fixes []fix) (*draft, error) {
	own := fixes
	for range 2*(len(own)+len(p.settled)) + 2 { // each may be dropped, and bring one more along before
		if err := p.ctx.Err(); err != nil {
			return nil, err
		}
		d := newDraft(h)
		bad := map[string]string{}
		fixes := throughSources(own)
		d.composeAll(fixes)
		for _, f := range fixes {
			if err := d.add(f); err != nil {
				bad[f.key()] = err.Error()
			}
		}
		for _, f := range fixes {
			if err := d.complete(f); err != nil && bad[f.key()] == "" {
				bad[f.key()] = err.Error()
			}
		}
		for key, why := range d.refused() {
			bad[key] = cmp.Or(bad[key], why)
		}
		if len(bad) == 0 {
			d.finish()
			maps.Copy(bad, p.refused(d, h, fixes))
		}
		if len(bad) == 0 {
			maps.Copy(bad, p.unsettled(d, h, fixes))
		}
		if len(bad) == 0 {
			more := append(p.lost(d, h, fixes), p.called(d, h, fixes)...)
			if len(more) == 0 {
				return d, nil
			}
			own = append(slices.Clone(own), more...)
			continue
		}
		maps.Copy(p.dropped, bad)
		own = slices.DeleteFunc(own, func(f fix) bool { _, gone := bad[f.key()]; return gone })
	}
	return nil, errors.New("the plan does not converge: this is a bug in harden")
}

// refused asks the policy about a draft, notes its warnings in the changes, and returns the fixes that it refuses.
func (p *planner) refused(d *draft, h *facts.Host, fixes []fix) map[string]string {
	bad := map[string]string{}
	if p.policy.Precheck != nil {
		warnings, refusals := p.policy.Precheck(p.ctx, &Plan{Changes: d.changes, Updates: d.sortedUpdates(),
			Activations: d.activations}, h)
		for _, f := range fixes {
			if reason, ok := refusals[f.check.ID]; ok {
				bad[f.key()] = reason
			}
		}
		for i := range d.changes {
			for _, k := range d.changes[i].Checks {
				d.changes[i].Breaks = appendNew(d.changes[i].Breaks, warnings[k.ID]...)
			}
		}
		for i := range d.activations {
			for _, k := range d.activations[i].Checks {
				d.activations[i].Breaks = appendNew(d.activations[i].Breaks, warnings[k.ID]...)
			}
		}
	}
	if p.policy.Validate != nil && len(bad) == 0 { // the precheck names the fix at fault, a validator only the file
		for _, c := range d.changes {
			if !c.Content() {
				continue
			}
			err := p.policy.Validate(p.ctx, c, h)
			if err == nil {
				continue
			}
			var writers []fix
			for _, f := range fixes {
				if slices.Contains(c.Checks, f.check) && slices.ContainsFunc(f.finding.Wants, writes) {
					writers = append(writers, f)
				}
			}
			maps.Copy(bad, p.blame(h, c, writers, err))
		}
	}
	return bad
}

// writes reports whether a want changes a file's bytes.
func writes(w want.Want) bool {
	switch w.(type) {
	case want.Mode, want.Owner, want.Service, want.Container:
		return false
	}
	return true
}

// unsettled judges the host as the draft would leave it and returns the fixes whose findings are still there.
func (p *planner) unsettled(d *draft, h *facts.Host, fixes []fix) map[string]string {
	var touched []*checks.Check
	for _, f := range fixes {
		touched = addCheck(touched, f.check)
	}
	still := map[string]string{}
	for _, r := range checks.Run(p.ctx, h.With(d.overlay()), touched) {
		if r.Err != nil && !p.doubt[r.Check] && len(r.Findings) == 0 && r.Status != checks.NotApplicable {
			still[r.Check.ID+"\x00"] = fmt.Sprintf("after its own fix the result is unknown: %v", r.Err)
		}
		for _, f := range r.Findings {
			still[r.Check.ID+"\x00"+f.Subject] = fmt.Sprintf("its own fix would not resolve it: it would still be %s", f.Got)
		}
	}
	bad := map[string]string{}
	for _, f := range fixes {
		for _, key := range []string{f.key(), f.check.ID + "\x00"} {
			if reason, ok := still[key]; ok {
				bad[f.key()] = reason
			}
		}
	}
	return bad
}

// hold plans, class by class, what is not allowed, on top of the host as base leaves it; and each check by itself that
// no class allows.
func (p *planner) hold(plan *Plan, base *draft) error {
	type permission struct {
		class want.Class
		named *checks.Check
	}
	after := p.host.With(base.overlay())
	held := map[permission][]fix{}
	var named []*checks.Check
	for _, f := range p.allowed(false) {
		k := permission{class: f.class}
		if f.check.Named {
			k.named, named = f.check, addCheck(named, f.check)
		}
		held[k] = append(held[k], f)
	}
	for _, class := range want.Classes {
		for _, check := range append([]*checks.Check{nil}, named...) {
			fixes := held[permission{class, check}]
			if len(fixes) == 0 {
				continue
			}
			d, err := p.settle(after, fixes)
			if err != nil {
				return err
			}
			if updates := d.sortedUpdates(); len(d.changes)+len(updates)+len(d.activations) > 0 {
				plan.Held = append(plan.Held, Held{class, check, d.changes, updates, d.activations})
			}
		}
	}
	return nil
}

// After returns the plan as an overlay on the host it was made for.
func (p *Plan) After() facts.Overlay { return overlayOf(p.Changes, p.Updates, p.Activations) }

func overlayOf(changes []Change, updates []Update, activations []Activation) facts.Overlay {
	o := facts.Overlay{Files: map[string]facts.File{}, Restarted: map[string]bool{}, Recreated: map[string]bool{},
		Updated: map[string]want.Limits{}}
	for _, u := range updates {
		o.Updated[u.ID] = u.After
	}
	for _, c := range changes {
		o.Files[c.Path] = c.After
	}
	for _, a := range activations {
		switch a.Kind {
		case LoadAudit:
			o.Audited = true
		case Reload, Restart, RollOut:
			o.Restarted[a.Unit] = true
		case ComposeUp:
			o.Recreated[a.Unit] = true
		}
	}
	return o
}

// appendNew appends those of more that are not there yet.
func appendNew(list []string, more ...string) []string {
	for _, m := range more {
		if m != "" && !slices.Contains(list, m) {
			list = append(list, m)
		}
	}
	return list
}
