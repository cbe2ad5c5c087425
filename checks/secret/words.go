package secret

import (
	"path"
	"slices"
	"strings"
)

// A Word is one argument of a command: where it is written, and what it says without quotes.
type Word struct {
	From, To int
	Text     string
	First    bool // a command begins
}

// Words takes a text apart as a shell would. An apostrophe within a word, and a quote without its other, are letters.
func Words(s string) []Word {
	var all []Word
	var text strings.Builder
	from, first := -1, true
	end := func(at int) {
		if from >= 0 {
			all = append(all, Word{from, at, text.String(), first})
			from, first = -1, false
			text.Reset()
		}
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch n := MarkLength(s[i:]); {
		case n > 0: // it has blanks of its own
			if from < 0 {
				from = i
			}
			text.WriteString(s[i : i+n])
			i += n - 1
			continue
		case c == '\\' && i+1 < len(s) && (s[i+1] == '\n' || s[i+1] == '\r'):
			end(i)
			for i++; i < len(s) && s[i] != '\n'; i++ {
			}
			continue
		case c == '\\' && i+1 < len(s):
			if from < 0 {
				from = i
			}
			i++
			text.WriteByte(s[i])
			continue
		case strings.IndexByte("\n;|&()`", c) >= 0:
			end(i)
			first = true
			continue
		case c == ' ' || c == '\t' || c == '\r':
			end(i)
			continue
		case (c == '"' || c == '\'') && opens(s, from, i):
			if close := closing(s, i); close > 0 {
				if from < 0 {
					from = i
				}
				text.WriteString(s[i+1 : close])
				i = close
				continue
			}
		}
		if from < 0 {
			from = i
		}
		text.WriteByte(c)
	}
	end(len(s))
	return all
}

// opens reports whether a quote begins quoted text: at the beginning of a word, behind what is no letter, or in an
// option.
func opens(s string, from, at int) bool {
	return from < 0 || s[from] == '-' || strings.IndexByte("=:,[{+/", s[at-1]) >= 0
}

func closing(s string, at int) int {
	for i := at + 1; i < len(s); i++ {
		if s[i] == '\\' && s[at] == '"' {
			i++
		} else if s[i] == s[at] {
			return i
		}
	}
	return -1
}

// Options are those that are followed by a secret and do not say so, by program.
var Options = map[string][]string{
	"redis-cli": {"-a"}, "redis-benchmark": {"-a"}, "ldapsearch": {"-w"}, "ldapadd": {"-w"},
	"ldapmodify": {"-w"}, "ldapwhoami": {"-w"},
	"curl": {"-u", "-U"}, "smbclient": {"-U"}, "unzip": {"-P"}, "zip": {"-P"},
	"openssl": {"-passin", "-passout", "-pass", "-k", "-K"},
	"sqlcmd":  {"-P"}, "bcp": {"-P"}, "mosquitto_pub": {"-P"}, "mosquitto_sub": {"-P"},
	"ipmitool": {"-P"}, "snmpwalk": {"-A", "-X", "-c"},
}

// Attached are the programs that take a secret behind -p without a blank.
var Attached = []string{"mysql", "mysqldump", "mysqladmin", "mysqlcheck", "mysqlimport", "mysqlshow", "mysqlpump",
	"mariadb", "mariadb-dump",
	"mariadb-admin", "mariadb-check", "mariadb-import", "sshpass", "7z", "7za"}

// Programs whose -p is no secret.
var otherP = []string{"ssh", "mkdir", "nc", "ncat", "tar", "cp", "install", "psql", "pg_dump", "pg_isready",
	"pg_restore", "redis-cli",
	"redis-server", "useradd", "ps", "kill", "su", "read", "nmap", "iptables", "pip", "poetry", "rsync", "lsof", "perl",
	"cargo", "npm", "yarn", "compose",
	"docker-compose", "run", "export", "declare", "uvicorn", "flask", "serve", "http-server", "gunicorn", "memcached",
	"iperf3", "mosquitto"}

