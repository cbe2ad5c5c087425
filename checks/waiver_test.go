package checks_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks"
)

func TestWaiverExpires(t *testing.T) {
	w := checks.Waiver{Expires: time.Date(2026, 3, 31, 0, 0, 0, 0, time.UTC)}
	for at, want := range map[string][2]bool{ // expiring, expired
		"2026-03-17T23:59:59Z":      {false, false},
		"2026-03-18T00:00:00Z":      {true, false},
		"2026-03-31T23:59:59Z":      {true, false},
		"2026-04-01T00:00:00Z":      {false, true},
		"2026-03-31T22:30:00-02:00": {false, true}, // days are UTC's, wherever the host is
		"2026-04-01T01:30:00+02:00": {true, false},
	} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]bool{w.Expiring(now), w.Expired(now)}; got != want {
			t.Errorf("at %s: expiring and expired are %v, want %v", at, got, want)
		}
		if (checks.Waiver{}).Expired(now) || (checks.Waiver{}).Expiring(now) {
			t.Error("a waiver without a date ends")
		}
	}
}

func TestWaiverCovers(t *testing.T) {
	for _, test := range []struct {
		scope, subject string
		want           bool
	}{
		{"", "/etc/docker", true},
		{"*", "/etc/docker/daemon.json", true},
		{"/etc/docker/*", "/etc/docker/certs.d/a/ca.crt", true},
		{"/etc/docker", "/etc/docker/daemon.json", false},
		{"container web-?", "container web-1", true},
		{"container web-?", "container web-10", false},
		{"a.c", "abc", false},
		{"a*", "a\nb", true},
	} {
		w := checks.Waiver{Check: "docker/x", Scope: test.scope}
		if got := w.Covers("docker/x", checks.Finding{Subject: test.subject}); got != test.want {
			t.Errorf("scope %q, subject %q: %v", test.scope, test.subject, got)
		}
		if w.Covers("docker/y", checks.Finding{Subject: test.subject}) {
			t.Errorf("scope %q covers another check's finding", test.scope)
		}
	}
}

func TestWaive(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	past := now.AddDate(0, 0, -1)
	a, b := checks.Finding{Subject: "a"}, checks.Finding{Subject: "b"}
	c := &checks.Check{ID: "docker/x"}
	scoped := checks.Waiver{Check: "docker/x", Scope: "a", Reason: "r"}
	whole := checks.Waiver{Check: "docker/x", Reason: "r"}
	expired := checks.Waiver{Check: "docker/x", Reason: "r", Expires: past}
	unread := errors.New("/b: permission denied")
	tests := map[string]struct {
		waivers []checks.Waiver
		result  checks.Result
		want    checks.Result
	}{
		"none": {nil,
			checks.Result{Check: c, Status: checks.Fail, Findings: []checks.Finding{a}},
			checks.Result{Check: c, Status: checks.Fail, Findings: []checks.Finding{a}}},
		"one of two": {[]checks.Waiver{scoped},
			checks.Result{Check: c, Status: checks.Fail, Findings: []checks.Finding{a, b}},
			checks.Result{Check: c, Status: checks.Fail, Findings: []checks.Finding{b},
				Waived: []checks.Accepted{{a, scoped}}}},
		"all": {[]checks.Waiver{expired, whole},
			checks.Result{Check: c, Status: checks.Fail, Findings: []checks.Finding{a, b}},
			checks.Result{Check: c, Status: checks.Waived, Waived: []checks.Accepted{{a, whole}, {b, whole}}}},
		"expired": {[]checks.Waiver{expired},
			checks.Result{Check: c, Status: checks.Fail, Findings: []checks.Finding{a}},
			checks.Result{Check: c, Status: checks.Fail, Findings: []checks.Finding{a}}},
		"all that could be read": {[]checks.Waiver{whole},
			checks.Result{Check: c, Status: checks.Fail, Findings: []checks.Finding{a}, Err: unread},
			checks.Result{Check: c, Status: checks.Unknown, Waived: []checks.Accepted{{a, whole}}, Err: unread}},
		"unknown stays unknown": {[]checks.Waiver{whole},
			checks.Result{Check: c, Err: unread}, checks.Result{Check: c, Err: unread}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := checks.Waive([]checks.Result{test.result}, test.waivers, now)
			same := cmp.Comparer(func(x, y error) bool { return errors.Is(x, y) })
			if diff := cmp.Diff([]checks.Result{test.want}, got, same); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
