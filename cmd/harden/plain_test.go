package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"example.com/harden/checks/catalog"
)

// riddles are phrases that people who tried harden did not understand, each with what they expected in its place.
var riddles = []struct{ phrase, plain string }{
	{`what it was allowed to apply`, "only what you allow"},
	{`[Ww]hat could not be told|cannot be told`, "inconclusive checks; unknown"},
	{`takes one line`, "gets one line"},
	{`half as much again`, "1.5 × peak"},
	{`[0-9] at least\b`, "minimum 2048"},
	{`said to be \*`, "marked"},
	{`make it again`, "recreate it"},
	{`may stay\b`, "confirms it"},
	{`a boot and the time since`, "the monotonic clock"},
	{`by place, kind`, "only location, type and length are shown"},
	{`out of bounds`, "too large or malformed"},
	{`left out, the whole`, "if omitted, applies to the whole check"},
	{`not settle (its|it\b)`, "would not resolve it"},
	{`\bby chance\b`, "random delay"},
	{`makes up for`, "cron skips missed runs"},
	{`have the cluster keep`, "also update kubeadm-config"},
	{`so it cannot be asked|can be asked of`, "dockerd is not running; not checked"},
	{`no terminal to ask on`, "stdin is not a terminal"},
	{`must be within 0`, "must be 0755 or stricter"},
	{`take[ns]? up in place`, "by reload, no restart"},
	{`[Ll]eft to you`, "manual action required"},
	{`a person must look`, "manual review"},
	{`not as it must be`, "hide passing checks"},
	{`no check above`, "up to LEVEL"},
	{`by the clock`, "scheduled"},
	{`\b[Tt]ak(e|es|en|ing) (it|itself|all|them|(a|the|that|this) (whole )?run) back\b`, "roll back"},
	{`runs? (is|was|are) (then )?taken back|\btakes back\b|\btaken back by`, "rolled back"},
	{`is of a run`, "can't be combined with --dry-run"},
	{`there are 1, and 2`, "valid: 1, 2"},
	{`(nothing|nobody) is called`, `unknown check "icx"; invalid --by`},
	{`[Tt]here has been no run`, "No runs yet."},
	{`leaves no check`, "no checks selected"},
	{`whoever has done it since`, "restart docker.service yourself"},
	{`of now is hidden`, "existing images are unavailable until it is disabled"},
	{`what it covered`, "waiver expired"},
	{`is no day such`, "invalid date; use YYYY-MM-DD"},
	{`as it is to be`, "already up to date"},
	{`scheduled look`, "audit"},
	{`come to rest`, "the plan does not converge"},
	{`tells? nothing of`, "not checked"},
	{`within 0[0-7]{3}\b`, "0755 or stricter"},
	{`what it was allowed`, "only what you allow"},
	{`what is mounted where`, "mounts unknown"},
	{`does not settle|would not settle`, "would not resolve it"},
	{`[Aa] person (must|decides)`, "edit it yourself; manual review"},
	{`for a person to|person's choice`, "manual review"},
	{`(is|was|be|are) (then )?taken back\b|\b[Tt]ak(e|es|ing) (it|that|them|one) back\b`, "rolled back"},
	{`could not be looked at|was looked at|last look\b`, "checked; last audit"},
	{`\b[Ss]ay --`, "use --yes"},
	{`is no (JSON|list|mapping|number|glob|path|program|record|kind|regular file|URL|IP)`, "is not a list"},
	{`\(there are [^)]*%s|is called %q`, "unknown X; valid: A, B"},
	{`(made|make them|makes %s) again`, "recreated"},
	{`what became of`, "the outcome"},
	{`goes? on unmanaged|would go on\b`, "would continue"},
	{`counts? again`, "waiver expired"},
}

// TestPlain holds what users read to plain words: help, pages and catalogue as they are shown, the string literals of
// the product, and what the tests recorded of its output.
func TestPlain(t *testing.T) {
	texts := map[string]string{}
	for _, c := range commands(newRoot()) {
		texts[c.CommandPath()] = helpOf(c)
	}
	for _, c := range catalog.All {
		texts[c.ID] = strings.Join([]string{c.Title, c.Why, c.Breaks, c.Manual}, "\n")
	}
	for _, file := range append(pages(t), outputs(t)...) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[file] = string(text)
	}
	for _, file := range product(t) {
		maps.Copy(texts, literals(t, file))
	}
	if len(texts) < 2000 {
		t.Fatalf("%d texts", len(texts))
	}
	for _, r := range riddles {
		phrase := regexp.MustCompile(strings.ReplaceAll(r.phrase, " ", `\s+`))
		for where, text := range texts {
			for _, at := range phrase.FindAllStringIndex(text, -1) {
				t.Errorf("%s: %q; write %q", place(where, text, at[0]), text[at[0]:at[1]], r.plain)
			}
		}
	}
}

