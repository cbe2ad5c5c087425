package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// A mutant is one small fault put into one place of a package.
type mutant struct {
	id     int
	file   string // relative to the module
	line   int
	fn     string // the function or the variable it is in
	op     string
	source string // the mutated source, on one line
}

// key names the mutant without its line, so that the allow-list and the sample survive edits elsewhere.
func (m *mutant) key() string { return strings.Join([]string{m.file, m.fn, m.op, m.source}, "\t") }

// An insertion is text put at an offset of a file. Mutants only insert, and never a newline: lines stay what they are.
type insertion struct {
	offset, depth int
	closes        bool
	text          string
}

// A finder walks one file and writes down its mutants together with the text that makes them.
type finder struct {
	fset    *token.FileSet
	file    *token.File
	name    string
	src     []byte
	info    *types.Info
	pkg     *types.Package
	imports map[string]string // the names that the file gives to packages, by path
	next    *int
	fn      string
	depth   int
	seen    map[ast.Node]bool // what has its mutants, or the same ones as something else
	same    map[ast.Expr]int  // integers of which one more, or one less, is what the other comparison is
	mutants []*mutant
	inserts []insertion
}

func (f *finder) text(n ast.Node) string {
	return string(f.src[f.file.Offset(n.Pos()):f.file.Offset(n.End())])
}

// add writes down a mutant; the caller inserts what makes it.
func (f *finder) add(n ast.Node, op, source string) int {
	*f.next++
	f.mutants = append(f.mutants, &mutant{id: *f.next, file: f.name, line: f.fset.Position(n.Pos()).Line, fn: f.fn,
		op:     op,
		source: strings.Join(strings.Fields(source), " ")})
	return *f.next
}

// wrap puts text before and after a node, inside what has been put there before.
func (f *finder) wrap(n ast.Node, before, after string) {
	f.depth++
	f.inserts = append(f.inserts, insertion{f.file.Offset(n.Pos()), f.depth, false, before},
		insertion{f.file.Offset(n.End()), f.depth, true, after})
}

// render returns the file with all its mutants, each asleep until its number is called.
func (f *finder) render() []byte {
	slices.SortStableFunc(f.inserts, func(a, b insertion) int {
		switch {
		case a.offset != b.offset:
			return a.offset - b.offset
		case a.closes != b.closes: // what ends here ends before what begins here
			if a.closes {
				return -1
			}
			return 1
		case a.closes:
			return b.depth - a.depth
		}
		return a.depth - b.depth
	})
	var out []byte
	at := 0
	for _, i := range f.inserts {
		out = append(append(out, f.src[at:i.offset]...), i.text...)
		at = i.offset
	}
	return append(out, f.src[at:]...)
}

// Visit makes the mutants of one node. Constants are left alone: what is declared const must stay so.
func (f *finder) Visit(n ast.Node) ast.Visitor {
	switch n := n.(type) {
	case *ast.GenDecl:
		if n.Tok == token.CONST || n.Tok == token.IMPORT || n.Tok == token.TYPE {
			return nil
		}
	case *ast.ArrayType:
		return nil
	case *ast.ValueSpec:
		if f.fn == "" {
			return f.in(n.Names[0].Name)
		}
	case *ast.FuncDecl:
		return f.in(n.Name.Name)
	case *ast.IfStmt:
		f.condition(n.Cond, true)
		f.statements(n.Body.List, n.Else == nil)
	case *ast.ForStmt:
		if n.Cond != nil {
			f.condition(n.Cond, false)
		}
	case *ast.SwitchStmt:
		if n.Tag == nil {
			f.cases(n)
		}
	case *ast.BlockStmt:
		f.statements(n.List, false)
	case *ast.CaseClause:
		f.statements(n.Body, false)
	case *ast.CommClause:
		f.statements(n.Body, false)
	case *ast.BinaryExpr:
		f.binary(n)
	case *ast.UnaryExpr:
		if n.Op == token.NOT && !f.seen[n] {
			id := f.add(n, "drop !", f.text(n.X))
			f.wrap(n, "((", fmt.Sprintf(") != mutateOn(%d))", id))
		}
	case *ast.ReturnStmt:
		f.beside(n)
	case *ast.CallExpr:
		f.opens(n)
	case *ast.BasicLit:
		f.constant(n)
	}
	return f
}

// beside leaves alone the numbers that are returned beside an error: nobody looks at them.
func (f *finder) beside(r *ast.ReturnStmt) {
	if len(r.Results) < 2 {
		return
	}
	last := f.info.Types[r.Results[len(r.Results)-1]]
	if last.IsNil() || !types.Implements(last.Type,
		types.Universe.Lookup("error").Type().Underlying().(*types.Interface)) {
		return
	}
	for _, e := range r.Results {
		f.seen[e] = true
	}
}

// opens leaves alone the mode 0 of what is opened and not made: the kernel does not look at it.
func (f *finder) opens(c *ast.CallExpr) {
	s, ok := c.Fun.(*ast.SelectorExpr)
	if !ok || !slices.Contains([]string{"Open", "Openat", "OpenFile"}, s.Sel.Name) || len(c.Args) < 3 {
		return
	}
	if last := c.Args[len(c.Args)-1]; f.text(last) == "0" && !strings.Contains(f.text(c), "O_CREAT") {
		f.seen[last] = true
	}
}

// in returns a finder that says it is in a declaration. Files are walked one declaration at a time.
func (f *finder) in(name string) ast.Visitor { f.fn = name; return f }

func (f *finder) cases(s *ast.SwitchStmt) {
	for _, c := range s.Body.List {
		for _, e := range c.(*ast.CaseClause).List {
			f.condition(e, true)
		}
	}
}

