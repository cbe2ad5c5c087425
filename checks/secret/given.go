package secret

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

// Given returns what of a variable's value is a secret that somebody has written down, empty where nothing is. It is
// decided by what is hidden of the variable too (Sensitive, Login and Literals), without what only looks like a secret:
// to hide in vain costs nothing, and a false alarm does.
func Given(name, value string) string {
	if Sensitive(name) || Login(name, value) {
		if spans := Literals(value); len(spans) > 0 {
			text := strings.Trim(value[spans[0].From:spans[len(spans)-1].To], "\"' \t\r\n")
			if !harmless(text) && !(known(name) && !Sensitive(name)) {
				return text
			}
		}
		return ""
	}
	return inConnection(value)
}

// Alarms are the hits that are worth an alarm: a rule that knows no kind of secret by its form is believed only where
// the name before the value says that it is one.
func Alarms(text []byte, hits []Hit) []Hit {
	return slices.DeleteFunc(slices.Clone(hits), func(h Hit) bool {
		value := string(text[h.Start:h.End])
		switch {
		case h.Rule == userinfo.id:
			comment := bytes.HasPrefix(bytes.TrimLeft(lineAround(text, h.Start, h.End), " \t"), []byte("#"))
			return harmless(value) || digits().MatchString(value) || comment && commonplace().MatchString(value)
		case strings.HasPrefix(h.Rule, "generic"):
			name := nameAt(string(text[max(0, h.Start-maxLine):h.Start]))
			return harmless(value) || known(name) && !Sensitive(name) || about(name)
		}
		return placeholder(value)
	})
}

