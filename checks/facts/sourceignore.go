package facts

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// SourceChoices are what of a source directory is looked at beside what is the repository's own.
type SourceChoices struct {
	Vendor      bool // directories called vendor and node_modules: other people's sources
	SkipIgnored bool // leave out what a .gitignore names; it may still be what runs here
}

// An ignoreRule is one line of a .gitignore.
type ignoreRule struct {
	dir     string // of the file that it is in
	re      *regexp.Regexp
	not     bool // what an earlier rule ignores is not
	onlyDir bool
}

// parseIgnore reads a .gitignore as gitignore(5) has it. Patterns that cannot be are left out.
func parseIgnore(dir string, data []byte) []ignoreRule {
	var rules []ignoreRule
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\r\n")
		if !strings.HasSuffix(line, `\ `) {
			line = strings.TrimRight(line, " ")
		}
		if line == "" || line[0] == '#' {
			continue
		}
		r := ignoreRule{dir: dir}
		line, r.not = strings.CutPrefix(line, "!")
		line, r.onlyDir = strings.CutSuffix(line, "/")
		anchored := strings.Contains(line, "/")
		line = strings.TrimPrefix(line, "/")
		expr := globExpr(line)
		if !anchored {
			expr = "(?:.*/)?" + expr
		}
		var err error
		if r.re, err = regexp.Compile("^" + expr + "$"); err == nil && line != "" {
			rules = append(rules, r)
		}
	}
	return rules
}

// globExpr is a pattern of a .gitignore as a regular expression.
func globExpr(glob string) string {
	var b strings.Builder
	for i := 0; i < len(glob); i++ {
		rest := glob[i:]
		switch {
		case strings.HasPrefix(rest, "**/") && (i == 0 || glob[i-1] == '/'):
			b.WriteString("(?:.*/)?")
			i += 2
		case rest == "**" && i > 0 && glob[i-1] == '/':
			b.WriteString(".+")
			i++
		case rest[0] == '*':
			b.WriteString("[^/]*")
		case rest[0] == '?':
			b.WriteString("[^/]")
		case rest[0] == '[' && strings.IndexByte(rest[1:], ']') > 0:
			end := 1 + strings.IndexByte(rest[1:], ']')
			set := rest[1:end]
			if set[0] == '!' {
				set = "^" + set[1:]
			}
			b.WriteString("[" + strings.ReplaceAll(set, `\`, `\\`) + "]")
			i += end
		case rest[0] == '\\' && len(rest) > 1:
			b.WriteString(regexp.QuoteMeta(rest[1:2]))
			i++
		default:
			b.WriteString(regexp.QuoteMeta(rest[:1]))
		}
	}
	return b.String()
}

// ignored reports whether rules ignore a path; the last that matches counts.
func ignored(rules []ignoreRule, p string, dir bool) bool {
	out := false
	for _, r := range rules {
		rel, below := strings.CutPrefix(p, path.Clean(r.dir)+"/")
		if below && (dir || !r.onlyDir) && r.re.MatchString(rel) {
			out = !r.not
		}
	}
	return out
}

// Ignored reports whether the .gitignore files of a source directory, from root down, leave out a file or a directory
// above it.
func (h *Host) Ignored(root, file string) bool {
	var above []string
	for dir := path.Dir(file); Within(dir, root); dir = path.Dir(dir) {
		above = append(above, dir)
		if dir == "/" || dir == "." {
			break
		}
	}
	var rules []ignoreRule
	for _, dir := range slices.Backward(above) {
		if f, err := h.File(path.Join(dir, ".gitignore")); err == nil {
			rules = append(rules, parseIgnore(dir, f.Data)...)
		}
	}
	return ignored(rules, file, false) || slices.ContainsFunc(above, func(dir string) bool { return ignored(rules, dir, true) })
}
