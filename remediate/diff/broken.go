package diff

import (
	"slices"
	"strings"

	"example.com/harden/checks/secret"
)

// A token is a word or a quoted text of what should have been JSON or YAML.
type token struct {
	from, to int
	text     string
	sign     byte // ':' or '=' where that stands behind it, else 0
	open     bool // a quote that its line does not close
}

func tokens(data string) (all []token) {
	for i := 0; i < len(data); {
		c := data[i]
		switch {
		case strings.IndexByte(" \t\r\n,[]{}", c) >= 0:
			i++
		case c == ':' || c == '=':
			if n := len(all); n > 0 && all[n-1].sign == 0 {
				all[n-1].sign = c
			}
			i++
		case c == '"' || c == '\'':
			end := i + 1
			for end < len(data) && data[end] != c && data[end] != '\n' {
				if data[end] == '\\' && end+1 < len(data) && data[end+1] != '\n' {
					end++
				}
				end++
			}
			closed := end < len(data) && data[end] == c
			all = append(all, token{i, end, data[i+1 : end], 0, !closed})
			i = end
			if closed {
				all[len(all)-1].to++
				i++
			}
		default:
			end := i
			for end < len(data) && strings.IndexByte(" \t\r\n,[]{}\"'=", data[end]) < 0 &&
				!(data[end] == ':' && (end+1 == len(data) || strings.IndexByte(" \t\r\n\"'", data[end+1]) >= 0)) {
				end++
			}
			end = max(end, i+1)
			all = append(all, token{i, end, data[i:end], 0, false})
			i = end
		}
	}
	return all
}

// inBroken finds the secrets of a document that no parser takes: whatever may be the value of a name that says so, on its line
// or on the next, and whatever a pair of name and value holds.
func inBroken(data string) []span {
	spans := append(inText(data), detected(data, "")...)
	all := tokens(data)
	named := false // a name of a secret stood in a pair's "name"
	for i, t := range all {
		lower := strings.ToLower(t.text)
		switch {
		case i+1 == len(all):
		case t.sign != 0 && slices.Contains(naming, lower):
			named = secret.Sensitive(all[i+1].text)
		case secret.Sensitive(t.text) && (t.sign != 0 || strings.HasPrefix(t.text, "-")) || t.text == "-p" ||
			t.sign != 0 && named && slices.Contains(namedText, lower) || t.sign != 0 && loginOf(t.text, all[i+1].text):
			spans = append(spans, rest(data, all, i+1)...)
		}
	}
	return spans
}

// rest is the value that begins with token i: to the end of its line where that is not certain, and on to the quote that
// closes it.
func rest(data string, all []token, i int) []span {
	from, to := all[i].from, all[i].to
	if strings.IndexByte("|>", data[from]) >= 0 || all[i].open { // text over several lines
		for i+1 < len(all) && all[i+1].sign == 0 {
			i++
			to = all[i].to
		}
		return []span{{from, to}}
	}
	if data[from] != '"' && data[from] != '\'' {
		if end := strings.IndexAny(data[from:], "\r\n"); end >= 0 && !strings.ContainsAny(data[from:from+end], ",]}") {
			to = max(to, from+end)
		}
	}
	return shifted(literals(data[from:to]), from)
}
