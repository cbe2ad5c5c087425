package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"example.com/harden/remediate"
)

// A dialog shows pages on the terminal, a screen at a time, and asks about them.
type dialog struct {
	*keyboard
	out  io.Writer
	size func() (columns, rows int)
}

// terminalSize is how large the terminal on stdout is; zeros where it does not say.
func terminalSize() (columns, rows int) {
	size, err := unix.IoctlGetWinsize(int(os.Stdout.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, 0
	}
	return int(size.Col), int(size.Row)
}

// A page is what is asked about: text for the size that the terminal has when it is shown.
type page struct {
	text     func() (string, error)
	question string
	keys     []rune
	again    bool // it was shown before, and is asked about again
}

// ask shows a page and waits for one of its keys. Space goes on to the next screen, and from the last one to the first.
func (d *dialog) ask(p page) (rune, error) {
	lines, err := d.lines(p)
	if err != nil {
		return 0, err
	}
	from := 0
	if p.again {
		from = len(lines)
	}
	next := d.screen(p, lines, from)
	for {
		key, err := d.key()
		if err != nil {
			fmt.Fprintln(d.out)
			return 0, err
		}
		switch {
		case key == keyResize:
			d.clear()
			if lines, err = d.lines(p); err != nil {
				return 0, err
			}
			next = d.screen(p, lines, 0)
		case key == ' ' || key == '\n':
			fmt.Fprint(d.out, d.wipe())
			if next >= len(lines) {
				next = 0
			}
			next = d.screen(p, lines, next)
		case slices.Contains(p.keys, key):
			fmt.Fprintf(d.out, "%c\n", key)
			return key, nil
		case key == 0x04: // Ctrl-D ends what is asked, as everywhere
			fmt.Fprintln(d.out)
			return 'q', nil
		default:
			fmt.Fprintf(d.out, "\nNot a key of this question; ? explains them.\n%s", d.prompt(p, len(lines)-next))
		}
	}
}

// show shows a page, and asks nothing but to go on where there is more than a screen of it.
func (d *dialog) show(p page) error {
	lines, err := d.lines(p)
	p.question, p.keys = "More", []rune{'q'}
	for next := 0; err == nil; {
		if next = d.screen(p, lines, next); next >= len(lines) {
			return nil
		}
		var key rune
		switch key, err = d.key(); {
		case err != nil:
			fmt.Fprintln(d.out)
		case key == keyResize:
			d.clear()
			next = 0
			lines, err = d.lines(p)
		case key == 'q' || key == 0x04:
			fmt.Fprintln(d.out)
			return nil
		default:
			fmt.Fprint(d.out, d.wipe())
		}
	}
	return err
}

// lines are those of a page, for the present size.
func (d *dialog) lines(p page) ([]string, error) {
	text, err := p.text()
	if text = strings.TrimRight(text, "\n"); text == "" {
		return nil, err
	}
	return strings.Split(text, "\n"), err
}

// screen shows as many lines as there is room for, from one on, and asks. It returns which line is the next.
func (d *dialog) screen(p page, lines []string, from int) (next int) {
	columns, rows := d.size()
	room := max(rows-1-height(d.prompt(p, len(lines)), columns), 3)
	next = from
	for ; next < len(lines); next++ {
		if room -= height(lines[next], columns); rows > 0 && room < 0 && next > from {
			break
		}
		fmt.Fprintln(d.out, lines[next])
	}
	if len(p.keys) > 1 || next < len(lines) {
		if from < len(lines) {
			fmt.Fprintln(d.out)
		}
		fmt.Fprint(d.out, d.prompt(p, len(lines)-next))
	}
	return next
}

// prompt is the question, with how much is still to be seen.
func (d *dialog) prompt(p page, more int) string {
	keys := make([]string, len(p.keys))
	for i, k := range p.keys {
		keys[i] = string(k)
	}
	text := p.question + " [" + strings.Join(keys, ",") + "]"
	if more > 0 {
		text += " (Space: " + remediate.Count(more, "more line") + ")"
	}
	return text + "? "
}

// dumb reports whether the terminal takes no sequences.
func dumb() bool { return os.Getenv("TERM") == "dumb" }

// clear empties a screen on which what was laid out for another size is a ruin.
func (d *dialog) clear() {
	if dumb() {
		fmt.Fprintln(d.out)
		return
	}
	fmt.Fprint(d.out, "\x1b[H\x1b[2J")
}

// wipe takes a question away that goes on below.
func (d *dialog) wipe() string {
	if dumb() {
		return "\n"
	}
	return "\r\x1b[K"
}

var painted = regexp.MustCompile("\x1b\\[[0-9;]*m")

// height is how many rows a line takes. A wide character takes two columns; one that may be wide
// counts as such.
func height(line string, columns int) int {
	if columns <= 0 {
		return 1
	}
	width := 0
	for _, r := range painted.ReplaceAllString(line, "") {
		switch width++; {
		case r == '\t':
			width += 7
		case r >= 0x1100:
			width++
		}
	}
	return max(1, (width+columns-1)/columns)
}

// prompted asks for a line.
func (d *dialog) prompted(question string) (text string, ok bool, err error) {
	text, ok, err = d.line(func() { fmt.Fprint(d.out, question+" ") })
	if err != nil || !ok {
		fmt.Fprintln(d.out)
	}
	return text, ok, err
}

// say writes a line.
func (d *dialog) say(format string, args ...any) { fmt.Fprintf(d.out, format+"\n", args...) }
