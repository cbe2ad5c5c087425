// Package stride is the threat model: what can go wrong on a Docker host and on a Kubernetes node, said once, so that
// every check and every fix can be traced to the threat that it answers.
package stride

import (
	"fmt"
	"strings"
)

// An ID names a threat as platform/surface/category, for example docker/host/tampering.
type ID string

// Platform is the part of the ID before the first slash.
func (id ID) Platform() string { p, _, _ := strings.Cut(string(id), "/"); return p }

// Surface is the middle part of the ID: what is attacked.
func (id ID) Surface() string {
	_, rest, _ := strings.Cut(string(id), "/")
	s, _, _ := strings.Cut(rest, "/")
	return s
}

// Category is the last part of the ID.
func (id ID) Category() Category {
	return Category(id[strings.LastIndexByte(string(id), '/')+1:])
}

// A Category is one of the six kinds of threat that STRIDE tells apart.
type Category string

// The six categories, in the order that gives the model its name.
const (
	Spoofing    Category = "spoofing"
	Tampering   Category = "tampering"
	Repudiation Category = "repudiation"
	Disclosure  Category = "disclosure"
	Denial      Category = "denial-of-service"
	Elevation   Category = "elevation"
)

// Categories lists the six in STRIDE order.
var Categories = []Category{Spoofing, Tampering, Repudiation, Disclosure, Denial, Elevation}

// Letter is the category's letter in the word STRIDE.
func (c Category) Letter() string {
	for i, k := range Categories {
		if k == c {
			return "STRIDE"[i : i+1]
		}
	}
	return "?"
}

// A Threat is one thing that can go wrong.
type Threat struct {
	ID     ID
	Title  string // what goes wrong, lower case, no full stop
	Attack string // how it comes about, one or two sentences
	Answer string // what stops it
	Rest   string // what remains even when every check passes
}

// Get returns the threat of that ID.
func Get(id ID) (Threat, error) {
	for _, t := range All {
		if t.ID == id {
			return t, nil
		}
	}
	return Threat{}, fmt.Errorf("unknown threat %q", id)
}
