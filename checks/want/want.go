// Package want describes, as plain data, how a host should differ from how it is. A want says nothing about how
// to get there: that is remediate's work.
package want

import (
	"fmt"
	"strings"
)

// A Class says what a change may disturb. Classes are ordered: a later one disturbs more.
type Class int

// The classes, from the least disturbing to the most.
const (
	None      Class = iota // attributes and files that nothing needs to re-read
	Reload                 // a daemon re-reads it in place: SIGHUP, augenrules, a live container update
	Restart                // a daemon restarts once; with live-restore the containers survive
	Workload               // containers or pods must be recreated, or a control-plane pod restarts
	Behaviour              // people notice: pulls refused, images hidden, traffic cut
)

// Classes lists the classes in order.
var Classes = []Class{None, Reload, Restart, Workload, Behaviour}

var classNames = []string{"none", "reload", "restart", "workload", "behaviour"}

func (c Class) String() string { return classNames[c] }

// MarshalText writes the class's name.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the class's name; any other text is an error that lists the names.
func (c *Class) UnmarshalText(text []byte) error {
	for i, n := range classNames {
		if n == string(text) {
			*c = Class(i)
			return nil
		}
	}
	return fmt.Errorf("unknown disruption class %q; valid: %s", text, strings.Join(classNames, ", "))
}

// A Want is one desired fact. The set is closed: each kind has a file here with all that is said of it, and an editor
// in remediate that TestKinds asks for.
type Want interface {
	// Class is the least that bringing the want about disturbs.
	Class() Class
	// Entitled returns what entitles harden to the file that the want is about.
	Entitled() Warrant
	// Text says in one line what the want asks for.
	Text() string
	// Claim names the place that the want is about and the value it asks for there, where two values cannot both be.
	Claim() (place, value string)
	want()
}
