package facts_test

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

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/live"
)

// ignorePatterns are lines of a .gitignore: each kind of pattern, alone and with what can stand before and behind it.
func ignorePatterns() (lines []string) {
	bases := []string{
		"a", "a/b", "b/c", "a/*", "a/**", "**/b", "**/a/b", "a/**/c", "*", "**", "*.env", "?", "a?b", "*/b", "a**b", "a/**b", "a/b**", "***",
		"a/***/c", "[ab]", "[!ab]", "[^ab]", "[a-c]x", "[c-a]x", "[]x]", "[!]x]", "[a\\]x]", "[[:digit:]]", "[[:alpha:]]x", "[[:no:]]", "[a-]", "[", "[a",
		"a]", "[a/b]", "a[/]b", "a\\*", "a*", "\\a", "a\\", "\\", "a\\ ", "a ", "a\\\\", " a", "a\t", "{a,b}", "A", "ü", "[ü]", "./a", "a//b", "a/./b", "../a", ".",
		"..", "*.*", ".*", "a.b", "a+b", "(a)", "a$", "^a", "a|b", "\\[", "[\\]]", "[\\\\]", "[a\\-c]", "[a\\c]", "[!\\a]", "**a", "a**", "a/**/", "**/", "*/*/c", "b/**/**/d",
		"[[:alpha:][:digit:]]x", "[[:space:]]", "[[:upper:]]", "[a-c-e]", "[--0]", "[!-]", "\\#a", "\\!a", "#a", "b/c/d",
	}
	for _, b := range bases {
		lines = append(lines, b, "/"+b, b+"/", "*\n!"+b, b+"\n!"+b+"/*", "*\n!*/\n!"+b, b+"\r")
	}
	return append(lines, "", "/", "!", "!!a", "\xef\xbb\xbfa", "\xef\xbb\xbf*", "a\n\nb", "# a\na/b/c", "a/\n!a/b", "a/*\n!a/b", "a/*\n!a/b\na/b/*\n!a/b/c")
}

// TestIgnore holds what is ignored to what git says of the same tree: of one .gitignore at its top and one below.
func TestIgnore(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command("git", "init", "-q", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	files := []string{"a/b/c/d", "a/c", "a/x.env", "ab", "b/c/d", "b/a/b", "b/x/y/d", "x/a/b/c", "x/b", "c/a", ".env", "x.env", "ax", "cx", "bx", "A", "aab", "a*", "a\\",
		"a ", " a", "a\t", "#a", "!a", "]", "]x", "[", "[a", "a]", "{a,b}", "ü", "a.b", "a+b", "(a)", "a$", "^a", "a|b", "1", "1x", "-", "\\", "a-b", "axb", "x/axb/a", "0", "+",
		"d/e/a", "a\\ ", "[c-a]x", "e", " "}
	for _, f := range files {
		p := filepath.Join(dir, f)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err == nil {
			err = os.WriteFile(p, nil, 0o644)
		} else {
			t.Fatal(err)
		}
	}
	slices.Sort(files)
	n := 0
	for _, name := range []string{".gitignore", "x/.gitignore"} {
		for _, lines := range ignorePatterns() {
			n++
			if err := os.WriteFile(filepath.Join(dir, name), []byte(lines+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(ignoredByGit(t, dir, files), ignoredByHarden(t, dir, files)); diff != "" {
				t.Errorf("%s %q (-git +harden):\n%s", name, lines, diff)
			}
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d files of patterns, %d paths", n, len(files))
}

func ignoredByGit(t *testing.T, dir string, files []string) string {
	t.Helper()
	cmd := exec.Command("git", "-c", "core.excludesFile=/dev/null", "-c", "core.quotePath=false", "check-ignore", "--no-index", "--stdin", "-z")
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(strings.Join(files, "\x00"))
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil && cmd.ProcessState.ExitCode() != 1 { // 1: none is ignored
		t.Fatalf("git check-ignore: %v\n%s", err, said.String())
	}
	return strings.ReplaceAll(string(out), "\x00", "\n")
}

func ignoredByHarden(t *testing.T, dir string, files []string) string {
	h := facts.New(t.Context(), live.Beneath([]facts.SourceDir{{Path: dir, As: "."}}), facts.Choices{})
	var b strings.Builder
	for _, f := range files {
		if h.Ignored(dir, filepath.Join(dir, f)) {
			fmt.Fprintln(&b, f)
		}
	}
	return b.String()
}
