// Package secret finds secrets in text, by the rules of gitleaks and by names that say what they hold. It tells where a
// secret is and never what it is.
package secret

import (
	"bytes"
	"cmp"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"

	"example.com/harden/checks/budget"
)

// A Hit is one secret: which rule found it, and where.
type Hit struct {
	Rule         string // "github-pat": gitleaks' name of the rule, or "password-in-url"
	Line, Column int    // of its first byte, from 1; Column counts bytes
	Start, End   int    // its bytes in the text
}

// MaxText is how much of a text is looked at, in bytes.
const MaxText = 4 << 20

// Find returns the secrets in a text, in order, none of them inside another.
func Find(text []byte) []Hit {
	hits, _ := scan(text, func(int) error { return nil })
	return hits
}

// FindWithin is Find for a file that somebody else wrote: it may have something for each of two hundred rules on every
// line. The error means that not all of it was looked at.
func FindWithin(text []byte, b *budget.Budget) ([]Hit, error) {
	if len(text) > MaxText {
		return nil, b.Spend(budget.Bytes, len(text)+1, 0)
	}
	return scan(text, func(n int) error { return b.Spend(budget.Steps, n, 0) })
}

func scan(text []byte, spend func(int) error) ([]Hit, error) {
	text = text[:min(len(text), MaxText)]
	lower := lowered(text)
	var hits []Hit
	for _, r := range rules() {
		for _, w := range r.windows(lower) {
			if err := spend(w[1] - w[0]); err != nil {
				return nil, err
			}
			for _, span := range r.find(text[w[0]:w[1]]) {
				hits = append(hits, Hit{Rule: r.id, Start: w[0] + span[0], End: w[0] + span[1]})
			}
		}
	}
	return locate(text, hits), nil
}

// lowered has the letters of ASCII in lower case, each byte at its place: keywords have no others.
func lowered(text []byte) []byte {
	out := bytes.Clone(text)
	for i, c := range out {
		if c >= 'A' && c <= 'Z' {
			out[i] = c + 'a' - 'A'
		}
	}
	return out
}

// Of a long text a rule sees what is around its keywords: a secret begins at most so far before one, and ends at most
// so far behind it. The longest is a private key.
const (
	whole  = 64 << 10 // a text that every rule sees all of
	before = 1 << 10
	behind = 16 << 10
)

// windows are the parts of a text, in lower case, that a rule may match in.
func (r *rule) windows(lower []byte) [][2]int {
	if len(lower) <= whole || len(r.keywords) == 0 {
		if r.mayMatch(lower) {
			return [][2]int{{0, len(lower)}}
		}
		return nil
	}
	var at [][2]int
	for _, k := range r.keywords {
		for i := 0; ; {
			j := bytes.Index(lower[i:], k)
			if j < 0 {
				break
			}
			start := max(0, i+j-before)
			// the line's beginning, if it is near
			start = bytes.LastIndexByte(lower[max(0, start-before):start], '\n') + 1 + max(0, start-before)
			end := min(len(lower), i+j+behind)
			at = append(at, [2]int{start, end})
			i = max(i+j+len(k), end-behind/2) // what is between is in this window already
		}
	}
	slices.SortFunc(at, func(a, b [2]int) int { return cmp.Compare(a[0], b[0]) })
	var merged [][2]int
	for _, w := range at {
		if n := len(merged); n > 0 && w[0] <= merged[n-1][1] {
			merged[n-1][1] = max(merged[n-1][1], w[1])
			continue
		}
		merged = append(merged, w)
	}
	return merged
}

// locate puts hits in order, drops those inside others, and tells their lines.
func locate(text []byte, hits []Hit) []Hit {
	slices.SortFunc(hits, func(a, b Hit) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(b.End, a.End), vague(a)-vague(b),
			strings.Compare(a.Rule, b.Rule))
	})
	var out []Hit
	line, from, end, begins := 1, 0, 0, 0
	for _, h := range hits {
		if h.End <= end {
			continue
		}
		if h.Start < end && len(out) > 0 { // two rules share a part: together they are one secret
			out[len(out)-1].End, end = h.End, h.End
			continue
		}
		line += bytes.Count(text[from:h.Start], []byte("\n"))
		if i := bytes.LastIndexByte(text[from:h.Start], '\n'); i >= 0 {
			begins = from + i + 1
		}
		from, end = h.Start, h.End
		h.Line, h.Column = line, h.Start-begins+1
		out = append(out, h)
	}
	return out
}

