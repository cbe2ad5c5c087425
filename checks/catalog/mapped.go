package catalog

import (
	"fmt"
	"slices"

	"example.com/harden/checks"
	"example.com/harden/checks/mapping"
)

// matchMapped finds the checks that answer a number of another framework, or one beneath it: a control stands for its
// enhancements, and a section for its requirements. Such a number is never one item: it names no check by itself.
func matchMapped(all []*checks.Check, f mapping.Framework, number string) (match, error) {
	var m match
	for _, c := range all {
		if slices.ContainsFunc(c.Mappings()[f], func(n string) bool { return mapping.Covers(number, n) }) {
			m.checks = append(m.checks, c)
		}
	}
	switch {
	case len(m.checks) > 0:
		return m, nil
	case mapping.Known(f, number):
		return m, fmt.Errorf("no check answers %s of %s", number, f.Title())
	}
	return m, fmt.Errorf("%s has no number %q%s", f.Title(), number, Meant(all, string(f)+":"+number))
}
