package catalog_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks/catalog"
	"example.com/harden/checks/severity"
)

// TestSeverities holds that the table has each check of the catalogue and no other, each with a reason that reads as
// the end of a sentence.
func TestSeverities(t *testing.T) {
	var ids []string
	for _, c := range catalog.All {
		ids = append(ids, c.ID)
		r := severity.Of(c.ID)
		if !slices.Contains(severity.All, r.Severity) {
			t.Errorf("%s: no severity; say one and why in checks/severity", c.ID)
		}
		if r.Reason == "" || strings.HasSuffix(r.Reason, ".") || strings.Contains(r.Reason, "\n") {
			t.Errorf("%s: %q is no reason in one clause", c.ID, r.Reason)
		}
	}
	slices.Sort(ids)
	if diff := cmp.Diff(ids, severity.Rated()); diff != "" {
		t.Errorf("checks of the catalogue, and of checks/severity (-catalogue +table)\n%s", diff)
	}
}
