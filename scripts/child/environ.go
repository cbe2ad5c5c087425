package child

import (
	"os"
	"slices"
	"strings"
)

// Environ returns the environment of a harden that a test starts: this process's own, without the HARDEN_* variables,
// which tell the tests what to do, and of which harden refuses those that it does not know, and in UTF-8 wherever the
// tests run.
func Environ(more ...string) []string {
	own := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "HARDEN_") })
	return append(append(own, "LC_ALL=C.UTF-8"), more...)
}
