package remediate

import (
	"errors"
	"fmt"

	"example.com/harden/checks/facts"
)

// ErrBefore means of a file that it was not valid before anything was changed: no fix is to blame.
var ErrBefore = errors.New("the current file is not valid")

// blame finds those among the fixes of a change that is not valid which alone would not be either; all, where none is.
// Halves that are valid have none of them, so that a few are found among many soon.
func (p *planner) blame(h *facts.Host, c Change, fixes []fix, failure error) map[string]string {
	const reason = "the changed file would not be valid: %v"
	all, bad := map[string]string{}, map[string]string{}
	for _, f := range fixes {
		all[f.key()] = fmt.Sprintf(reason, failure)
	}
	var find func(fixes []fix)
	find = func(fixes []fix) {
		err := p.validates(h, c.Path, fixes)
		switch {
		case err == nil || p.ctx.Err() != nil:
		case len(fixes) == 1:
			bad[fixes[0].key()] = fmt.Sprintf(reason, err)
		default:
			find(fixes[:len(fixes)/2])
			find(fixes[len(fixes)/2:])
		}
	}
	if half := len(fixes) / 2; half > 0 && !errors.Is(failure, ErrBefore) {
		find(fixes[:half])
		find(fixes[half:])
	}
	if len(bad) == 0 {
		return all
	}
	return bad
}

// validates is why a file is not valid once some fixes are made; nil too where they cannot be made at all.
func (p *planner) validates(h *facts.Host, file string, fixes []fix) error {
	d := newDraft(h)
	d.composeAll(fixes)
	for _, f := range fixes {
		if d.add(f) != nil {
			return nil
		}
	}
	d.finish()
	for _, c := range d.changes {
		if c.Path == file {
			if err := p.policy.Validate(p.ctx, c, h); err != nil {
				return err
			}
		}
	}
	return nil
}
