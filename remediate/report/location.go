package report

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A location is where a finding is, for formats that know nothing but files.
type location struct {
	path string // as the host or the source names it; what is no file has a path of its own: "container/web"
	line int    // 1 where it is not known
	file bool   // whether there is such a file
	base string // which directory path is below
}

// What a location's path is below.
const (
	rootPath   = "ROOTPATH" // the host's /
	sourceRoot = "SRCROOT"  // where harden was started, with --source
)

// locate finds where a finding is.
func locate(e entry) location {
	at := location{line: 1, base: rootPath}
	switch {
	case e.Place != "":
		at.path, at.file, at.base = e.Place, true, sourceRoot
		if i := strings.LastIndexByte(e.Place, ':'); i > 0 {
			if n, err := strconv.Atoi(e.Place[i+1:]); err == nil && n > 0 {
				at.path, at.line = e.Place[:i], n
			}
		}
	case strings.HasPrefix(e.Subject, "/"):
		at.path, at.file = e.Subject, true
		for _, what := range []string{" (link)", " (ACL)"} {
			at.path = strings.TrimSuffix(at.path, what)
		}
	default:
		kind, name, _ := strings.Cut(e.Subject, " ")
		if kind == "container" { // whatever its state
			name, _, _ = strings.Cut(name, " (")
		}
		at.path = e.result.ID
		if kind != "" {
			at.path += "/" + kind
		}
		if name != "" {
			at.path += "/" + strings.ReplaceAll(name, "/", "|")
		}
	}
	return at
}

// uri is the location relative to its base. A colon would make a scheme of what is before it.
func (at location) uri() string {
	u := url.URL{Path: strings.TrimLeft(strings.TrimPrefix(at.path, "./"), "/")}
	return strings.ReplaceAll(u.EscapedPath(), ":", "%3A")
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
