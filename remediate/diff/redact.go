package diff

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"path"
	"slices"
	"strings"

	"example.com/harden/checks/secret"
)

// A Redactor replaces secrets by marks such as ‹redacted 24 bytes, 1a2b3c4d›. The tag is a keyed hash: the same
// secret has the same tag wherever it stands, and without the key a short secret cannot be found by trying.
//
// A value is a secret if its name says so, or its form does: that it stands below "environment" says nothing. A
// reference to a variable is shown, and so is what everybody may know.
type Redactor struct{ key []byte }

// NewRedactor returns a redactor whose tags depend on key, which is random and lives no longer than the process.
func NewRedactor(key []byte) *Redactor { return &Redactor{bytes.Clone(key)} }

// Redact returns a file's content with the secrets in it replaced: by the tree of a JSON or YAML document, by the
// lines of an environment file, a unit or a Dockerfile, and as text where it is none of these. What cannot be parsed
// is hidden by the word, and more of it than need be. The content keeps its number of lines.
func (r *Redactor) Redact(file string, data []byte) []byte {
	text := string(data)
	return []byte(r.cover(text, inFile(file, text)))
}

func inFile(file, text string) []span {
	switch {
	case text == "":
		return nil
	case strings.HasPrefix(text, byteOrder):
		return secret.Shifted(inFile(file, text[len(byteOrder):]), len(byteOrder))
	case isUnit(file):
		return inUnit(text)
	case isDockerfile(file):
		return inDockerfile(text)
	case isEnv(file):
		return inEnv(text)
	}
	if spans, ok := inDocument(text, 0); ok {
		return spans
	}
	return inBroken(text)
}

// byteOrder is the mark that some editors put before everything.
const byteOrder = "\ufeff"

// value marks one value, not its quotes, the blanks around it, or what is marked already.
func (r *Redactor) value(s string) string {
	inner := strings.Trim(s, "\"'`\\ \t\r\n")
	if strings.Trim(inner, "{}[]()…`,") == "" || secret.Marked().FindString(inner) == inner {
		return s
	}
	before, after, _ := strings.Cut(s, inner)
	return before + r.mark(inner) + after
}

func (r *Redactor) mark(secret string) string {
	h := hmac.New(sha256.New, r.key)
	h.Write([]byte(secret))
	return fmt.Sprintf("‹redacted %d bytes, %x›", len(secret), h.Sum(nil)[:4])
}

// isEnv reports whether a file assigns environment variables.
func isEnv(file string) bool {
	dir, base := path.Split(file)
	return base == "environment" || strings.HasSuffix(base, ".env") || strings.HasPrefix(base, ".env.") ||
		strings.HasSuffix(base, "_environment") ||
		slices.Contains([]string{"/etc/default/", "/etc/sysconfig/", "/etc/conf.d/"}, dir)
}

// isUnit reports whether a file is a systemd unit or a drop-in of one.
func isUnit(file string) bool {
	ext := path.Ext(file)
	return slices.Contains([]string{".service", ".socket", ".timer", ".slice", ".mount", ".target"}, ext) ||
		ext == ".conf" && strings.HasSuffix(path.Dir(file), ".d")
}
