package program

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOperands refuses as a name what a program could take for an option, or for more than one word.
func TestOperands(t *testing.T) {
	args := make([]string, 1, 8)
	args[0] = "up"
	got, err := Operands(args, "web", "db_1.x")
	if diff := cmp.Diff([]string{"up", "--", "web", "db_1.x"}, got); diff != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	if args = args[:2]; args[1] != "" {
		t.Error("what was given is written over")
	}
	for _, word := range []string{"", "-d", "--remove-orphans", "a b", "a\n", "a\x00", "\x7f"} {
		if _, err := Operands(nil, "web", word); err == nil {
			t.Errorf("%q is taken", word)
		}
	}
}
