package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A reader is the program as source: what each function reads, and which others it uses. What a command reads is what
// can be reached from its RunE.
type reader struct {
	files map[string]string // of export data, by package
	fset  *token.FileSet
	uses  map[string]map[string]bool // of functions by full name, of commands by their Use
}

// reading are the packages that are looked into.
var reading = []string{"example.com/harden/remediate/report", "example.com/harden/cmd/harden"}

// readProgram reads the source of this program.
func readProgram(t *testing.T) *reader {
	t.Helper()
	out, err := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Export,Dir,GoFiles", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	r := &reader{files: map[string]string{}, fset: token.NewFileSet(), uses: map[string]map[string]bool{}}
	sources := map[string][]string{}
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var p struct {
			ImportPath, Export, Dir string
			GoFiles                 []string
		}
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		r.files[p.ImportPath] = p.Export
		for _, f := range p.GoFiles {
			sources[p.ImportPath] = append(sources[p.ImportPath], filepath.Join(p.Dir, f))
		}
	}
	for _, path := range reading {
		r.read(t, path, sources[path])
	}
	return r
}

func (r *reader) read(t *testing.T, path string, sources []string) {
	t.Helper()
	var files []*ast.File
	for _, s := range sources {
		f, err := parser.ParseFile(r.fset, s, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{},
		Types: map[ast.Expr]types.TypeAndValue{}}
	lookup := func(path string) (io.ReadCloser, error) { return os.Open(r.files[path]) }
	pkg, err := (&types.Config{Importer: importer.ForCompiler(r.fset, "gc", lookup)}).Check(path, r.fset, files, info)
	if err != nil {
		t.Fatal(err)
	}
	fields := fieldsOf(pkg)
	for _, f := range files {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			r.function(info.Defs[fn.Name].(*types.Func).FullName(), fn.Body, info, fields)
			ast.Inspect(fn, func(n ast.Node) bool {
				if c, ok := n.(*ast.CompositeLit); ok {
					r.command(c, info, fields)
				}
				return true
			})
		}
	}
}

// fieldsOf names the fields of a package's structs.
func fieldsOf(pkg *types.Package) map[types.Object]string {
	named := map[types.Object]string{}
	for _, name := range pkg.Scope().Names() {
		if s, ok := pkg.Scope().Lookup(name).Type().Underlying().(*types.Struct); ok {
			for i := range s.NumFields() {
				named[s.Field(i)] = name + "." + s.Field(i).Name()
			}
		}
	}
	return named
}

// command reads the RunE of a literal of a cobra.Command.
func (r *reader) command(c *ast.CompositeLit, info *types.Info, fields map[types.Object]string) {
	use, run := "", ast.Expr(nil)
	for _, e := range c.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		switch fmt.Sprint(kv.Key) {
		case "Use":
			if lit, ok := kv.Value.(*ast.BasicLit); ok {
				use, _ = strconv.Unquote(lit.Value)
			}
		case "RunE":
			run = kv.Value
		}
	}
	if use != "" && run != nil {
		name, _, _ := strings.Cut(use, " ")
		r.function(name+" command", run, info, fields)
	}
}

// laidOut adds the methods by which a document that is handed on is laid out: which document that is, no interface
// says.
func laidOut(uses map[string]bool, t types.Type) {
	if t == nil || types.IsInterface(t) {
		return
	}
	for _, name := range []string{"text", "outcome"} {
		report := types.NewPackage("example.com/harden/remediate/report", "report")
		if m, _, _ := types.LookupFieldOrMethod(t, true, report, name); m != nil {
			if f, ok := m.(*types.Func); ok {
				uses[f.FullName()] = true
			}
		}
	}
}

// function keeps what the function of that name uses: functions, fields that it reads, and words.
func (r *reader) function(name string, body ast.Node, info *types.Info, fields map[types.Object]string) {
	uses := map[string]bool{}
	r.uses[name] = uses
	written := map[ast.Node]bool{}
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, l := range n.Lhs {
				if s, ok := l.(*ast.SelectorExpr); ok {
					written[s.Sel] = true
				}
			}
		case *ast.CallExpr:
			for _, a := range n.Args {
				laidOut(uses, info.Types[a].Type)
			}
		case *ast.KeyValueExpr:
			laidOut(uses, info.Types[n.Value].Type)
		case *ast.BasicLit:
			if word, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
				uses[word+" flag"] = true // no function has such a name
			}
		case *ast.Ident:
			switch o := info.Uses[n].(type) {
			case *types.Func:
				uses[o.FullName()] = true
			case *types.Var:
				if !written[n] && fields[o] != "" {
					uses[fields[o]] = true
				}
			}
		}
		return true
	})
}

// reads is all that can be reached from a function, but by loading the configuration, which reads every setting.
func (r *reader) reads(name string) map[string]bool {
	seen := map[string]bool{}
	var visit func(string)
	visit = func(name string) {
		for what := range r.uses[name] {
			if !seen[what] {
				if seen[what] = true; !strings.HasSuffix(what, ".loadConfigWith") {
					visit(what)
				}
			}
		}
	}
	visit(name)
	return seen
}
