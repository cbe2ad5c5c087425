package diff

import (
	"path"
	"strings"

	"example.com/harden/checks/facts/source"
	"example.com/harden/checks/secret"
)

var (
	envLine = secret.Pattern(`^(\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*=\s*)(.*)$`)
	// A comment that was, or may become, an assignment: no blanks around the equals sign, as prose has them.
	envComment = secret.Pattern(`^(\s*[#;]+\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=)(.*)$`)
	unitLine   = secret.Pattern(`^\s*([A-Za-z][A-Za-z0-9]*)\s*=`)
	dockerLine = secret.Pattern(`(?i)^\s*(?:ONBUILD\s+)?([A-Z]+)\s+`)
	// ENV NAME VALUE, as of old.
	dockerOld = secret.Pattern(`(?i)^(\s*(?:ONBUILD\s+)?(?:ENV|LABEL)\s+)([A-Za-z_][A-Za-z0-9_.-]*)(\s+)([^\s=].*)$`)
)

// ofVariable finds the secrets in the value of a variable.
func ofVariable(name, value string) []span {
	if secret.Sensitive(name) || secret.Login(name, value) {
		return secret.Literals(value)
	}
	return append(inText(value), detected(value, name)...)
}

// inEnv finds the secrets of an environment file, those included that go over several lines. A line that is no
// assignment may be the rest of a value: all of it is hidden.
func inEnv(data string) (spans []span) {
	for at := 0; at < len(data); {
		line, _, _ := strings.Cut(data[at:], "\n")
		next := min(at+len(line)+1, len(data))
		text := strings.TrimRight(line, "\r")
		trimmed := strings.TrimSpace(text)
		comment := trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';'
		m := envLine().FindStringSubmatchIndex(text)
		if comment {
			m = envComment().FindStringSubmatchIndex(text)
		}
		switch {
		case m == nil && !comment:
			spans = append(spans, span{From: at, To: at + len(text)})
		case m == nil:
			spans = append(spans, secret.Shifted(append(inText(text), detected(text, "")...), at)...)
		default:
			from, end := at+m[6], at+len(text)
			if !comment {
				end = valueEnd(data, from, end)
				next = max(next, min(end+1, len(data)))
				if i := strings.IndexByte(data[end:], '\n'); i >= 0 && end > at+len(text) {
					next = end + i + 1
				}
			}
			spans = append(spans, secret.Shifted(ofVariable(text[m[4]:m[5]], data[from:end]), from)...)
		}
		at = next
	}
	return spans
}

// valueEnd is where a value ends that begins at from, on a line that ends at end: on a later line where a quote is
// open, or a backslash continues it.
func valueEnd(data string, from, end int) int {
	if from < end && (data[from] == '"' || data[from] == '\'') && !strings.Contains(data[from+1:end], data[from:from+1]) {
		if i := strings.IndexByte(data[from+1:], data[from]); i >= 0 {
			return from + 1 + i + 1
		}
		return len(data)
	}
	for end < len(data) && end > 0 && data[end-1] == '\\' {
		i := strings.IndexByte(data[end+1:], '\n')
		if i < 0 {
			return len(data)
		}
		end += 1 + i
	}
	return end
}

// logical calls with each logical line of a text: one that goes on behind a backslash, or a backtick, is one with the
// next.
func logical(data string, yield func(at int, line string)) {
	for at := 0; at < len(data); {
		end := at
		for {
			line, _, ok := strings.Cut(data[end:], "\n")
			end += len(line)
			trimmed := strings.TrimRight(line, " \t\r")
			comment := end-len(line) > at && (strings.TrimSpace(line) == "" || strings.HasPrefix(strings.TrimSpace(line), "#"))
			if !ok || !comment && !strings.HasSuffix(trimmed, `\`) && !strings.HasSuffix(trimmed, "`") {
				break
			}
			end++
		}
		yield(at, data[at:end])
		at = min(end+1, len(data))
	}
}

