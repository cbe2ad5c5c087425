// Package aside runs functions beside their caller whose panics are the caller's: one that nobody recovers on a
// goroutine ends the process with exit code 2, which says that there are findings.
package aside

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
)

// Caught runs f, and returns what gives its results, or panics as it has, with its stack.
func Caught[T any](f func() (T, error)) (results func() (T, error)) {
	defer func() {
		if p := recover(); p != nil {
			bug := fmt.Sprintf("%v\n%s", p, debug.Stack())
			results = func() (T, error) { panic(bug) }
		}
	}()
	v, err := f()
	return func() (T, error) { return v, err }
}

// Do returns what f returns, unless ctx is done before: then its error, while f goes on alone. Whoever is to write to a
// pipe, or answers for a file, may take for ever.
func Do[T any](ctx context.Context, f func() (T, error)) (T, error) {
	done := make(chan func() (T, error), 1)
	go func() { done <- Caught(f) }()
	select {
	case results := <-done:
		return results()
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// A Group runs functions at once. The zero Group is ready.
type Group struct {
	wait   sync.WaitGroup
	mu     sync.Mutex
	caught []func() (struct{}, error) // one each, of which those that have panicked are the ones to look for
}

// Go begins f.
func (g *Group) Go(f func()) {
	g.wait.Go(func() {
		caught := Caught(func() (struct{}, error) { f(); return struct{}{}, nil })
		g.mu.Lock()
		defer g.mu.Unlock()
		g.caught = append(g.caught, caught)
	})
}

// Wait waits for all, and panics with one that has.
func (g *Group) Wait() {
	g.wait.Wait()
	for _, results := range g.caught {
		_, _ = results()
	}
}
