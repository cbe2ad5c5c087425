package want

import "fmt"

// An Env wants an environment file to assign a value to a variable, and the service Unit, where it names one, to take
// it up by a restart.
type Env struct {
	File, Name, Value string
	Unit              string
	Warrant
}

// Class: a service that is to take it up restarts.
func (w Env) Class() Class {
	if w.Unit != "" {
		return Restart
	}
	return None
}

// Text is what it asks for.
func (w Env) Text() string { return fmt.Sprintf("set %s=%s in %s", w.Name, w.Value, w.File) }

// Claim is the value of the variable.
func (w Env) Claim() (place, value string) { return w.File + " " + w.Name, w.Value }

func (Env) want() {}
