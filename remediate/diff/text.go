package diff

import (
	"slices"
	"strings"
	"unicode"

	"example.com/harden/checks/secret"
)

// What a secret looks like in any text. Each pattern is compiled when it is first needed: at the start of every
// program all of them would take milliseconds that an audit does not have.
var (
	scheme = secret.Pattern(`([A-Za-z][A-Za-z0-9+.-]*:(?:\\?/){2})([^\s"'` + "`" + `<>]+)@`)
	pem    = secret.Pattern(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----(.*?)(?:-----END|\z)`)
	bearer = secret.Pattern(`(?i)\b(?:bearer|basic)[ \t]+([A-Za-z0-9+/_.~=-]{6,})`)
	known  = secret.Pattern(`\b(gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}|` +
		`xox[abprs]-[A-Za-z0-9-]{10,}|(?:AKIA|ASIA)[A-Z0-9]{16}\b|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*|` +
		`[sr]k_(?:live|test)_[A-Za-z0-9]{10,}|npm_[A-Za-z0-9]{30,}|` +
		`hvs\.[A-Za-z0-9_-]{20,}|dckr_pat_[A-Za-z0-9_-]{20,}|AIza[A-Za-z0-9_-]{30,}|` +
		`SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,})`)
	// USER:PASSWORD@HOST without a scheme; an image's digest is none.
	login = secret.Pattern(`(?:^|[\s"'=,\[(])([A-Za-z0-9_.+%-]+:[^\s"'/@,:]+)@[A-Za-z0-9][A-Za-z0-9.-]*` +
		`(?::[0-9]|/|\.[A-Za-z]|["'\s,\])]|$)`)
	given = secret.Pattern(`^(?:` + secret.MarkText + `|"(?:[^"\\\n]|\\.)*"?|` +
		`\\"(?:[^"\\\n]|\\[^"\n])*(?:\\")?|'[^'\n]*'?|\[[^\]\n]*\]?|\$\{[^}\n]*\}[^\s"',;]*|[^\s"']+(?:["'][^\s"',\]}]+)*)`)
	another   = secret.Pattern(`[;&,][ ]?[A-Za-z_][A-Za-z0-9_. -]*=`)
	structure = secret.Pattern(`^[[{]+[A-Za-z]+:$`)
	// What a parser did not understand, and quotes.
	quoted = secret.Pattern("(?:parsing |cannot unmarshal !!\\w+ |value: ?|invalid value |unknown value )" +
		"(\"(?:[^\"\\\\]|\\\\.)*\"|`[^`]*`|'[^']*')")
)

// Every secret whose name says so has one of these in its name, in lower case.
var nameHints = []string{"pass", "pw", "secret", "token", "cred", "key", "auth", "cookie", "salt", "bearer",
	"userinfo", "dsn", "seed"}

// RedactText replaces what looks like a secret in any text: an error, a report, a program's output.
func (r *Redactor) RedactText(s string) string {
	return r.cover(s, slices.DeleteFunc(inText(s), func(p span) bool { return reported(s, p) }))
}

// reports are the first words of what is said of a file or of a service, behind its name and a colon. The file may be
// called compose.secrets.yml: what stands behind that is no secret, and none is any of these words.
var reports = []string{"not", "line", "it", "a", "no", "dockerfile", "decoding", "document", "service", "include",
	"empty", "nothing",
	"more", "too", "extends", "open", "lstat"}

func reported(s string, p span) bool {
	return p.From >= 2 && s[p.From-2:p.From] == ": " && p.To < len(s) && strings.ContainsRune(" :", rune(s[p.To])) &&
		slices.Contains(reports, s[p.From:p.To])
}

// inText finds the secrets in a text of no known structure: by the names that stand before them, and by their form.
func inText(s string) []span {
	spans := byForm(s)
	lower := strings.ToLower(s)
	hinted := false
	for _, h := range nameHints {
		hinted = hinted || strings.Contains(lower, h)
	}
	if hinted {
		spans = append(append(spans, byName(s)...), secret.Piped(s)...)
	}
	if hinted || strings.Contains(s, "-p") || strings.Contains(s, "-u ") ||
		strings.Contains(s, "-a ") || strings.Contains(s, "-w ") {
		spans = append(spans, secret.Arguments(s, secret.Words(s))...)
	}
	return spans
}

// byForm finds what is a secret whatever stands before it.
func byForm(s string) (spans []span) {
	group := func(m []int) {
		if m[2] >= 0 && m[3] > m[2] {
			spans = append(spans, span{From: m[2], To: m[3]})
		}
	}
	if strings.Contains(s, "-----BEGIN ") {
		for _, m := range pem().FindAllStringSubmatchIndex(s, -1) {
			group(m)
		}
	}
	if strings.Contains(s, "@") {
		for _, m := range scheme().FindAllStringSubmatchIndex(s, -1) {
			spans = append(spans, secret.Shifted(userinfo(s[m[4]:m[5]], strings.HasPrefix(s[m[2]:m[3]], "http")), m[4])...)
		}
		for _, m := range login().FindAllStringSubmatchIndex(s, -1) {
			if !strings.HasPrefix(s[m[3]:], "@sha") {
				spans = append(spans, secret.Shifted(userinfo(s[m[2]:m[3]], false), m[2])...)
			}
		}
	}
	lower := strings.ToLower(s)
	if strings.Contains(lower, "bearer") || strings.Contains(lower, "basic") {
		for _, m := range bearer().FindAllStringSubmatchIndex(s, -1) {
			group(m)
		}
	}
	if knownHints(lower) {
		for _, m := range known().FindAllStringSubmatchIndex(s, -1) {
			group(m)
		}
	}
	if strings.ContainsAny(s, "\"`'") &&
		(strings.Contains(s, "parsing") || strings.Contains(s, "unmarshal") || strings.Contains(s, "value")) {
		for _, m := range quoted().FindAllStringSubmatchIndex(s, -1) {
			group(m)
		}
	}
	return spans
}

