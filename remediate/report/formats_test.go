package report_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"example.com/harden/checks"
	"example.com/harden/remediate/report"
)

// hostile are names that a container could be given by whoever can make one, or an Engine could make up.
var hostile = []string{`a"b'c`, "a\x00\x1b[31mb", "a\nb\r\nc", `=cmd|' /C calc'!A0`, "+1", "-1", "@SUM(1)", "\t=1",
	"]]>", "<script>alert(1)</script>", "<!--", "&amp;", "a\xff\xfeb", "\u202egnp.exe", "a|b", "``` x ```", "`id`",
	"[x](http://h.example)", "![x](//h)", "@everyone", "{0}", "%s%n", "../../etc/passwd", "a:b", "", " ", "＝1+1",
	strings.Repeat("n", 5000), "é☃𝄞", "\ufeffx", "a,b;c", "${jndi:x}", `a\|b`, `a\\|b`}

// findings is a report with so many findings of one check, each of a container with a name of its own.
func findings(t testing.TB, names []string) *report.Report {
	t.Helper()
	s, all := small(t)
	var found []checks.Finding
	for _, n := range names {
		found = append(found, checks.Finding{Subject: "container " + n, Got: n, Must: n, Reason: n})
	}
	results := []checks.Result{{Check: all[2], Status: checks.Fail, Findings: found},
		{Check: all[4], Status: checks.Unknown, Err: fmt.Errorf("%s", strings.Join(names[:min(9, len(names))], " "))},
		{Check: all[6], Status: checks.Manual, Err: checks.ErrManual}, {Check: all[7], Status: checks.Pass}}
	if len(names) > 0 {
		results = append(results, checks.Result{Check: all[3], Status: checks.Waived, Waived: []checks.Accepted{{
			Finding: checks.Finding{Subject: names[0]}, Waiver: checks.Waiver{Reason: names[0], Approver: names[1]}}}})
	}
	r := report.New(s, results, nil, now)
	r.Host = report.Host{Name: "h", Machine: strings.Repeat("0a", 32), OS: "Debian", Kernel: "6.12", Root: "/",
		Notes: []string{}}
	r.Version, r.Command = "1", "check"
	if len(names) > 0 {
		r.Host.Name = "h" + names[9]
	}
	r.Settle()
	return r
}

// samples are what every format is tried with.
func samples(t *testing.T) map[string]report.Reports {
	t.Helper()
	many := make([]string, 10_000)
	for i := range many {
		many[i] = fmt.Sprintf("c%d", i)
	}
	empty := &report.Report{Schema: report.Schema, Command: "check", Time: now, Host: report.Host{Name: "h", Root: "/"}}
	empty.Settle()
	of := func(name string) *report.Report {
		r := host(t)
		r.Host.Name = name
		return settledAgain(t, r)
	}
	return map[string]report.Reports{
		"every state": {host(t)}, "hostile": {findings(t, hostile)}, "many": {findings(t, many)}, "empty": {empty},
		"several": {of("a"), of("b"), findings(t, hostile)},
	}
}

// settledAgain is a report as it was saved and read, with IDs of its host.
func settledAgain(t *testing.T, r *report.Report) *report.Report {
	t.Helper()
	for i := range r.Results {
		for j := range r.Results[i].Findings {
			r.Results[i].Findings[j].ID = ""
		}
		for j := range r.Results[i].Waived {
			r.Results[i].Waived[j].ID = ""
		}
	}
	r.Settle()
	return r
}

func formatted(t testing.TB, format string, d report.Document) string {
	t.Helper()
	v, err := report.ViewOf(format, report.OfReport)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := v.Write(&b, d, report.Style{}); err != nil {
		t.Fatalf("%s: %v", format, err)
	}
	return b.String()
}

// formats are those of findings, which other programs read.
func formats() (names []string) {
	for _, n := range report.Formats(report.OfReport) {
		if n != "text" && n != "json" {
			names = append(names, n)
		}
	}
	return names
}

// single are the formats with room for one host.
var single = map[string]bool{"json": true, "docker-bench": true, "kube-bench": true}

// eachFormat calls f with what every format makes of every document.
func eachFormat(t *testing.T, f func(t *testing.T, format string, rs report.Reports, text string)) {
	t.Helper()
	all := samples(t)
	for _, format := range formats() {
		for name, rs := range all {
			if single[format] && len(rs) > 1 {
				v, _ := report.ViewOf(format, report.OfReport)
				var b bytes.Buffer
				if err := v.Write(&b, rs, report.Style{}); err == nil || b.Len() > 0 ||
					!strings.Contains(err.Error(), "one host") {
					t.Errorf("%s of several hosts: %v, %d bytes", format, err, b.Len())
				}
				continue
			}
			t.Run(format+"/"+name, func(t *testing.T) { f(t, format, rs, formatted(t, format, rs)) })
		}
	}
}

