package facts

import (
	"fmt"
	"strings"
)

// maxName is how many bytes of a name, path or option are shown: whoever can make containers chooses them.
const maxName = 160

// Clip shortens what others have chosen, to be shown.
func Clip(s string) string {
	if len(s) <= maxName {
		return s
	}
	return strings.ToValidUTF8(s[:maxName], "") + fmt.Sprintf("… (%d bytes)", len(s))
}

// ShortID is an ID as people read it: without its algorithm, the first twelve digits.
func ShortID(id string) string {
	_, digits, ok := strings.Cut(id, ":")
	if !ok {
		digits = id
	}
	return digits[:min(12, len(digits))]
}
