package main

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/diff"
	"example.com/harden/remediate/report"
)

// TestEverythingIsHidden holds every command to passing what it writes through hide: whatever a View or package report
// writes, but for the catalogue, which knows nothing of a host, and a saved plan, which is compared byte by byte.
func TestEverythingIsHidden(t *testing.T) {
	unhidden := []string{"report.Entries(s.selection)", "s.save(plan)", "v"} // v is hidden by who calls writeJSON
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			f, ok := call.Fun.(*ast.SelectorExpr)
			view := ok && f.Sel.Name == "Write" && len(call.Args) == 3
			if id, keeps := call.Fun.(*ast.Ident); keeps && id.Name == "writeJSON" {
				f, view = &ast.SelectorExpr{X: ast.NewIdent("keeps"), Sel: id}, true
			}
			if !view && !(ok && isNamed(f.X, "report") && slices.Contains([]string{"JSON", "Table"}, f.Sel.Name)) {
				return true
			}
			seen[source(f)] = true
			hidden := slices.ContainsFunc(call.Args, func(a ast.Expr) bool {
				inner, ok := a.(*ast.CallExpr)
				return ok && isNamed(inner.Fun, "hide") || slices.Contains(unhidden, source(a))
			})
			if !hidden {
				t.Errorf("%s: %s writes what has not gone through hide", file, source(f))
			}
			return true
		})
	}
	if diff := cmp.Diff([]string{"keeps.writeJSON", "metrics.Write", "report.JSON", "report.Table", "v.Write",
		"view.Write"}, sortedKeys(seen)); diff != "" {
		t.Errorf("what writes (-want +got)\n%s", diff)
	}
}

func isNamed(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

// source spells the few expressions that are written unhidden.
func source(e ast.Expr) string {
	switch x := e.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		return source(x.X) + "." + x.Sel.Name
	case *ast.CallExpr:
		var args []string
		for _, a := range x.Args {
			args = append(args, source(a))
		}
		return source(x.Fun) + "(" + strings.Join(args, ", ") + ")"
	}
	return "?"
}

func TestHide(t *testing.T) {
	r := diff.NewRedactor([]byte("k"))
	found := report.Finding{Subject: "token=hunter2", Got: "a", Fix: []string{"--password hunter2"}}
	in := &report.Report{Results: []report.Result{{Title: "no token: x", Findings: []report.Finding{found}}},
		Plan: &report.Plan{Changes: []report.Change{{Diff: "token=hunter2"}}}}
	hide(r, in)
	f := in.Results[0].Findings[0]
	if strings.Contains(f.Subject+f.Fix[0], "hunter2") || f.Got != "a" || in.Results[0].Title != "no token: x" ||
		in.Plan.Changes[0].Diff != "token=hunter2" {
		t.Errorf("%+v", in)
	}
	for name, d := range map[string]report.Document{
		"a slice":         report.HistoryOf([]apply.Run{{Reason: "token=hunter2"}}),
		"a pointer":       &report.Abandoned{Run: "token=hunter2"},
		"what has ended":  report.Ended{Document: &report.Repair{Head: "token=hunter2"}},
		"what is applied": report.Applied{Report: &report.Report{Host: report.Host{Notes: []string{"token=hunter2"}}}},
	} {
		if text, err := json.Marshal(hide(r, d)); err != nil || strings.Contains(string(text), "hunter2") ||
			!strings.Contains(string(text), "redacted") {
			t.Errorf("%s: %s%v", name, text, err)
		}
	}
	m := hide(r, map[string]string{"a": "token=hunter2"})
	if strings.Contains(m["a"], "hunter2") {
		t.Error(m)
	}
	for host, want := range map[string]string{"tcp://u:p@h:1": "tcp://h:1", "ssh://u@h": "ssh://u@h", "": "",
		"unix:///x": "unix:///x"} {
		if diff := cmp.Diff(want, withoutPassword(host)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", host, diff)
		}
	}
}