// vague is 1 for a rule that knows no kind of secret by its form, so that another names the hit where both find it.
func vague(h Hit) int {
	if strings.HasPrefix(h.Rule, "generic") || h.Rule == userinfo.id {
		return 1
	}
	return 0
}

// Mask returns a text with every secret in it replaced by mark.
func Mask(text, mark string) string {
	var b strings.Builder
	last := 0
	for _, h := range Find([]byte(text)) {
		b.WriteString(text[last:h.Start] + mark)
		last = h.End
	}
	return b.String() + text[last:]
}

// A rule is one of gitleaks', or one of ours. Its expressions are compiled when a text has one of its keywords: all of
// them together take a tenth of a second.
type rule struct {
	id        string
	keywords  [][]byte // in lower case; none means that every text is looked at
	group     int      // which group is the secret; 0 is the first that is not empty, or else the whole match
	entropy   float64  // bits a byte that a secret has more of
	expr      func() *regexp.Regexp
	harmless  []allowed
	unbounded bool // ours: gitleaks' list of what is harmless anywhere does not hold
}

func (r *rule) mayMatch(lower []byte) bool {
	return len(r.keywords) == 0 || slices.ContainsFunc(r.keywords, func(k []byte) bool { return bytes.Contains(lower, k) })
}

func (r *rule) find(text []byte) [][2]int {
	var spans [][2]int
	for _, m := range r.expr().FindAllSubmatchIndex(text, -1) {
		start, end := r.secret(m)
		value := text[start:end]
		if len(value) == 0 || r.entropy > 0 && entropy(value) <= r.entropy {
			continue
		}
		match, line := text[m[0]:m[1]], lineAround(text, m[0], m[1])
		fine := func(a allowed) bool { return a.allows(value, match, line) }
		if slices.ContainsFunc(r.harmless, fine) || !r.unbounded && slices.ContainsFunc(everywhere(), fine) {
			continue
		}
		spans = append(spans, [2]int{start, end})
	}
	return spans
}

// maxLine is how much of a line before and behind a match is compared with what is harmless.
const maxLine = 1 << 10

// lineAround is the line of a match, as much of it as counts.
func lineAround(text []byte, start, end int) []byte {
	from := max(0, start-maxLine)
	from += bytes.LastIndexByte(text[from:start], '\n') + 1
	to := min(len(text), end+maxLine)
	if i := bytes.IndexByte(text[end:to], '\n'); i >= 0 {
		to = end + i
	}
	return text[from:to]
}

// secret picks the group of a match that is the secret.
func (r *rule) secret(m []int) (start, end int) {
	if r.group > 0 && 2*r.group+1 < len(m) && m[2*r.group] >= 0 {
		return m[2*r.group], m[2*r.group+1]
	}
	for i := 2; r.group == 0 && i+1 < len(m); i += 2 {
		if m[i] >= 0 && m[i+1] > m[i] {
			return m[i], m[i+1]
		}
	}
	return m[0], m[1]
}

// entropy is Shannon's, in bits a byte.
func entropy(s []byte) float64 {
	var count [256]int
	for _, c := range s {
		count[c]++
	}
	bits := 0.0
	for _, n := range count {
		if n > 0 {
			p := float64(n) / float64(len(s))
			bits -= p * math.Log2(p)
		}
	}
	return bits
}

// userinfo is a password in a URL, which gitleaks has no rule for. A reference to a variable is none.
var userinfo = &rule{
	id:       "password-in-url",
	keywords: [][]byte{[]byte("://")},
	expr: sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s:/?#@"'` + "`" + `<>]*:([^\s/?#@"'` + "`" + `<>$]+)@`)
	}),
	unbounded: true,
}
