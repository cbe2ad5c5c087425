package report_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks"
	"example.com/harden/checks/catalog"
	"example.com/harden/checks/stride"
	"example.com/harden/checks/want"
	"example.com/harden/remediate/report"
)

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// TestHostileNames shows data that a host's users choose: none of it may reach a terminal as it is.
func TestHostileNames(t *testing.T) {
	evil := "web\x1b[2J\r\n✓ pass \u202e\x9b\xff"
	r := settled(t, checks.Result{Status: checks.Fail, Findings: []checks.Finding{{Subject: evil, Got: evil, Must: evil}},
		Waived: []checks.Accepted{{Finding: checks.Finding{Subject: evil}}}}, nil, nil)
	r.Host.Name = evil
	r.Host.Notes = []string{evil}
	r.Plan = planOf([]report.Change{{Target: evil, Checks: []string{"docker/x"}, Breaks: []string{evil},
		Upgrade: &report.Upgrade{Note: evil}}}, nil, 0, report.LeftOver{ID: "docker/x", Subject: evil, Reason: evil})
	r.Run = runOf("rolled-back", nil, report.LeftOver{ID: "docker/x", Subject: evil, Reason: evil})
	r.Run.ID, r.Run.Reason = evil, evil
	var b bytes.Buffer
	if err := errors.Join(text(&b, r, report.Style{Verbose: true}),
		text(&b, report.Applied{Report: r}, report.Style{})); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(b.String(), "\x1b\r\u202e") || !utf8.ValidString(b.String()) { // \x9b and \xff are not
		t.Errorf("an unprintable byte got through:\n%q", b.String())
	}
	if !strings.Contains(b.String(), `"web\x1b[2J\r\n✓ pass \u202e\x9b\xff"`) {
		t.Errorf("the name is not quoted:\n%s", b.String())
	}
	var forged int
	for l := range strings.Lines(b.String()) {
		if strings.HasPrefix(strings.TrimSpace(l), "✓ pass") {
			forged++
		}
	}
	if forged > 0 {
		t.Errorf("%d lines pass for a verdict:\n%s", forged, b.String())
	}
}

func TestColorAndWidth(t *testing.T) {
	r := settled(t, checks.Result{Status: checks.Fail, Findings: []checks.Finding{fix(strings.Repeat("/word and", 30),
		want.None)}}, nil, nil)
	for _, style := range []report.Style{{}, {Color: true}, {Width: 50}, {Width: 50, Color: true}, {Width: 10},
		{Width: 500}} {
		var b bytes.Buffer
		if err := text(&b, r, style); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(b.String(), "\x1b["); got != style.Color {
			t.Errorf("%+v: colours: %v", style, got)
		}
		if style.Color {
			continue
		}
		limit := map[int]int{0: 100, 50: 50, 10: 40, 500: 120}[style.Width]
		for l := range strings.Lines(b.String()) {
			if n := len([]rune(strings.TrimSuffix(l, "\n"))); n > limit {
				t.Errorf("%+v: a line of %d columns: %q", style, n, l)
			}
		}
	}
}

func TestQuiet(t *testing.T) {
	for status, shown := range map[checks.Status]bool{checks.Pass: false, checks.NotApplicable: false,
		checks.Waived:  false,
		checks.Unknown: true, checks.Manual: true} {
		var b bytes.Buffer
		if err := text(&b, settled(t, checks.Result{Status: status, Err: errors.New("its reason")}, nil, nil),
			report.Style{Quiet: true}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(b.String(), "its reason"); got != shown {
			t.Errorf("-q shows a check that is %s: %v", status, got)
		}
		if strings.Contains(b.String(), "passing or not applicable") {
			t.Errorf("-q counts what is %s:\n%s", status, b.String())
		}
	}
}

func TestUpgrade(t *testing.T) {
	r := settled(t, checks.Result{Status: checks.Fail, Findings: []checks.Finding{{Subject: "/a"}}}, nil, nil)
	r.Plan = planOf([]report.Change{{Target: "/a", Checks: []string{"docker/x"}, Upgrade: &report.Upgrade{Safe: true}},
		{Target: "/b", Checks: []string{"docker/x"}, Upgrade: &report.Upgrade{Note: "kubeadm writes it anew"}},
		{Target: "/c", Checks: []string{"docker/x"}}}, nil, 0)
	r.Plan.Activations = []report.Activation{{Kind: "record-in-cluster", Unit: "configmap/n/m",
		Breaks: []string{"other nodes"}, Diff: "-old\n+new\n"}}
	var b bytes.Buffer
	if err := text(&b, r, report.Style{}); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"upgrade-safe: yes", "upgrade-safe: no: kubeadm writes it anew",
		"Then record in cluster configmap/n/m", "other nodes", "-old\n+new\n"} {
		if strings.Count(b.String(), text) != 1 {
			t.Errorf("%q is not there once:\n%s", text, b.String())
		}
	}
}

