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
			end += padding(data[i:end], data[end:])
			all = append(all, token{from: i, to: end, text: data[i:end]})
			i = end
		}
	}
	return all
}

// padding is how many of the equals signs behind a word fill it up as base64, and assign nothing.
func padding(word, behind string) int {
	n := len(behind) - len(strings.TrimLeft(behind, "="))
	ends := len(behind) == n || strings.IndexByte(" \t\r\n,]}\"'", behind[n]) >= 0
	if !ends || n > 2 || n == 1 && ((len(word)+n)%4 != 0 || secret.Sensitive(word)) {
		return 0
	}
	return n
}

// inBroken finds the secrets of a text of which no parser makes a document: whatever may be the value of a name that
// says so, on its line or on the next, and whatever a pair of name and value holds.
func inBroken(data string) []span {
	spans := append(inText(data), detected(data, "")...)
	all := tokens(data)
	b := brokenText{sealed: sealedKind().MatchString(data), aliases: map[string]bool{}}
	for i, t := range all {
		if strings.Contains(t.text, `\`) {
			if said, err := strconv.Unquote(`"` + t.text + `"`); err != nil || len(inText(said)) > 0 {
				spans = append(spans, span{From: t.from, To: t.to})
			}
		}
		if b.attachedTo(t) {
			spans = append(spans, span{From: t.from, To: t.to})
		}
		if i+1 < len(all) && b.leads(t, all[i+1]) {
			spans = append(spans, rest(data, all, i+1)...)
			b.aliases["&"+strings.TrimPrefix(all[i+1].text, "*")] = true
		}
	}
	for i, t := range all[:max(len(all)-1, 0)] {
		if b.aliases[t.text] {
			spans = append(spans, rest(data, all, i+1)...)
		}
	}
	return spans
}

// sealedKind is how a document says that it is a Secret of Kubernetes.
var sealedKind = secret.Pattern(`\bkind["']?[ \t]*:[ \t\r\n]*["']?Secret\b`)

// A brokenText is what the tokens so far have told.
type brokenText struct {
	sealed  bool   // it is a Secret
	named   bool   // a name of a secret stood in a pair's "name"
	program string // whose options have their own meaning, for so many words more
	words   int
	aliases map[string]bool // anchors of values that stand behind names of secrets
}

// attachedTo reports whether a token is -pSECRET.
func (b *brokenText) attachedTo(t token) bool {
	base := path.Base(t.text)
	if b.words--; b.words == 0 {
		b.program = ""
	}
	if slices.Contains(secret.Attached, base) || secret.Options[base] != nil {
		b.program, b.words = base, 8
	}
	return slices.Contains(secret.Attached, b.program) && strings.HasPrefix(t.text, "-p") && len(t.text) > 2
}

// leads reports whether a token is followed by a secret.
func (b *brokenText) leads(t, next token) bool {
	lower := strings.ToLower(t.text)
	if t.sign == 0 {
		return t.text == "-p" && !secret.NotP().MatchString(next.text) ||
			slices.Contains(secret.Options[b.program], t.text) ||
			strings.HasPrefix(t.text, "-") && secret.Sensitive(t.text)
	}
	if slices.Contains(naming, lower) {
		b.named = secret.Sensitive(next.text)
		return false
	}
	return secret.Sensitive(t.text) && next.sign != ':' || lower == "content" ||
		b.named && slices.Contains(namedText, lower) ||
		secret.Login(t.text, next.text) || b.sealed && next.sign != ':' && !slices.Contains(besides, lower)
}

// valueStops is where an unquoted value ends at the latest.
var valueStops = secret.Pattern(`[\r\n\]}]|,[ \t"'\r\n]|,$|[ \t]#`)

// rest is the value that begins with token i: to the end of its line where that is not certain, or on to the quote
// that closes it.
func rest(data string, all []token, i int) []span {
	for strings.HasPrefix(all[i].text, "&") && i+1 < len(all) { // an anchor stands before the value
		i++
	}
	from, to := all[i].from, all[i].to
	if n, inner := secret.Reference(data[from:], true); n > 0 {
		return secret.Shifted(inner, from)
	}
	if strings.IndexByte("|>", data[from]) >= 0 { // text over several lines
		for i+1 < len(all) && all[i+1].sign == 0 {
			i++
			to = all[i].to
		}
		return []span{{From: from, To: to}}
	}
	if before := data[from-1]; (before == '"' || before == '\'') && data[from] != before {
		if end := strings.IndexByte(data[from:min(len(data), from+secret.Window)], before); end >= 0 {
			return []span{{From: from, To: from + end}}
		}
	}
	if data[from] != '"' && data[from] != '\'' {
		if end := valueStops().FindStringIndex(data[from:min(len(data), from+secret.Window)]); end != nil {
			to = max(to, from+end[0])
		}
	}
	return secret.Shifted(secret.Literals(data[from:to]), from)
}
