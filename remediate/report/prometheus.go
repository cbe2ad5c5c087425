package report

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"example.com/harden/checks"
)

// Metrics are what a monitoring system is told of a host.
type Metrics struct {
	Report *Report // the last look, settled
	Shifts []Shift // since the look before
	Failed int     // findings whose fix the last apply tried in vain
	Open   bool    // a run was interrupted, and is neither finished nor taken back
}

// A family is the samples of one metric: by labels, written as in the format, to values.
type family struct {
	name, help string
	samples    map[string]float64
}

// A prometheusView is Prometheus's text format, as the node exporter reads it from files.
type prometheusView struct{ findingsView }

func (prometheusView) Name() string      { return "prometheus" }
func (prometheusView) Of(s Subject) bool { return s == OfMetrics }

// Write writes Metrics.
func (prometheusView) Write(w io.Writer, d Document, _ Style) error {
	m, ok := d.(*Metrics)
	if !ok {
		return fmt.Errorf("--format prometheus: %T has no metrics", d)
	}
	var b bytes.Buffer
	for _, f := range m.families() {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s gauge\n", f.name, f.help, f.name)
		for _, l := range slices.Sorted(maps.Keys(f.samples)) {
			fmt.Fprintf(&b, "%s%s %.0f\n", f.name, l, f.samples[l])
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// text has nothing for people: they read the report.
func (*Metrics) text(*page) {}

// families are the metrics. All are gauges: each is of the last look alone. A time carries no age, since nobody updates
// the file meanwhile: time() - the time is it.
func (m *Metrics) families() []family {
	r := m.Report
	byStatus, bySection, byThreat := map[string]float64{}, map[string]float64{}, map[string]float64{}
	for status := checks.Unknown; status <= checks.Waived; status++ {
		byStatus[labels("status", status.String())] = 0
		for _, res := range r.Results {
			bySection[labels("section", res.Section, "status", status.String())] += 0
			for _, t := range res.Threats {
				byThreat[labels("status", status.String(), "threat", t)] += 0
			}
		}
	}
	for _, res := range r.Results {
		status := res.Status.String()
		byStatus[labels("status", status)]++
		bySection[labels("section", res.Section, "status", status)]++
		for _, t := range res.Threats {
			byThreat[labels("status", status, "threat", t)]++
		}
	}
	drift := map[string]float64{}
	for _, k := range ShiftKinds {
		drift[labels("kind", k)] = 0
	}
	for _, d := range m.Shifts {
		drift[labels("kind", d.Kind)]++
	}
	waivers := map[string]float64{}
	for _, state := range []string{"active", "expiring", "expired"} {
		waivers[labels("state", state)] = 0
	}
	for _, wv := range r.Waivers {
		waivers[labels("state", wv.State)]++
	}
	one := func(v float64) map[string]float64 { return map[string]float64{"": v} }
	open := 0.0
	if m.Open {
		open = 1
	}
	return []family{
		{"harden_build_info", "Version of harden; always 1.", map[string]float64{labels("version", r.Version): 1}},
		{"harden_last_run_timestamp_seconds", "Time of the last audit, in seconds since 1970.",
			one(float64(r.Time.Unix()))},
		{"harden_checks", "Checks by verdict.", byStatus},
		{"harden_section_checks", "Checks by section of the benchmark and verdict; beyond the benchmark the section is " +
			"empty.", bySection},
		{"harden_threat_checks", "Checks by STRIDE threat and verdict; a check answers one threat or more.", byThreat},
		{"harden_drift", "Changes since the last audit, by kind.", drift},
		{"harden_waivers", "Waivers of the configuration by state.", waivers},
		{"harden_fixes_failed", "Findings whose fix the last scheduled apply could not make.", one(float64(m.Failed))},
		{"harden_restarts_pending", "Checks that pass in the configuration and need a service restart.",
			one(float64(r.Summary.States[Pending]))},
		{"harden_run_interrupted", "Whether a run was interrupted, and is neither finished nor rolled back.", one(open)},
	}
}

var labelEscapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

// labels writes pairs of name and value. The pairs are in the order of the names.
func labels(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		fmt.Fprintf(&b, `,%s="%s"`, pairs[i], labelEscapes.Replace(strings.ToValidUTF8(pairs[i+1], "\uFFFD")))
	}
	return "{" + b.String()[1:] + "}"
}
