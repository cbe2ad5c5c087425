package aside_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"example.com/harden/checks/aside"
)

func panicked(f func()) (with string) {
	defer func() {
		if p := recover(); p != nil {
			with = fmt.Sprint(p)
		}
	}()
	f()
	return ""
}

func breaks() (int, error) { panic("a bug") }

// TestPanics has the caller meet what a function panics with, and where it did.
func TestPanics(t *testing.T) {
	var ran atomic.Int32
	for name, f := range map[string]func(){
		"do": func() { _, _ = aside.Do(t.Context(), breaks) },
		"group": func() {
			var g aside.Group
			g.Go(func() { ran.Add(1) })
			g.Go(func() { _, _ = breaks() })
			g.Go(func() { ran.Add(1) })
			g.Wait()
		},
	} {
		if with := panicked(f); !strings.HasPrefix(with, "a bug\n") || !strings.Contains(with, "aside_test.breaks") {
			t.Errorf("%s: %q", name, with)
		}
	}
	if ran.Load() != 2 {
		t.Errorf("%d of the others ran", ran.Load())
	}
}

// TestDo gives what the function returns, and does not wait for it for ever.
func TestDo(t *testing.T) {
	odd := errors.New("odd")
	if v, err := aside.Do(t.Context(), func() (int, error) { return 3, odd }); v != 3 || !errors.Is(err, odd) {
		t.Errorf("%d, %v", v, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	never := make(chan struct{})
	defer close(never)
	cancel()
	v, err := aside.Do(ctx, func() (int, error) { <-never; return 3, nil })
	if v != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d, %v", v, err)
	}
}

// alone are the goroutines that only wait: for a key, a signal, a tick, or for who takes the next file.
var alone = []string{"checks/prefetch.go", "cmd/harden/keyboard.go", "cmd/harden/merge.go", "cmd/harden/session.go",
	"cmd/harden/signals.go", "cmd/harden/terminal.go"}

// TestGoroutines finds no other goroutine in the program than those of this package.
func TestGoroutines(t *testing.T) {
	root := filepath.Join("..", "..")
	found := map[string]bool{}
	for _, room := range []string{"checks", "remediate", "cmd"} {
		err := filepath.WalkDir(filepath.Join(root, room), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			name, _ := filepath.Rel(root, path)
			ast.Inspect(file, func(n ast.Node) bool {
				if _, ok := n.(*ast.GoStmt); ok {
					found[name] = true
				}
				if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "WaitGroup" {
					found[name] = true
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	delete(found, "checks/aside/aside.go")
	for name := range found {
		if !slices.Contains(alone, name) {
			t.Errorf("%s begins a goroutine whose panic nobody recovers: use this package", name)
		}
	}
	for _, name := range alone {
		if !found[name] {
			t.Errorf("%s begins none", name)
		}
	}
}
