package source

import (
	"example.com/harden/checks/facts"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// An ignoreRule is one line of a .gitignore.
type ignoreRule struct {
	dir     string // of the file that it is in
	re      *regexp.Regexp
	not     bool // what an earlier rule ignores is not
	onlyDir bool
}

// parseIgnore reads a .gitignore as git does. Patterns that can match nothing are left out.
func parseIgnore(dir string, data []byte) []ignoreRule {
	var rules []ignoreRule
	for line := range strings.Lines(strings.TrimPrefix(string(data), "\ufeff")) {
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if line == "" || line[0] == '#' {
			continue
		}
		r := ignoreRule{dir: dir}
		line, r.not = strings.CutPrefix(trimSpaces(line), "!")
		line, r.onlyDir = strings.CutSuffix(line, "/")
		if line == "" {
			continue
		}
		expr, named := "(?:.*/)?", !strings.Contains(line, "/") // by its last name, wherever it is
		if !named {
			line, expr = strings.TrimPrefix(line, "/"), ""
		}
		literal := line // git compares it first; what follows begins anew, which "a/b**" shows
		if i := strings.IndexAny(line, `*?[\`); i >= 0 {
			literal = line[:i]
		}
		expr += regexp.QuoteMeta(byBytes(literal)) + globExpr(line[len(literal):], named)
		var err error
		if r.re, err = regexp.Compile("(?s)^" + expr + "$"); err == nil {
			rules = append(rules, r)
		}
	}
	return rules
}

// trimSpaces takes the spaces at the end of a pattern away, but for one behind a backslash.
func trimSpaces(line string) string {
	end := 0 // behind the last thing that is no space
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case ' ':
			continue
		case '\\':
			i++
		}
		end = min(i+1, len(line))
	}
	return line[:end]
}

// byBytes is a text with a character for each of its bytes: git compares bytes.
func byBytes(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return s
	}
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}

// nothing is an expression that matches nothing.
const nothing = `[^\x00-\x{10FFFF}]`

// globExpr is a pattern of a .gitignore as a regular expression on bytes, of a path or of one name. Source: git
// wildmatch.c.
func globExpr(glob string, named bool) string {
	var b strings.Builder
	for i := 0; i < len(glob); i++ {
		switch c := glob[i]; c {
		case '*':
			n := len(glob[i:]) - len(strings.TrimLeft(glob[i:], "*"))
			rest := glob[i+n:]
			begins := !named && (i == 0 || glob[i-1] == '/')
			switch {
			case n > 1 && begins && strings.HasPrefix(rest, "/"):
				b.WriteString("(?:.*/)?")
				n++
			case n > 1 && begins && (rest == "" || strings.HasPrefix(rest, `\/`)):
				b.WriteString(".*")
			default:
				b.WriteString("[^/]*")
			}
			i += n - 1
		case '?':
			b.WriteString("[^/]")
		case '[':
			set, n := globSet(glob[i:])
			b.WriteString(set)
			i += n - 1
		case '\\':
			if i++; i == len(glob) {
				return nothing
			}
			b.WriteString(regexp.QuoteMeta(byBytes(glob[i : i+1])))
		default:
			b.WriteString(regexp.QuoteMeta(byBytes(glob[i : i+1])))
		}
	}
	return b.String()
}

// globSet is the set of bytes that a pattern begins with, and how long that is.
func globSet(glob string) (expr string, n int) {
	in, not, i := [256]bool{}, false, 1
	if i < len(glob) && (glob[i] == '!' || glob[i] == '^') {
		not, i = true, i+1
	}
	for first, last := true, -1; i < len(glob) && (first || glob[i] != ']'); i, first = i+1, false {
		c := int(glob[i])
		switch rest := glob[i+1:]; {
		case c == '-' && last >= 0 && rest != "" && rest[0] != ']':
			i++
			if rest[0] == '\\' {
				i++
			}
			for ; i < len(glob) && last <= int(glob[i]); last++ {
				in[last] = true
			}
			last = -1
			continue
		case c == '[' && strings.HasPrefix(rest, ":") && strings.Contains(rest, "]"):
			name, ok := strings.CutSuffix(rest[1:max(1, strings.IndexByte(rest, ']'))], ":")
			if !ok {
				break
			}
			is := byteClasses[name]
			if is == nil {
				return nothing, len(glob)
			}
			for b := range 256 {
				in[b] = in[b] || b < utf8.RuneSelf && is(rune(b))
			}
			i, last = i+len(name)+3, -1
			continue
		case c == '\\':
			if i++; i == len(glob) {
				return nothing, len(glob)
			}
			c = int(glob[i])
		}
		in[c], last = true, c
	}
	if i >= len(glob) {
		return nothing, len(glob) // it has no end
	}
	var b strings.Builder
	takes := func(c int) bool { return c < 256 && in[c] != not && c != '/' }
	for c := 0; c < 256; c++ {
		if begin := c; takes(c) { // by ranges, so that it is not much longer than the pattern
			for takes(c + 1) {
				c++
			}
			fmt.Fprintf(&b, `\x{%x}-\x{%x}`, begin, c)
		}
	}
	if b.Len() == 0 {
		return nothing, i + 1
	}
	return "[" + b.String() + "]", i + 1
}

// byteClasses are the classes that a set may name, as C has them.
var byteClasses = map[string]func(rune) bool{
	"alnum":  func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) },
	"alpha":  unicode.IsLetter,
	"blank":  func(r rune) bool { return r == ' ' || r == '\t' },
	"cntrl":  unicode.IsControl,
	"digit":  unicode.IsDigit,
	"graph":  func(r rune) bool { return r > ' ' && r < 0x7f },
	"lower":  unicode.IsLower,
	"print":  func(r rune) bool { return r >= ' ' && r < 0x7f },
	"punct":  func(r rune) bool { return r > ' ' && r < 0x7f && !unicode.IsLetter(r) && !unicode.IsDigit(r) },
	"space":  unicode.IsSpace,
	"upper":  unicode.IsUpper,
	"xdigit": func(r rune) bool { return strings.ContainsRune("0123456789abcdefABCDEF", r) },
}

// ignored reports whether rules ignore a path; the last that matches counts.
func ignored(rules []ignoreRule, p string, dir bool) bool {
	out := false
	for _, r := range rules {
		rel, below := strings.CutPrefix(p, path.Clean(r.dir)+"/")
		if below && (dir || !r.onlyDir) && r.re.MatchString(byBytes(rel)) {
			out = !r.not
		}
	}
	return out
}

// Ignored reports whether the .gitignore files of a source directory, from root down, leave out a file or a directory
// above it.
func Ignored(h *facts.Host, root, file string) bool {
	var rules []ignoreRule
	for _, dir := range slices.Backward(dirsAbove(root, file)) {
		if f, err := h.File(path.Join(dir, ".gitignore")); err == nil {
			rules = append(rules, parseIgnore(dir, f.Data)...)
		}
	}
	return ignoredBelow(rules, root, file)
}

// ignoredBelow reports whether rules leave out a file, or a directory between it and root.
func ignoredBelow(rules []ignoreRule, root, file string) bool {
	return ignored(rules, file, false) ||
		slices.ContainsFunc(dirsAbove(root, file), func(dir string) bool { return ignored(rules, dir, true) })
}

// dirsAbove are the directories that a file is in, up to root, the nearest first.
func dirsAbove(root, file string) (above []string) {
	for dir := path.Dir(file); facts.Within(dir, root); dir = path.Dir(dir) {
		above = append(above, dir)
		if dir == "/" || dir == "." {
			break
		}
	}
	return above
}
