package severity_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks/catalog"
	"example.com/harden/checks/severity"
)

// TestSeverity reads and writes each severity, and holds that they are in order.
func TestSeverity(t *testing.T) {
	for i, s := range severity.All {
		if i > 0 && (s >= severity.All[i-1] || s.Weight() >= severity.All[i-1].Weight()) {
			t.Errorf("%s is as much as %s", s, severity.All[i-1])
		}
		var back severity.Severity
		text, err := json.Marshal(s)
		if err == nil {
			err = json.Unmarshal(text, &back)
		}
		if err != nil || back != s || string(text) != `"`+s.String()+`"` {
			t.Errorf("%s is written %s and read %s: %v", s, text, back, err)
		}
	}
	_, err := severity.Parse("urgent")
	const want = `severity "urgent": there is none of this name; choose critical, high, medium or low`
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	if s := severity.Of("docker/no-such-check").Severity; s != severity.None || s.Weight() != 0 {
		t.Errorf("a check that nobody has rated is %s", s)
	}
}

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
