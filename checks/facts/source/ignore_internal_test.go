package source

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ignorePatterns are lines of a .gitignore: each kind of pattern, alone and with what can stand before and behind it.
func ignorePatterns() (lines []string) {
	bases := []string{
		"a", "a/b", "b/c", "a/*", "a/**", "**/b", "**/a/b", "a/**/c", "*", "**", "*.env", "?", "a?b", "*/b", "a**b", "a/**b",
		"a/b**", "***",
		"a/***/c", "[ab]", "[!ab]", "[^ab]", "[a-c]x", "[c-a]x", "[]x]", "[!]x]", "[a\\]x]", "[[:digit:]]", "[[:alpha:]]x",
		"[[:no:]]", "[a-]", "[", "[a",
		"a]", "[a/b]", "a[/]b", "a\\*", "a*", "\\a", "a\\", "\\", "a\\ ", "a ", "a\\\\", " a", "a\t", "{a,b}", "A", "ü",
		"[ü]", "./a", "a//b", "a/./b", "../a", ".",
		"..", "*.*", ".*", "a.b", "a+b", "(a)", "a$", "^a", "a|b", "\\[", "[\\]]", "[\\\\]", "[a\\-c]", "[a\\c]", "[!\\a]",
		"**a", "a**", "a/**/", "**/", "*/*/c", "b/**/**/d",
		"[[:alpha:][:digit:]]x", "[[:space:]]", "[[:upper:]]", "[a-c-e]", "[--0]", "[!-]", "\\#a", "\\!a", "#a", "b/c/d",
	}
	for _, b := range bases {
		lines = append(lines, b, "/"+b, b+"/", "*\n!"+b, b+"\n!"+b+"/*", "*\n!*/\n!"+b, b+"\r")
	}
	return append(lines, "", "/", "!", "!!a", "\xef\xbb\xbfa", "\xef\xbb\xbf*", "a\n\nb", "# a\na/b/c", "a/\n!a/b",
		"a/*\n!a/b", "a/*\n!a/b\na/b/*\n!a/b/c")
}

// TestIgnore holds what is ignored to what git says of it: by one .gitignore at the top of a directory, or by one
// below.
func TestIgnore(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("git", "init", "-q", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	files := []string{"a/b/c/d", "a/c", "a/x.env", "ab", "b/c/d", "b/a/b", "b/x/y/d", "x/a/b/c", "x/b", "c/a", ".env",
		"x.env", "ax", "cx", "bx", "A", "aab", "a*", "a\\",
		"a ", " a", "a\t", "#a", "!a", "]", "]x", "[", "[a", "a]", "{a,b}", "ü", "a.b", "a+b", "(a)", "a$", "^a", "a|b", "1",
		"1x", "-", "\\", "a-b", "axb", "x/axb/a", "0", "+",
		"d/e/a", "a\\ ", "[c-a]x", "e", " "}
	slices.Sort(files)
	var cases, asked []string // the former are directories of dir, each with one .gitignore
	var rules [][]ignoreRule
	for _, name := range []string{".gitignore", "x/.gitignore"} {
		for _, lines := range ignorePatterns() {
			p := filepath.Join(dir, fmt.Sprint(len(cases)), name)
			if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(p, []byte(lines+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				asked = append(asked, fmt.Sprintf("%d/%s", len(cases), f))
			}
			rules = append(rules, parseIgnore(filepath.Dir(p), []byte(lines+"\n")))
			cases = append(cases, fmt.Sprintf("%s %q", name, lines))
		}
	}
	byGit := ignoredByGit(t, dir, asked)
	for i, name := range cases {
		var git, harden []string
		for _, f := range files {
			if byGit[fmt.Sprintf("%d/%s", i, f)] {
				git = append(git, f)
			}
			if top := filepath.Join(dir, fmt.Sprint(i)); ignoredBelow(rules[i], top, filepath.Join(top, f)) {
				harden = append(harden, f)
			}
		}
		if diff := cmp.Diff(git, harden); diff != "" {
			t.Errorf("%s (-git +harden):\n%s", name, diff)
		}
	}
	t.Logf("%d files of patterns, %d paths", len(cases), len(files))
}

// ignoredByGit are those of some paths that git ignores, whether or not they are there.
func ignoredByGit(t *testing.T, dir string, paths []string) map[string]bool {
	t.Helper()
	cmd := exec.Command("git", "-c", "core.excludesFile=/dev/null", "check-ignore", "--no-index", "--stdin", "-z")
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(strings.Join(paths, "\x00"))
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git check-ignore: %v\n%s", err, said.String())
	}
	all := map[string]bool{}
	for p := range strings.SplitSeq(string(out), "\x00") {
		all[p] = true
	}
	return all
}
