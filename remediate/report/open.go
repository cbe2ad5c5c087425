package report

import (
	"fmt"
	"slices"
	"strings"

	"example.com/harden/remediate"
)

// OpenStates are those of checks that an apply leaves for somebody to do something about.
var OpenStates = []State{Pending, Held, Left, Failed, Manual, Unknown}

// Join lists states.
func Join(states []State) string {
	var names []string
	for _, s := range states {
		names = append(names, string(s))
	}
	return strings.Join(names, ", ")
}

// open counts the checks that are not resolved.
func (r *Report) open() map[State]int {
	counts := map[State]int{}
	for _, s := range append([]State{Fail}, OpenStates...) {
		counts[s] = r.Summary.States[s]
	}
	return counts
}

// next is what to do about the checks in a state.
func (r *Report) next(s State) string {
	switch s {
	case Pending:
		return "restart what has to take up its configuration"
	case Held:
		var allow, ways []string
		for _, h := range r.Plan.Held {
			if h.Named == "" {
				allow = append(allow, h.Disruption.String())
			}
		}
		if len(allow) > 0 {
			ways = append(ways, "--allow "+strings.Join(allow, ",")+" applies them")
		}
		for _, h := range r.Plan.Held {
			if h.Named != "" {
				ways = append(ways, h.Allow+" applies "+h.Named)
			}
		}
		return strings.Join(ways, "; ")
	case Left:
		return r.leftText() + r.shown(", see above", "; `harden --dry-run` lists them")
	case Failed:
		return "see above why the fix failed"
	case Manual:
		return "manual review"
	}
	return "inconclusive" + r.shown(", see above why", "; `harden --dry-run` shows why")
}

// leftText is why checks are left: a review leaves those too whose fix was skipped.
func (r *Report) leftText() string {
	skipped := func(l LeftOver) bool { return l.Reason == remediate.NotChosen }
	if r.Plan != nil && slices.ContainsFunc(r.Plan.Left, skipped) {
		return "not chosen, or manual action required"
	}
	return "manual action required"
}

// shown is above where the whole report was shown before, and else elsewhere.
func (r *Report) shown(above, elsewhere string) string {
	if r.Reviewed {
		return elsewhere
	}
	return above
}

// stillOpen tells what an apply has left open, and what to do about it; nothing where all is resolved.
func (p *page) stillOpen(r *Report) {
	first := true
	for _, state := range OpenStates {
		n := r.Summary.Open[state]
		if n == 0 || state == Held && r.Plan == nil {
			continue
		}
		if first {
			p.line("Still open:")
			first = false
		}
		p.block("  "+p.paint(looks[state].color, pad(fmt.Sprintf("%d %s", n, state), 19)), 21, "", r.next(state))
	}
}
