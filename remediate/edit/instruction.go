package edit

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Instruction makes the instruction that begins on a line (from 1) of a Dockerfile another one with the same arguments:
// one word is replaced, in the same case, and the result has to read as before in everything else. Behind ONBUILD it
// works too.
func Instruction(data []byte, line int, from, to string) ([]byte, error) {
	before, err := parser.Parse(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	lines := slices.Collect(bytes.Lines(data))
	if line < 1 || line > len(lines) {
		return nil, fmt.Errorf("line %d: no such line", line)
	}
	text := string(lines[line-1])
	start := len(text) - len(strings.TrimLeft(text, " \t\ufeff"))
	if word := firstWord(text[start:]); strings.EqualFold(word, "ONBUILD") {
		rest := text[start+len(word):]
		start = len(text) - len(strings.TrimLeft(rest, " \t"))
	}
	word := firstWord(text[start:])
	if !strings.EqualFold(word, from) {
		return nil, fmt.Errorf("line %d: no %s begins there", line, from)
	}
	if word == strings.ToLower(word) {
		to = strings.ToLower(to)
	}
	lines[line-1] = []byte(text[:start] + to + text[start+len(word):])
	out := bytes.Join(lines, nil)
	after, err := parser.Parse(bytes.NewReader(out))
	if err != nil {
		return nil, err
	}
	if !sameBut(before.AST, after.AST, line) {
		return nil, fmt.Errorf("line %d: the file would read differently in more than that", line)
	}
	return out, nil
}

func firstWord(s string) string {
	if i := strings.IndexAny(s, " \t\r\n"); i >= 0 {
		return s[:i]
	}
	return s
}

// sameBut compares two Dockerfiles by what their instructions say, but for the word that one of them begins with.
func sameBut(a, b *parser.Node, line int) bool {
	if len(a.Children) != len(b.Children) {
		return false
	}
	for i := range a.Children {
		x, y := a.Children[i], b.Children[i]
		if x.StartLine != y.StartLine || x.EndLine != y.EndLine || !slices.Equal(x.Flags, y.Flags) {
			return false
		}
		xs, ys := said(x), said(y)
		if x.StartLine == line {
			xs, ys = xs[1:], ys[1:]
		}
		if !slices.Equal(xs, ys) {
			return false
		}
	}
	return true
}

// said are an instruction's words; ONBUILD is left out where another stands behind it.
func said(n *parser.Node) []string {
	var words []string
	if n.Next == nil || len(n.Next.Children) == 0 {
		words = append(words, strings.ToUpper(n.Value))
	}
	for m := n.Next; m != nil; m = m.Next {
		if len(m.Children) > 0 {
			words = append(words, said(m.Children[0])...)
		} else {
			words = append(words, m.Value)
		}
	}
	for _, h := range n.Heredocs {
		words = append(words, h.Name, h.Content)
	}
	return words
}
