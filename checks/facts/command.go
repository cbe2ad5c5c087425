package facts

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"example.com/harden/checks/budget"
)

// command expands the last ExecStart= of a unit as systemd does before it starts the program.
func command(h *Host, u *Unit) ([]Token, error) {
	exec, ok := u.Get("Service", "ExecStart")
	if !ok {
		return nil, nil
	}
	vars, err := environment(h, u)
	if err != nil {
		return nil, err
	}
	u.Env = vars
	line := strings.TrimLeft(exec.Value, "-+!|:@")
	prefix := exec.Value[:len(exec.Value)-len(line)]
	words := SplitWords(line, true)
	if strings.Contains(prefix, "@") && len(words) > 1 {
		words = append(words[:1], words[2:]...) // the second word is only what the program sees as its own name
	}
	var argv []Token
	for i, w := range words {
		w = specifiers(w, u.Name)
		before := len(argv)
		if i == 0 || strings.Contains(prefix, ":") {
			argv = append(argv, Token{Text: w, File: exec.File, By: exec.By})
			continue
		}
		if err := grows(u.cost, w, vars); err != nil {
			return nil, err
		}
		argv = append(argv, expand(w, exec, vars)...)
		if err := u.cost.Spend(budget.Values, len(argv)-before, 0); err != nil {
			return nil, err
		}
	}
	return argv, nil
}

// grows spends what a word becomes at most: a short one may name a long variable often.
func grows(b *budget.Budget, word string, vars map[string]UnitVar) error {
	size := 0
	for part := range strings.SplitSeq(word, "$") {
		name := strings.TrimPrefix(part, "{")
		end := strings.IndexFunc(name, func(r rune) bool { return !ValidVariable("_" + string(r)) })
		if end < 0 {
			end = len(name)
		}
		size += len(part) + len(vars[name[:end]].Value)
	}
	return b.Spend(budget.Text, size, 0)
}

// expand replaces variables in one word: $NAME as a whole word becomes as many words as its value has, ${NAME}
// anywhere becomes its value as it is, $$ a dollar. Source: systemd.service(5), "Command lines".
func expand(word string, exec Setting, vars map[string]UnitVar) []Token {
	if name, ok := strings.CutPrefix(word, "$"); ok && ValidVariable(name) {
		var tokens []Token
		v := vars[name]
		for _, w := range SplitWords(v.Value, false) {
			t := Token{Text: w, File: v.File, By: min(exec.By, v.By)}
			if v.Own {
				t.Variable = name
			}
			tokens = append(tokens, t)
		}
		return tokens
	}
	var b strings.Builder
	by := exec.By
	for i := 0; i < len(word); i++ {
		if word[i] != '$' || i+1 == len(word) {
			b.WriteByte(word[i])
			continue
		}
		if word[i+1] == '$' {
			b.WriteByte('$')
			i++
			continue
		}
		end := strings.IndexByte(word[i:], '}')
		if word[i+1] == '{' && end > 0 && ValidVariable(word[i+2:i+end]) {
			v, set := vars[word[i+2:i+end]]
			b.WriteString(v.Value)
			if set {
				by = min(by, v.By)
			}
			i += end
			continue
		}
		b.WriteByte('$')
	}
	return []Token{{Text: b.String(), File: exec.File, By: by}}
}

// environment collects a service's variables: files override Environment=, later files earlier ones, and what
// UnsetEnvironment= names is gone in the end.
func environment(h *Host, u *Unit) (map[string]UnitVar, error) {
	vars := map[string]UnitVar{}
	for _, s := range u.All("Service", "Environment") {
		for _, w := range SplitWords(s.Value, true) {
			if name, value, ok := strings.Cut(specifiers(w, u.Name), "="); ok && ValidVariable(name) {
				vars[name] = UnitVar{Value: value, File: s.File, By: s.By}
			}
		}
	}
	for _, s := range u.All("Service", "EnvironmentFile") {
		file, optional := strings.CutPrefix(specifiers(s.Value, u.Name), "-")
		files, err := glob(h, file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", u.Name, err)
		}
		for _, p := range files {
			f, err := FileWithin(h, u.cost, p)
			if errors.Is(err, fs.ErrNotExist) && optional {
				continue
			}
			if errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("%s cannot start: EnvironmentFile=%s does not exist", u.Name, p)
			}
			if err != nil {
				return nil, err
			}
			by := h.Vouch(p, s.By)
			for _, a := range ParseEnv(f.Data) {
				vars[a.Name] = UnitVar{Value: a.Value, File: p, Own: true, By: by}
			}
		}
	}
	for _, s := range u.All("Service", "UnsetEnvironment") {
		for _, w := range SplitWords(s.Value, true) {
			name, value, exact := strings.Cut(specifiers(w, u.Name), "=")
			if !exact || vars[name].Value == value {
				delete(vars, name)
			}
		}
	}
	return vars, nil
}

// IsShell reports whether a program is a shell, which has its own way to read what it is passed.
func IsShell(program string) bool {
	return slices.Contains([]string{"sh", "ash", "bash", "dash", "ksh", "zsh", "busybox"}, path.Base(program))
}

// glob resolves the wildcards that EnvironmentFile= may have in its last component.
func glob(h *Host, pattern string) ([]string, error) {
	dir, base := path.Split(pattern)
	if !strings.ContainsAny(base, "*?[") {
		return []string{pattern}, nil
	}
	names, err := h.List(path.Clean(dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var matches []string
	for _, n := range names {
		if ok, _ := path.Match(base, n); ok {
			matches = append(matches, path.Join(dir, n))
		}
	}
	return matches, nil
}

// specifiers replaces what systemd knows of the unit itself; others are left as they are.
func specifiers(s, unit string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	stem := strings.TrimSuffix(unit, path.Ext(unit))
	return strings.NewReplacer("%%", "%", "%n", unit, "%N", stem, "%p", stem, "%t", "/run", "%S", "/var/lib",
		"%C", "/var/cache", "%L", "/var/log", "%E", "/etc").Replace(s)
}

// SplitWords splits as systemd does: at blanks, quotes group and go away, a backslash takes the next character. With
// escapes, \n, \t, \s and the like are what they are in C.
func SplitWords(s string, escapes bool) []string {
	var words []string
	var b strings.Builder
	var quote byte
	open := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s):
			i++
			if r, ok := cEscapes[s[i]]; escapes && ok {
				b.WriteByte(r)
			} else {
				b.WriteByte(s[i])
			}
			open = true
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			b.WriteByte(c)
		case c == '"' || c == '\'':
			quote, open = c, true
		case strings.IndexByte(" \t\n\r", c) >= 0:
			if open {
				words = append(words, b.String())
				b.Reset()
				open = false
			}
		default:
			b.WriteByte(c)
			open = true
		}
	}
	if open {
		words = append(words, b.String())
	}
	return words
}

var cEscapes = map[byte]byte{'a': '\a', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v', 's': ' '}

// ValidVariable reports whether a shell takes a word for the name of a variable.
func ValidVariable(s string) bool {
	for i, c := range []byte(s) {
		if c != '_' && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}
