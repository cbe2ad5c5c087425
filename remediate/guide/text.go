package guide

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/docker/go-units"
)

// printable quotes what is no plain text: a container's name or a file's can hold anything.
func printable(s string) string {
	if utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) < 0 {
		return s
	}
	return strconv.Quote(s)
}

// some are the first paths of so many.
func some(paths []string, n int64) string {
	var shown []string
	for _, p := range paths {
		shown = append(shown, show(p))
	}
	text := strings.Join(shown, ", ")
	if more := n - int64(len(paths)); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// Size writes bytes with a unit.
func Size(n int64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	return units.CustomSize("%.1f %s", float64(n), 1024, []string{"B", "KiB", "MiB", "GiB", "TiB"})
}
