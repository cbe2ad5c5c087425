package source

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"example.com/harden/checks/budget"
)

// DotEnv reads an environment file as Compose does, and not as systemd: comments behind values, "export", names with
// colons, escapes, and variables in values. It gives values to names in order, each of which may use those before it;
// known counts more. A name whose value depends on what only a shell sets is taken out of values. An error says where
// it is and does not quote the file.
func DotEnv(data []byte, values, known map[string]string, b *budget.Budget) error {
	text := strings.ReplaceAll(strings.TrimPrefix(string(data), "\ufeff"), "\r\n", "\n")
	e := &envFile{rest: text, line: 1}
	for {
		name, more, err := e.name()
		if !more {
			return err
		}
		if e.inherits { // from the shell, of which nothing is known
			delete(values, name)
			continue
		}
		value, expands, err := e.value()
		if err != nil {
			return err
		}
		if expands && strings.Contains(value, "$") {
			if err := spendEnv(value, values, known, b, e.line); err != nil {
				return err
			}
			if value, err = expandEnv(value, values, known); err != nil {
				delete(values, name)
				continue
			}
		}
		values[name] = value
	}
}

// An envFile is what is left of an environment file. Source: compose-go dotenv/parser.go.
type envFile struct {
	rest     string
	line     int
	inherits bool // the name just read has no value
}

// name reads up to the value of the next assignment, if there are more.
func (e *envFile) name() (name string, more bool, err error) {
	for {
		e.take(len(e.rest) - len(strings.TrimLeftFunc(e.rest, unicode.IsSpace)))
		if !strings.HasPrefix(e.rest, "#") {
			break
		}
		line, _, _ := strings.Cut(e.rest, "\n")
		e.take(len(line))
	}
	if after, ok := strings.CutPrefix(e.rest, "export"); ok && strings.TrimLeftFunc(after, unicode.IsSpace) != after {
		e.take(len(e.rest) - len(strings.TrimLeftFunc(after, blank)))
	}
	end := strings.IndexAny(e.rest, "=:\n")
	if end < 0 { // Compose takes a name at the very end for none
		return "", false, nil
	}
	name = strings.TrimRightFunc(e.rest[:end], unicode.IsSpace)
	bad := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !strings.ContainsRune("_.-[]", r)
	}
	if strings.ContainsFunc(name, bad) {
		return "", false, fmt.Errorf("line %d is no assignment that Compose reads", e.line)
	}
	e.inherits = e.rest[end] == '\n'
	e.take(end + 1)
	if !e.inherits {
		e.take(len(e.rest) - len(strings.TrimLeftFunc(e.rest, blank)))
	}
	return name, true, nil
}

// value reads one value; expands tells whether variables in it count.
func (e *envFile) value() (value string, expands bool, err error) {
	if !strings.HasPrefix(e.rest, `"`) && !strings.HasPrefix(e.rest, "'") {
		line, _, _ := strings.Cut(e.rest, "\n")
		e.take(len(line))
		value, _, _ = strings.Cut(line, " #")
		return strings.TrimRightFunc(value, unicode.IsSpace), true, nil
	}
	quote := e.rest[0]
	var b strings.Builder
	for i := 1; i < len(e.rest); i++ {
		c := e.rest[i]
		switch {
		case c == quote:
			e.take(i + 1)
			if quote == '"' {
				return escapedEnv(b.String()), true, nil
			}
			return b.String(), false, nil
		case c == '\\' && i+1 < len(e.rest):
			if i++; e.rest[i] != quote {
				b.WriteByte('\\')
			}
			c = e.rest[i]
		}
		b.WriteByte(c)
	}
	return "", false, fmt.Errorf("line %d: a quotation mark has no end", e.line)
}

func (e *envFile) take(n int) {
	e.line += strings.Count(e.rest[:n], "\n")
	e.rest = e.rest[n:]
}

// blank reports whether a character is a space within a line.
func blank(r rune) bool { return r != '\n' && unicode.IsSpace(r) }

var envEscape = regexp.MustCompile(`\\(?:[abcfnrtv$"\\]|0\d{0,3})`)

// escapedEnv puts in what escapes in quotation marks stand for. A dollar that is escaped is written as Compose's own.
func escapedEnv(s string) string {
	return envEscape.ReplaceAllStringFunc(s, func(escape string) string {
		if escape == `\$` {
			return "$$"
		}
		escape = strings.Replace(escape, `\0`, `\`, 1)
		r, _, _, err := strconv.UnquoteChar(escape, '"')
		if err != nil {
			return escape
		}
		return string(r)
	})
}

// spendEnv spends what a value can grow to, and what it takes to find that out.
func spendEnv(value string, values, known map[string]string, b *budget.Budget, line int) error {
	size := len(value)
	for _, m := range referenceExpr().FindAllStringSubmatch(value, -1) {
		size += max(len(values[m[1]]), len(known[m[1]]))
	}
	if err := b.Spend(budget.Steps, len(value)*strings.Count(value, "${"), line); err != nil {
		return err
	}
	return b.Spend(budget.Text, size, line)
}

func expandEnv(value string, values, known map[string]string) (string, error) {
	unknown := false
	out, err := substituted(value, func(name string, hasDefault bool) (string, bool) {
		v, ok := known[name]
		if !ok {
			v, ok = values[name]
		}
		unknown = unknown || !ok && !hasDefault
		return v, ok || !hasDefault
	})
	if err == nil && unknown {
		err = ErrVariable
	}
	return out, err
}
