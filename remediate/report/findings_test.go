package report_test

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"example.com/harden/checks"
	"example.com/harden/checks/catalog"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/severity"
	"example.com/harden/checks/stride"
	"example.com/harden/remediate/report"
)

// many is a report of n checks, each with what result makes of it.
func many(t *testing.T, n int, result func(i int, c *checks.Check) checks.Result) *report.Report {
	t.Helper()
	var all []*checks.Check
	for i := range n {
		number := fmt.Sprintf("3.%d", i+1)
		all = append(all, &checks.Check{ID: "docker/c" + fmt.Sprint(i), Items: cis.Docker(number, number, number, number),
			Title: "title " + fmt.Sprint(i), Level: 1, Threats: []stride.ID{stride.DockerHostTampering}})
	}
	s, err := catalog.Select(all, catalog.Query{})
	if err != nil {
		t.Fatal(err)
	}
	var results []checks.Result
	for i, c := range all {
		results = append(results, result(i, c))
	}
	r := report.New(s, results, nil, now)
	r.Settle()
	return r
}

func shown(t *testing.T, r *report.Report, s report.Style) string {
	t.Helper()
	var b bytes.Buffer
	if err := text(&b, r, s); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var counts = regexp.MustCompile(`(?m)^[a-z ]+: ([0-9]+) checks?( \(-v lists them\))?$`)

// TestCounted counts every check under one heading, in the text with all that was found and in the short one, whatever
// its state and its severity.
func TestCounted(t *testing.T) {
	r := host(t)
	for i, s := range []severity.Severity{severity.Low, severity.Critical, severity.High, severity.Critical} {
		r.Results[i].Severity = s
	}
	got := shown(t, r, report.Style{})
	sum := 0
	for _, m := range counts.FindAllStringSubmatch(got, -1) {
		n, _ := strconv.Atoi(m[1])
		sum += n
	}
	if sum != r.Summary.Selected {
		t.Errorf("%d checks are counted, of %d:\n%s", sum, r.Summary.Selected, got)
	}
	order := []string{"critical: 2 checks", "high: 1 check", "medium: 1 check", "low: 1 check",
		"passing or not applicable: 3 checks", "unknown: 1 check"}
	at := 0
	for _, head := range order {
		i := strings.Index(got[at:], "\n"+head)
		if i < 0 {
			t.Fatalf("%q is not there, or not in its place:\n%s", head, got)
		}
		at += i
	}
	all := shown(t, r, report.Style{Verbose: true})
	for i := range r.Results {
		if n := strings.Count(all, " "+r.Results[i].ID+" -"); n != 1 {
			t.Errorf("-v shows %s %d times:\n%s", r.Results[i].ID, n, all)
		}
	}
}

// TestAlike has one line for what up to four checks found of the same things, and for what more of them found alike.
func TestAlike(t *testing.T) {
	for _, test := range []struct {
		n    int
		same bool
		want string
	}{
		{1, true, "  ✗ fail    3.1     /0: off; must be on\n"},
		{2, true, "  ✗ fail    3.1     /0: off; must be on (2 checks, 3.1 to 3.2)\n"},
		{2, false, "  ✗ fail    3.1     /0: off; must be on\n  ✗ fail    3.2     /1: off; must be on\n"},
		{4, false, "  ✗ fail    3.4     /3: off; must be on\n"},
		{5, false, "  ✗ fail    3.1     /0, /1, /2, /3 and 1 more: off; must be on (5 checks, 3.1 to 3.5)\n"},
	} {
		r := many(t, test.n, func(i int, c *checks.Check) checks.Result {
			if test.same {
				i = 0
			}
			return checks.Result{Check: c, Status: checks.Fail, Findings: []checks.Finding{
				{Subject: fmt.Sprintf("/%d", i), Got: "off", Must: "on"}}}
		})
		got := shown(t, r, report.Style{})
		if !strings.Contains(got, fmt.Sprintf("\nmedium: %s\n", strings.TrimSuffix(fmt.Sprint(test.n, " checks"),
			map[bool]string{true: "s"}[test.n == 1]))) || !strings.Contains(got, test.want) {
			t.Errorf("%+v:\n%s", test, got)
		}
	}
}

// TestBounded shows ten different findings of one check, and all of them with -v.
func TestBounded(t *testing.T) {
	for n, want := range map[int]string{10: "", 11: "and 1 more; -v lists all", 10000: "and 9990 more; -v lists all"} {
		r := many(t, 1, func(_ int, c *checks.Check) checks.Result {
			res := checks.Result{Check: c, Status: checks.Fail}
			for i := range n {
				res.Findings = append(res.Findings, checks.Finding{Subject: fmt.Sprintf("/%d", i), Got: fmt.Sprint(i)})
			}
			return res
		})
		got := shown(t, r, report.Style{})
		if lines := strings.Count(got, "✗ fail"); lines != 10 || !strings.Contains(got, want) ||
			strings.Contains(got, "more;") != (want != "") {
			t.Errorf("%d findings, %d lines:\n%.2000s", n, lines, got)
		}
		if all := shown(t, r, report.Style{Verbose: true}); !strings.Contains(all, fmt.Sprintf(" /%d: %d\n", n-1, n-1)) {
			t.Errorf("-v leaves out of %d findings:\n%.2000s", n, all)
		}
	}
}

// TestReasons tells each reason for not knowing once, that of most checks first, and names the first six.
func TestReasons(t *testing.T) {
	r := many(t, 12, func(i int, c *checks.Check) checks.Result {
		reason := "dockerd is not running\nstack"
		if i < 8 {
			reason = fmt.Sprintf("reason %d", i)
		}
		return checks.Result{Check: c, Status: checks.Unknown, Err: errors.New(reason)}
	})
	want := `
unknown: 12 checks
  ? unknown 3.9     dockerd is not running (4 checks, 3.9 to 3.12)
  ? unknown 3.1     reason 0
  ? unknown 3.2     reason 1
  ? unknown 3.3     reason 2
  ? unknown 3.4     reason 3
  ? unknown 3.5     reason 4
                    and 3 more; -v lists all
`
	if got := shown(t, r, report.Style{}); !strings.Contains(got, want) {
		t.Errorf("want %s\nin %s", want, got)
	}
	if got := shown(t, r, report.Style{Verbose: true}); !strings.Contains(got, "reason 7") ||
		!strings.Contains(got, "stack") {
		t.Errorf("-v leaves something out:\n%s", got)
	}
}

// TestManualReview says what to review, or what the check is about where nothing more is known.
func TestManualReview(t *testing.T) {
	reasons := []error{checks.ErrManual, fmt.Errorf("%w: look at /x", checks.ErrManual)}
	r := many(t, 2, func(i int, c *checks.Check) checks.Result {
		return checks.Result{Check: c, Status: checks.Manual, Err: reasons[i]}
	})
	want := "  ! manual  3.1     title 0\n  ! manual  3.2     look at /x\n"
	if got := shown(t, r, report.Style{}); !strings.Contains(got, want) {
		t.Errorf("it is not there:\n%s", got)
	}
}
