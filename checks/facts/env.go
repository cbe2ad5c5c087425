package facts

import "strings"

// An Assignment is one NAME=VALUE of an environment file.
type Assignment struct{ Name, Value string }

// ParseEnv reads an environment file as systemd's EnvironmentFile= does: comments at the start of a line, quotes
// that group and go away, a backslash that takes the next character or continues the line, no expansion, and lines
// that are no assignment passed over. Source: systemd src/basic/env-file.c as documented in systemd.exec(5).
func ParseEnv(data []byte) []Assignment {
	var all []Assignment
	s := string(data)
	for s != "" {
		s = strings.TrimLeft(s, " \t\r\n")
		if strings.HasPrefix(s, "#") || strings.HasPrefix(s, ";") {
			s = afterComment(s)
			continue
		}
		end := strings.IndexAny(s, "=\n")
		if end < 0 {
			break
		}
		name := strings.TrimRight(s[:end], " \t\r")
		if s[end] == '\n' {
			s = s[end+1:]
			continue
		}
		var value string
		value, s = envValue(s[end+1:])
		if ValidVariable(name) {
			all = append(all, Assignment{name, value})
		}
	}
	return all
}

// afterComment skips a comment, which a backslash at the end of its line continues.
func afterComment(s string) string {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '\n':
			return s[i+1:]
		}
	}
	return ""
}

// envValue reads one value and returns what follows its line. Quotes count only where a value, or what follows a
// closed quote, begins; blanks at the end count only inside quotes.
func envValue(s string) (value, rest string) {
	var b strings.Builder
	keep := 0 // how much of b trailing blanks must not be cut from
	begin := true
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\n':
			return b.String()[:keep] + strings.TrimRight(b.String()[keep:], " \t\r"), s[i+1:]
		case begin && (c == ' ' || c == '\t' || c == '\r'):
		case begin && (c == '"' || c == '\''):
			i = quoted(s, i, &b)
			keep = b.Len()
		case c == '\\':
			begin = false
			if i++; i < len(s) && s[i] != '\n' {
				b.WriteByte(s[i])
				keep = b.Len()
			}
		default:
			begin = false
			b.WriteByte(c)
		}
	}
	return b.String()[:keep] + strings.TrimRight(b.String()[keep:], " \t\r"), ""
}

// quoted copies the quoted text that starts at s[i] and returns where its closing quote is.
func quoted(s string, i int, b *strings.Builder) int {
	quote := s[i]
	for i++; i < len(s) && s[i] != quote; i++ {
		if s[i] != '\\' || quote == '\'' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch {
		case strings.IndexByte("\"\\`$", s[i]) >= 0:
			b.WriteByte(s[i])
		case s[i] != '\n':
			b.WriteByte('\\')
			b.WriteByte(s[i])
		}
	}
	return i
}
