package report_test

import (
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"example.com/harden/checks/mapping"
	"example.com/harden/remediate/report"
)

// reading holds what one format makes of every document to what its readers insist on.
func reading(t *testing.T, format string, f func(t *testing.T, rs report.Reports, text string)) {
	t.Helper()
	for name, rs := range samples(t) {
		if !single[format] || len(rs) == 1 {
			t.Run(name, func(t *testing.T) { f(t, rs, formatted(t, format, rs)) })
		}
	}
}

// open counts the findings, the waived ones, and the checks that nobody could judge.
func counted(rs report.Reports) (findings, waived, unclear int) {
	for _, r := range rs {
		for _, res := range r.Results {
			findings, waived = findings+len(res.Findings), waived+len(res.Waived)
			if res.State == report.Unknown || res.State == report.Manual {
				unclear++
			}
		}
	}
	return findings, waived, unclear
}

// TestJUnit restates the XSD that Jenkins publishes: what a suite and a case must have, and that a case has one
// outcome.
func TestJUnit(t *testing.T) {
	type suite struct {
		Name      string `xml:"name,attr"`
		Tests     int    `xml:"tests,attr"`
		Failures  int    `xml:"failures,attr"`
		Errors    int    `xml:"errors,attr"`
		Skipped   int    `xml:"skipped,attr"`
		Time      string `xml:"time,attr"`
		Timestamp string `xml:"timestamp,attr"`
		Hostname  string `xml:"hostname,attr"`
		Cases     []struct {
			Name    string     `xml:"name,attr"`
			Class   string     `xml:"classname,attr"`
			Time    string     `xml:"time,attr"`
			Failure []struct{} `xml:"failure"`
			Error   []struct{} `xml:"error"`
			Skipped []struct{} `xml:"skipped"`
		} `xml:"testcase"`
	}
	reading(t, "junit", func(t *testing.T, rs report.Reports, text string) {
		var all struct {
			XMLName  xml.Name `xml:"testsuites"`
			Tests    int      `xml:"tests,attr"`
			Failures int      `xml:"failures,attr"`
			Errors   int      `xml:"errors,attr"`
			Suites   []suite  `xml:"testsuite"`
		}
		if err := xml.Unmarshal([]byte(text), &all); err != nil {
			t.Fatal(err)
		}
		tests, failures, errs := 0, 0, 0
		for _, s := range all.Suites {
			got, names := [4]int{}, map[string]bool{}
			for _, c := range s.Cases {
				got[0], got[1], got[2], got[3] = got[0]+1, got[1]+len(c.Failure), got[2]+len(c.Error), got[3]+len(c.Skipped)
				if len(c.Failure)+len(c.Error)+len(c.Skipped) > 1 || c.Name == "" || c.Class == "" || names[c.Class+c.Name] {
					t.Errorf("%+v: several outcomes, or no name of its own", c)
				}
				names[c.Class+c.Name] = true
			}
			if want := [4]int{s.Tests, s.Failures, s.Errors, s.Skipped}; got != want {
				t.Errorf("%s: tests, failures, errors and skipped are %v, and it says %v", s.Name, got, want)
			}
			if _, err := time.Parse("2006-01-02T15:04:05", s.Timestamp); err != nil || s.Hostname == "" || s.Name == "" {
				t.Errorf("%+v", err)
			}
			tests, failures, errs = tests+s.Tests, failures+s.Failures, errs+s.Errors
		}
		if len(all.Suites) != len(rs) || tests != all.Tests || failures != all.Failures || errs != all.Errors {
			t.Errorf("%d suites, and the totals are %d, %d, %d", len(all.Suites), all.Tests, all.Failures, all.Errors)
		}
	})
}

// TestCSV has no cell that a spreadsheet takes for a formula, and a row for each finding and each check without.
func TestCSV(t *testing.T) {
	reading(t, "csv", func(t *testing.T, rs report.Reports, text string) {
		rows, err := csv.NewReader(strings.NewReader(text)).ReadAll() // which refuses rows of another length
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			for _, c := range row {
				first, _ := utf8.DecodeRuneInString(strings.TrimLeft(c, " \t\r\n\""))
				if c != "" && strings.ContainsRune("=+-@＝＋－＠\t\r", first) {
					t.Errorf("%q is a formula", c)
				}
			}
		}
		findings, waived, _ := counted(rs)
		if len(rows) <= findings+waived {
			t.Errorf("%d rows for %d findings", len(rows), findings+waived)
		}
	})
}

