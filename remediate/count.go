package remediate

import (
	"fmt"
	"strings"
)

// Count counts things: "1 file", "2 files", "3 fixes".
func Count(n int, thing string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(thing, "x"):
		thing += "es"
	default:
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}
