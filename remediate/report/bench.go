package report

import (
	"io"
	"slices"
	"strings"
)

// A group is the checks of one section of a benchmark, those beyond it last.
type group struct {
	id, title string
	results   []*Result
}

// groupsOf are the sections of a platform's checks.
func groupsOf(r *Report, on string) (all []group) {
	for i := range r.Results {
		res := &r.Results[i]
		if platform(res.ID) != on {
			continue
		}
		key, title := "harden", "Beyond the benchmark"
		if res.Section != "" {
			key, title = res.Section, res.Heading
		}
		n := slices.IndexFunc(all, func(g group) bool { return g.id == key })
		if n < 0 {
			n, all = len(all), append(all, group{id: key, title: title})
		}
		all[n].results = append(all[n].results, res)
	}
	return all
}

// benchNumber is what the readers of other tools know a check by.
func benchNumber(res *Result) string {
	if res.Number == "" {
		return res.ID
	}
	return res.Number
}

// sentences are what was found by a check, a line each.
func sentences(r *Report, res *Result) (lines []string) {
	for _, e := range res.entries(r) {
		if e.waiver != nil {
			lines = append(lines, e.sentence()+" ("+Clean(e.accepted())+")")
		} else {
			lines = append(lines, e.sentence())
		}
	}
	return lines
}

// remedies are what to do about a check, a line each, none twice.
func remedies(r *Report, res *Result) (lines []string) {
	seen := map[string]bool{}
	for _, e := range res.entries(r) {
		for _, l := range e.remedy() {
			if l = Clean(firstLine(l)); e.waiver == nil && !seen[l] {
				seen[l] = true
				lines = append(lines, l)
			}
		}
	}
	return lines
}

// A dockerBenchView is the JSON of docker-bench-security, of one host's Docker checks.
type dockerBenchView struct{ findingsView }

func (dockerBenchView) Name() string { return "docker-bench" }

type dockerBench struct {
	Version string            `json:"dockerbenchsecurity"`
	Start   int64             `json:"start"`
	Tests   []dockerBenchTest `json:"tests"`
	Checks  int               `json:"checks"`
	Score   int               `json:"score"`
	End     int64             `json:"end"`
}

type dockerBenchTest struct {
	ID      string              `json:"id"`
	Title   string              `json:"desc"`
	Results []dockerBenchResult `json:"results"`
}

type dockerBenchResult struct {
	ID          string   `json:"id"`
	Title       string   `json:"desc"`
	Result      string   `json:"result"` // "PASS", "WARN", "NOTE" or "INFO"
	Details     string   `json:"details,omitempty"`
	Items       []string `json:"items,omitempty"`
	Remediation string   `json:"remediation,omitempty"`
	Impact      string   `json:"remediation-impact,omitempty"`
}

// dockerBenchResults are the words of docker-bench. Its readers take WARN for a finding and INFO for a remark, but for
// what is "(Manual)": so unknown is a WARN, and what does not apply and what is waived an INFO.
var dockerBenchResults = map[State]string{Pass: "PASS", Fixed: "PASS", Manual: "NOTE", NotApplicable: "INFO",
	Waived: "INFO"}

func (v dockerBenchView) Write(w io.Writer, d Document, _ Style) error {
	r, err := oneReport(v.Name(), d)
	if err != nil {
		return err
	}
	out := dockerBench{Version: "harden " + r.Version, Start: r.Time.Unix(), End: r.Time.Unix(),
		Tests: []dockerBenchTest{}}
	for _, g := range groupsOf(r, "docker") {
		t := dockerBenchTest{ID: g.id, Title: g.title, Results: []dockerBenchResult{}}
		for _, res := range g.results {
			one := dockerBenchResultOf(r, res)
			out.Checks++
			switch one.Result {
			case "PASS":
				out.Score++
			case "WARN":
				out.Score--
			}
			t.Results = append(t.Results, one)
		}
		out.Tests = append(out.Tests, t)
	}
	return encode(w, "", out)
}

func dockerBenchResultOf(r *Report, res *Result) dockerBenchResult {
	one := dockerBenchResult{ID: benchNumber(res), Title: res.Title, Result: dockerBenchResults[res.State],
		Items: sentences(r, res), Remediation: strings.Join(remedies(r, res), "; "), Impact: res.Why}
	if one.Result == "" {
		one.Result = "WARN"
	}
	one.Details = strings.Join(one.Items, "; ")
	if res.State == Manual {
		one.Title += " (Manual)"
	}
	return one
}
