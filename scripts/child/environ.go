package child

import (
	"os"
	"slices"
	"strings"
)

// Environ returns the environment of a harden that a test starts: this process's own, without the HARDEN_* variables,
// which tell the tests what to do, and of which harden refuses those that it does not know.
func Environ(more ...string) []string {
	return append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "HARDEN_") }), more...)
}
