package report

import "slices"

// maxDifferences bounds what is told of one check on one host.
const maxDifferences = 20

// differences are what of a check is otherwise on a host than is usual in its group.
func (m *Merger) differences(check int, usual norm, is mark) []FleetDifference {
	c := m.checks[check]
	d := FleetDifference{ID: c.id, Number: c.number, Title: c.title, Severity: c.severity, State: is.standing,
		Majority: usual.standing}
	var all []FleetDifference
	if is.standing == usual.standing || is.standing == Fail {
		all = d.findings(m.marks[usual.mark], is)
	}
	if len(all) == 0 {
		d.Kind = FleetState
		if is.standing == usual.standing {
			d.Kind = FleetMore
		}
		return []FleetDifference{d}
	}
	if len(all) > maxDifferences {
		d.Kind = FleetMore
		all = append(all[:maxDifferences], d)
	}
	return all
}

// findings compares what was found on a host with what is usual, as far as both are kept.
func (d FleetDifference) findings(usual, is mark) (all []FleetDifference) {
	limit := func(s sighting) bool { // whether both would have it
		for _, m := range []mark{usual, is} {
			if m.total > len(m.seen) && len(m.seen) > 0 && s.compare(m.seen[len(m.seen)-1]) > 0 {
				return false
			}
		}
		return true
	}
	var missing []sighting
	for _, s := range usual.seen {
		if limit(s) && !slices.Contains(is.seen, s) {
			missing = append(missing, s)
		}
	}
	for _, s := range is.seen {
		if !limit(s) || slices.Contains(usual.seen, s) {
			continue
		}
		next := d
		next.Kind, next.Subject, next.Got, next.Must = FleetExtra, s.subject, s.value(), s.must
		other := slices.IndexFunc(missing, func(o sighting) bool { return o.subject == s.subject })
		if other >= 0 {
			next.Kind, next.MajorityGot = FleetValue, missing[other].value()
			missing = slices.Delete(missing, other, other+1)
		}
		all = append(all, next)
	}
	if is.standing != usual.standing { // that the check does not hold here says more than what others have
		return all
	}
	for _, s := range missing {
		next := d
		next.Kind, next.Subject, next.MajorityGot, next.Must = FleetMissing, s.subject, s.value(), s.must
		all = append(all, next)
	}
	return all
}

// value is what was found, and whether somebody has accepted it.
func (s sighting) value() string {
	if s.waived {
		return "waived: " + s.got
	}
	return s.got
}
