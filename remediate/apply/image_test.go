package apply

import (
	"os"
	"strings"
	"testing"

	"example.com/harden/checks/facts"
)

// TestLookReadsNoMore meets a file as long as a plan can be of, and one that is longer by a byte. What was not read
// whole must have no sum that something read could have.
func TestLookReadsNoMore(t *testing.T) {
	w := newWorld(t)
	tree, err := Options{Root: w.root, sys: quiet()}.openTree()
	must(t, err)
	defer tree.close()
	for size, read := range map[int64]bool{facts.MaxFile: true, facts.MaxFile + 1: false} {
		must(t, os.Truncate(w.path("/etc/bystander"), size))
		g, err := tree.open("/etc/bystander")
		must(t, err)
		s, err := g.look(true)
		g.close()
		must(t, err)
		if got := int64(len(s.data)) == size && len(s.Sum) == 64; got != read {
			t.Errorf("%d bytes: read %d of them, %q", size, len(s.data), s.Sum)
		}
		if !read && (len(s.data) > 0 || !strings.Contains(s.Sum, "4194305 bytes")) {
			t.Errorf("%d bytes: read %d of them, %q", size, len(s.data), s.Sum)
		}
	}
}
