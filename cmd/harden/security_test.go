package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/harden/checks/stride"
)

// TestSecurity holds the threat model of harden itself to having the form of the product's, all letters of STRIDE, and
// tests that exist. A test is named by its package and function, or by its file where a script tests.
func TestSecurity(t *testing.T) {
	text, err := os.ReadFile("../../.github/SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	exist := tests(t)
	part := regexp.MustCompile(`(?m)^- (attack|answer|rest|tests):`)
	letters, seen := map[string]bool{}, map[string]bool{}
	_, threats, _ := strings.Cut(string(text), "\n## Threat model\n")
	threats, _, ok := strings.Cut(threats, "\n## Dependencies\n")
	all := strings.Split(threats, "\n### ")[1:]
	if !ok || len(all) < 15 {
		t.Fatalf("%d threats", len(all))
	}
	for _, threat := range all {
		head, body, _ := strings.Cut(threat, "\n")
		letter, name, _ := strings.Cut(head, " ")
		id := stride.ID(name)
		if id.Platform() != "harden" || id.Category().Letter() != letter || letter == "?" || strings.Count(name,
			"/") != 2 {
			t.Errorf("%s: an ID is harden/surface/category, after the category's letter", head)
		}
		if seen[name] {
			t.Errorf("%s: twice", head)
		}
		letters[letter], seen[name] = true, true
		var parts []string
		for _, p := range part.FindAllStringSubmatch(body, -1) {
			parts = append(parts, p[1])
		}
		if !slices.Equal(parts, []string{"attack", "answer", "rest", "tests"}) {
			t.Errorf("%s: it has %q", head, parts)
		}
		_, by, _ := strings.Cut(body, "- tests:")
		if !regexp.MustCompile("^[\\s`A-Za-z0-9_./-]+$").MatchString(by) || !strings.Contains(by, "`") {
			t.Errorf("%s: what tests it is %q", head, by)
		}
	}
	for _, c := range stride.Categories {
		if !letters[c.Letter()] {
			t.Errorf("no threat of %s", c)
		}
	}
	named := regexp.MustCompile("`([a-z0-9/]+\\.(?:Test|Fuzz)[A-Za-z0-9_]*|[a-z/]+\\.txtar)`")
	for _, name := range named.FindAllStringSubmatch(string(text), -1) {
		if !exist[name[1]] {
			t.Errorf("there is no test %s", name[1])
		}
	}
}

// tests returns the names of all tests of this module, "checks/be.TestHolds", and the paths of its test scripts.
func tests(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, dir := range []string{"checks", "cmd", "fixtures", "remediate", "scripts"} {
		err := filepath.WalkDir(filepath.Join("../..", dir), func(file string, d os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			name := filepath.ToSlash(strings.TrimPrefix(file, "../../"))
			switch {
			case strings.HasSuffix(name, ".txtar") && strings.Contains(name, "/testdata/script/"):
				found[name] = true
			case strings.HasSuffix(name, "_test.go"):
				parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
				if err != nil {
					return err
				}
				for _, d := range parsed.Decls {
					f, ok := d.(*ast.FuncDecl)
					if ok && f.Recv == nil && (strings.HasPrefix(f.Name.Name, "Test") ||
						strings.HasPrefix(f.Name.Name, "Fuzz")) {
						found[filepath.ToSlash(filepath.Dir(name))+"."+f.Name.Name] = true
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}
