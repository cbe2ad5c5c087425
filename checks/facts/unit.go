package facts

// A Unit is a systemd unit as systemd would load it next.
type Unit struct {
	Name     string
	Fragment string   // the unit file itself, link followed
	DropIns  []string // in the order in which they apply
	settings []Setting
}

// A Setting is one assignment of a unit, with the file that makes it.
type Setting struct {
	Section, Key, Value string
	File                string
}

// All returns the assignments of a list-like key that are in effect: an empty assignment clears those before it.
func (u *Unit) All(section, key string) []Setting {
	var all []Setting
	for _, s := range u.settings {
		switch {
		case s.Section != section || s.Key != key:
		case s.Value == "":
			all = nil
		default:
			all = append(all, s)
		}
	}
	return all
}

// Get returns the assignment of a scalar key that is in effect.
func (u *Unit) Get(section, key string) (Setting, bool) {
	all := u.All(section, key)
	if len(all) == 0 {
		return Setting{}, false
	}
	return all[len(all)-1], true
}
