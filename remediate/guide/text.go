package guide

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
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
	value, unit := float64(n), 0
	for value >= 1<<10 && unit < 4 {
		value /= 1 << 10
		unit++
	}
	return fmt.Sprintf("%.1f %s", value, []string{"", "KiB", "MiB", "GiB", "TiB"}[unit])
}
