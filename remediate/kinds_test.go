package remediate

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"testing"
)

// parsed are the files of a package without its tests, by name.
func parsed(t *testing.T, dir string) map[string]*ast.File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]*ast.File{}
	for _, name := range names {
		if ok, _ := filepath.Match("*_test.go", filepath.Base(name)); ok {
			continue
		}
		if files[name], err = parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// methods are the names of the methods in a file, by receiver.
func methods(file *ast.File) map[string][]string {
	all := map[string][]string{}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Recv == nil {
			continue
		}
		receiver := f.Recv.List[0].Type
		if star, ok := receiver.(*ast.StarExpr); ok {
			receiver = star.X
		}
		if name, ok := receiver.(*ast.Ident); ok {
			all[name.Name] = append(all[name.Name], f.Name.Name)
		}
	}
	return all
}

// TestKinds holds each kind of want to a file of its own, with its class, text and claim, and to an editor here:
// whatever a check wants can be done.
func TestKinds(t *testing.T) {
	kinds := map[string]bool{}
	for name, file := range parsed(t, "../checks/want") {
		here := 0
		for kind, has := range methods(file) {
			if !slices.Contains(has, "want") {
				continue
			}
			kinds[kind] = true
			here++
			for _, must := range []string{"Class", "Text", "Claim"} {
				if !slices.Contains(has, must) {
					t.Errorf("%s: want.%s has no %s there; put all that is said of a kind into one file", name, kind, must)
				}
			}
		}
		if here > 1 {
			t.Errorf("%s: %d kinds of wants; give each a file of its own", name, here)
		}
	}
	if len(kinds) < 14 {
		t.Fatalf("only %d kinds of wants were found: this tests nothing", len(kinds))
	}
	have := map[string]bool{}
	for kind := range editors {
		have[kind.Name()] = true
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		if !have[kind] {
			t.Errorf("want.%s has no editor; add one in a file of this folder: var _ = editor(…)", kind)
		}
	}
	for kind := range have {
		if !kinds[kind] {
			t.Errorf("there is an editor for want.%s, which is no kind of want", kind)
		}
	}
}
