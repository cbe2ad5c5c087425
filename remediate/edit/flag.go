package edit

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"example.com/harden/checks/facts"
)

// Flag sets a long flag in a command line of systemd's ExecStart= or in a string of options, where it leaves exactly
// one: in the place of the last, which is the one that counts, else at the end. Name has no dashes. A value of true
// or false makes the flag a boolean one, which takes its value after an equals sign alone ("--icc false" is --icc
// and a stray word); any other flag may have its value in the next word.
//
// Flags that a variable brings in are not seen, nor are short names. It refuses a command run by a shell, several
// commands on one line, and values that would need escaping.
func Flag(line, name, value string) (string, error) {
	if err := oneLine("the value of --"+name, value, "\"'\\$%"); err != nil {
		return "", err
	}
	return setFlag(line, name, value == "true" || value == "false", &value)
}

// FlagList is Flag for a flag whose value is a list separated by commas: of all that its uses say the tokens of add
// and drop come and go, and the others stay.
func FlagList(line, name string, add, drop []string) (string, error) {
	for _, token := range append(slices.Clone(add), drop...) {
		if err := oneLine("the value of --"+name, token, "\"'\\$%"); err != nil {
			return "", err
		}
	}
	_, uses, err := findFlag(line, name, false)
	if err != nil {
		return "", err
	}
	var had []string
	for _, u := range uses {
		had = append(had, splitTokens(u.value)...)
	}
	has := strings.Join(mergeTokens(had, add, drop), ",")
	if has == "" {
		return setFlag(line, name, false, nil)
	}
	return setFlag(line, name, false, &has)
}

// splitTokens are the tokens of a list. Blanks are part of them, as they are to Kubernetes: it refuses the plugin "
// AlwaysAdmit".
func splitTokens(list string) []string {
	return slices.DeleteFunc(strings.Split(list, ","), func(t string) bool { return t == "" })
}

// EnvFlagList is FlagList in the options of an environment file, as EnvFlag is Flag.
func EnvFlagList(data []byte, variable, flag string, add, drop []string) ([]byte, error) {
	return envOptions(data, variable, func(options string) (string, error) { return FlagList(options, flag, add, drop) })
}

// RemoveFlag takes every occurrence of a long flag out of a command line, as Flag finds them. Boolean says whether
// the flag takes its value after an equals sign alone.
func RemoveFlag(line, name string, boolean bool) (string, error) {
	return setFlag(line, name, boolean, nil)
}

// EnvFlag sets a flag, as Flag does, in the options that an environment file of a systemd service assigns to a
// variable, as in DOCKER_OPTS="--icc=true -H fd://". The last assignment counts; where there is none one is added.
//
// It refuses a file in which anything goes over several lines and, for that variable, a value written with
// backslashes or in several quoted pieces.
func EnvFlag(data []byte, variable, flag, value string) ([]byte, error) {
	return envOptions(data, variable, func(options string) (string, error) { return Flag(options, flag, value) })
}

// RemoveEnvFlag takes every occurrence of a flag out of such options, as RemoveFlag does.
func RemoveEnvFlag(data []byte, variable, flag string, boolean bool) ([]byte, error) {
	return envOptions(data, variable, func(options string) (string, error) { return RemoveFlag(options, flag, boolean) })
}

// envOptions edits the options that a variable has, which are none where nothing assigns it.
func envOptions(data []byte, variable string, set func(string) (string, error)) ([]byte, error) {
	if !word(variable, "_") || variable[0] <= '9' {
		return nil, fmt.Errorf("%q is not the name of an environment variable", variable)
	}
	old, err := envLines(data)
	if err != nil {
		return nil, err
	}
	target := -1
	want := make([]facts.Assignment, len(old))
	for i, a := range old {
		want[i] = a.Assignment
		if a.Name == variable {
			target = i
		}
	}
	var s splice
	if target < 0 {
		options, err := set("")
		if err != nil {
			return nil, err
		}
		if options == "" {
			return data, nil
		}
		text, err := requote(`""`, "", options)
		if err != nil {
			return nil, err
		}
		s = appendLine(data, variable+"="+text, eol(data))
		want = append(want, facts.Assignment{Name: variable, Value: options})
	} else {
		a := old[target]
		options, err := set(a.Value)
		if err != nil {
			return nil, facts.At(data, a.start, err.Error())
		}
		if options == a.Value {
			return data, nil
		}
		text, err := requote(string(data[a.start:a.end]), a.Value, options)
		if err != nil {
			return nil, facts.At(data, a.start, err.Error())
		}
		s = splice{a.start, a.end, text}
		want[target].Value = options
	}
	after := s.apply(data)
	if !slices.Equal(facts.ParseEnv(after), want) {
		return nil, errProof
	}
	return after, nil
}

