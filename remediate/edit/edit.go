// Package edit changes one setting in the bytes of a configuration file and nothing else: a parser finds the place,
// bytes are replaced there, and the result is parsed again and compared with what was there and what was asked for.
// Comments, order, indentation, line ends and a missing final newline stay as they were; an edit that changes
// nothing returns the bytes it was given. What cannot be spliced for certain is refused with its line and column,
// counted from 1, columns in characters; the caller adds the path. Everything here is pure.
package edit

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// header opens the files that are harden's own.
const header = "# Written by harden; \"harden rollback\" rolls it back.\n"

// errProof means that an editor did not do what it set out to do. It refuses rather than hand out what it made.
var errProof = errors.New("the edited file does not read as intended: this is a bug in harden")

// A splice replaces data[start:end] by text. The zero splice changes nothing.
type splice struct {
	start, end int
	text       string
}

func (s splice) apply(data []byte) []byte {
	if s == (splice{}) {
		return data
	}
	return bytes.Join([][]byte{data[:s.start], []byte(s.text), data[s.end:]}, nil)
}

// applyAll applies splices that are in order of place. One that overlaps the next is of what that leaves.
func applyAll(data []byte, all []splice) []byte {
	if len(all) == 0 {
		return data
	}
	apart := len(all) - 1 // from here on none overlaps the next: they are applied in one pass
	for apart > 0 && all[apart-1].end <= all[apart].start {
		apart--
	}
	var b bytes.Buffer
	last := 0
	for _, s := range all[apart:] {
		b.Write(data[last:s.start])
		b.WriteString(s.text)
		last = s.end
	}
	b.Write(data[last:])
	data = b.Bytes()
	for i := apart - 1; i >= 0; i-- {
		data = all[i].apply(data)
	}
	return data
}

// eol is how the lines of data end, by its first line.
func eol(data []byte) string {
	if i := bytes.IndexByte(data, '\n'); i > 0 && data[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// appendLine adds a line at the end. A file that ended without a newline does so again.
func appendLine(data []byte, line, eol string) splice {
	if len(data) == 0 || data[len(data)-1] == '\n' {
		return splice{len(data), len(data), line + eol}
	}
	return splice{len(data), len(data), eol + line}
}

// oneLine refuses a text that holds anything but printable characters, or any of forbidden.
func oneLine(what, text, forbidden string) error {
	if !utf8.ValidString(text) {
		return fmt.Errorf("%s is not valid UTF-8", what)
	}
	for _, r := range text {
		if !unicode.IsPrint(r) || strings.ContainsRune(forbidden, r) {
			return fmt.Errorf("%s holds %q, which cannot be written there safely", what, r)
		}
	}
	return nil
}

// word reports whether s is made of ASCII letters, digits and the characters of extra, and of at least one.
func word(s, extra string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte(extra, c) < 0 {
			return false
		}
	}
	return s != ""
}
