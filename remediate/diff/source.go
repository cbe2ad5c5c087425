package diff

import (
	"path"
	"strings"

	"go.yaml.in/yaml/v3"

	"example.com/harden/checks/budget"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/secret"
)

var (
	dockerEnv   = pattern(`(?i)^\s*(?:ONBUILD\s+)?(?:ENV|ARG|LABEL)\s`)
	dockerPair  = pattern(`([A-Za-z_][A-Za-z0-9_.-]*)=("(?:[^"\\]|\\.)*"?|'[^']*'?|(?:[^\s\\]|\\.)+)`)
	dockerWords = pattern(`(?i)^(\s*(?:ONBUILD\s+)?ENV\s+)([A-Za-z_][A-Za-z0-9_]*)(\s+)(\S.*)$`) // ENV NAME VALUE, as of old
)

// detected marks what the rules for secrets find, line by line.
func (r *Redactor) detected(data []byte) []byte {
	var b strings.Builder
	last := 0
	for _, h := range secret.Find(data) {
		b.Write(data[last:h.Start])
		for line := range strings.Lines(string(data[h.Start:h.End])) {
			b.WriteString(r.value(line))
		}
		last = h.End
	}
	b.Write(data[last:])
	return []byte(b.String())
}

// dockerfile marks the values that ENV, ARG and LABEL give, unless they are harmless.
func (r *Redactor) dockerfile(data []byte) []byte {
	var b strings.Builder
	open := false // a line before went on
	for line := range strings.Lines(string(data)) {
		text := strings.TrimRight(line, "\r\n")
		end := line[len(text):]
		starts := dockerEnv().MatchString(text)
		switch m := dockerWords().FindStringSubmatch(text); {
		case starts && m != nil && !strings.Contains(m[2]+m[3]+firstWord(m[4]), "="):
			value := m[4]
			if !r.harmless(m[2], value) {
				value = r.value(value)
			}
			text = m[1] + m[2] + m[3] + value
		case starts || open && !strings.HasPrefix(strings.TrimSpace(text), "#"):
			text = r.pairs(text)
		}
		b.WriteString(text + end)
		trimmed := strings.TrimRight(line, " \t\r\n")
		open = (starts || open) && (strings.HasSuffix(trimmed, `\`) || strings.HasSuffix(trimmed, "`") ||
			open && (trimmed == "" || strings.HasPrefix(strings.TrimSpace(trimmed), "#")))
	}
	return []byte(b.String())
}

func firstWord(s string) string { w, _, _ := strings.Cut(s, " "); return w }

func (r *Redactor) pairs(text string) string {
	var b strings.Builder
	last := 0
	for _, m := range dockerPair().FindAllStringSubmatchIndex(text, -1) {
		name, value := text[m[2]:m[3]], text[m[4]:m[5]]
		if r.harmless(name, value) {
			continue
		}
		b.WriteString(text[last:m[4]] + r.value(value))
		last = m[5]
	}
	return b.String() + text[last:]
}

// compose marks the values of environments and build arguments, unless they are harmless, and the content of configs
// and secrets. What is no YAML keeps what the patterns do not find.
func (r *Redactor) compose(data []byte) []byte {
	var doc yaml.Node
	if err := budget.Unmarshal(data, &doc); err != nil {
		return data
	}
	lines := strings.SplitAfter(string(data), "\n")
	hidden := map[*yaml.Node]bool{}
	hide := func(n *yaml.Node) {
		if n.Kind != yaml.ScalarNode || n.Value == "" || hidden[n] || n.Line < 1 || n.Line > len(lines) {
			return
		}
		hidden[n] = true
		r.scalar(lines, n)
	}
	var walk func(n *yaml.Node, in string, depth int)
	walk = func(n *yaml.Node, in string, depth int) {
		if depth > 50 {
			return
		}
		switch n.Kind {
		case yaml.DocumentNode:
			for _, c := range n.Content {
				walk(c, in, depth+1)
			}
		case yaml.SequenceNode:
			for _, c := range n.Content {
				if name, value, ok := strings.Cut(c.Value, "="); in == "environment" && c.Kind == yaml.ScalarNode && ok {
					if !r.harmless(name, value) {
						hide(c)
					}
					continue
				}
				walk(c, in, depth+1)
			}
		case yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				key, value := n.Content[i], n.Content[i+1]
				switch {
				case in == "environment" && key.Value != "<<":
					if value.Kind == yaml.ScalarNode && !r.harmless(key.Value, value.Value) {
						hide(value)
					}
				case key.Value == "content" || named().MatchString(key.Value):
					hide(value)
				}
				inner := in
				if key.Value == "environment" || key.Value == "args" {
					inner = "environment"
				} else if in != "environment" || value.Kind != yaml.MappingNode || key.Value != "<<" {
					inner = ""
				}
				walk(value, inner, depth+1)
			}
		}
	}
	walk(&doc, "", 0)
	return []byte(strings.Join(lines, ""))
}

// scalar marks a scalar where it stands: to the end of its line, and the lines that it goes on in. More than it may be
// marked, a comment behind it for one, never less.
func (r *Redactor) scalar(lines []string, n *yaml.Node) {
	first := lines[n.Line-1]
	column := min(n.Column-1, len(first))
	if name, _, ok := strings.Cut(first[column:], "="); ok && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 && strings.Contains(n.Value, "=") &&
		!strings.Contains(name, ":") {
		column += len(name) + 1
	}
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 {
		lines[n.Line-1] = first[:column] + r.value(first[column:])
		if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) == 0 && !strings.Contains(n.Value, " ") {
			return
		}
	}
	indent := len(first) - len(strings.TrimLeft(first, " "))
	for i := n.Line; i < len(lines); i++ {
		text := lines[i]
		deep := len(text) - len(strings.TrimLeft(text, " "))
		if strings.TrimSpace(text) == "" {
			continue
		}
		if deep <= indent {
			return
		}
		lines[i] = text[:deep] + r.value(text[deep:])
	}
}

func isDockerfile(file string) bool { return facts.IsDockerfile(path.Base(file)) }

func isCompose(file string) bool {
	ext := path.Ext(file)
	return ext == ".yml" || ext == ".yaml"
}
