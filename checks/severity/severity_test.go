package severity_test

import (
	"encoding/json"
	"testing"

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
	const want = `severity "urgent": unknown; use critical, high, medium or low`
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	if s := severity.Of("docker/no-such-check").Severity; s != severity.None || s.Weight() != 0 {
		t.Errorf("a check that nobody has rated is %s", s)
	}
}
