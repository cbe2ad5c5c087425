package edit

import (
	"bytes"
	"errors"
	"slices"
	"strings"
)

// AuditRule adds a rule to harden's own file of audit rules, after those that are there and before a -e 2, which
// locks the rules until the next boot. A rule that is there already, blanks aside, is not added again. Nil data means
// that there is no file yet. The rule's line ends in a bare newline even among others: auditctl takes a carriage
// return as a part of the last word.
func AuditRule(data []byte, rule string) ([]byte, error) {
	if err := oneLine("the rule", rule, ""); err != nil {
		return nil, err
	}
	want := strings.Fields(rule)
	if len(want) == 0 || want[0][0] == '#' {
		return nil, errors.New("the rule is empty")
	}
	if data == nil {
		data = []byte(header)
	}
	lock, offset := -1, 0
	for line := range bytes.Lines(data) {
		words := strings.FieldsFunc(string(line), func(r rune) bool { return r == ' ' || r == '\t' || r == '\n' })
		if slices.Equal(words, want) {
			return data, nil
		}
		if lock < 0 && locks(words) {
			lock = offset
		}
		offset += len(line)
	}
	if lock >= 0 {
		return splice{lock, lock, rule + "\n"}.apply(data), nil
	}
	return appendLine(data, rule, "\n").apply(data), nil
}

// Line adds a line to a file of harden's own whose lines stand for themselves, such as tmpfiles.d(5) has them, unless
// it is there already. Nil data means that there is no file yet.
func Line(data []byte, line string) ([]byte, error) {
	if err := oneLine("the line", line, ""); err != nil {
		return nil, err
	}
	if data == nil {
		data = []byte(header)
	}
	for l := range bytes.Lines(data) {
		if strings.TrimRight(string(l), "\r\n") == line {
			return data, nil
		}
	}
	return appendLine(data, line, "\n").apply(data), nil
}

// locks reports whether a line holds -e 2.
func locks(words []string) bool {
	i := slices.Index(words, "-e")
	return i >= 0 && i+1 < len(words) && strings.TrimSpace(words[i+1]) == "2" && words[0][0] != '#'
}
