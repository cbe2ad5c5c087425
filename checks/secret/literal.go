package secret

import (
	"strings"
	"unicode"
)

// Literals are the parts of a value that stand for themselves, where its name says that it is a secret: not references
// to variables, nor what names a file or switches something.
func Literals(value string) []Span {
	bare := strings.Trim(value, "\"'\\ \t\r\n,;")
	switch strings.ToLower(bare) {
	case "", "true", "false", "yes", "no", "on", "off", "null", "none", "nil", "~", "0", "1", "-", "|", ">", "|-", ">-":
		return nil
	}
	if Marked().FindString(bare) == bare || secretPath(bare) {
		return nil
	}
	spans := apart(value, true)
	if len(spans) > 0 { // beside other characters a dollar may be one of the secret's own
		spans = apart(value, false)
	}
	return spans
}

// secretPath reports whether a value is where a secret is kept.
func secretPath(value string) bool {
	if strings.HasPrefix(value, "/run/secrets/") || strings.HasPrefix(value, "/var/run/secrets/") {
		return true
	}
	if !FilePath().MatchString(value) || strings.Count(value, "/") < 2 {
		return false
	}
	for _, end := range []string{".pem", ".key", ".crt", ".txt", ".json", ".yaml", ".yml", ".conf",
		".csv", ".jwt", ".token", ".sock", ".kubeconfig"} {
		if strings.HasSuffix(value, end) {
			return true
		}
	}
	return false
}

// apart takes a text apart into references and what is between them. bare says whether $NAME is a reference, or only
// ${NAME} is, $(NAME) and {{…}}.
func apart(text string, bare bool) (spans []Span) {
	from := 0
	between := func(to int) {
		says := func(c rune) bool { return unicode.IsLetter(c) || unicode.IsDigit(c) || c > unicode.MaxASCII }
		if strings.ContainsFunc(text[from:to], says) {
			spans = append(spans, Span{from, to})
		}
	}
	for i := 0; i < len(text); {
		n, inner := Reference(text[i:], bare)
		if n == 0 && strings.HasPrefix(text[i:], "$$") { // Compose's way to write a dollar for the shell inside
			if n, inner = Reference(text[i+1:], bare); n > 0 {
				n, inner = n+1, Shifted(inner, 1)
			} else {
				i++
			}
		}
		if n == 0 {
			i++
			continue
		}
		between(i)
		spans = append(spans, Shifted(inner, i)...)
		i += n
		from = i
	}
	between(len(text))
	return spans
}

// Window is how far a search for an end goes, so that a text full of beginnings takes no more than its length.
const Window = 4096

// Reference is how long the reference is that a text begins with, 0 where it begins with none, and what in it stands
// for itself: a default.
func Reference(text string, bare bool) (n int, inner []Span) {
	text = text[:min(len(text), Window)]
	switch {
	case MarkLength(text) > 0:
		return MarkLength(text), nil
	case strings.HasPrefix(text, "{{"):
		if end := strings.Index(text, "}}"); end > 0 {
			return end + 2, nil
		}
	case strings.HasPrefix(text, "${{"):
		if end := strings.Index(text, "}}"); end > 0 {
			return end + 2, nil
		}
	case strings.HasPrefix(text, "${"):
		return braced(text)
	case strings.HasPrefix(text, "$("):
		end := strings.IndexByte(text, ')')
		if end > 0 && (NameLength(text[2:]) == end-2 || strings.HasPrefix(text[2:], "cat /")) {
			return end + 1, nil
		}
	case bare && strings.HasPrefix(text, "$"):
		n = NameLength(text[1:])
		if n >= 2 && text[1:1+n] == strings.ToUpper(text[1:1+n]) {
			return 1 + n, nil
		}
	}
	return 0, nil
}

// MarkLength is how long the mark is that a text begins with, 0 where it begins with none.
func MarkLength(text string) int {
	if !strings.HasPrefix(text, "‹redacted ") {
		return 0
	}
	const longest = 64
	if m := Marked().FindStringIndex(text[:min(len(text), longest)]); m != nil && m[0] == 0 {
		return m[1]
	}
	return 0
}

func braced(text string) (n int, inner []Span) {
	depth := 0
	for i := range len(text) {
		switch text[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth > 0 {
				continue
			}
			name := NameLength(text[2:])
			if name == 0 {
				return 0, nil
			}
			rest := 2 + name
			op := strings.TrimPrefix(text[rest:i], ":")
			if op != "" && (op[0] == '-' || op[0] == '+' || op[0] == '=') {
				from := i - len(op) + 1
				inner = Shifted(Literals(text[from:i]), from)
			}
			return i + 1, inner
		case '\n':
			return 0, nil
		}
	}
	return 0, nil
}

// NameLength is how long the name of a variable is that a text begins with.
func NameLength(text string) int {
	for i, c := range []byte(text) {
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return i
		}
	}
	return len(text)
}
