package report

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"example.com/harden/remediate/diff"
)

// A Style says how text is laid out.
type Style struct {
	Width   int  // columns of the terminal; 0 is 100
	Color   bool // whether to use the terminal's colours
	Quiet   bool // only what is not as it must be
	Verbose bool // every check with why it exists, and why it does not apply
	ASCII   bool // no other characters: the locale has none

	Terminal bool         // whether it goes to one
	Aside    func(string) // tells what is not part of the document; may be nil where a format has nothing to tell so
}

// The colours, as SGR parameters.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

// A page is text being laid out.
type page struct {
	Style
	bytes.Buffer
}

func newPage(s Style) *page {
	if s.Width == 0 {
		s.Width = 100
	}
	s.Width = min(max(s.Width, 40), 120) // longer lines than this are hard to follow
	return &page{Style: s}
}

// plainSigns are the characters of harden's own words, for a locale that has none of them.
var plainSigns = strings.NewReplacer("✓", "+", "✗", "x", "±", "*", "…", "...", "‹", "<", "›", ">", "×", "x")

// plain is text as the locale can show it.
func (p *page) plain(text string) string {
	if !p.ASCII {
		return text
	}
	return plainSigns.Replace(text)
}

// sign is one column wide.
func (p *page) sign(s string) string {
	if p.ASCII && s == "…" {
		return "."
	}
	return p.plain(s)
}

func (p *page) paint(color, text string) string {
	if !p.Color || color == "" || text == "" {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

// line writes its parts and ends the line, without blanks at its end.
func (p *page) line(parts ...string) {
	p.WriteString(strings.TrimRight(strings.Join(parts, ""), " "))
	p.WriteByte('\n')
}

// block writes text behind a head, wrapped at the page's width and hanging under its own beginning. headWidth is the
// head's width on screen.
func (p *page) block(head string, headWidth int, color, text string) {
	indent := strings.Repeat(" ", headWidth)
	for i, l := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		for j, w := range wrap(p.plain(Clean(l)), p.Width-headWidth) {
			if i == 0 && j == 0 {
				p.line(head, p.paint(color, w))
			} else {
				p.line(indent, p.paint(color, w))
			}
		}
	}
}

// wrap breaks text at blanks so that no line is wider than width, but for single words that are.
func wrap(text string, width int) []string {
	var lines []string
	line, used := "", 0
	for _, word := range strings.Split(text, " ") {
		n := utf8.RuneCountInString(word)
		if line != "" && used+1+n > width {
			lines = append(lines, line)
			line, used = word, n
			continue
		}
		if line != "" || used > 0 {
			line, used = line+" ", used+1
		}
		line, used = line+word, used+n
	}
	return append(lines, line)
}

// Clean makes one line of text safe to show. Names of containers, files and users are data: one that holds a
// control character, an escape sequence or an invisible rune is shown quoted, so that it can neither move the cursor
// nor pass for another. So is one that would be an order to whoever runs harden.
func Clean(s string) string {
	if printable(s) && diff.Inert(s) == s {
		return s
	}
	return diff.Inert(strconv.Quote(s))
}

func printable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) < 0
}

// pad fills text with blanks to width.
func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}