// place adds the line of an offset to the file that where names; a literal has its own already.
func place(where, text string, offset int) string {
	if !strings.Contains(where, "/") || strings.Contains(where, ".go:") {
		return where
	}
	return fmt.Sprintf("%s:%d", where, 1+strings.Count(text[:offset], "\n"))
}

// product returns the Go files of the packages that are linked into harden.
func product(t *testing.T) []string {
	return below(t, func(file string) bool {
		return strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go")
	}, "checks", "cmd", "remediate")
}

// outputs returns the files that hold what harden printed, and the texts of the Ansible collection.
func outputs(t *testing.T) []string {
	files := below(t, func(file string) bool { return slices.Contains([]string{".golden", ".txtar"}, filepath.Ext(file)) },
		"cmd", "fixtures", "remediate")
	return append(files, below(t, func(file string) bool { return filepath.Ext(file) == ".yml" }, "scripts/ansible")...)
}

// below returns the files of these directories that keep wants.
func below(t *testing.T, keep func(string) bool, dirs ...string) (files []string) {
	t.Helper()
	for _, dir := range dirs {
		err := filepath.WalkDir(filepath.Join("../..", dir), func(file string, e fs.DirEntry, err error) error {
			if err == nil && e.Type().IsRegular() && keep(file) {
				files = append(files, file)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// literals returns the string constants of a Go file by file and line; one that is written in parts is one.
func literals(t *testing.T, file string) map[string]string {
	t.Helper()
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		e, ok := n.(ast.Expr)
		if !ok {
			return true
		}
		text, ok := constant(e)
		if ok {
			found[fmt.Sprintf("%s:%d", file, set.Position(e.Pos()).Line)] += text + "\n"
		}
		return !ok
	})
	return found
}

// constant returns the text of string literals that are joined by +; false where there is anything else.
func constant(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		left, ok := constant(e.X)
		right, also := constant(e.Y)
		return left + right, ok && also && e.Op == token.ADD
	}
	return "", false
}

// helpOf is all that a command's help says, its flags included.
func helpOf(cmd *cobra.Command) string {
	all := []string{cmd.Short, cmd.Long, cmd.Example}
	cmd.Flags().VisitAll(func(f *pflag.Flag) { all = append(all, f.Usage) })
	return strings.Join(all, "\n")
}

// TestHelpWidth keeps what Go files and man pages have of help to 120 columns, and help as it is shown to a screen: of
// 80 columns, but for single words that are longer, and of 50 lines.
func TestHelpWidth(t *testing.T) {
	for _, c := range commands(newRoot()) {
		for line := range strings.Lines(c.Long + "\n" + c.Flags().FlagUsages()) {
			if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 120 {
				t.Errorf("%s: %d columns: %s", c.CommandPath(), n, line)
			}
		}
		help := helpText(c)
		if n := strings.Count(help, "\n"); n > 50 {
			t.Errorf("%s --help has %d lines, and a screen 50:\n%s", c.CommandPath(), n, help)
		}
		for line := range strings.Lines(help) {
			line = strings.TrimSuffix(line, "\n")
			if len([]rune(line)) > 80 && strings.Contains(strings.TrimSpace(line), " ") {
				t.Errorf("%s --help: %d columns: %s", c.CommandPath(), len([]rune(line)), line)
			}
		}
	}
}

// TestWidth keeps Go files to 120 columns. Lines of a raw string of several lines are data: a unit, a manifest, a plan.
func TestWidth(t *testing.T) {
	files := below(t, func(file string) bool {
		return filepath.Ext(file) == ".go" && !strings.Contains(file, "testdata")
	}, "checks", "cmd", "fixtures", "remediate", "scripts")
	if len(files) < 500 {
		t.Fatalf("%d files", len(files))
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		raw := rawLines(file, text)
		n := 0
		for line := range strings.Lines(string(text)) {
			n++
			if width := len([]rune(strings.TrimSuffix(line, "\n"))); width > 120 && !raw[n] {
				t.Errorf("%s:%d: %d columns, maximum 120", file, n, width)
			}
		}
	}
}

// rawLines returns the numbers of the lines that raw strings of several lines lie on, but for where they begin.
func rawLines(file string, text []byte) map[int]bool {
	set := token.NewFileSet()
	var s scanner.Scanner
	s.Init(set.AddFile(file, -1, len(text)), text, nil, 0)
	lines := map[int]bool{}
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			return lines
		}
		for i := range strings.Count(lit, "\n") {
			if strings.HasPrefix(lit, "`") {
				lines[set.Position(pos).Line+1+i] = true
			}
		}
	}
}