// TestFormatsInert holds every format to telling a hostile name as text: nothing of it moves a cursor, hides or turns
// text, whatever shows it. The same report gives the same bytes.
func TestFormatsInert(t *testing.T) {
	eachFormat(t, func(t *testing.T, format string, rs report.Reports, text string) {
		if !strings.HasSuffix(t.Name(), "/many") && formatted(t, format, rs) != text {
			t.Error("another document each time")
		}
		if !utf8.ValidString(text) {
			t.Error("not UTF-8")
		}
		if format == "jsonl" { // which tells what is, as json does
			return
		}
		for _, r := range text {
			if r != '\n' && r != '\r' && r != '\t' && !unicode.IsPrint(r) {
				t.Errorf("%U in it", r)
			}
		}
		if format == "markdown" && (strings.Contains(text, "<script") && !strings.Contains(text, "`container <script")) {
			t.Error("markup outside a code span")
		}
	})
}

// shared is a published schema, which is not part of the project.
func shared(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	file := filepath.Join("..", "..", "..", "shared", "formats", name)
	data, err := os.Open(file)
	if err != nil {
		t.Skipf("no published schema to hold it to: %v", err)
	}
	defer data.Close()
	doc, err := jsonschema.UnmarshalJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("urn:x", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("urn:x")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// TestPublishedSchemas holds SARIF and OSCAL to the schemas of OASIS and NIST, and shows that those can refuse.
func TestPublishedSchemas(t *testing.T) {
	schemas := map[string]*jsonschema.Schema{"sarif": shared(t, "sarif-2.1.0.schema.json"),
		"oscal": shared(t, "oscal-assessment-results.schema.json")}
	eachFormat(t, func(t *testing.T, format string, rs report.Reports, text string) {
		schema := schemas[format]
		if schema == nil {
			return
		}
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(doc); err != nil {
			t.Error(err)
		}
		for key := range doc.(map[string]any) {
			if key != "$schema" {
				delete(doc.(map[string]any), key)
				break
			}
		}
		if schema.Validate(doc) == nil {
			t.Error("the schema has nothing against half of it")
		}
	})
}

// TestReportRoundTrip reads what harden writes, and makes the same of it in every format.
func TestReportRoundTrip(t *testing.T) {
	for name, rs := range samples(t) {
		for _, r := range rs {
			if name == "hostile" || len(rs) > 2 { // JSON holds no byte that is not UTF-8
				continue
			}
			read, err := report.Read("x", strings.NewReader(formatted(t, "json", r)), 1<<30)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			all := append(formats(), "json", "text")
			if name == "many" {
				all = []string{"json", "csv"}
			}
			for _, format := range all {
				if diff := cmp.Diff(formatted(t, format, r), formatted(t, format, read)); diff != "" && len(diff) < 1e6 {
					t.Errorf("%s, %s (-written +read)\n%.2000s", name, format, diff)
				}
			}
		}
	}
}

// TestReadRefuses names the line of what is no report.
func TestReadRefuses(t *testing.T) {
	good := formatted(t, "json", findings(t, hostile[:10]))
	replaced := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("no %s in %s", old, good)
		}
		return strings.Replace(good, old, new, 1)
	}
	for name, c := range map[string]struct{ text, want string }{
		"empty":     {"", "x:1: not a report"},
		"list":      {"[]", "x:1: not a report"},
		"cut":       {good[:len(good)/2], "unexpected EOF"},
		"syntax":    {"{\n  \"schema\" 1}", "x:2: "},
		"schema":    {replaced(`"harden/v1"`, `"harden-plan/v1"`), `x:2: not a report: its schema is "harden-plan/v1"`},
		"twice":     {replaced(`"version": "1"`, `"version": "1", "version": "2"`), `x:3: "version" is there twice`},
		"type":      {replaced(`"level": 1`, `"level": "1"`), "level is of the wrong type"},
		"level":     {replaced(`"level": 1`, `"level": 7`), "level 7"},
		"state":     {replaced(`"state": "unknown"`, `"state": "<b>"`), `unknown state "<b>"`},
		"check":     {replaced(`"docker/file-3"`, `"../x"`), `"../x" is not the ID of a check`},
		"threat":    {replaced(`"docker/host/tampering"`, `"|x|"`), `"|x|" is not a threat`},
		"command":   {replaced(`"check"`, `"x"`), `command "x"`},
		"no time":   {replaced(`"time"`, `"times"`), `it has no "time"`},
		"more":      {good + "{}", "something follows"},
		"large":     {strings.Repeat(" ", 2<<20), "larger than 1 MiB"},
		"no result": {replaced(`"results"`, `"result"`), `it has no "results"`},
	} {
		most := int64(1 << 20)
		_, err := report.Read("x", strings.NewReader(c.text), most)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "x:") {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if _, err := report.Read("x", strings.NewReader(replaced(`"schema"`, `"later": {"a": [1]}, "schema"`)),
		1<<20); err != nil {
		t.Errorf("a field of a later harden: %v", err)
	}
}

func decoded[T any](t *testing.T, text string) (v T) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}
