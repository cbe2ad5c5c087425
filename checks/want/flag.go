package want

import "fmt"

// A Flag wants a command-line flag of a service to hold a value, or to be gone. Name has no dashes. A flag whose value
// is a list keeps what Add and Drop do not name; Value is then what it comes to by itself. File and Variable say where
// it is written; systemd's own services tell that themselves.
type Flag struct {
	Unit, Name, Value string
	Add, Drop         []string
	Gone              bool
	File, Variable    string
	Warrant
}

func (Flag) Class() Class { return Restart }

// Text is what it asks for.
func (w Flag) Text() string {
	if w.Gone {
		return fmt.Sprintf("start %s without --%s", w.Unit, w.Name)
	}
	return fmt.Sprintf("start %s with --%s=%s", w.Unit, w.Name, w.Value)
}

// Claim is the value of the flag. What two fixes add to a list, or take out of it, combines.
func (w Flag) Claim() (place, value string) {
	if len(w.Add)+len(w.Drop) > 0 {
		return "", ""
	}
	if w.Gone {
		return w.Unit + " --" + w.Name, "gone"
	}
	return w.Unit + " --" + w.Name, "=" + w.Value
}

func (Flag) want() {}
