package report_test

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"example.com/harden/checks"
	"example.com/harden/checks/want"
	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/report"
)

// orders are what a runner of continuous integration obeys.
var orders = []string{"::set-output name=a::b", "  ::stop-commands::x", "x\n::error::y", "a ::debug::b",
	"##[add-mask]x", "x##vso[task.setvariable variable=a]b"}

// TestReadDistrustsDiffs shows the diffs of a report that somebody has written by hand: they are text, and nothing that
// a terminal or a runner of continuous integration obeys.
func TestReadDistrustsDiffs(t *testing.T) {
	for _, evil := range append([]string{"\x1b[2J\x1b]0;owned\x07", "a\rb", "\u202egnp", "\xff"}, orders...) {
		text := "@@ -1 +1 @@\n " + evil + "\n-" + evil + "\n+" + evil + "\n"
		part := report.HeldBack{Disruption: want.None,
			Changes:     []report.Change{{Target: "/a", Action: "content", Diff: text, Checks: []string{"docker/x"}}},
			Updates:     []report.Update{{Container: "c", Diff: text, Checks: []string{"docker/x"}}},
			Activations: []report.Activation{{Kind: "restart", Unit: "u", Diff: text, Checks: []string{"docker/x"}}}}
		r := settled(t, checks.Result{Status: checks.Fail, Findings: []checks.Finding{{Subject: "/a"}}},
			&report.Plan{Changes: part.Changes, Updates: part.Updates, Activations: part.Activations,
				Held: []report.HeldBack{part}}, nil)
		read, err := report.Read("x", strings.NewReader(formatted(t, "json", r)), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, format := range []string{"text", "markdown"} {
			obeyed(t, formatted(t, format, read))
		}
	}
}

// obeyed tells what of a text is more than text.
func obeyed(t *testing.T, text string) {
	t.Helper()
	if strings.ContainsAny(text, "\x1b\x07\r\u202e") {
		t.Errorf("it moves the cursor: %q", text)
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "::") || strings.Contains(line, "##[") ||
			strings.Contains(line, "##vso") {
			t.Errorf("it is an order: %q", line)
		}
	}
}

// TestNamesAreNoOrders has hosts, files and findings called like orders to a runner of continuous integration.
func TestNamesAreNoOrders(t *testing.T) {
	for _, name := range orders {
		r := findings(t, append([]string{name, name}, make([]string, 9)...))
		r.Host.Name = name
		for _, format := range []string{"text", "markdown"} {
			obeyed(t, formatted(t, format, r))
		}
	}
	for _, address := range []string{"::", "[::]:2375", "::1", "::ffff:10.0.0.1", "std::string", "## heading", "a::b::c"} {
		if report.Clean(address) != address {
			t.Errorf("%s is shown as %s", address, report.Clean(address))
		}
	}
}

// TestReadersAgree holds both readers to the same: what no harden writes is refused by either, in few words.
func TestReadersAgree(t *testing.T) {
	score := 50
	r := settled(t, checks.Result{Status: checks.Fail, Findings: []checks.Finding{{Subject: "/a", Got: "1", Must: "2"}}},
		nil, &report.Run{Outcome: string(apply.Applied)})
	r.Score = &score
	whole := formatted(t, "json", r)
	for name, c := range map[string]struct{ old, new string }{
		"too good a score":      {`"score": 50`, `"score": 101`},
		"too bad a score":       {`"score": 50`, `"score": -1`},
		"half a score":          {`"score": 50`, `"score": 1.5`},
		"a score without end":   {`"score": 50`, `"score": ` + strings.Repeat("1", 5000)},
		"a score beyond all":    {`"score": 50`, `"score": 1e999999999`},
		"a year after all":      {`"time": "`, `"time": "9999-12-31T23:59:59-23:59", "was": "`},
		"a year before all":     {`"time": "`, `"time": "0000-01-01T00:00:00+23:59", "was": "`},
		"a state without end":   {`"state": "fail"`, `"state": "` + strings.Repeat("x", 5000) + `"`},
		"a schema without end":  {`"harden/v1"`, `"` + strings.Repeat("x", 5000) + `"`},
		"a check twice":         {`"results": [`, `"results": [{"id": "docker/x", "state": "pass", "level": 1}, `},
		"a key of a part twice": {`"schema"`, `"version": "2", "schema"`},
	} {
		bad := strings.Replace(whole, c.old, c.new, 1)
		if bad == whole {
			t.Fatalf("%s: no %s in %s", name, c.old, whole)
		}
		_, short := report.ReadGist("x", strings.NewReader(bad), 1<<20)
		_, long := report.Read("x", strings.NewReader(bad), 1<<20)
		for _, err := range []error{short, long} {
			if err == nil || len(err.Error()) > 1000 || strings.Contains(err.Error(), "jsontext") {
				t.Errorf("%s: %.2000v", name, err)
			}
		}
	}
}

