package diff

import (
	"cmp"
	"slices"
	"strings"

	"example.com/harden/checks/secret"
)

// A span is some bytes of a text that are to be hidden.
type span = secret.Span

// cover puts marks in the place of the spans of a text, one on each of its lines, so that it keeps their number.
func (r *Redactor) cover(text string, spans []span) string {
	if len(spans) == 0 {
		return text
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(b.To, a.To)) })
	var b strings.Builder
	last := 0
	for i := 0; i < len(spans); {
		from, to := max(spans[i].From, last), spans[i].To
		for i++; i < len(spans) && spans[i].From < to; i++ { // what overlaps is one secret
			to = max(to, spans[i].To)
		}
		if to <= from {
			continue
		}
		b.WriteString(text[last:from])
		for line := range strings.Lines(text[from:to]) {
			b.WriteString(r.value(line))
		}
		last = to
	}
	return b.String() + text[last:]
}

// within finds parts of a decoded text in the text as it is written, line by line, where escapes and indents differ.
// It is not complete where a part is written with escapes.
func within(decoded, written string, spans []span) (found []span, complete bool) {
	const most = 1000
	if len(spans) > most {
		return nil, false
	}
	complete = true
	for _, s := range spans {
		for line := range strings.Lines(decoded[s.From:s.To]) {
			if line = strings.TrimSpace(line); line == "" {
				continue
			}
			here := false
			for at := 0; ; {
				i := strings.Index(written[at:], line)
				if i < 0 {
					break
				}
				here = true
				found = append(found, span{From: at + i, To: at + i + len(line)})
				at += i + len(line)
			}
			complete = complete && here
		}
	}
	return found, complete
}