// inUnit finds the secrets of a unit: in the environment and the credentials that it sets, and in commands.
func inUnit(data string) (spans []span) {
	logical(data, func(at int, line string) {
		m := unitLine().FindStringSubmatchIndex(line)
		if m == nil {
			spans = append(spans, secret.Shifted(append(inText(line), detected(line, "")...), at)...)
			return
		}
		from := m[1]
		switch key, value := line[m[2]:m[3]], line[from:]; {
		case strings.HasPrefix(key, "SetCredential"):
			_, secret, _ := strings.Cut(value, ":")
			spans = append(spans, span{From: at + len(line) - len(secret), To: at + len(line)})
		case key == "Environment":
			spans = append(spans, secret.Shifted(inAssignments(value), at+from)...)
		default:
			spans = append(spans, secret.Shifted(append(inText(value), detected(value, "")...), at+from)...)
		}
	})
	return spans
}

// inAssignments finds the secrets in words NAME=VALUE. A word without a name may be the rest of the value before.
func inAssignments(text string) (spans []span) {
	hide, comment := false, 0 // until where a comment goes
	for _, w := range secret.Words(text) {
		raw := text[w.From:w.To]
		if raw[0] == '#' {
			if i := strings.IndexByte(text[w.From:], '\n'); i >= 0 {
				comment = w.From + i
			}
		}
		if w.From < comment {
			continue
		}
		name, _, ok := strings.Cut(w.Text, "=")
		eq := strings.IndexByte(raw, '=')
		switch {
		case ok && eq >= 0:
			name = strings.Trim(name, `"'`)
			found := ofVariable(name, raw[eq+1:])
			hide = secret.Sensitive(name) && len(found) > 0
			spans = append(spans, secret.Shifted(found, w.From+eq+1)...)
		case hide:
			spans = append(spans, span{From: w.From, To: w.To})
		}
	}
	return append(spans, append(byForm(text), detected(text, "digest")...)...)
}

// inDockerfile finds the secrets of a Dockerfile: in what ENV, ARG and LABEL set, and in the commands of the others.
func inDockerfile(data string) (spans []span) {
	logical(data, func(at int, line string) {
		m := dockerLine().FindStringSubmatchIndex(line)
		if m == nil {
			spans = append(spans, secret.Shifted(append(inText(line), detected(line, "")...), at)...)
			return
		}
		from := m[1]
		old := dockerOld().FindStringSubmatchIndex(strings.ReplaceAll(line, "\n", " "))
		switch keyword := strings.ToUpper(line[m[2]:m[3]]); {
		case old != nil && !strings.Contains(firstWord(line[old[8]:]), "="):
			spans = append(spans, secret.Shifted(ofVariable(line[old[4]:old[5]], line[old[8]:]), at+old[8])...)
		case keyword == "ENV" || keyword == "ARG" || keyword == "LABEL":
			spans = append(spans, secret.Shifted(inAssignments(line[from:]), at+from)...)
		default:
			text := line[from:]
			if i := strings.IndexByte(text, '['); i >= 0 {
				if exec, ok := inExec(text[i:]); ok {
					spans, text = append(spans, secret.Shifted(exec, at+from+i)...), text[:i]
				}
			}
			spans = append(spans, secret.Shifted(append(inText(text), detected(text, "")...), at+from)...)
		}
	})
	return append(spans, pemOf(data)...)
}

// pemOf finds keys that go over several lines, in a here-document for one.
func pemOf(data string) (spans []span) {
	if strings.Contains(data, "-----BEGIN ") {
		for _, m := range pem().FindAllStringSubmatchIndex(data, -1) {
			spans = append(spans, span{From: m[2], To: m[3]})
		}
	}
	return spans
}

// inExec finds the secrets in the form of a command that is a JSON array.
func inExec(text string) ([]span, bool) {
	end := strings.LastIndexByte(text, ']')
	if end < 0 {
		return nil, false
	}
	const key = `{"command": `
	spans, ok := inDocument(key+strings.ReplaceAll(text[:end+1], "\\\n", "  ")+"}", 0)
	return secret.Shifted(spans, -len(key)), ok
}

func firstWord(s string) string { w, _, _ := strings.Cut(s, " "); return w }

func isDockerfile(file string) bool { return source.IsDockerfile(path.Base(file)) }
