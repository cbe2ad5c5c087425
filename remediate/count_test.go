package remediate_test

import (
	"testing"

	"example.com/harden/remediate"
)

func TestCount(t *testing.T) {
	for _, test := range []struct {
		n           int
		thing, want string
	}{
		{0, "file", "0 files"}, {1, "file", "1 file"}, {2, "file", "2 files"}, {1, "fix", "1 fix"}, {3, "fix", "3 fixes"},
		{1000, "more host", "1000 more hosts"},
	} {
		if got := remediate.Count(test.n, test.thing); got != test.want {
			t.Errorf("%d %s: %q, want %q", test.n, test.thing, got, test.want)
		}
	}
}
