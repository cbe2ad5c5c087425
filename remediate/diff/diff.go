// Package diff shows a change to a file as a unified diff under a header that says what a diff cannot: the hashes of
// the whole file, its mode and its owner, before and after.
package diff

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/aymanbagabas/go-udiff"

	"example.com/harden/checks/facts"
	"example.com/harden/remediate"
)

// Unified shows a change to people: as patch(1) takes it, but with secrets replaced by marks and with characters that
// could deceive a terminal escaped. The hashes in its header are of the real bytes, so that hiding some of them does
// not weaken what is shown. patch passes over the header, which is what tells of mode and owner.
func Unified(c remediate.Change, r *Redactor) string {
	var b strings.Builder
	changed := hunks(c, udiff.DefaultContextLines)
	b.WriteString(head(c, changed != ""))
	shown(c, r, changed, func(kind byte, line string) {
		switch kind {
		case '-', '+', ' ':
			b.WriteString(string(kind) + ended(line))
		default:
			b.WriteString(line)
		}
	})
	return b.String()
}

// Sides shows a change as the two texts between which somebody else's program looks for the difference: the whole
// file before and after, with the same hidden and escaped as in Unified. The lines of Unified's header about mode and
// owner stand above the content where they differ, and the hash does where something is hidden, so that no change is
// without a difference. A side on which there is no file is empty.
func Sides(c remediate.Change, r *Redactor) (before, after string) {
	var sides [2]strings.Builder
	whole := len(c.Before.Data) + len(c.After.Data) // as many lines at most
	shown(c, r, hunks(c, whole), func(kind byte, line string) {
		switch kind {
		case '-':
			sides[0].WriteString(line)
		case '+':
			sides[1].WriteString(line)
		case ' ':
			sides[0].WriteString(line)
			sides[1].WriteString(line)
		}
	})
	heads := [2]string{}
	hidden := sides[0].String() != string(c.Before.Data) || sides[1].String() != string(c.After.Data)
	for _, l := range headLines(c, c.Content() && hidden) {
		heads[0] += "# " + l.name + " " + l.before + "\n"
		heads[1] += "# " + l.name + " " + l.after + "\n"
	}
	if c.Created {
		heads[0] = ""
	}
	if c.Removed {
		heads[1] = ""
	}
	return heads[0] + sides[0].String(), heads[1] + sides[1].String()
}

// shown tells each line of hunks as people may see it, with its kind: '-', '+' or ' ' and the line without it, which
// lacks its line feed where the file does; or else a line of the diff itself.
func shown(c remediate.Change, r *Redactor, hunks string, tell func(kind byte, line string)) {
	before := bytes.SplitAfter(r.Redact(c.Path, c.Before.Data), []byte("\n"))
	after := bytes.SplitAfter(r.Redact(c.Path, c.After.Data), []byte("\n"))
	for line, at := range numberedLines(hunks) {
		switch line[0] {
		case '-':
			tell('-', visible(string(before[at.from])))
		case '+':
			tell('+', visible(string(after[at.to])))
		case ' ':
			text := string(before[at.from])
			if text == strings.TrimSuffix(line[1:], "\n") || text == line[1:] {
				text = string(after[at.to]) // what either side takes for a secret is one
			}
			tell(' ', visible(text))
		default:
			tell(line[0], line) // of a hunk's head, and "\ No newline at end of file"
		}
	}
}

// A place is which line of the file before, and of the file after, a line of hunks is or comes before; the first is 0.
type place struct{ from, to int }

// numberedLines goes through the lines of hunks.
func numberedLines(hunks string) iter.Seq2[string, place] {
	return func(yield func(string, place) bool) {
		var at place
		for line := range strings.Lines(hunks) {
			if line[0] == '@' {
				at.from, at.to = position(line)
			}
			if !yield(line, at) {
				return
			}
			if line[0] == '-' || line[0] == ' ' {
				at.from++
			}
			if line[0] == '+' || line[0] == ' ' {
				at.to++
			}
		}
	}
}

// head is the lines about the file as a whole, each "# NAME BEFORE -> AFTER" with "none" for a side on which there is
// no file, and then the two names that patch reads.
func head(c remediate.Change, changed bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n", visible(c.Path))
	for _, l := range headLines(c, c.Content()) {
		fmt.Fprintf(&b, "# %s %s -> %s\n", l.name, l.before, l.after)
	}
	if changed {
		before, after := label(c.Path), label(c.Path)
		if c.Created {
			before = "/dev/null"
		}
		if c.Removed {
			after = "/dev/null"
		}
		fmt.Fprintf(&b, "--- %s\n+++ %s\n", before, after)
	}
	return b.String()
}

