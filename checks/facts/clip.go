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