// NotP is what behind -p is no secret.
var NotP = Pattern(`^(?:[rwxa]{1,4}|[0-9][0-9.:/-]*(?:tcp|udp)?|[./~$%{<].*|[A-Za-z0-9_.-]*:[0-9]+.*)$`)

// Arguments are the secrets among the words of commands: behind an option that says so, or in NAME=VALUE.
func Arguments(s string, all []Word) (spans []Span) {
	program := ""
	for i, w := range all {
		if w.First {
			program = ""
		}
		base := path.Base(w.Text)
		if Options[base] != nil || slices.Contains(Attached, base) || slices.Contains(otherP, base) {
			program = base
			continue
		}
		if raw := s[w.From:w.To]; strings.ContainsAny(w.Text, " \n\t") && (raw[0] == '"' || raw[0] == '\'') {
			spans = append(spans, Shifted(Arguments(raw[1:], Words(raw[1:len(raw)-1])), w.From+1)...) // of a shell's -c
			continue
		}
		if eq := strings.IndexByte(w.Text, '='); eq > 0 {
			spans = append(spans, assignment(s, w)...)
			continue
		}
		if !strings.HasPrefix(w.Text, "-") {
			continue
		}
		if slices.Contains(Attached, program) && strings.HasPrefix(w.Text, "-p") && len(w.Text) > 2 {
			at := w.From + strings.Index(s[w.From:w.To], "-p") + 2
			spans = append(spans, Shifted(Literals(s[at:w.To]), at)...)
			continue
		}
		if i+1 < len(all) && !all[i+1].First {
			spans = append(spans, optionValue(s, program, w.Text, all[i+1])...)
		}
	}
	return spans
}

// optionValue is what of the word behind an option is a secret.
func optionValue(s, program, option string, next Word) []Span {
	value := next.Text
	switch {
	case slices.Contains(Options[program], option):
		if i := strings.IndexAny(value, ":%"); i > 0 && (option == "-u" || option == "-U") {
			if at := strings.IndexAny(s[next.From:next.To], ":%"); at >= 0 {
				next.From += at + 1
			}
		} else if option == "-u" || option == "-U" {
			return nil
		}
	case strings.HasPrefix(value, "-"):
		return nil
	case option == "-p":
		if slices.Contains(otherP, program) || NotP().MatchString(strings.TrimRight(value, ",;).")) {
			return nil
		}
	case !Sensitive(option):
		return nil
	}
	return Shifted(Literals(s[next.From:next.To]), next.From)
}

var nameBefore = Pattern(`^[-A-Za-z0-9_.\[\]"'/]*$`)

// assignment is what of a word NAME=VALUE is a secret. A value may be such a word again: --from-literal=password=x.
func assignment(s string, w Word) []Span {
	raw := strings.TrimRight(s[w.From:w.To], ",;)]}")
	for at := 0; ; {
		eq := strings.IndexByte(raw[at:], '=')
		if eq < 0 || !nameBefore().MatchString(raw[at:at+eq]) {
			return nil
		}
		name := strings.Trim(raw[at:at+eq], `"'`)
		at += eq + 1
		if Sensitive(name) || Login(name, raw[at:]) {
			return Shifted(Literals(raw[at:]), w.From+at)
		}
	}
}

// Login reports whether the value of a name such as NEO4J_AUTH or APP_KEY has the form of a secret.
func Login(name, value string) bool {
	value = strings.Trim(value, "\"' \t\r\n")
	if len(value) > Window || !OfKey(name) ||
		strings.ContainsAny(value, " \n") || strings.HasPrefix(value, "/") || strings.HasPrefix(value, ".") {
		return false
	}
	if login := loginForm().MatchString(value); strings.HasSuffix(strings.ToLower(name), "auth") {
		return login
	}
	return len(value) >= 16 && strings.ContainsAny(value, "0123456789") && keyForm().MatchString(value)
}

var (
	loginForm = Pattern(`^[A-Za-z0-9_.@-]+[:/][^/].{2,}$`)
	keyForm   = Pattern(`^(?:base64:)?[A-Za-z0-9+=/_-]*[A-Za-z][A-Za-z0-9+=/_-]*$`)
)
