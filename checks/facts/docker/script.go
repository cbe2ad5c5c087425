package docker

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"example.com/harden/checks/budget"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
)

// A script knows what a service's script assigns to variables without running it. What it cannot follow is unknown, and
// so is all that is made from it.
type script struct {
	host    *facts.Host
	vars    map[string]shellValue
	cost    *budget.Budget
	sourced int
	nested  int // values in values
	// why variables that nothing is known to assign may have a value all the same
	anything string
}

// get is what a variable is known to be.
func (s *script) get(name string) (v shellValue, set bool) {
	v, set = s.vars[name]
	if !set && s.anything != "" {
		return shellValue{unknown: s.anything}, true
	}
	return v, set
}

// A shellValue is the text of a variable, in parts by where they are written.
type shellValue struct {
	parts   []shellPart
	unknown string // why the text is not known
}

type shellPart struct {
	text, file string
	variable   string // whose assignment in the file it is; empty in the script itself, which is its package's
	by         want.Authority
}

func (v shellValue) text() string {
	var b strings.Builder
	for _, p := range v.parts {
		b.WriteString(p.text)
	}
	return b.String()
}

// The most that is followed of a script: files that it reads by ".", and values in values.
const (
	maxSourced = 16
	maxNested  = 16
)

// run takes up the assignments of a file. Those in functions and under conditions make a variable unknown.
func (s *script) run(f facts.File, by want.Authority) error {
	r := &shellReader{script: s, text: strings.ReplaceAll(string(f.Data), "\\\n", " "), file: f.Path, by: by}
	r.packaged = strings.HasPrefix(r.text, "#!")
	for r.at < len(r.text) {
		if err := r.statement(); err != nil {
			return err
		}
	}
	return nil
}

type shellReader struct {
	*script
	text, file string
	by         want.Authority
	packaged   bool // a program of its package's, not a file of settings
	at         int
	blocks     []string // that are open: "if", "for", "case", "{", "()"
}

// blockEnds are the words that end what others begin.
var blockEnds = map[string]string{"if": "fi", "case": "esac", "for": "done", "while": "done", "until": "done", "{": "}",
	"()": "}"}

// statement reads one command to its end.
func (r *shellReader) statement() error {
	first, conditional := true, false
	for {
		word, ended := r.word()
		if ended && word == "" {
			return nil
		}
		name, value, assigns := strings.Cut(word, "=")
		switch {
		case word == "&&" || word == "||":
			first, conditional = true, true
			continue
		case word == "export" || word == "then" || word == "do" || word == "else" || word == "readonly":
			continue
		case first && (word == "." || word == "source"):
			file, _ := r.word()
			if err := r.source(file); err != nil {
				return err
			}
		case first && r.changes(word, conditional):
			return nil
		case (first || word == "()") && r.block(word):
			if word == "{" || word == "}" || strings.HasSuffix(word, "()") || word == "if" || word == "while" {
				continue
			}
		case strings.HasSuffix(word, ")") && len(r.blocks) > 0: // what a case matches
			first = true
			continue
		case first && assigns && facts.ValidVariable(strings.TrimSuffix(name, "+")):
			r.assign(strings.TrimSuffix(name, "+"), value, conditional || strings.HasSuffix(name, "+"))
			if !ended {
				continue
			}
		case word == ":":
			r.defaults()
			return nil
		default:
			first = false
		}
		if ended {
			return nil
		}
	}
}

// block keeps count of what is open.
func (r *shellReader) block(word string) bool {
	if strings.HasSuffix(word, "()") {
		r.blocks = append(r.blocks, "()")
		return true
	}
	if last := len(r.blocks) - 1; last >= 0 {
		if word == "{" && r.blocks[last] == "()" {
			return true
		}
		if word == blockEnds[r.blocks[last]] {
			r.blocks = r.blocks[:last]
			return true
		}
	}
	if _, ok := blockEnds[word]; ok {
		r.blocks = append(r.blocks, word)
		return true
	}
	return false
}

// word reads the next word of a statement as it is written, quotes included. It reports the end of the statement.
func (r *shellReader) word() (word string, ended bool) {
	for r.at < len(r.text) && (r.text[r.at] == ' ' || r.text[r.at] == '\t') {
		r.at++
	}
	start, quote, depth := r.at, byte(0), 0
	for ; r.at < len(r.text); r.at++ {
		c := r.text[r.at]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			} else if c == '\\' && quote == '"' {
				r.at++
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '\\':
			r.at++
		case c == '{' && r.at > start && r.text[r.at-1] == '$':
			depth++
		case c == '}' && depth > 0:
			depth--
		case depth > 0:
		case c == '#' && r.at == start:
			for r.at < len(r.text) && r.text[r.at] != '\n' {
				r.at++
			}
			r.at = min(r.at+1, len(r.text))
			return "", true
		case c == '\n' || c == ';':
			word = r.text[start:r.at]
			r.at++
			return word, true
		case c == ' ' || c == '\t':
			return r.text[start:r.at], false
		}
	}
	r.at = min(r.at, len(r.text))
	return r.text[start:r.at], true
}

// assign notes what a variable becomes. A function may run after the command line has been put together: of those only
// what assigns the command line itself counts.
func (r *shellReader) assign(name, raw string, conditional bool) {
	for _, b := range r.blocks {
		conditional = conditional || b != "()"
		if b == "()" && !strings.HasPrefix(name, "command") && name != "supervisor" {
			return
		}
	}
	if conditional || len(r.blocks) > 0 {
		r.vars[name] = shellValue{unknown: "set in a function or under a condition in " + r.file}
		return
	}
	r.vars[name] = r.expand(raw, name)
}