// userinfo is what of the part before the @ of a URL is a secret: all of it, unless it is a name alone, or refers to
// variables. Web is for URLs in which a token may stand alone.
func userinfo(s string, web bool) []span {
	if strings.Contains(s, "://") { // a URL before this one, with commas between
		return nil
	}
	user, password, ok := strings.Cut(s, ":")
	host, _, path := strings.Cut(password, "/")
	switch {
	case strings.Contains(user, "/") || path && strings.Trim(host, "0123456789") == "":
		return nil // the @ is in the path
	case !ok && !secret.Opaque(user) && !(web && len(user) > 7 && strings.ContainsFunc(user, mixed)):
		return nil // who, and no token
	case strings.Contains(s, "$") || strings.Contains(s, "{{"):
		at := strings.LastIndex(s[:nameEnd(s)], ":") + 1
		return secret.Shifted(secret.Literals(s[at:]), at)
	case ok && len(secret.Literals(password)) == 0:
		return nil
	}
	return []span{{From: 0, To: len(s)}}
}

func mixed(c rune) bool { return unicode.IsDigit(c) || unicode.IsUpper(c) }

// nameEnd is where the name in a userinfo ends: at its first colon outside of a reference.
func nameEnd(s string) int {
	depth := 0
	for i, c := range s {
		switch {
		case c == '{':
			depth++
		case c == '}':
			depth--
		case c == ':' && depth == 0:
			return i + 1
		}
	}
	return 0
}

// byName finds the values that stand behind the name of a secret.
func byName(s string) (spans []span) {
	for at := 0; at < len(s); {
		start, end, from := assigned(s, at)
		if from < 0 {
			return spans
		}
		at = from
		name := s[start:end]
		if !secret.Sensitive(name) && !secret.OfKey(name) || start > 0 && s[start-1] == '/' { // a path, as of a volume
			continue
		}
		value := given().FindString(s[from:])
		if start > 1 && s[start-2:start] == "${" { // a reference, which may have a default
			end := strings.IndexByte(s[from:], '}')
			if fallback := strings.HasPrefix(s[from:], "-"); !fallback || end < 1 {
				continue
			}
			from++
			value = s[from : from+end-1]
		}
		if value == "" || strings.EqualFold(value, "bearer") || strings.EqualFold(value, "basic") ||
			structure().MatchString(value) || s[from-1] == ':' && strings.HasPrefix(value, "//") {
			continue
		}
		if !secret.Sensitive(name) && len(value) > secret.Window {
			at = from + len(value)
		} else if secret.Sensitive(name) || secret.Login(name, value) {
			if i := another().FindStringIndex(value); i != nil {
				value = value[:i[0]]
			}
			value = strings.TrimRight(value, ",;)]}")
			spans = append(spans, secret.Shifted(secret.Literals(value), from)...)
			at = from + len(value)
		}
	}
	return spans
}

// assigned finds the next name behind which there is = or :, and where its value begins. From is -1 where there is
// none.
func assigned(s string, at int) (start, end, from int) {
	for next := at; ; next = from {
		i := strings.IndexAny(s[next:], "=:")
		if i < 0 {
			return 0, 0, -1
		}
		from = next + i + 1
		end = len(strings.TrimRight(s[at:from-1], " \t")) + at
		if end > at && (s[end-1] == '"' || s[end-1] == '\'') {
			end--
		}
		if end > at && s[end-1] == '\\' {
			end--
		}
		for start = end; start > at && isNameByte(s[start-1]); start-- {
		}
		for from < len(s) && (s[from] == ' ' || s[from] == '\t') {
			from++
		}
		if end > start {
			return start, end, from
		}
		at = from
	}
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == '-'
}

// knownHints reports whether a text may hold a token of a known form.
func knownHints(lower string) bool {
	for _, h := range []string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_",
		"glpat-", "xox", "akia", "asia", "eyj",
		"k_live_", "k_test_",
		"npm_", "hvs.", "dckr_pat_", "aiza", "sg."} {
		if strings.Contains(lower, h) {
			return true
		}
	}
	return false
}

// detected finds what gitleaks' rules know, and words that nobody has chosen.
func detected(s, name string) (spans []span) {
	for _, h := range secret.Find([]byte(s)) {
		if text := s[h.Start:h.End]; len(secret.Literals(text)) > 0 {
			spans = append(spans, span{From: h.Start, To: h.End})
		}
	}
	if !secret.OfDigest(name) {
		for _, w := range secret.Words(s) {
			at := strings.LastIndexAny(s[w.From:w.To], "=:,") + 1
			tail := strings.Trim(s[w.From+at:w.To], `"'[]`)
			if secret.Opaque(tail) && (at == 0 || !secret.OfDigest(s[w.From:w.From+at])) {
				spans = append(spans, span{From: w.From + at, To: w.To})
			}
		}
	}
	return spans
}
