package edit

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"example.com/harden/checks/facts"
)

// Env makes /etc/environment assign value to name. The file is read as pam_env does, which is neither a shell's way
// nor systemd's: a # starts a comment wherever it is, "export " is passed over, the last assignment wins, and a
// carriage return is a part of the value. So the edited line ends in a bare newline and has no blanks after the
// value; every other line keeps what it has. Nil data means that there is no file yet.
//
// It refuses a value that pam_env could not give back, and a line continued by a backslash, which not every
// version of pam_env reads.
func Env(data []byte, name, value string) ([]byte, error) {
	if !word(name, "_") || name[0] <= '9' {
		return nil, fmt.Errorf("%q is not the name of an environment variable", name)
	}
	if err := oneLine("the value of "+name, value, "#'\"\\"); err != nil {
		return nil, err
	}
	if strings.TrimSpace(value) != value {
		return nil, fmt.Errorf("the value of %s begins or ends in a blank, which pam_env does not keep", name)
	}
	old, err := pamAssignments(data)
	if err != nil {
		return nil, err
	}
	var s splice
	target := -1
	for i, a := range old {
		if a.name == name {
			target = i
		}
	}
	want := append([]pamAssignment{}, old...)
	if target < 0 {
		s = appendLine(data, name+"="+pamQuote(value, ""), "\n")
		want = append(want, pamAssignment{name: name, value: value})
	} else {
		a := old[target]
		if a.value == value {
			return data, nil
		}
		s = splice{a.start, a.end, pamQuote(value, string(data[a.start:a.end]))}
		want[target].value = value
	}
	after := s.apply(data)
	now, err := pamAssignments(after)
	same := func(a, b pamAssignment) bool { return a.name == b.name && a.value == b.value }
	if err != nil || !slices.EqualFunc(now, want, same) {
		return nil, errProof
	}
	return after, nil
}

// pamQuote writes a value with the quotes that the one before it had, and with double quotes where it holds blanks:
// pam_env does not need them, others who read the file do.
func pamQuote(value, before string) string {
	switch {
	case strings.HasPrefix(before, `'`):
		return `'` + value + `'`
	case strings.HasPrefix(before, `"`), strings.ContainsAny(value, " \t"):
		return `"` + value + `"`
	}
	return value
}

// A pamAssignment is one NAME=VALUE as pam_env reads it; data[start:end] is the value as written, with the blanks
// after it.
type pamAssignment struct {
	name, value string
	start, end  int
}

// pamAssignments reads /etc/environment. Source: Linux-PAM modules/pam_env/pam_env.c, _parse_env_file.
func pamAssignments(data []byte) ([]pamAssignment, error) {
	var all []pamAssignment
	offset := 0
	for line := range bytes.Lines(data) {
		start := offset
		offset += len(line)
		text := strings.TrimSuffix(string(line), "\n")
		end := len(text)
		if i := strings.IndexByte(text, '#'); i >= 0 {
			end = i
		}
		if blank := strings.TrimRight(text, " \t\r"); end == len(text) && strings.HasSuffix(blank, `\`) {
			return nil, facts.At(data, start+len(blank)-1,
				"a backslash at the end of the line, which not every pam_env takes alike")
		}
		if i := strings.IndexByte(text, 0); i >= 0 {
			return nil, facts.At(data, start+i, "a zero byte")
		}
		begin := len(text[:end]) - len(strings.TrimLeft(text[:end], " \t"))
		if strings.HasPrefix(text[begin:end], "export ") {
			begin += len("export ")
		}
		name, raw, ok := strings.Cut(text[begin:end], "=")
		if !ok || !word(name, "_") {
			continue
		}
		all = append(all, pamAssignment{name, pamValue(raw), start + end - len(raw), start + end})
	}
	return all, nil
}

// pamValue takes the quotes off a value. They are not matched up: one quote at the front makes pam_env drop it and a
// quote that ends the line. Blanks after a closing quote keep it from being that, and are kept here to show it.
func pamValue(raw string) string {
	if raw == "" || raw[0] != '"' && raw[0] != '\'' {
		return raw
	}
	raw = raw[1:]
	if strings.HasSuffix(raw, `"`) || strings.HasSuffix(raw, `'`) {
		raw = raw[:len(raw)-1]
	}
	return raw
}