// A headLine is one thing about a file as a whole that is not what it was.
type headLine struct{ name, before, after string }

func headLines(c remediate.Change, hashes bool) (lines []headLine) {
	line := func(name, before, after string) {
		if c.Created {
			before = "none"
		}
		if c.Removed {
			after = "none"
		}
		if before != after {
			lines = append(lines, headLine{name, before, after})
		}
	}
	if hashes {
		line("sha256", hash(c.Before.Data), hash(c.After.Data))
	}
	line("mode", fmt.Sprintf("%04o", c.Before.Mode), fmt.Sprintf("%04o", c.After.Mode))
	if c.Before.Capable != c.After.Capable {
		line("file capabilities", presence(c.Before.Capable), presence(c.After.Capable))
	}
	line("owner", owner(c.Before.Info, c.After.Info), owner(c.After.Info, c.Before.Info))
	return lines
}

func presence(there bool) string {
	if there {
		return "some"
	}
	return "none"
}

func hash(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

// owner names the owner of i; by number where another, of that same name, must be told apart.
func owner(i, other facts.Info) string {
	if i.Owner() == other.Owner() || i.User == "" || i.Group == "" {
		return fmt.Sprintf("%d:%d", i.UID, i.GID)
	}
	return visible(i.Owner())
}

// hunks is the difference of the contents, from the first "@@" on, with so many lines of context.
func hunks(c remediate.Change, context int) string {
	if !c.Content() {
		return ""
	}
	before, after := string(c.Before.Data), string(c.After.Data)
	text, err := udiff.ToUnified("", "", before, udiff.Lines(before, after), context)
	if err != nil {
		panic(fmt.Sprintf("%s: %v", c.Path, err)) // the edits come from the very text that they are applied to
	}
	if i := strings.Index(text, "@@"); i >= 0 {
		return numbered(text[i:])
	}
	return ""
}

// numbered gives every hunk after the first its place in the file after, of which udiff loses count: it forgets the
// lines between two edits of one hunk.
func numbered(hunks string) string {
	var b strings.Builder
	moved, first := 0, true
	for line := range strings.Lines(hunks) {
		switch line[0] {
		case '@':
			if !first {
				from, _ := position(line)
				head, rest, _ := strings.Cut(line, " +")
				_, rest, _ = strings.Cut(rest, rest[:strings.IndexAny(rest, ", ")])
				line = fmt.Sprintf("%s +%d%s", head, from+1+moved, rest)
			}
			first = false
		case '+':
			moved++
		case '-':
			moved--
		}
		b.WriteString(line)
	}
	return b.String()
}

// position is where a hunk begins on either side, counted from 0.
func position(line string) (from, to int) {
	var a, b string
	fmt.Sscanf(line, "@@ -%s +%s @@", &a, &b)
	fmt.Sscanf(a, "%d", &from)
	fmt.Sscanf(b, "%d", &to)
	return max(from-1, 0), max(to-1, 0)
}

// label writes a path the way patch reads it back: quoted as in C where it holds anything unusual.
func label(path string) string {
	plain := true
	var b strings.Builder
	for _, c := range []byte(path) {
		switch {
		case c == '"' || c == '\\':
			b.WriteString(`\` + string(rune(c)))
			plain = false
		case c <= ' ' || c > '~':
			fmt.Fprintf(&b, `\%03o`, c)
			plain = false
		default:
			b.WriteByte(c)
		}
	}
	if plain {
		return path
	}
	return `"` + b.String() + `"`
}

// visible escapes what is not printable, a reversal of writing direction and a zero-width character among it, and
// bytes that are not UTF-8. A tab stays, and a carriage return before the end of the line: neither moves the cursor
// to where it has been. What a runner of continuous integration would obey is escaped too.
func visible(s string) string { return Inert(escaped(s)) }

func escaped(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		rest := s[i+n:]
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsPrint(r), r == '\t', r == '\n' && rest == "", r == '\r' && (rest == "\n" || rest == ""):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		i += n
	}
	return b.String()
}

func ended(s string) string {
	if strings.HasSuffix(s, "\n") {
		return s
	}
	return s + "\n"
}
