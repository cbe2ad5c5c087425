package report

import (
	"cmp"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// A Grouping says which hosts of a fleet are compared with each other.
type Grouping struct {
	text string
	name *regexp.Regexp
}

// Groupings are the ways to group, the default first.
var Groupings = []string{"kind", "directory", "os", "none", "name=REGEX"}

// GroupBy is the grouping that a command line names.
func GroupBy(text string) (Grouping, error) {
	if pattern, ok := strings.CutPrefix(text, "name="); ok {
		re, err := regexp.Compile(pattern)
		if err != nil {
			return Grouping{}, fmt.Errorf("name=%s: %s", pattern, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
		return Grouping{text, re}, nil
	}
	for _, known := range Groupings[:len(Groupings)-1] {
		if text == known {
			return Grouping{text: text}, nil
		}
	}
	return Grouping{}, fmt.Errorf("%q; valid: %s", text, strings.Join(Groupings, ", "))
}

// of names the group of a host.
func (b Grouping) of(g *Gist) string {
	switch {
	case b.name != nil:
		m := b.name.FindStringSubmatch(g.Host.Name)
		switch {
		case m == nil:
			return "other names"
		case len(m) > 1:
			return cmp.Or(m[1], "other names")
		}
		return cmp.Or(m[0], "other names")
	case b.text == "directory":
		return filepath.Base(filepath.Dir(g.File))
	case b.text == "os":
		return cmp.Or(g.Host.OS, "unknown OS")
	case b.text == "none":
		return "all hosts"
	}
	return g.kind()
}

// kind is what a host is, and what it was audited against.
func (g *Gist) kind() string {
	var parts []string
	if g.Host.Daemon != nil || g.Host.Engine != nil {
		parts = append(parts, "Docker host")
	}
	switch {
	case len(g.Host.Sources) > 0:
		parts = []string{"source files"}
	case g.controlPlane:
		parts = append(parts, "Kubernetes control plane")
	case g.Host.Node != nil:
		parts = append(parts, "Kubernetes node")
	}
	if len(parts) == 0 {
		parts = []string{"neither Docker nor Kubernetes"}
	}
	return strings.Join(parts, " and ") + " (" + strings.Join(titles(g.benchmarks), ", ") + ")"
}
