package edit

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"example.com/harden/checks/facts"
)

// Unit makes a systemd drop-in of harden's own set a key of a section to exactly these values, in this order, and to
// nothing else. A key that systemd collects into a list, and any key that is given several values, is reset by an
// empty assignment first. Without values the key's lines go away. Nil data means that there is no file yet.
//
// It refuses a line that is neither a comment, a section nor an assignment, and a continuation that nothing follows.
func Unit(data []byte, section, key string, values ...string) ([]byte, error) {
	if !word(section, "-") || !word(key, "-") {
		return nil, fmt.Errorf("[%s] %s= is not a setting of a unit", section, key)
	}
	for _, v := range values {
		if err := oneLine(key+"=", v, ""); err != nil {
			return nil, err
		}
		if strings.TrimSpace(v) != v || strings.HasSuffix(v, `\`) {
			return nil, fmt.Errorf("%s= cannot begin or end in a blank, nor end in a backslash", key)
		}
	}
	old, err := unitLines(data)
	if err != nil {
		return nil, err
	}
	if data == nil && len(values) > 0 {
		data = []byte(header)
	}
	want := slices.Clone(values)
	if len(values) > 1 || len(values) == 1 && isList(key) && values[0] != "" {
		want = append([]string{""}, values...)
	}
	mine := func(l unitLine) bool { return l.section == section && l.key == key }
	if slices.Equal(valuesOf(old, mine), want) {
		return data, nil
	}
	after := applyAll(data, unitEdits(data, old, mine, section, key, want))
	if eol := eol(data); len(data) > 0 && data[len(data)-1] != '\n' {
		after = bytes.TrimSuffix(after, []byte(eol))
	}
	if err := proveUnit(old, after, mine, want); err != nil {
		return nil, err
	}
	return after, nil
}

// UnitValue returns the value that a drop-in leaves a key with, the last one of a list; empty when it does not set
// it or ends on a reset.
func UnitValue(data []byte, section, key string) (string, error) {
	lines, err := unitLines(data)
	if err != nil {
		return "", err
	}
	values := valuesOf(lines, func(l unitLine) bool { return l.section == section && l.key == key })
	if len(values) == 0 {
		return "", nil
	}
	return values[len(values)-1], nil
}

// CommandLine is what a drop-in is to repeat of a unit's command: what an earlier fix has written there, else the
// command on one line. A tab outside of quotes separates words as a blank does, and a line continued by a backslash
// often begins with one.
func CommandLine(dropIn []byte, command string) string {
	if mine, err := UnitValue(dropIn, "Service", "ExecStart"); err == nil && mine != "" {
		return mine
	}
	line := []byte(command)
	var quote byte
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\':
			i++
		case c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote == 0 && c == '\t':
			line[i] = ' '
		}
	}
	return string(line)
}

// isList reports whether assignments of a key add up unless an empty one comes first. Source: systemd.service(5),
// systemd.socket(5), systemd.exec(5).
func isList(key string) bool {
	return strings.HasPrefix(key, "Exec") || strings.HasPrefix(key, "Listen") || strings.HasPrefix(key, "Environment")
}

// unitEdits puts the wanted lines where the key's first line is, else after the section's last line, else at the end.
func unitEdits(data []byte, old []unitLine, mine func(unitLine) bool, section, key string, want []string) []splice {
	eol := eol(data)
	var block string
	for _, v := range want {
		block += key + "=" + v + eol
	}
	var edits []splice
	after := -1
	for i, l := range old {
		if l.section == section {
			after = i
		}
		if mine(l) {
			edits = append(edits, splice{l.start, l.end, ""})
		}
	}
	if len(edits) > 0 {
		edits[0].text = block
		return edits
	}
	place := len(data)
	if after >= 0 {
		place = old[after].end
	} else {
		block = "[" + section + "]" + eol + block
		if len(old) > 0 {
			block = eol + block
		}
	}
	if place == len(data) && place > 0 && data[place-1] != '\n' {
		block = eol + block
	}
	return []splice{{place, place, block}}
}

func proveUnit(old []unitLine, after []byte, mine func(unitLine) bool, want []string) error {
	now, err := unitLines(after)
	if err != nil || !slices.Equal(valuesOf(now, mine), want) {
		return errProof
	}
	others := func(lines []unitLine) (all []unitLine) {
		for _, l := range lines {
			if l.key != "" && !mine(l) {
				all = append(all, unitLine{section: l.section, key: l.key, value: l.value})
			}
		}
		return all
	}
	if !slices.Equal(others(old), others(now)) {
		return errProof
	}
	return nil
}

func valuesOf(lines []unitLine, mine func(unitLine) bool) []string {
	var values []string
	for _, l := range lines {
		if mine(l) {
			values = append(values, l.value)
		}
	}
	return values
}

// A unitLine is an assignment, or a section's head when key is empty: data[start:end], continuation lines and the
// newline included.
type unitLine struct {
	section, key, value string
	start, end          int
}

// unitLines reads a unit file. A backslash at the end of a line continues it, comments in between are passed over.
// Source: systemd.syntax(7).
func unitLines(data []byte) ([]unitLine, error) {
	var all []unitLine
	var section string
	var logical strings.Builder
	start, offset := -1, 0
	for line := range bytes.Lines(data) {
		begin := offset
		offset += len(line)
		text := strings.TrimRight(string(line), "\r\n")
		if bare := strings.TrimLeft(text, " \t"); bare == "" && start < 0 || strings.HasPrefix(bare, "#") ||
			strings.HasPrefix(bare, ";") {
			continue
		}
		if start < 0 {
			start = begin
		}
		if trailing := len(text) - len(strings.TrimRight(text, `\`)); trailing%2 == 1 {
			logical.WriteString(text[:len(text)-1] + " ")
			continue
		}
		l, err := unitEntry(strings.TrimSpace(logical.String()+text), section)
		if err != nil {
			return nil, facts.At(data, start, err.Error())
		}
		section = l.section
		l.start, l.end = start, offset
		all = append(all, l)
		start = -1
		logical.Reset()
	}
	if start >= 0 {
		return nil, facts.At(data, start, "the line is continued by a backslash, and nothing follows")
	}
	return all, nil
}

// unitEntry reads one logical line.
func unitEntry(text, section string) (unitLine, error) {
	if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
		return unitLine{section: text[1 : len(text)-1]}, nil
	}
	key, value, ok := strings.Cut(text, "=")
	key = strings.TrimSpace(key)
	switch {
	case !ok || key == "":
		return unitLine{}, fmt.Errorf("neither a section nor an assignment")
	case section == "":
		return unitLine{}, fmt.Errorf("an assignment before any section")
	}
	return unitLine{section: section, key: key, value: strings.TrimSpace(value)}, nil
}
