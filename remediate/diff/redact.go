package diff

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/tailscale/hujson"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/secret"
)

// A Redactor replaces secrets by marks such as ‹redacted 24 bytes, 1a2b3c4d›. The tag is a keyed hash: the same
// secret has the same tag wherever it stands, and without the key a short secret cannot be found by trying.
type Redactor struct{ key []byte }

// NewRedactor returns a redactor whose tags depend on key, which is random and lives no longer than the process.
func NewRedactor(key []byte) *Redactor { return &Redactor{bytes.Clone(key)} }

// Redact returns a file's content with the secrets in it replaced: by the file's structure first, for what no
// pattern can know, and then by RedactText. The content keeps its number of lines.
func (r *Redactor) Redact(file string, data []byte) []byte {
	if len(data) == 0 {
		return data
	}
	if top, err := facts.ParseObject(data); err == nil {
		data = r.json(data, top)
	} else if isEnv(file) {
		data = r.env(data)
	} else if isUnit(file) {
		data = r.unit(data)
	} else if isDockerfile(file) {
		data = r.detected(r.dockerfile(data))
	} else if isCompose(file) {
		data = r.detected(r.compose(data))
	}
	return []byte(r.RedactText(string(data)))
}

const (
	secretName = secret.NamePattern
	markText   = `‹redacted [0-9]+ bytes, [0-9a-f]{8}›`

	valueText = markText + `|"(?:[^"\\\n]|\\.)*"?|\\"(?:[^"\\\n]|\\[^"\n])*(?:\\")?|'[^'\n]*'?|\[[^\]\n]*\]?|[^\s"']+(?:["'][^\s"',\]}]+)*`
)

// What a Redactor looks for. Each pattern is compiled when it is first needed: at the start of every program all of them
// would take milliseconds that an audit does not have.
var (
	marked   = pattern(markText)
	named    = pattern(`(?i)` + secretName)
	userinfo = pattern(`([A-Za-z][A-Za-z0-9+.-]*:(?:\\?/){2})([^\s"'` + "`" + `<>]+)@`)
	pem      = pattern(`(?s)(-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----)(.*?)(-----END|\z)`)
	assigned = pattern(`(?i)([a-z0-9_.-]*` + secretName + `[a-z0-9_.-]*(?:\\?["'])?[ \t]*[=:][ \t]*)(` + valueText + `)`)
	flagged  = pattern(`(?i)(--[a-z0-9-]*` + secretName + `[a-z0-9-]*[ \t]+)(` + valueText + `)`)
	bearer   = pattern(`(?i)(\b(?:bearer|basic)[ \t]+)([A-Za-z0-9+/_.~=-]{6,})`)
	known    = pattern(`()(\bgh[pousr]_[A-Za-z0-9]{20,}|\bglpat-[A-Za-z0-9_-]{16,}|\bxox[abprs]-[A-Za-z0-9-]{10,}|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)`)
	envLine  = pattern(`^(\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*)(.*)$`)
	// A comment that was, or may become, an assignment: no blanks around the equals sign, as prose has them.
	envComment = pattern(`^(\s*[#;]+\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=)(.*)$`)
	unitEnv    = pattern(`^(\s*(?:Environment|SetCredential|SetCredentialEncrypted)\s*=\s*)(.*)$`)
	trivial    = pattern(`^(?i:true|false|yes|no|on|off|[0-9]{0,5})$`)
	fileName   = pattern(`(?i)[-_]file(?:\\?["'])?[ \t]*[=:]?[ \t]*$`)
	filePath   = pattern(`^/[A-Za-z0-9._/-]*$`)
	structure  = pattern(`^[[{]+[A-Za-z]+:$`)
	options    = pattern(`^(?:PATH|LANG|LANGUAGE|TZ|TERM|LC_[A-Z]+|[A-Z0-9_]*(?:OPTS|OPTIONS|ARGS|FLAGS))$`)
)

