package want

import (
	"fmt"
	"strings"
)

// A PodFlag wants a flag of a static pod's container, in the pod's manifest. Name has no dashes. A flag whose value is
// a list keeps what Add and Drop do not name; any other gets Value, or goes.
type PodFlag struct {
	Manifest  string // where the manifest really is
	Container string // the component, as its container is called
	Program   string // what runs in it where its name does not tell: "kube-apiserver"
	Name      string
	Value     string
	Add, Drop []string // tokens of a comma-separated list
	Gone      bool
	Mounts    []Mount // what the container must see for the value to make sense
	Warrant
}

// A Mount is a path of the node that a static pod must see at the same place.
type Mount struct {
	Path     string
	Type     string // hostPath type: "File", "FileOrCreate", "DirectoryOrCreate"
	ReadOnly bool
}

// Class: a control plane's pod restarts. While a lone etcd does, the API does not answer; how many there are is not on
// the node to read for certain.
func (w PodFlag) Class() Class {
	if w.Runs() == "etcd" {
		return Behaviour
	}
	return Workload
}

// Runs is the program whose flag it is.
func (w PodFlag) Runs() string {
	if w.Program == "" {
		return w.Container
	}
	return w.Program
}

// Text is what it asks for.
func (w PodFlag) Text() string {
	var parts []string
	if len(w.Add) > 0 {
		parts = append(parts, fmt.Sprintf("add %s to --%s", strings.Join(w.Add, ","), w.Name))
	}
	if len(w.Drop) > 0 {
		parts = append(parts, fmt.Sprintf("take %s out of --%s", strings.Join(w.Drop, ","), w.Name))
	}
	switch {
	case w.Gone:
		parts = append(parts, "start it without --"+w.Name)
	case len(parts) == 0:
		parts = append(parts, fmt.Sprintf("start it with --%s=%s", w.Name, w.Value))
	}
	for _, m := range w.Mounts {
		parts = append(parts, "show it "+m.Path)
	}
	return fmt.Sprintf("%s: %s", w.Container, strings.Join(parts, ", "))
}

// Claim is the value of the flag. Tokens of two fixes combine; what one adds and another drops, the rehearsal tells.
func (w PodFlag) Claim() (place, value string) {
	if len(w.Add)+len(w.Drop) > 0 {
		return "", ""
	}
	if w.Gone {
		return w.Manifest + " --" + w.Name, "gone"
	}
	return w.Manifest + " --" + w.Name, "=" + w.Value
}

func (PodFlag) want() {}
