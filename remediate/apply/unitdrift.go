package apply

import (
	"errors"
	"path"
	"slices"

	"example.com/harden/checks/facts"
)

// units compares what systemd makes of the units and drop-ins that the runs have left: a file of somebody else may
// stand in for one of them, or add to a unit that is harden's own.
func (c *Comparison) units(live Live, left []legacy) {
	for _, l := range left {
		own := path.Dir(l.path()) == unitDir
		name := path.Base(l.path())
		if !own {
			name = path.Base(path.Dir(l.path()))
		}
		unit, dropIn := cutDropIn(name)
		if l.content == nil || !l.after.Exists || own && !l.ours || c.missing(l) ||
			!own && (!dropIn || path.Dir(path.Dir(l.path())) != unitDir) {
			continue
		}
		u, err := live.Unit(unit)
		switch {
		case errors.Is(err, facts.ErrAbsent) && own:
			c.also(l, Difference{InForce, "yes", err.Error()})
		case errors.Is(err, facts.ErrAbsent): // nothing that it could add to
		case err != nil:
			c.unknown(l.path(), l.run.ID, err.Error())
		case !own && !slices.Contains(u.DropIns, l.path()):
			c.also(l, Difference{InForce, "yes", "hidden by a file of the same name"})
		case own:
			c.unit(l, u, left)
		}
	}
}

// What differs of a unit or drop-in that is as it was left.
const (
	InForce = "in force"
	DropIn  = "drop-in"
)

// unit compares a unit that is harden's own.
func (c *Comparison) unit(l legacy, u *facts.Unit, left []legacy) {
	if u.Fragment != l.path() {
		c.also(l, Difference{InForce, "yes", "hidden by " + u.Fragment})
	}
	for _, p := range u.DropIns {
		known := slices.ContainsFunc(left, func(o legacy) bool { return o.path() == p && o.after.Exists })
		if _, specific := cutDropIn(path.Base(path.Dir(p))); specific && !known {
			c.also(l, Difference{DropIn, "none", p})
		}
	}
}

// cutDropIn returns the unit that a directory of drop-ins is of; false where it is of all units of a kind.
func cutDropIn(dir string) (unit string, ok bool) {
	if path.Ext(dir) != ".d" {
		return dir, false
	}
	unit = dir[:len(dir)-len(".d")]
	return unit, path.Ext(unit) != ""
}

func (c *Comparison) missing(l legacy) bool {
	return slices.ContainsFunc(c.Drifts, func(d Drift) bool { return d.Change.Path == l.path() && d.Missing })
}