// TestMapped has the table and OSCAL name what other frameworks call a check.
func TestMapped(t *testing.T) {
	r := findings(t, hostile[:12])
	for i := range r.Results {
		r.Results[i].ID = "docker/privileged"
	}
	rows, err := csv.NewReader(strings.NewReader(formatted(t, "csv", r))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	oscal := formatted(t, "oscal", r)
	for _, f := range mapping.Frameworks {
		want := mapping.Numbers("docker/privileged")[f]
		if len(want) == 0 {
			t.Fatalf("%s has no number for the check; the test needs another", f)
		}
		column := slices.Index(rows[0], string(f))
		if column < 0 || rows[1][column] != strings.Join(want, " ") {
			t.Errorf("%s: column %d of %q", f, column, rows[1])
		}
		for _, n := range want {
			if !regexp.MustCompile(`"name": *"mapping-` + string(f) + `",[^}]*"value": *"` + n + `"`).MatchString(oscal) {
				t.Errorf("OSCAL does not have %s %s", f, n)
			}
		}
	}
}

// TestJSONLines has a document a line, each with an ID of its own, and none for what passes.
func TestJSONLines(t *testing.T) {
	reading(t, "jsonl", func(t *testing.T, rs report.Reports, text string) {
		ids, n := map[string]bool{}, 0
		schema, err := compiler(t).Compile("urn:harden:v1#/$defs/finding_line")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(text) {
			doc, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(doc); err != nil && n < 100 {
				t.Error(err)
			}
			var one struct {
				Schema, ID, Check, Severity, State string
				Host                               struct{ Name string }
			}
			if err := json.Unmarshal([]byte(line), &one); err != nil {
				t.Fatal(err)
			}
			if one.Schema != report.FindingSchema || one.Check == "" || one.Severity == "" || one.Host.Name == "" ||
				len(one.ID) != 32 || ids[one.ID] {
				t.Errorf("%+v", one)
			}
			ids[one.ID] = true
			n++
		}
		if findings, waived, unclear := counted(rs); n != findings+waived+unclear {
			t.Errorf("%d lines for %d findings, %d waived and %d inconclusive checks", n, findings, waived, unclear)
		}
	})
}

// TestDefectDojo restates DefectDojo's generic parser: the fields that it needs and those that it knows, any other of
// which it refuses; its severities; and the widths of its columns.
func TestDefectDojo(t *testing.T) {
	known := strings.Fields("title severity description date mitigation impact references unique_id_from_tool " +
		"vuln_id_from_tool service component_name file_path line active verified risk_accepted static_finding " +
		"dynamic_finding tags")
	reading(t, "defectdojo", func(t *testing.T, rs report.Reports, text string) {
		all := decoded[struct{ Findings []map[string]any }](t, text)
		ids := map[any]bool{}
		for _, f := range all.Findings {
			for key := range f {
				if !slices.Contains(known, key) {
					t.Errorf("%s is no field of DefectDojo's", key)
				}
			}
			title, _ := f["title"].(string)
			description, _ := f["description"].(string)
			if title == "" || utf8.RuneCountInString(title) > 511 || description == "" || ids[f["unique_id_from_tool"]] ||
				!slices.Contains([]any{"Critical", "High", "Medium", "Low", "Info"}, f["severity"]) {
				t.Errorf("%v", f)
			}
			ids[f["unique_id_from_tool"]] = true
			if _, err := time.Parse(time.DateOnly, fmt.Sprint(f["date"])); err != nil {
				t.Error(err)
			}
			for _, key := range []string{"service", "component_name"} {
				if text, _ := f[key].(string); utf8.RuneCountInString(text) > 200 {
					t.Errorf("%s has %d characters", key, utf8.RuneCountInString(text))
				}
			}
		}
		if findings, waived, unclear := counted(rs); len(all.Findings) != findings+waived+unclear {
			t.Errorf("%d findings, want %d", len(all.Findings), findings+waived+unclear)
		}
	})
}

// TestDockerBench restates what readers of docker-bench-security's JSON rely on: end is a whole number, and a result is
// one of four words.
func TestDockerBench(t *testing.T) {
	type result struct {
		ID, Desc, Result, Details, Remediation string
		Items                                  []string
		Impact                                 string `json:"remediation-impact"`
	}
	reading(t, "docker-bench", func(t *testing.T, rs report.Reports, text string) {
		all := decoded[struct {
			Version       string `json:"dockerbenchsecurity"`
			Start, End    int64
			Checks, Score int
			Tests         []struct {
				ID, Desc string
				Results  []result
			}
		}](t, text)
		ids := map[string]bool{}
		for _, g := range all.Tests {
			for _, r := range g.Results {
				if r.ID == "" || r.Desc == "" || ids[r.ID] || !slices.Contains([]string{"PASS", "WARN", "INFO", "NOTE"}, r.Result) {
					t.Errorf("%+v", r)
				}
				if r.Result == "NOTE" != strings.HasSuffix(r.Desc, "(Manual)") {
					t.Errorf("%s: %s is %s", r.ID, r.Desc, r.Result)
				}
				ids[r.ID] = true
			}
		}
		docker := 0
		for _, res := range rs[0].Results {
			if strings.HasPrefix(res.ID, "docker/") {
				docker++
			}
		}
		if len(ids) != docker || all.Checks != docker || all.End == 0 {
			t.Errorf("%d results, %d checks, want %d", len(ids), all.Checks, docker)
		}
	})
}

// TestKubeBench restates what readers of kube-bench's JSON rely on, and adds up its totals.
func TestKubeBench(t *testing.T) {
	type counts struct{ Pass, Fail, Warn, Info int }
	reading(t, "kube-bench", func(t *testing.T, rs report.Reports, text string) {
		var all struct {
			Controls []struct {
				ID, Text string
				Tests    []struct {
					Section, Desc string
					counts
					Results []struct {
						Number string `json:"test_number"`
						Desc   string `json:"test_desc"`
						Status string
					}
				}
				Pass int `json:"total_pass"`
			}
			Totals struct {
				Pass int `json:"total_pass"`
				Fail int `json:"total_fail"`
				Warn int `json:"total_warn"`
				Info int `json:"total_info"`
			}
		}
		if err := json.Unmarshal([]byte(text), &all); err != nil {
			t.Fatal(err)
		}
		n, got := 0, map[string]int{}
		for _, c := range all.Controls {
			for _, g := range c.Tests {
				for _, r := range g.Results {
					n++
					got[r.Status]++
					if r.Number == "" || r.Desc == "" || c.ID == "" || g.Desc == "" {
						t.Errorf("%+v", r)
					}
				}
			}
		}
		want := map[string]int{"PASS": all.Totals.Pass, "FAIL": all.Totals.Fail, "WARN": all.Totals.Warn,
			"INFO": all.Totals.Info}
		for status, count := range want {
			if got[status] != count {
				t.Errorf("%s: %d, and the totals say %d", status, got[status], count)
			}
		}
		if n != all.Totals.Pass+all.Totals.Fail+all.Totals.Warn+all.Totals.Info {
			t.Errorf("%d results: %v", n, got)
		}
	})
}

// TestMarkdown has tables of as many columns as they say, whatever is in them, and diffs that end where they end.
func TestMarkdown(t *testing.T) {
	reading(t, "markdown", func(t *testing.T, _ report.Reports, text string) {
		columns, fenced := 0, ""
		for line := range strings.Lines(text) {
			line = strings.TrimSuffix(line, "\n")
			switch {
			case fenced != "":
				if line == fenced {
					fenced = ""
				}
			case strings.HasPrefix(line, "```") && strings.HasSuffix(line, "diff"):
				fenced = strings.TrimSuffix(line, "diff")
			case strings.HasPrefix(line, "|"):
				n := strings.Count(strings.NewReplacer(`\\`, "", `\|`, "").Replace(line), "|")
				if columns == 0 {
					columns = n
				}
				if n != columns {
					t.Errorf("%d columns, want %d: %s", n, columns, line)
				}
			default:
				columns = 0
			}
		}
		if fenced != "" {
			t.Error("a diff does not end")
		}
	})
}
