package gate

import (
	"errors"
	"strings"
	"testing"

	"example.com/harden/checks/budget"
)

// TestBrief refuses a command that would take compose-go minutes to split.
func TestBrief(t *testing.T) {
	file := func(n int) []byte {
		return []byte("services:\n  a:\n    image: b\n    command: " + strings.Repeat("a", n) + "\n")
	}
	if err := (composeReader{}).read(file(20_000)); err != nil {
		t.Error(err)
	}
	if err := (composeReader{}).read(file(1_000_000)); !errors.Is(err, budget.Err) {
		t.Errorf("%v", err)
	}
}