// nameAt is the name that a text ends with, and an assignment behind it.
func nameAt(before string) string {
	before = before[max(0, len(before)-maxLine):]
	before = strings.TrimRight(before, " \t\"'`=:>,(|")
	i := strings.LastIndexFunc(before, func(r rune) bool {
		return r != '_' && r != '-' && r != '.' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
	return strings.TrimLeft(before[i+1:], "-.")
}

// known reports whether a name is that of what everybody may know.
func known(name string) bool {
	return OfDigest(name) || slices.ContainsFunc(nameWords(name), func(w string) bool {
		switch w {
		case "gpg", "pgp", "keyid", "publishable", "site", "vapid", "keyring", "keyserver":
			return true
		}
		return false
	})
}

// about reports whether a name is about a secret, and does not hold it.
func about(name string) bool {
	words := nameWords(name)
	return len(words) > 1 && slices.Contains(aboutLast, words[len(words)-1]) && !Sensitive(name)
}

var (
	digits = Pattern(`^[0-9]{1,5}$`)
	// Passwords that examples have.
	commonplace = Pattern(`(?i)^(?:pass|password|passwd|pwd|secret|user|username|example|test|foo|bar|token)$`)
	// What stands where a secret is to be put.
	toReplace = Pattern(`(?i)chang(?:e[-_ ]?(?:me|it|this|that|before|in)\b|eme)|change[-_ ]?(?:me|this)|` +
		`^(?:replace|insert|enter|put|choose|provide|paste|fill|define|generate)` +
		`[-_ ]?(?:me|with|your|here|an?[-_ ]|some|strong|in)|` +
		`^your[-_ ]|^your[A-Za-z]|[-_ ]here$|` +
		`(?:^|[^a-z])x{3,}(?:[^a-z]|$)|^<[^<>]*>$|^\[[^][]*\]$|^\{[^{}]*\}$|^%[^%]+%$|^\.\.\.$|…|` +
		`^(?:todo|tbd|fixme|dummy|placeholder|redacted|removed|hidden|optional|required|disabled|enabled|` +
		`default|auto|random|unset|empty|undefined)$`)
	filler = Pattern(`[-_.*#?\s]`)
	// Where a secret is kept, and what everybody may know.
	located = Pattern(`^(?:[~.]{0,2}|%[a-z._]+%|[A-Za-z]:)[/\\][A-Za-z0-9._@%/\\-]*$|` +
		`^[A-Za-z0-9_./-]+\.(?:pem|key|crt|cer|der|p12|pfx|jks|keystore|txt|json|` +
		`ya?ml|conf|ini|pub|token|kubeconfig|gpg|asc|jwt)$|` +
		`^https?://[^@\s]*$|^[a-z0-9-]+:/[^:@\s]*$`)
	public = Pattern(`^(?:ssh-(?:rsa|ed25519|dss)|ecdsa-sha2-\S+|age1\S+|` +
		`-----BEGIN (?:CERTIFICATE|[A-Z ]*PUBLIC KEY|DH PARAMETERS|X9\.42 DH PARAMETERS|EC PARAMETERS|PGP PUBLIC KEY BLOCK))`)
)

// harmless reports whether a value is none that anybody has to keep: the place for one, where one is, or public.
func harmless(value string) bool {
	return placeholder(value) || public().MatchString(value) ||
		located().MatchString(value) && !Opaque(strings.TrimLeft(value, "/"))
}

// placeholder reports whether a value stands where a secret is to be put.
func placeholder(value string) bool {
	if toReplace().MatchString(value) {
		return true
	}
	rest := filler().ReplaceAllString(value, "")
	if rest == "" || strings.Trim(strings.ToLower(rest), "0") == "" {
		return true
	}
	first := strings.ToLower(rest[:1])
	return len(rest) >= 3 && strings.Trim(strings.ToLower(rest), first) == "" && (first < "0" || first > "9")
}

// connection is a password in what a database is reached by: "Server=db;User Id=sa;Password=…;".
var connection = Pattern(`(?i)(?:^|[;"'])\s*(?:password|pwd)\s*=\s*([^;"'\s]+)`)

func inConnection(value string) string {
	if !strings.Contains(value, ";") {
		return ""
	}
	m := connection().FindStringSubmatch(value)
	if m == nil || len(Literals(m[1])) == 0 || harmless(m[1]) {
		return ""
	}
	return m[1]
}

// An Argument is a secret in a command, and what it is called there.
type Argument struct{ Name, Value string }

// InCommand returns the secrets that a command, or a shell's script, is given in so many words.
func InCommand(text string) (found []Argument) {
	for _, s := range append(Arguments(text, Words(text)), Piped(text)...) {
		value := strings.Trim(text[s.From:s.To], "\"' \t\r\n")
		if value == "" || harmless(value) || strings.ContainsAny(value, "$`") {
			continue
		}
		a := Argument{nameAt(text[:s.From]), value}
		before := strings.TrimRight(text[:s.From], "\"'= \t")
		if bare := strings.TrimSuffix(before, a.Name); bare != before {
			a.Name = bare[len(strings.TrimRight(bare, "-")):] + a.Name
		}
		if s.From > 0 && text[s.From-1] == ':' { // USER:PASSWORD
			a.Name = "a password behind its user's name"
		}
		if a.Name == "-p" && !strings.HasSuffix(text[:s.From], "-p") && !signsIn().MatchString(text[:s.From]) {
			continue // of a program that is not known
		}
		if a.Name != "" && !slices.Contains(found, a) {
			found = append(found, a)
		}
	}
	return found
}

var (
	echoed = Pattern(`(?:echo|printf)\s+(?:-[neE]+\s+)?["']?[A-Za-z_][A-Za-z0-9_.-]*:([^"'|\s]+)["']?` +
		`\s*\|\s*(?:sudo\s+)?(?:/usr/s?bin/)?chpasswd\b`)
	signsIn  = Pattern(`\b(?:login|sshpass|smbpasswd)\b[^|;&\n]*$`)
	hereText = Pattern(`\bchpasswd\b[^\n]*<<<\s*["']?[A-Za-z_][A-Za-z0-9_.-]*:([^"'\s]+)`)
	entered  = Pattern(`(?m)^[ \t]*[A-Za-z_][A-Za-z0-9_.-]*:([^\s:]+)[ \t]*$`)
)

// Piped are the passwords that chpasswd reads.
func Piped(text string) (spans []Span) {
	at := strings.Index(text, "chpasswd")
	if at < 0 {
		return nil
	}
	all := func(expr *regexp.Regexp, from int) {
		for _, m := range expr.FindAllStringSubmatchIndex(text[from:], -1) {
			for _, s := range Literals(text[from+m[2] : from+m[3]]) {
				spans = append(spans, Span{from + m[2] + s.From, from + m[2] + s.To})
			}
		}
	}
	all(echoed(), 0)
	all(hereText(), 0)
	if strings.Contains(text[at:], "<<") {
		all(entered(), at)
	}
	return spans
}