// condition replaces what is decided by: by false, and, except in a loop that would not end, by true.
func (f *finder) condition(e ast.Expr, both bool) {
	f.seen[e] = true
	never := f.add(e, "false", "false instead of "+f.text(e))
	if !both {
		f.wrap(e, fmt.Sprintf("(!mutateOn(%d) && (", never), "))")
		return
	}
	always := f.add(e, "true", "true instead of "+f.text(e))
	f.wrap(e, fmt.Sprintf("(!mutateOn(%d) && (mutateOn(%d) || (", never, always), ")))")
}

var turned = map[token.Token]string{token.LAND: "||", token.LOR: "&&", token.EQL: "!=", token.NEQ: "==",
	token.LSS: "<=", token.LEQ: "<", token.GTR: ">=", token.GEQ: ">"}

func (f *finder) binary(b *ast.BinaryExpr) {
	to, ok := turned[b.Op]
	x, y := f.text(b.X), f.text(b.Y)
	if tv := f.info.Types[b]; !ok || tv.Value != nil || strings.Contains(x+y, "\n") && b.Op != token.LAND &&
		b.Op != token.LOR {
		return
	}
	mutated := x + " " + to + " " + y
	f.same[b.Y] = map[token.Token]int{token.LSS: 1, token.GEQ: 1, token.GTR: -1, token.LEQ: -1}[b.Op]
	switch b.Op {
	case token.EQL, token.NEQ:
		if !f.seen[b] {
			f.wrap(b, "((", fmt.Sprintf(") != mutateOn(%d))", f.add(b, b.Op.String()+" to "+to, mutated)))
		}
	case token.LAND, token.LOR: // by De Morgan, so that neither side is written twice
		on := fmt.Sprintf("mutateOn(%d)", f.add(b, b.Op.String()+" to "+to, mutated))
		f.wrap(b, "((", ") != "+on+")")
		f.wrap(b.X, "((", ") != "+on+")")
		f.wrap(b.Y, "((", ") != "+on+")")
	case token.LSS, token.GTR:
		f.wrap(b, "((", fmt.Sprintf(") || mutateOn(%d) && (%s) == (%s))", f.add(b, b.Op.String()+" to "+to,
			mutated), x, y))
	default:
		f.wrap(b, "((", fmt.Sprintf(") && (!mutateOn(%d) || (%s) != (%s)))", f.add(b, b.Op.String()+" to "+to,
			mutated), x, y))
	}
}

// statements deletes one at a time what may be missing. The only statement of a guard is not deleted: its condition
// replaced by false is the same mutant. A return goes only from a guard, where the function still ends in another.
func (f *finder) statements(list []ast.Stmt, guard bool) {
	if guard && len(list) == 1 {
		f.seen[list[0]] = true
	}
	for _, s := range list {
		if f.seen[s] {
			continue
		}
		switch s := s.(type) {
		case *ast.ReturnStmt, *ast.BranchStmt:
			if !guard {
				continue
			}
		case *ast.AssignStmt:
			if s.Tok == token.DEFINE || blank(s) {
				continue
			}
		case *ast.DeferStmt:
			if closes(s.Call) {
				continue // nothing but the number of open files tells the difference
			}
		case *ast.ExprStmt, *ast.IncDecStmt, *ast.GoStmt, *ast.SendStmt:
		default:
			continue
		}
		f.seen[s] = true
		f.wrap(s, fmt.Sprintf("if !mutateOn(%d) { ", f.add(s, "delete", "without "+f.text(s))), " }")
	}
}

// blank tells an assignment to nothing, which only the compiler misses.
func blank(s *ast.AssignStmt) bool {
	return !slices.ContainsFunc(s.Lhs, func(e ast.Expr) bool {
		id, ok := e.(*ast.Ident)
		return !ok ||
			id.Name != "_"
	})
}

func closes(c *ast.CallExpr) bool {
	s, ok := c.Fun.(*ast.SelectorExpr)
	return ok && s.Sel.Name == "Close"
}

// constant adds one to an integer and takes one away. Its type must be written, because what is added is no constant.
func (f *finder) constant(b *ast.BasicLit) {
	t := f.info.Types[b].Type
	if b.Kind != token.INT || t == nil || f.seen[b] {
		return
	}
	if basic, ok := t.Underlying().(*types.Basic); !ok || basic.Info()&types.IsInteger == 0 ||
		basic.Info()&types.IsUntyped != 0 {
		return
	}
	name, ok := f.named(t)
	if !ok {
		return
	}
	if f.same[b] != 1 {
		f.wrap(b, "(", fmt.Sprintf(" + %s(mutateBy(%d)))", name, f.add(b, "+1", b.Value+" + 1")))
	}
	if f.same[b] != -1 {
		f.wrap(b, "(", fmt.Sprintf(" - %s(mutateBy(%d)))", name, f.add(b, "-1", b.Value+" - 1")))
	}
}

// named returns how the file calls a type, if it can.
func (f *finder) named(t types.Type) (string, bool) {
	t = types.Unalias(t)
	n, ok := t.(*types.Named)
	if !ok || n.Obj().Pkg() == f.pkg {
		return types.TypeString(t, types.RelativeTo(f.pkg)), true
	}
	if name := f.imports[n.Obj().Pkg().Path()]; name != "" {
		return name + "." + n.Obj().Name(), true
	}
	if n.Obj().Name() == "FileMode" && f.imports["os"] != "" {
		return "os.FileMode", true // which is fs.FileMode
	}
	return "", false
}
