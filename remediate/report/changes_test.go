package report_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"example.com/harden/checks"
	"example.com/harden/remediate/report"
)

// look is a settled report of these results, as it comes back from where it was kept.
func look(t *testing.T, results ...report.Result) *report.Report {
	t.Helper()
	r := &report.Report{Version: `1"\`, Time: now, Results: results}
	r.Settle()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	kept := new(report.Report)
	if err := json.Unmarshal(text, kept); err != nil {
		t.Fatal(err)
	}
	return kept
}

func failing(got string, subjects ...string) report.Result {
	r := report.Result{ID: "docker/x", Number: "1.1", Title: "x holds", Status: checks.Fail, Section: "1",
		Threats: []string{"docker/host/tampering"}}
	for _, s := range subjects {
		r.Findings = append(r.Findings, report.Finding{Subject: s, Got: got, Must: "good"})
	}
	return r
}

func as(status checks.Status) report.Result {
	r := failing("")
	r.Status = status
	if status == checks.Unknown {
		r.Reason = "no answer"
	}
	return r
}

func waived(subject string) report.Result {
	r := as(checks.Waived)
	r.Waived = []report.Accepted{{Subject: subject, Got: "bad", Must: "good", Reason: "known", Expires: "2026-05-31"}}
	return r
}

func TestCompare(t *testing.T) {
	pass := as(checks.Pass)
	for _, test := range []struct {
		name  string
		looks []report.Result // one after the other; what the last one tells counts
		want  []string        // kind, subject, was, is
	}{
		{"nothing", []report.Result{failing("bad", "a"), failing("bad", "a")}, nil},
		{"new", []report.Result{pass, failing("bad", "a")}, []string{"new a:  bad"}},
		{"one more", []report.Result{failing("bad", "a"), failing("bad", "a", "b")}, []string{"new b:  bad"}},
		{"otherwise", []report.Result{failing("bad", "a"), failing("worse", "a")}, []string{"changed a: bad worse"}},
		{"fixed", []report.Result{failing("bad", "a", "b"), failing("bad", "b")}, []string{"fixed a: bad "}},
		{"all fixed", []report.Result{failing("bad", "a"), pass}, []string{"fixed a: bad "}},
		{"moved", []report.Result{failing("bad", "a"), failing("bad", "b")}, []string{"new b:  bad", "fixed a: bad "}},
		{"gone", []report.Result{failing("bad", "a"), as(checks.NotApplicable)}, []string{"gone a: bad "}},
		{"waived", []report.Result{failing("bad", "a"), waived("a")}, []string{"waived a:  bad"}},
		{"waived from the first", []report.Result{waived("a"), waived("a")}, nil},
		{"expired", []report.Result{waived("a"), failing("bad", "a")}, []string{"expired a:  bad"}},
		{"fixed while waived", []report.Result{waived("a"), pass}, []string{"fixed a: bad "}},
		{"unknown", []report.Result{failing("bad", "a"), as(checks.Unknown)}, []string{"unknown :  "}},
		{"unknown still", []report.Result{failing("bad", "a"), as(checks.Unknown), as(checks.Unknown)}, nil},
		{"unknown for a while", []report.Result{failing("bad", "a"), as(checks.Unknown), as(checks.Unknown),
			failing("bad", "a")}, nil},
		{"fixed while unknown", []report.Result{failing("bad", "a"), as(checks.Unknown), pass}, []string{"fixed a: bad "}},
		{"known", []report.Result{as(checks.Unknown), pass}, []string{"known :  "}},
		{"known to fail", []report.Result{as(checks.Unknown), failing("bad", "a")}, []string{"new a:  bad"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			before := look(t, test.looks[0])
			for _, r := range test.looks[1:] {
				now := look(t, r)
				got = nil
				for _, d := range report.Compare(before, now) {
					got = append(got, d.Kind+" "+d.Subject+": "+d.Was+" "+d.Is)
				}
				before = look(t, now.Results...)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	if ds := report.Compare(look(t), look(t, as(checks.Unknown))); len(ds) != 1 || ds[0].Kind != report.ShiftUnknown {
		t.Errorf("unknown from the first: %+v", ds)
	}
	// A waiver that is over is told with its reason, and with its end where it had one.
	for expires, want := range map[string]string{"2026-05-31": "known, until 2026-05-31", "": "known"} {
		was := waived("a")
		was.Waived[0].Expires = expires
		if ds := report.Compare(look(t, was), look(t, failing("bad", "a"))); len(ds) != 1 || ds[0].Reason != want {
			t.Errorf("expired: %+v, want %q", ds, want)
		}
	}
	// A check that is no longer asked for, and one that is for the first time.
	other := failing("bad", "c")
	other.ID = "docker/y"
	drifts := report.Compare(look(t, failing("bad", "a")), look(t, other))
	if len(drifts) != 2 || drifts[0].Kind != report.ShiftNew || drifts[1].Kind != report.ShiftGone ||
		drifts[1].ID != "docker/x" {
		t.Errorf("another selection: %+v", drifts)
	}
}

// TestChangesText shows data as data, and nothing where nothing has changed.
func TestChangesText(t *testing.T) {
	before := look(t, failing("bad", "a"))
	write := func(now *report.Report) string {
		var b bytes.Buffer
		c := &report.Changes{Host: "h", Since: before.Time, Changes: report.Compare(before, now), Summary: now.Summary}
		if err := text(&b, c, report.Style{}); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if got := write(before); got != "" {
		t.Errorf("nothing has changed: %q", got)
	}
	got := write(look(t, failing("bad\x1b[2J", "a", "evil\nname")))
	if strings.ContainsRune(got, '\x1b') || strings.Contains(got, "evil\nname") ||
		!strings.Contains(got, `"evil\nname": `) {
		t.Errorf("names pass for something else: %q", got)
	}
}

// TestPrometheus has the metrics read by Prometheus's own parser.
func TestPrometheus(t *testing.T) {
	other := as(checks.Unknown)
	other.ID, other.Section, other.Threats = "docker/y", "", []string{"docker/host/tampering", "odd\"\\\n\xff"}
	waiting := failing("bad", "a")
	waiting.ID = "docker/z"
	r := look(t, failing("bad", "a"), other, waiting)
	r.Summary.States[report.Pending] = 1
	r.Waivers = []report.Waiver{{State: "expired"}}
	var b bytes.Buffer
	if err := prometheus(&b, &report.Metrics{Report: r, Shifts: []report.Shift{{Kind: report.ShiftNew},
		{Kind: report.ShiftNew}}, Failed: 3, Open: true}); err != nil {
		t.Fatal(err)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	got := map[string]float64{}
	for name, f := range families {
		if f.GetHelp() == "" {
			t.Errorf("%s says nothing of itself", name)
		}
		for _, m := range f.GetMetric() {
			key := name
			for _, l := range m.GetLabel() {
				key += " " + l.GetName() + "=" + l.GetValue()
			}
			got[key] = m.GetGauge().GetValue()
		}
	}
	for key, want := range map[string]float64{
		`harden_build_info version=1"\`:                                    1,
		"harden_last_run_timestamp_seconds":                                float64(now.Unix()),
		"harden_checks status=fail":                                        2,
		"harden_checks status=unknown":                                     1,
		"harden_checks status=pass":                                        0,
		"harden_section_checks section=1 status=fail":                      2,
		"harden_section_checks section=1 status=pass":                      0,
		"harden_section_checks section= status=unknown":                    1,
		"harden_threat_checks status=fail threat=docker/host/tampering":    2,
		"harden_threat_checks status=unknown threat=docker/host/tampering": 1,
		"harden_threat_checks status=unknown threat=odd\"\\\n\uFFFD":       1,
		"harden_drift kind=new":                                            2,
		"harden_drift kind=fixed":                                          0,
		"harden_waivers state=expired":                                     1,
		"harden_fixes_failed":                                              3,
		"harden_restarts_pending":                                          1,
		"harden_run_interrupted":                                           1,
	} {
		if v, ok := got[key]; !ok || v != want {
			t.Errorf("%s is %v (there: %v), want %v", key, v, ok, want)
		}
	}
	if !bytes.HasSuffix(b.Bytes(), []byte("\n")) {
		t.Error("the last line has no end")
	}
}