// requote writes options the way raw writes value.
func requote(raw, value, options string) (string, error) {
	quote := ""
	switch raw {
	case `"` + value + `"`, `'` + value + `'`:
		quote = raw[:1]
	case value:
		if strings.ContainsAny(options, " \t") && !strings.ContainsAny(raw, " \t") {
			quote = `"` // systemd needs none, but a shell that reads the same file would take the second word as a command
		}
	default:
		return "", errors.New("the value is written with backslashes or in several quoted pieces")
	}
	if strings.Contains(options, `\`) || quote != "" && strings.Contains(options, quote) {
		return "", errors.New("the value would need escaping")
	}
	return quote + options + quote, nil
}

// An envLine is an assignment of an environment file; data[start:end] is its value as written.
type envLine struct {
	facts.Assignment
	start, end int
}

// envLines reads an environment file line by line, and refuses one that has a line which goes on in the next.
func envLines(data []byte) ([]envLine, error) {
	var all []envLine
	offset := 0
	for line := range strings.Lines(string(data)) {
		start := offset
		offset += len(line)
		one := facts.ParseEnv([]byte(line))
		probe := facts.ParseEnv([]byte(strings.TrimRight(line, "\r\n") + "\nX="))
		if !slices.Equal(probe, append(slices.Clone(one), facts.Assignment{Name: "X"})) {
			return nil, facts.At(data, start, "the line goes on in the next: edit it yourself")
		}
		if len(one) == 0 {
			continue
		}
		_, raw, _ := strings.Cut(line, "=")
		end := offset - len(raw) + len(strings.TrimRight(raw, " \t\r\n"))
		begin := offset - len(strings.TrimLeft(raw, " \t\r\n"))
		all = append(all, envLine{one[0], min(begin, end), end})
	}
	return all, nil
}

// A use is one occurrence of a flag: the words from first to last, and its value.
type use struct {
	first, last int
	value       string
}

// setFlag leaves one use of a flag with the value, or none where value is nil.
func setFlag(line, name string, boolean bool, value *string) (string, error) {
	if !word(name, "-_") || strings.HasPrefix(name, "-") {
		return "", fmt.Errorf("%q is not the name of a flag", name)
	}
	words, uses, err := findFlag(line, name, boolean)
	if err != nil {
		return "", err
	}
	others := rest(words, uses)
	drop := uses
	var edits []splice
	if value != nil && len(uses) > 0 {
		drop = uses[:len(uses)-1]
	}
	edits = append(edits, dropUses(words, drop)...)
	switch {
	case value == nil:
	case len(uses) == 0:
		edits = append(edits, appendWord(words, quoteWord("--"+name+"="+*value)))
	default:
		kept := uses[len(uses)-1]
		if kept.value == *value {
			break
		}
		last, text := words[kept.last], *value
		if kept.first == kept.last {
			text = "--" + name + "=" + *value
		}
		edits = append(edits, splice{last.start, last.end, quoteWord(text)})
	}
	after := string(applyAll([]byte(line), edits))
	if err := proveFlag(after, name, boolean, value, others); err != nil {
		return "", err
	}
	return after, nil
}

// proveFlag parses a command line again: the flag as wanted, and every other word as before.
func proveFlag(after, name string, boolean bool, value *string, others []string) error {
	words, uses, err := findFlag(after, name, boolean)
	ok := err == nil && slices.Equal(rest(words, uses), others)
	if value == nil {
		ok = ok && len(uses) == 0
	} else {
		ok = ok && len(uses) == 1 && uses[0].value == *value
	}
	if !ok {
		return errProof
	}
	return nil
}

// rest is the words that are no part of the uses.
func rest(words []token, uses []use) []string {
	var others []string
	next := 0
	for _, u := range uses { // they are in order
		for _, w := range words[next:u.first] {
			others = append(others, w.text)
		}
		next = u.last + 1
	}
	for _, w := range words[next:] {
		others = append(others, w.text)
	}
	return others
}

// dropUses takes uses out, each together with the blanks before it; those that come first with the blanks behind them.
func dropUses(words []token, drop []use) (edits []splice) {
	first := 0 // the first word that stays
	for len(drop) > 0 && drop[0].first == first {
		first, drop = drop[0].last+1, drop[1:]
	}
	switch {
	case first == 0:
	case first == len(words):
		edits = append(edits, splice{words[0].start, words[first-1].end, ""})
	default:
		edits = append(edits, splice{words[0].start, words[first].start, ""})
	}
	for _, u := range drop {
		edits = append(edits, splice{words[u.first-1].end, words[u.last].end, ""})
	}
	return edits
}

// appendWord adds a word after the last one, or before the "--" that ends the flags.
func appendWord(words []token, text string) splice {
	if i := slices.IndexFunc(words, func(w token) bool { return w.text == "--" }); i >= 0 {
		return splice{words[i].start, words[i].start, text + " "}
	}
	if len(words) == 0 {
		return splice{0, 0, text}
	}
	end := words[len(words)-1].end
	return splice{end, end, " " + text}
}

func quoteWord(s string) string {
	if strings.ContainsAny(s, " \t;") {
		return `"` + s + `"`
	}
	return s
}

// findFlag splits a command line and finds the uses of a flag in it.
func findFlag(line, name string, boolean bool) ([]token, []use, error) {
	words, err := tokens(line)
	if err != nil {
		return nil, nil, err
	}
	if len(words) > 0 && facts.IsShell(strings.TrimLeft(words[0].text, "-+!|:@")) {
		return nil, nil, fmt.Errorf("the command is run by %s: edit it yourself", path.Base(words[0].text))
	}
	var uses []use
	for i := 0; i < len(words); i++ {
		w := words[i]
		value, assigned := strings.CutPrefix(w.text, "--"+name+"=")
		switch {
		case w.text == "--":
			return words, uses, nil
		case w.text == ";" && line[w.start:w.end] == ";":
			return nil, nil, fmt.Errorf("column %d: several commands on one line: edit it yourself", w.column)
		case assigned:
			uses = append(uses, use{i, i, value})
		case w.text != "--"+name:
		case boolean:
			uses = append(uses, use{i, i, "true"})
		case i+1 == len(words):
			return nil, nil, fmt.Errorf("column %d: --%s has no value", w.column, name)
		default:
			uses = append(uses, use{i, i + 1, words[i+1].text})
			i++
		}
	}
	return words, uses, nil
}

// A token is one word of a command line: line[start:end], and what it says without quotes and backslashes.
type token struct {
	start, end, column int
	text               string
}

// tokens splits a line at blanks as systemd does: quotes of either kind group anywhere in a word, a backslash takes
// the next character even between quotes. Source: systemd src/basic/extract-word.c.
func tokens(line string) ([]token, error) {
	var all []token
	var text strings.Builder
	var quote byte
	start := -1
	counted, characters := 0, 0 // up to where, and how many
	column := func(i int) int {
		if i < counted {
			return utf8.RuneCountInString(line[:i]) + 1
		}
		characters += utf8.RuneCountInString(line[counted:i])
		counted = i
		return characters + 1
	}
	flush := func(end int) {
		if start >= 0 {
			all = append(all, token{start, end, column(start), text.String()})
			text.Reset()
			start = -1
		}
	}
	for i := 0; i < len(line); i++ {
		c := line[i]
		blank := quote == 0 && strings.IndexByte(" \t\r\n", c) >= 0
		if blank {
			flush(i)
			continue
		}
		if start < 0 {
			start = i
		}
		switch {
		case c == '\\':
			if i++; i == len(line) {
				return nil, fmt.Errorf("column %d: a backslash with nothing after it", column(i-1))
			}
			text.WriteByte(line[i])
		case c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		default:
			text.WriteByte(c)
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("column %d: a quote that is not closed", column(start))
	}
	flush(len(line))
	return all, nil
}