func pattern(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

// Every secret that a pattern finds holds one of its texts, in lower case where the pattern folds case.
var (
	secretHints = hints("token", "secret", "passw", "passphrase", "credential", "apikey", "api-key", "api_key", "accesskey",
		"access-key", "access_key", "privatekey", "private-key", "private_key", "signingkey", "signing-key", "signing_key")
	bearerHints = hints("bearer", "basic")
	knownHints  = hints("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "glpat-", "xox", "akia", "asia", "eyj")
)

// hints returns a function that reports whether a text may hold one of these. It folds the case of ASCII alone, so other
// text it lets through: the patterns' folding knows more letters.
func hints(all ...string) func(lower string) bool {
	return func(lower string) bool {
		return slices.ContainsFunc(all, func(hint string) bool { return strings.Contains(lower, hint) }) ||
			strings.ContainsFunc(lower, func(c rune) bool { return c > unicode.MaxASCII })
	}
}

// RedactText replaces what looks like a secret in any text: an error, a report, a program's output.
func (r *Redactor) RedactText(s string) string {
	if strings.Contains(s, "-----BEGIN ") {
		s = r.replace(pem(), s)
	}
	if strings.Contains(s, "@") {
		s = r.replace(userinfo(), s)
	}
	lower := strings.ToLower(s)
	if secretHints(lower) {
		s = r.replace(flagged(), r.replace(assigned(), s))
	}
	if bearerHints(lower) {
		s = r.replace(bearer(), s)
	}
	if knownHints(lower) {
		s = r.replace(known(), s)
	}
	return s
}

// replace puts a mark in the place of the second group of each match, line by line, and keeps its quotes.
func (r *Redactor) replace(re *regexp.Regexp, s string) string {
	var b strings.Builder
	last := 0
	for _, m := range re.FindAllStringSubmatchIndex(s, -1) {
		if open(s[m[2]:m[3]], s[m[4]:m[5]]) {
			continue
		}
		b.WriteString(s[last:m[4]])
		for line := range strings.Lines(s[m[4]:m[5]]) {
			b.WriteString(r.value(line))
		}
		last = m[5]
	}
	return b.String() + s[last:]
}

// open reports whether a value cannot be a secret, whatever the name that stands before it: a switch, where a file is, or
// the beginning of a structure, whose own members are looked at.
func open(name, value string) bool {
	value = strings.Trim(value, "\"'\\,")
	return value == "true" || value == "false" || structure().MatchString(value) ||
		fileName().MatchString(name) && filePath().MatchString(value)
}

// value marks one value, not its quotes, the blanks around it, or what is marked already.
func (r *Redactor) value(s string) string {
	inner := strings.Trim(s, "\"'\\ \t\r\n")
	if strings.Trim(inner, "{}[]()…`,") == "" || marked().FindString(inner) == inner {
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

// json marks the members of a JSON document that hold secrets by their name, or by what they say once unescaped.
func (r *Redactor) json(data []byte, top hujson.Value) []byte {
	var b bytes.Buffer
	last := 0
	var walk func(v hujson.Value, secret, options bool)
	walk = func(v hujson.Value, secret, options bool) {
		switch x := v.Value.(type) {
		case *hujson.Object:
			for _, m := range x.Members {
				name := m.Name.Value.(hujson.Literal).String()
				inner := secret || named().MatchString(name) || name == "auth" ||
					options && strings.Contains(strings.ToLower(name), "key")
				walk(m.Value, inner, options || name == "log-opts")
			}
		case *hujson.Array:
			for _, e := range x.Elements {
				walk(e, secret, options)
			}
		case hujson.Literal:
			text := string(x)
			if x.Kind() == '"' {
				text = x.String()
			}
			hidden := strings.Contains(string(x), `\`) && text != r.RedactText(text) // which a pattern may not see while escaped
			if text == "" || !secret && !hidden {
				return
			}
			b.Write(data[last:v.StartOffset])
			b.WriteString(`"` + r.mark(text) + `"`)
			last = v.EndOffset
		}
	}
	walk(top, false, false)
	b.Write(data[last:])
	return b.Bytes()
}

// isEnv reports whether a file assigns environment variables.
func isEnv(file string) bool {
	dir, base := path.Split(file)
	return base == "environment" || strings.HasSuffix(base, ".env") || base == ".env" || strings.HasSuffix(base, "_environment") ||
		slices.Contains([]string{"/etc/default/", "/etc/sysconfig/", "/etc/conf.d/"}, dir)
}

// isUnit reports whether a file is a systemd unit or a drop-in of one.
func isUnit(file string) bool {
	ext := path.Ext(file)
	return slices.Contains([]string{".service", ".socket", ".timer", ".slice", ".mount", ".target"}, ext) ||
		ext == ".conf" && strings.HasSuffix(path.Dir(file), ".d")
}

// harmless reports whether a variable may be shown: it holds a number or a switch, or is known to hold no secret but
// such as RedactText finds. Any other value might be a secret, whatever its name.
func (r *Redactor) harmless(name, value string) bool {
	return !named().MatchString(name) && (trivial().MatchString(strings.Trim(value, "\"' \t\r")) || options().MatchString(name))
}

// env marks the values of an environment file, those included that go over several lines.
func (r *Redactor) env(data []byte) []byte {
	var b strings.Builder
	open := "" // what ends a value that goes on: a quote, or a newline
	for line := range strings.Lines(string(data)) {
		text := strings.TrimRight(line, "\r\n")
		trimmed := strings.TrimSpace(text)
		m := envLine().FindStringSubmatch(text)
		comment := trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';'
		if comment {
			m = envComment().FindStringSubmatch(text)
		}
		switch {
		case open != "":
			b.WriteString(r.value(line))
			if open == "\n" && !strings.HasSuffix(text, `\`) || open != "\n" && strings.Contains(text, open) {
				open = ""
			}
			continue
		case m == nil && !comment:
			b.WriteString(r.value(line))
		case m == nil || r.harmless(m[2], m[3]):
			b.WriteString(line)
		default:
			b.WriteString(m[1] + r.value(m[3]) + line[len(text):])
		}
		if comment || m == nil || m[3] == "" {
			continue
		}
		if q := m[3][:1]; (q == `"` || q == `'`) && !strings.Contains(m[3][1:], q) {
			open = q
		} else if strings.HasSuffix(text, `\`) {
			open = "\n"
		}
	}
	return []byte(b.String())
}

// unit marks what a unit puts into the environment or the credentials of its service, unless all of it is harmless.
func (r *Redactor) unit(data []byte) []byte {
	var b strings.Builder
	open := false
	for line := range strings.Lines(string(data)) {
		text := strings.TrimRight(line, "\r\n")
		m := unitEnv().FindStringSubmatch(text)
		switch {
		case open:
			b.WriteString(r.value(line))
		case m != nil && !r.allHarmless(m[2]):
			b.WriteString(m[1] + r.value(m[2]) + line[len(text):])
		default:
			b.WriteString(line)
		}
		open = (open || m != nil) && strings.HasSuffix(text, `\`)
	}
	return []byte(b.String())
}

func (r *Redactor) allHarmless(words string) bool {
	for _, w := range strings.Fields(words) {
		name, value, _ := strings.Cut(strings.Trim(w, `"'`), "=")
		if !r.harmless(name, value) {
			return false
		}
	}
	return true
}