// TestReadersBound gives the readers what takes more memory than it has bytes.
func TestReadersBound(t *testing.T) {
	whole := formatted(t, "json", settled(t, checks.Result{Status: checks.Fail,
		Findings: []checks.Finding{{Subject: "/a", Got: "1", Must: "2"}}}, nil, nil))
	before, after, _ := strings.Cut(whole, `"findings": [`)
	endless := func(each string) io.Reader {
		return io.MultiReader(strings.NewReader(before+`"findings": [`), &repeated{each: []byte(each), left: 40 << 20},
			strings.NewReader("{}"+after))
	}
	for name, c := range map[string]struct{ each, long string }{
		"empty findings": {strings.Repeat("{},", 1000), "a value of more than 32 MiB"},
		"few bytes":      {strings.Repeat("{}, ", 1000)[:3000], "a value of more than 32 MiB"},
	} {
		if _, err := report.Read("x", endless(c.each), 64<<20); err == nil || !strings.Contains(err.Error(), c.long) {
			t.Errorf("%s: %v, want %s", name, err, c.long)
		}
	}
	many := before + `"findings": [` + strings.Repeat("{},", 5<<20) + after
	if _, err := report.Read("x", strings.NewReader(many), 64<<20); err == nil ||
		!strings.Contains(err.Error(), "more than 524288 findings") {
		t.Errorf("five million findings: %v", err)
	}
	text := io.MultiReader(strings.NewReader(`{"x": "`), &repeated{each: bytes.Repeat([]byte("a"), 4096), left: 40 << 20})
	if _, err := report.ReadGist("x", text, 64<<20); err == nil || err.Error() != "x:1: a value of more than 16 MiB" {
		t.Errorf("a text without end: %v", err)
	}
}

// A repeated is the same bytes again and again.
type repeated struct {
	each []byte
	at   int
	left int
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, io.EOF
	}
	n := copy(p, r.each[r.at:])
	r.at, r.left = (r.at+n)%len(r.each), r.left-n
	return n, nil
}

// TestFleetStrange has one host whose report holds checks of its own making: they hide none of the others, and what it
// calls a check that harden knows is not what the others' is called.
func TestFleetStrange(t *testing.T) {
	title, known := "", "docker/icc"
	m := report.NewMerger(report.Grouping{}, same)
	add := func(host string, results ...string) {
		t.Helper()
		text := fmt.Sprintf(`{"schema": "harden/v1", "version": "1", "time": "2026-01-02T03:04:05Z", "command": "check", `+
			`"host": {"name": %q}, "benchmarks": [], "results": [%s]}`, host, strings.Join(results, ","))
		g, err := report.ReadGist(host, strings.NewReader(text), 64<<20)
		if err != nil {
			t.Fatal(err)
		}
		m.Add(g)
	}
	result := func(id, state string) string {
		return fmt.Sprintf(`{"id": %q, "title": "all is well", "severity": "low", "state": %q}`, id, state)
	}
	for host := range 5 {
		var made []string
		for i := range 1000 {
			made = append(made, result(fmt.Sprintf("docker/made-%d-%d", host, i), "pass"))
		}
		add(fmt.Sprint("evil", host), made...)
	}
	for _, host := range []string{"a", "b", "c", "d", "e", "f", "h", "i"} {
		add(host, result(known, "pass"))
	}
	add("g", result(known, "fail"))
	f := reread(t, m.FleetOf("1", now))
	for _, h := range f.Hosts {
		for _, d := range h.Differences {
			if h.Name == "g" && d.ID == known {
				title = d.Title
			}
		}
	}
	if title == "" || title == "all is well" {
		t.Errorf("%s of g is called %q", known, title)
	}
	if len(f.Notes) != 1 || !strings.Contains(f.Notes[0], "that this harden does not know") {
		t.Errorf("told is %q", f.Notes)
	}
}

// TestOSCALNamesOnce puts several reports of a host, two findings of one ID and another host's findings into one
// document: no two parts of it have one UUID.
func TestOSCALNamesOnce(t *testing.T) {
	r := findings(t, []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"})
	r.Results[0].Findings[1].ID = r.Results[0].Findings[0].ID
	later, other := *r, *r
	later.Time, other.Host.Name = r.Time.Add(time.Hour), "another"
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile(`"uuid": "([^"]*)"`).FindAllStringSubmatch(
		formatted(t, "oscal", report.Reports{r, r, &later, &other}), -1) {
		if seen[m[1]] {
			t.Errorf("%s is there twice", m[1])
		}
		seen[m[1]] = true
	}
	if len(seen) < 60 {
		t.Errorf("%d UUIDs", len(seen))
	}
}
