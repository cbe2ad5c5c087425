package want

import (
	"fmt"
	"strings"
)

// A Field wants a field of a YAML document to hold a value, and the service Unit to take it up by a restart. Field is
// the path to it from the top of the document. A nil Value wants the field gone.
type Field struct {
	File  string
	Field []string
	Value any
	Unit  string // "kubelet.service"
	Warrant
}

func (Field) Class() Class { return Restart }

// Text is what it asks for.
func (w Field) Text() string { return setting(strings.Join(w.Field, "."), w.Value, w.File) }

// Claim is the value of the field.
func (w Field) Claim() (place, value string) {
	return w.File + " " + strings.Join(w.Field, "."), fmt.Sprint(w.Value)
}

func (Field) want() {}
