package source_test

import (
	"testing"

	"example.com/harden/checks/source"
)

// TestIsRoot holds how a user is root: the Engine reads numbers as Go does, signs and all.
func TestIsRoot(t *testing.T) {
	for user, want := range map[string]bool{
		"": true, "0": true, "00": true, "root": true, "0:0": true, "0:1000": true, "root:root": true, ":1000": true,
		"+0": true, "-0": true, " 0 ": true,
		"1000": false, "1000:0": false, "rooty": false, "app": false, "10": false,
	} {
		if got := source.IsRoot(user); got != want {
			t.Errorf("%q is root: %v", user, got)
		}
	}
}
