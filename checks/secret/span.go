package secret

import (
	"regexp"
	"sync"
)

// A Span is some bytes of a text.
type Span struct{ From, To int }

// Shifted moves spans of a part of a text to where they are in the whole.
func Shifted(all []Span, by int) []Span {
	out := make([]Span, len(all))
	for i, s := range all {
		out[i] = Span{s.From + by, s.To + by}
	}
	return out
}

// MarkText is the expression of what stands in the place of a secret that is hidden.
const MarkText = `‹redacted [0-9]+ bytes, [0-9a-f]{8}›`

var (
	// Marked finds the marks in a text.
	Marked = Pattern(MarkText)
	// FilePath is an absolute path.
	FilePath = Pattern(`^/[A-Za-z0-9._/-]*$`)
)

// Pattern is an expression that is compiled when it is first needed: at the start of every program all of them would
// take milliseconds that an audit does not have.
func Pattern(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
