package diff

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"example.com/harden/checks/secret"
)

// A token is a word or a quoted text of what should have been JSON or YAML.
type token struct {
	from, to int
	text     string
	sign     byte // ':' or '=' where that stands behind it, else 0
}

// tokens takes a text apart. A quote that its line does not close is none.
func tokens(data string) (all []token) {
	for i := 0; i < len(data); {
		switch c := data[i]; {
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
			if end >= len(data) || data[end] != c {
				i++
				continue
			}
			all = append(all, token{from: i, to: end + 1, text: data[i+1 : end]})
			i = end + 1
		default:
			end := i + 1
			for end < len(data) && strings.IndexByte(" \t\r\n,[]{}\"'=", data[end]) < 0 &&
				!(data[end] == ':' && (end+1 == len(data) || strings.IndexByte(" \t\r\n\"'", data[end+1]) >= 0)) {
				end++
			}
			all = append(all, token{from: i, to: end, text: data[i:end]})
			i = end
		}
	}
	return all
}

// inBroken finds the secrets of a text of which no parser makes a document: whatever may be the value of a name that
// says so, on its line or on the next, and whatever a pair of name and value holds.
func inBroken(data string) []span {
	spans := append(inText(data), detected(data, "")...)
	all := tokens(data)
	named := false // a name of a secret stood in a pair's "name"
	program := 0   // for so many words more, -pSECRET is an option of the command's
	for i, t := range all {
		lower := strings.ToLower(t.text)
		if program--; slices.Contains(attached, path.Base(t.text)) {
			program = 8
		}
		if program > 0 && strings.HasPrefix(t.text, "-p") && len(t.text) > 2 {
			spans = append(spans, span{t.from, t.to})
		}
		if strings.Contains(t.text, `\`) {
			if said, err := strconv.Unquote(`"` + t.text + `"`); err != nil || len(inText(said)) > 0 {
				spans = append(spans, span{t.from, t.to})
			}
		}
		switch {
		case i+1 == len(all):
		case t.sign != 0 && slices.Contains(naming, lower):
			named = secret.Sensitive(all[i+1].text)
		case secret.Sensitive(t.text) && (t.sign != 0 || strings.HasPrefix(t.text, "-")),
			t.text == "-p" && !notP().MatchString(all[i+1].text),
			t.sign != 0 && named && slices.Contains(namedText, lower),
			t.sign != 0 && loginOf(t.text, all[i+1].text):
			spans = append(spans, rest(data, all, i+1)...)
		}
	}
	return spans
}

// rest is the value that begins with token i: to the end of its line where that is not certain, or on to the quote
// that closes it.
func rest(data string, all []token, i int) []span {
	from, to := all[i].from, all[i].to
	if strings.IndexByte("|>", data[from]) >= 0 { // text over several lines
		for i+1 < len(all) && all[i+1].sign == 0 {
			i++
			to = all[i].to
		}
		return []span{{from, to}}
	}
	if before := data[from-1]; (before == '"' || before == '\'') && data[from] != before {
		if end := strings.IndexByte(data[from:min(len(data), from+window)], before); end >= 0 {
			return []span{{from, from + end}}
		}
	}
	if data[from] != '"' && data[from] != '\'' {
		end := strings.IndexAny(data[from:min(len(data), from+window)], "\r\n")
		if end >= 0 && !strings.ContainsAny(data[from:from+end], ",]}") {
			to = max(to, from+end)
		}
	}
	return shifted(literals(data[from:to]), from)
}
