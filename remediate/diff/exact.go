package diff

import (
	"fmt"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"example.com/harden/remediate"
)

// Exact is a change of a file's content as patch(1) and git apply take it with -p1, with nothing hidden and nothing
// escaped; name is the file below the directory that they are called in. It is an error, and nothing, where a secret
// stands in what would be shown: a patch with a mark in its place would be a wrong one. Fewer lines around a change are
// shown where that keeps a secret out.
func Exact(c remediate.Change, name string, r *Redactor) (string, error) {
	if !c.Content() || c.Created || c.Removed {
		return "", fmt.Errorf("%s: a patch changes the content of a file that is there, and nothing else", name)
	}
	var line string
	for context := udiff.DefaultContextLines; context > 0; context-- {
		text := hunks(c, context)
		if line = hidden(c, r, text); line == "" {
			return fmt.Sprintf("--- %s\n+++ %s\n%s", label("a/"+name), label("b/"+name), text), nil
		}
	}
	return "", fmt.Errorf("%s: no exact patch can be given: a secret stands in it or beside it (%s); let harden write "+
		"the "+
		"file (--yes), or take the secret out first", name, line)
}

// hidden tells the first line of a diff in which something would be hidden; empty where there is none.
func hidden(c remediate.Change, r *Redactor, text string) string {
	if text == "" {
		return ""
	}
	sides := [2][]string{strings.SplitAfter(string(c.Before.Data), "\n"), strings.SplitAfter(string(c.After.Data), "\n")}
	clean := [2][]string{
		strings.SplitAfter(string(r.Redact(c.Path, c.Before.Data)), "\n"),
		strings.SplitAfter(string(r.Redact(c.Path, c.After.Data)), "\n"),
	}
	differ := func(side, n int) bool { return sides[side][n] != clean[side][n] }
	for line, at := range numberedLines(text) {
		before, after := line[0] == '-' || line[0] == ' ', line[0] == '+' || line[0] == ' '
		if before && differ(0, at.from) || after && differ(1, at.to) {
			return fmt.Sprintf("line %d", at.from+1)
		}
	}
	return ""
}

// Deceptive reports whether a text has characters that could deceive a terminal.
func Deceptive(text string) bool {
	for line := range strings.Lines(text) {
		if escaped(line) != line {
			return true
		}
	}
	return false
}
