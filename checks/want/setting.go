package want

import "fmt"

// A Setting wants a systemd unit to hold Section.Key=Value, by a drop-in of ours.
type Setting struct {
	Unit, Section, Key, Value string
	Warrant
}

func (Setting) Class() Class { return None }

// Text is what it asks for.
func (w Setting) Text() string {
	return fmt.Sprintf("set %s=%s in [%s] of %s", w.Key, w.Value, w.Section, w.Unit)
}

// Claim is the value of the key.
func (w Setting) Claim() (place, value string) {
	return w.Unit + " " + w.Section + "." + w.Key, w.Value
}

func (Setting) want() {}
