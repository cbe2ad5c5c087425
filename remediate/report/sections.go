package report

import (
	"fmt"
	"slices"
	"strings"

	"example.com/harden/remediate"
)

// A fold is a section whose checks are only counted.
type fold struct{ number, name string }

// foldOf is what a check is counted with: its section, or its platform where that is not installed.
func foldOf(res *Result, absent map[string]int) fold {
	switch at := platform(res.ID); {
	case absent[at] > 0:
		return fold{"", at + " is not installed"}
	case res.Section == "":
		return fold{"", at + ": beyond the benchmark"}
	}
	return fold{res.Section, res.Heading}
}

// sections counts in each section the checks that pass or do not apply.
func (p *page) sections(r *Report) {
	absent := elsewhere(r)
	var folds []fold
	counts, sum := map[fold]map[State]int{}, 0
	for i := range r.Results {
		res := &r.Results[i]
		if res.State != Pass && res.State != NotApplicable {
			continue
		}
		f := foldOf(res, absent)
		if counts[f] == nil {
			folds, counts[f] = append(folds, f), map[State]int{}
		}
		counts[f][res.State]++
		sum++
	}
	if sum == 0 {
		return
	}
	p.title("passing or not applicable: " + remediate.Count(sum, "check") + " (-v lists them)")
	for _, f := range folds {
		var parts []string
		for _, s := range []State{Pass, NotApplicable} {
			if n := counts[f][s]; n > 0 {
				parts = append(parts, s.counted(n))
			}
		}
		p.block("  "+p.paint(dim, pad(f.number, numberWidth)), labelWidth, dim, strings.TrimSpace(f.name)+": "+
			strings.Join(parts, ", "))
	}
}

// unfolded shows each check that passes or does not apply, by section.
func (p *page) unfolded(r *Report) {
	var last fold
	for i := range r.Results {
		res := &r.Results[i]
		if res.State != Pass && res.State != NotApplicable {
			continue
		}
		if f := foldOf(res, nil); f != last {
			p.title(strings.TrimSpace(f.number + "  " + f.name))
			last = f
		}
		p.result(res)
	}
}

// maxReasons is how many reasons for not knowing are shown.
const maxReasons = 6

// unknown shows why checks could not be judged, the reason of most of them first.
func (p *page) unknown(r *Report) {
	var found []*Result
	for i := range r.Results {
		if res := &r.Results[i]; res.State == Unknown {
			found = append(found, res)
		}
	}
	lines := p.headed("unknown", found)
	slices.SortStableFunc(lines, func(a, b foundLine) int { return len(b.checks) - len(a.checks) })
	rest := 0
	for _, l := range lines[min(maxReasons, len(lines)):] {
		rest += len(l.checks)
	}
	p.lines(lines[:min(maxReasons, len(lines))])
	if rest > 0 {
		p.under(dim, fmt.Sprintf("and %d more; -v lists all", rest))
	}
}

// elsewhere counts the checks of each platform of which nothing is on this host, where another's checks were asked for
// too.
func elsewhere(r *Report) map[string]int {
	all, absent := map[string]int{}, map[string]int{}
	for _, res := range r.Results {
		all[platform(res.ID)]++
		if res.State == NotApplicable {
			absent[platform(res.ID)]++
		}
	}
	for name, n := range all {
		if absent[name] < n || len(all) == 1 {
			delete(absent, name)
		}
	}
	return absent
}

func platform(id string) string { name, _, _ := strings.Cut(id, "/"); return name }
