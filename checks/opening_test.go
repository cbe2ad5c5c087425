package checks_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What opens a file, or looks at one, by its path.
var opens = regexp.MustCompile(`^(?:os|ioutil|filepath|unix|syscall|fs)\.(?:` +
	`Open\w*|ReadFile|ReadDir|Stat|Statx?|Lstat|` +
	`Readlink\w*|Walk\w*|Glob|EvalSymlinks|DirFS|Create\w*|Fstatat|Statfs)$`)

// TestOneWayToOpen holds every fact to one way in which files are opened: through facts.Source, of which the one for
// --source is live.Beneath. Of the packages below checks only live opens anything, and of it only these functions.
func TestOneWayToOpen(t *testing.T) {
	allowed := map[string][]string{
		"facts/live/walk.go":      {"open", "straight", "follow", "step"},
		"facts/live/file.go":      {"stat", "locked", "reopen"},
		"facts/live/elsewhere.go": {"open"}, // on other systems, the files of a source
		// /proc of this machine, its locks and its Docker socket: never asked for a source.
		"facts/live/listener.go": nil, "facts/live/process.go": nil,
		"facts/live/packages.go": nil, "facts/live/engine.go": nil,
	}
	seen := 0
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			return err
		}
		for _, decl := range parsed.Decls {
			name := ""
			if f, ok := decl.(*ast.FuncDecl); ok {
				name = f.Name.Name
			}
			ast.Inspect(decl, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				s, ok := call.Fun.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				pkg, ok := s.X.(*ast.Ident)
				if !ok || !opens.MatchString(pkg.Name+"."+s.Sel.Name) {
					return true
				}
				seen++
				functions, ok := allowed[file]
				if !ok || functions != nil && !slices.Contains(functions, name) {
					t.Errorf("%s: %s calls %s.%s: files are opened through facts.Source alone", file, name, pkg.Name,
						s.Sel.Name)
				}
				return true
			})
		}
		return nil
	})
	if err != nil || seen < 10 {
		t.Fatalf("%d calls seen, %v", seen, err)
	}
}
