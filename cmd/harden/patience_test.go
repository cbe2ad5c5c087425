package main

import (
	"context"
	"fmt"
	"testing"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
)

// TestPatiently looks again while an Engine leaves questions without an answer, for a while: what a busy one does not
// say at once is no reason to take a run back.
func TestPatiently(t *testing.T) {
	silent := checks.Result{Status: checks.Unknown, Err: fmt.Errorf("docker engine: %w within 30s", facts.ErrSilent)}
	broken := checks.Result{Status: checks.Unknown, Err: fmt.Errorf("daemon.json: not JSON")}
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		name  string
		ctx   context.Context
		says  []checks.Result // at each look, the last one for ever
		asked int
		want  checks.Status
	}{
		{"at once", t.Context(), []checks.Result{{Status: checks.Pass}}, 1, checks.Pass},
		{"busy", t.Context(), []checks.Result{silent, silent, {Status: checks.Fail}}, 3, checks.Fail},
		{"hangs", t.Context(), []checks.Result{silent}, looks, checks.Unknown},
		{"another reason", t.Context(), []checks.Result{broken}, 1, checks.Unknown},
		{"interrupted", interrupted, []checks.Result{silent}, 1, checks.Unknown},
	} {
		asked := 0
		rs := patiently(tt.ctx, func() []checks.Result {
			asked++
			return []checks.Result{{Status: checks.Pass}, tt.says[min(asked, len(tt.says))-1]}
		})
		if asked != tt.asked || rs[1].Status != tt.want {
			t.Errorf("%s: %s after %d looks, want %s after %d", tt.name, rs[1].Status, asked, tt.want, tt.asked)
		}
	}
}