// defaults reads ": ${NAME:=value}".
func (r *shellReader) defaults() {
	for {
		word, ended := r.word()
		body, ok := strings.CutPrefix(strings.Trim(word, `"`), "${")
		if name, value, is := strings.Cut(strings.TrimSuffix(body, "}"), "="); ok && is {
			name = strings.TrimSuffix(name, ":")
			if old, set := r.get(name); !set || old.unknown == "" && old.text() == "" {
				r.assign(name, value, false)
			}
		}
		if ended {
			return
		}
	}
}

// changes takes up a command that changes variables otherwise than by an assignment.
func (r *shellReader) changes(command string, conditional bool) bool {
	if command != "unset" && command != "eval" && command != "read" {
		return false
	}
	plain := command == "unset" && !conditional && len(r.blocks) == 0
	why := command + " in " + r.file
	for ended := false; !ended; {
		var name string
		name, ended = r.word()
		_, set := r.vars[name]
		switch {
		case plain:
			delete(r.vars, name)
		case command == "read" || set:
			r.vars[name] = shellValue{unknown: why}
		}
	}
	if command == "eval" && !slices.Contains(r.blocks, "()") {
		clear(r.vars)
		r.anything = why
	}
	return true
}

// source runs a file that the script reads, where there is one.
func (r *shellReader) source(raw string) error {
	v := r.expand(raw, "")
	if r.sourced++; v.unknown != "" || r.sourced > maxSourced {
		return fmt.Errorf("%s: it reads %s, which is not followed", r.file, raw)
	}
	f, err := r.host.File(v.text())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return r.run(f, min(r.by, r.host.Vouch(f.Path, r.by)))
}

// expand reads a value as the shell would: quotes go, variables come in.
func (r *shellReader) expand(raw, variable string) (v shellValue) {
	if r.nested++; r.nested > maxNested {
		return shellValue{unknown: "nested too deeply in " + r.file}
	}
	defer func() {
		r.nested--
		if err := r.cost.Spend(budget.Text, len(v.text()), 0); err != nil {
			v = shellValue{unknown: err.Error()}
		}
	}()
	if r.packaged {
		variable = ""
	}
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			v.parts = append(v.parts, shellPart{b.String(), r.file, variable, r.by})
			b.Reset()
		}
	}
	quote := byte(0)
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quote == '\'' && c != '\'':
			b.WriteByte(c)
		case c == '\\' && i+1 < len(raw):
			if i++; quote == '"' && !strings.ContainsRune("$`\"\\", rune(raw[i])) {
				b.WriteByte('\\')
			}
			b.WriteByte(raw[i])
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote != 0 && c == quote:
			quote = 0
		case c == '`':
			return shellValue{unknown: "made by a program in " + r.file}
		case c == '$':
			flush()
			in, used := r.variable(raw[i:])
			if in.unknown != "" {
				return in
			}
			const perPart = 64 // bytes, about
			if err := r.cost.Spend(budget.Text, perPart*len(in.parts), 0); err != nil {
				return shellValue{unknown: err.Error()}
			}
			v.parts = append(v.parts, in.parts...)
			i += used - 1
		default:
			b.WriteByte(c)
		}
	}
	flush()
	return v
}

// variable reads $NAME, ${NAME} and ${NAME:-value} at the beginning of a text and returns how long that is.
func (r *shellReader) variable(text string) (v shellValue, used int) {
	unknown := shellValue{unknown: fmt.Sprintf("made from %s in %s", clip(text), r.file)}
	if !strings.HasPrefix(text, "${") {
		end := 1
		for end < len(text) && facts.ValidVariable("_"+text[end:end+1]) {
			end++
		}
		if !facts.ValidVariable(text[1:end]) {
			return unknown, 0
		}
		v, _ := r.get(text[1:end])
		return v, end
	}
	end, depth := 2, 1
	for ; end < len(text) && depth > 0; end++ {
		switch text[end] {
		case '{':
			depth++
		case '}':
			depth--
		}
	}
	if depth > 0 {
		return unknown, 0
	}
	body := text[2 : end-1]
	stop := strings.IndexFunc(body, func(c rune) bool { return c >= 0x80 || !facts.ValidVariable("_"+string(c)) })
	if stop < 0 {
		stop = len(body)
	}
	name, rest := body[:stop], body[stop:]
	if !facts.ValidVariable(name) {
		return unknown, 0
	}
	old, set := r.get(name)
	empty := old.unknown == "" && old.text() == ""
	switch {
	case rest == "":
		return old, end
	case strings.HasPrefix(rest, ":-"), strings.HasPrefix(rest, ":="):
		if !empty {
			return old, end
		}
		return r.expand(rest[2:], ""), end
	case strings.HasPrefix(rest, "-"):
		if set {
			return old, end
		}
		return r.expand(rest[1:], ""), end
	case strings.HasPrefix(rest, ":+"), strings.HasPrefix(rest, "+"):
		if old.unknown != "" {
			return old, end
		}
		if rest[0] == ':' && empty || !set {
			return shellValue{}, end
		}
		return r.expand(strings.TrimLeft(rest, ":+"), ""), end
	}
	return unknown, 0
}

func clip(text string) string { return text[:min(len(text), 40)] }
