package want

import (
	"fmt"
	"strings"
)

// A Compose wants a service of a Compose file to have a value, and its containers, where they run, to be made again
// with it.
type Compose struct {
	File    string
	Service string
	Key     []string // below the service: "read_only"; "security_opt", "-" is a new last element, "ports", "0" the first
	Was     string   // what the element of a list is now, where Key ends with its index: others may have moved it by then
	Value   any      // a string, bool, int, or a slice or map of those; nil wants it gone
	Project string   // whose containers are to be made again; empty where nothing runs
	People  bool     // who uses the service notices more than that it restarts
	Warrant
}

// Class: the containers are made again.
func (w Compose) Class() Class {
	if w.People {
		return Behaviour
	}
	return Workload
}

// Text is what it asks for.
func (w Compose) Text() string {
	key := strings.Join(w.Key, ".")
	if key == "" {
		return fmt.Sprintf("recreate the containers of service %s of %s from %s", w.Service, w.Project, w.File)
	}
	if w.Value == nil {
		return fmt.Sprintf("take %s out of service %s in %s", key, w.Service, w.File)
	}
	return fmt.Sprintf("set %s to %v for service %s in %s", key, w.Value, w.Service, w.File)
}

// Claim is nothing: all fixes of a service are made together, and the rehearsal tells which do not go together.
func (Compose) Claim() (place, value string) { return "", "" }

func (Compose) want() {}