func TestWaiverNotices(t *testing.T) {
	r := settled(t, checks.Result{Status: checks.Pass}, nil, nil)
	s, err := catalog.Select([]*checks.Check{{ID: "docker/x", Threats: []stride.ID{"a/b/tampering"}}}, catalog.Query{})
	if err != nil {
		t.Fatal(err)
	}
	day := func(n int) time.Time { return now.Truncate(24*time.Hour).AddDate(0, 0, n) }
	r.Waivers = report.New(s, nil, []checks.Waiver{
		{Check: "docker/a", Reason: "r"}, {Check: "docker/b", Scope: "web", Reason: "r", Expires: day(-1)},
		{Check: "docker/c", Reason: "r", Expires: day(3)},
	}, now).Waivers
	var b bytes.Buffer
	if err := text(&b, r, report.Style{}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for l := range strings.Lines(b.String()) {
		if strings.HasPrefix(l, "waiver") {
			got = append(got, strings.TrimSuffix(l, "\n"))
		}
	}
	want := []string{
		"waiver  the waiver of docker/b for web expired at the end of 2026-05-31 UTC",
		"waiver  the waiver of docker/c expires at the end of 2026-06-04 UTC",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if !strings.Contains(b.String(), "\n\n"+strings.Join(want, "\n")+"\n") {
		t.Errorf("they are not one paragraph:\n%s", b.String())
	}
	valid(t, compiled(t), r)
}

// TestSeveral names four of what is alike, says of one more that there is one, and names all where all was asked for.
func TestSeveral(t *testing.T) {
	for n, want := range map[int]string{4: "/0, /1, /2, /3: 0666", 5: "/0, /1, /2, /3 and 1 more: 0666",
		7: "/0, /1, /2, /3 and 3 more: 0666"} {
		var fs []checks.Finding
		var left []report.LeftOver
		all := "/0"
		for i := range n {
			subject := fmt.Sprintf("/%d", i)
			fs = append(fs, checks.Finding{Subject: subject, Got: "0666", Must: "0644"})
			left = append(left, report.LeftOver{ID: "docker/x", Subject: subject, Reason: "decide yourself"})
			if i > 0 {
				all += ", " + subject
			}
		}
		for _, verbose := range []bool{false, true} {
			r := settled(t, checks.Result{Status: checks.Fail, Findings: fs}, planOf(nil, nil, 0, left...), nil)
			var b bytes.Buffer
			if err := text(&b, r, report.Style{Verbose: verbose}); err != nil {
				t.Fatal(err)
			}
			if verbose {
				want = all + ": 0666"
			}
			if !strings.Contains(b.String(), want) {
				t.Errorf("of %d, verbose %v: %q is not there:\n%s", n, verbose, want, b.String())
			}
		}
	}
}

// TestStillOpen says nothing where all is resolved, and has room for any number.
func TestStillOpen(t *testing.T) {
	for n, want := range map[int]string{0: "", 1e12: "Still open:\n  1000000000000 manualmanual review\n"} {
		var b bytes.Buffer
		r := &report.Report{Summary: report.Summary{Open: map[report.State]int{report.Manual: n}}}
		if err := text(&b, report.Nothing{Report: r}, report.Style{}); err != nil ||
			b.String() != "Nothing to apply.\n"+want {
			t.Errorf("%q, want %q; %v", b.String(), want, err)
		}
	}
}
