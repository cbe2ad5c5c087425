package report_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/remediate/report"
)

// TestEntries gives each check its number in every edition that has it.
func TestEntries(t *testing.T) {
	s, all := small(t)
	entries := report.Entries(s)
	for _, c := range all {
		want := map[string]string{}
		for b, n := range c.Items {
			want[string(b)] = n
		}
		i := slices.IndexFunc(entries, func(e report.Entry) bool { return e.ID == c.ID })
		if diff := cmp.Diff(want, entries[i].Items); diff != "" {
			t.Errorf("%s (-want +got)\n%s", c.ID, diff)
		}
	}
}
