package diff

import (
	"regexp"
	"strings"
)

// command is what a runner of continuous integration takes for an order in the output of a step: at the start of a
// line, where a long one may be wrapped, "::set-output name=x::y" for GitHub, and anywhere "##[add-mask]x" for GitHub
// and "##vso[task.setvariable variable=x]y" for Azure.
var command = regexp.MustCompile(`(^|\s)::[A-Za-z][\w-]*(\s|::)|##\[[A-Za-z]|##vso\[`)

// Inert is text in which no order is left for whoever runs harden: who names a file, a container or a host says what is
// printed of it.
func Inert(text string) string {
	if !strings.Contains(text, "::") && !strings.Contains(text, "##") {
		return text
	}
	for command.MatchString(text) {
		text = command.ReplaceAllStringFunc(text, func(found string) string {
			if strings.HasPrefix(found, "#") {
				return `\x23` + found[1:]
			}
			at := strings.Index(found, "::")
			return found[:at] + `\x3a` + found[at+1:]
		})
	}
	return text
}

// Visible is a diff, or another text of several lines, that somebody else has written, as Unified would show its lines.
func Visible(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(visible(line))
	}
	return b.String()
}
