package report_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks"
	"example.com/harden/checks/catalog"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/stride"
	"example.com/harden/checks/want"
	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/report"
)

var update = flag.Bool("update", false, "write the golden file anew; read the diff before keeping it")

const diffText = "# /etc/docker/daemon.json\n--- before\n+++ after\n@@ -1,2 +1,2 @@\n same\n-old\n+new\n"

// small is a small catalogue: one check of each section that matters, two platforms, one check in no edition.
func small(t testing.TB) (*catalog.Selection, []*checks.Check) {
	t.Helper()
	var all []*checks.Check
	for i := range 6 {
		n := fmt.Sprintf("3.%d", i+1)
		all = append(all, &checks.Check{ID: fmt.Sprintf("docker/file-%d", i+1), Items: cis.Docker(n, n, n, n),
			Title: fmt.Sprintf("file %d belongs to root", i+1),
			Why:   "whoever owns it chooses what root runs", Level: 1, Breaks: "its owner", Class: want.Reload,
			Threats: []stride.ID{stride.DockerHostTampering, stride.DockerClientSpoofing}})
	}
	all = append(all, &checks.Check{ID: "docker/net", Items: cis.Docker("2.2", "2.2", "2.2", "2.2"),
		Title: "containers are apart", Level: 2, Manual: "look at them",
		Threats: []stride.ID{stride.DockerNetworkTampering}},
		&checks.Check{ID: "docker/own", Title: "of no edition", Why: "why", Level: 1,
			Threats: []stride.ID{"docker/x/tampering"}},
		&checks.Check{ID: "kubernetes/node", Items: cis.K8sAlways("4.1.1"), Title: "of a node", Level: 1,
			Threats: []stride.ID{stride.KubernetesNodeTampering}})
	s, err := catalog.Select(all, catalog.Query{})
	if err != nil {
		t.Fatal(err)
	}
	return s, all
}

// host is a settled report in which every state but those after a run is there.
func host(t *testing.T) *report.Report {
	t.Helper()
	s, all := small(t)
	many := make([]checks.Finding, 6)
	for i := range many {
		many[i] = checks.Finding{Subject: fmt.Sprintf("container c%d", i), Got: "0666", Must: "0644 or stricter"}
	}
	date := time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)
	results := []checks.Result{
		{Check: all[0], Status: checks.Pass},
		{Check: all[1], Status: checks.Fail, Findings: []checks.Finding{fix("/a", want.None), fix("/b",
			want.Restart)}},
		{Check: all[2], Status: checks.Fail, Findings: many},
		{Check: all[3], Status: checks.Waived, Waived: []checks.Accepted{{Finding: checks.Finding{Subject: "/w",
			Got: "x", Must: "y"},
			Waiver: checks.Waiver{Check: "docker/file-4", Reason: "meant", Approver: "ann", Expires: date}},
			{Finding: checks.Finding{Subject: "/v"}, Waiver: checks.Waiver{Reason: "for ever"}}}},
		{Check: all[4], Status: checks.Unknown, Err: fmt.Errorf("cannot be read\nsecond line")},
		{Check: all[5], Status: checks.Fail, Findings: []checks.Finding{{Subject: "app/Dockerfile FROM",
			Place: "app/Dockerfile:12", Got: "latest"}}},
		{Check: all[6], Status: checks.Manual, Err: checks.ErrManual},
		{Check: all[7], Status: checks.NotApplicable, Err: fmt.Errorf("there is none")},
		{Check: all[8], Status: checks.NotApplicable, Err: fmt.Errorf("no kubelet")},
	}
	r := report.New(s, results, []checks.Waiver{{Check: "docker/old", Scope: "web", Reason: "r",
		Expires: now.AddDate(0, 0, -9)}}, now)
	r.Command, r.Version = "plan", "1"
	r.Host = report.Host{Name: "h", Root: "/mnt", Notes: []string{"a note"},
		Engine: &report.Engine{Version: "29.0.0", Containers: 1, Running: 2, Endpoint: "unix:///s", From: "default",
			Local: true},
		Daemon: &report.Daemon{Flavour: "rootful", PID: 7, Unit: "docker.service", Config: "/d.json", Exists: true,
			DataRoot: "/data"},
		Node: &report.Node{Flavour: "kubeadm", Config: []string{"/k.yaml", "/l.yaml"}, Components: []report.Component{
			{Name: "etcd", Error: "no manifest"}, {Name: "kubelet", PID: 9, From: "kubelet.service"},
			{Name: "proxy", From: "k3s"}}}}
	r.Plan = proposed()
	r.Settle()
	return r
}

func proposed() *report.Plan {
	update := report.Update{Container: "web", ID: "c", Diff: "-memory 0\n+memory 5\n",
		Checks: []string{"docker/file-3"}, Disruption: want.None, Breaks: []string{"web"}}
	p := &report.Plan{
		Changes: []report.Change{{Target: "/etc/docker/daemon.json", Action: "content", Diff: diffText,
			Checks: []string{"docker/file-2", "docker/file-1"}, Disruption: want.None,
			Breaks: []string{"", "old clients"}}},
		Updates: []report.Update{update},
		Activations: []report.Activation{{Kind: "restart", Unit: "docker.service", Disruption: want.Restart,
			Breaks: []string{"for a moment"}},
			{Kind: "load-audit-rules", Pending: "auditd is not there"}},
		Held: []report.HeldBack{{Disruption: want.Restart, Allow: report.Allow(want.Restart),
			Updates: []report.Update{update, update},
			Activations: []report.Activation{{Kind: "restart", Unit: "docker.service", Disruption: want.Restart,
				Diff: "+x\n"}}}},
	}
	for i := range 6 {
		p.Left = append(p.Left, report.LeftOver{ID: "docker/file-3", Subject: fmt.Sprintf("container c%d", i),
			Reason: "decide yourself"})
	}
	for i := range 6 { // one thing that six checks wait for
		p.Left = append(p.Left, report.LeftOver{ID: fmt.Sprintf("docker/file-%d", i+1),
			Reason: "no rules are loaded"})
	}
	return p
}

// TestGolden holds every page that people read to what it is, whole, in each style.
func TestGolden(t *testing.T) {
	var out bytes.Buffer
	page := func(name string, write func(io.Writer) error) {
		fmt.Fprintf(&out, "-- %s --\n", name)
		if err := write(&out); err != nil {
			t.Fatal(name, err)
		}
	}
	shown := func(name string, r *report.Report, s report.Style) {
		page(name, func(w io.Writer) error { return text(w, r, s) })
	}
	shown("plan", host(t), report.Style{})
	shown("plan in colour", host(t), report.Style{Color: true})
	shown("plan, verbose, narrow", host(t), report.Style{Verbose: true, Width: 60})
	shown("plan, quiet", host(t), report.Style{Quiet: true})
	elsewhere := host(t)
	elsewhere.Host = report.Host{Name: "h", Root: "/", Engine: &report.Engine{Version: "1", Endpoint: "tcp://x",
		From: "DOCKER_HOST"},
		Daemon: &report.Daemon{Flavour: "rootless", Config: "/d.json", DataRoot: "/data"},
		Node:   &report.Node{Flavour: "k3s"}}
	elsewhere.Plan.Updates, elsewhere.Plan.Held, elsewhere.Plan.Left = nil, nil, nil
	shown("plan for an engine elsewhere", elsewhere, report.Style{})
	silent := host(t)
	silent.Host.Engine, silent.Plan = &report.Engine{Error: "not running"}, nil
	shown("audit without an engine", silent, report.Style{})
	short := host(t)
	short.Plan = &report.Plan{Activations: proposed().Activations[:1]}
	shown("a plan of one activation", short, report.Style{Quiet: true})
	few := host(t)
	few.Plan = &report.Plan{Left: proposed().Left[6:10]}
	shown("four checks that wait for one thing", few, report.Style{Quiet: true})
	page("outcomes", func(w io.Writer) error { return outcomes(t, w) })
	page("others", func(w io.Writer) error { return others(t, w) })
	got := strings.NewReplacer("\x1b", "^[").Replace(out.String())
	const golden = "testdata/golden.txtar"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("(-want +got), go test ./remediate/report -update takes it\n%s", diff)
	}
}

// text writes a document for people.
func text(w io.Writer, d report.Document, s report.Style) error {
	return report.Views[0].Write(w, d, s)
}

func prometheus(w io.Writer, m *report.Metrics) error {
	v, err := report.ViewOf("prometheus", report.OfMetrics)
	if err != nil {
		return err
	}
	return v.Write(w, m, report.Style{})
}

func outcomes(t *testing.T, w io.Writer) error {
	t.Helper()
	long := strings.Repeat(", and this is said at length", 6)
	for _, outcome := range []string{"unchanged", "applied", "rolled-back", "failed"} {
		r := host(t)
		r.Run = &report.Run{ID: "0007-x", Outcome: outcome, Waiting: []string{}, Activations: []apply.Activated{
			{Kind: "restart", Unit: "docker.service", State: "done"}, {Kind: "reload", Unit: "x.service",
				State: "failed", Reason: "no answer" + long}}}
		if outcome != "applied" {
			r.Run.Reason = "docker.service is not well" + long
			r.Run.Failing = []report.LeftOver{{ID: "docker/file-2", Subject: "/a", Reason: "still 0666" + long},
				{ID: "docker/file-1", Subject: "/z", Reason: "not the run's"}}
		}
		r.Settle()
		for _, s := range []report.Style{{}, {Color: true}} {
			if err := text(w, report.Applied{Report: r}, s); err != nil {
				return err
			}
		}
		open := host(t)
		open.Run, open.Plan = r.Run, proposed()
		open.Settle()
		if err := errors.Join(text(w, report.Nothing{Report: open}, report.Style{}),
			text(w, report.Nothing{Report: open}, report.Style{Color: true, Width: 40})); err != nil {
			return err
		}
		for _, res := range r.Results {
			for _, f := range res.Findings {
				fmt.Fprintf(w, "%s %s %s %q\n", res.ID, f.Subject, f.State, f.Reason)
			}
		}
		if err := text(w, r, report.Style{Quiet: true}); err != nil {
			return err
		}
	}
	return nil
}

// others writes what is no report: the catalogue, the threats, drift, schedules, rollbacks, changes and metrics.
func others(t *testing.T, w io.Writer) error {
	t.Helper()
	s, all := small(t)
	r := host(t)
	write := func(errs ...error) {
		for _, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
		fmt.Fprintln(w, "----")
	}
	for _, style := range []report.Style{{}, {Color: true, Verbose: true}, {Quiet: true, Width: 50}} {
		write(text(w, report.Entries(s), style))
		for _, i := range []int{1, 2, 3, 4, 6} {
			n := slices.Index(s.Checks, all[i])
			write(text(w, report.Explain(s, r)[n:n+1], style))
		}
		write(text(w, threats(r), style))
	}
	write(report.Table(w, report.Entries(s)))
	change := report.Change{Target: "/a", Diff: diffText}
	for _, d := range []*report.Drift{{}, {Runs: 1, Files: 1}, {Runs: 1, Files: 2,
		Drifted: []report.Drifted{{Path: "/a", Run: "1", Diff: diffText}}}} {
		write(text(w, d, report.Style{Color: true}))
	}
	done := &report.Run{ID: "1", Outcome: "applied", Activations: []apply.Activated{{Kind: "timer", Unit: "t",
		State: "done"}}}
	for _, c := range []*report.Schedule{{Manager: "cron"}, {Manager: "systemd", Changes: []report.Change{change},
		Notes:       []string{"a note"},
		Activations: proposed().Activations}} {
		write(text(w, c, report.Style{Color: true}))
	}
	write(text(w, report.Ended{Document: &report.Schedule{Run: done}}, report.Style{}))
	write(text(w, report.Ended{Document: &report.Schedule{}}, report.Style{}))
	for _, c := range []*report.ScheduleStatus{{}, {Files: []string{"/f"}, Looked: now, Summary: &r.Summary,
		Timers: []report.Timer{
			{Unit: "a", Calendar: "daily", State: "active", Last: now, Next: now}, {Unit: "b", Calendar: "weekly",
				State: "unknown", Reason: "no systemd"},
			{Unit: "c", Calendar: "daily", State: "inactive"}}}} {
		write(text(w, c, report.Style{}), text(w, c, report.Style{Width: 40}))
	}
	back := &report.Rollback{Changes: []report.Change{change}, Updates: proposed().Updates, Run: done}
	write(text(w, back, report.Style{}), text(w, report.Ended{Document: back}, report.Style{}))
	write(ends(w))
	other := host(t)
	other.Results[1].Findings[0].Got, other.Results[2].Findings[1].Must, other.Results = "0777", "0600 or stricter",
		other.Results[:5]
	shifts := append(report.Compare(other, r), report.Compare(empty(t), r)...)
	shifts = append(shifts, report.Compare(r, empty(t))...)
	write(text(w, &report.Changes{Host: "h", Time: now, Since: now.Add(-time.Hour), Changes: shifts,
		Summary: r.Summary}, report.Style{}))
	write(text(w, &report.Changes{Host: "h", Time: now, Summary: r.Summary}, report.Style{Color: true}))
	write(prometheus(w, &report.Metrics{Report: r, Shifts: shifts, Failed: 3, Open: true}))
	fmt.Fprintln(w, report.Totals(r))
	return nil
}

// ends writes what is given up of a run and what is set aside of a state directory.
func ends(w io.Writer) error {
	a := &report.Abandoned{Run: "0007-x"}
	for _, state := range []string{"before", "after", "partly", "theirs", "unknown"} {
		a.Files = append(a.Files, apply.FileState{Path: "/etc/" + state, State: state})
	}
	a.Files[4].Why = "it cannot be read\x1b"
	r := &report.Repair{State: "/var/lib/harden", Damages: []apply.Damage{
		{File: "runs/0007-x/log", Run: "0007-x", Why: "line 3", Does: "moves it aside",
			Lost: []string{"how far it had come", "more"},
			Kept: []string{"the run can still be rolled back"}},
		{File: "lock", Why: "it is not a regular file", Does: "moves it aside"}}}
	return errors.Join(text(w, a, report.Style{Color: true}), text(w, a, report.Style{Width: 40}),
		text(w, r, report.Style{}), text(w, r, report.Style{Color: true, Width: 40}),
		text(w, &report.Repair{State: "/var/lib/harden"}, report.Style{}))
}

// threats are those of the model that the small catalogue answers, and one of the platform that is not there.
func threats(r *report.Report) report.Model {
	return slices.DeleteFunc(report.ThreatsOf(r), func(t report.Threat) bool {
		return len(t.Checks) == 0 && t.ID != string(stride.DockerDaemonDenial) &&
			t.ID != string(stride.KubernetesNodeSpoofing)
	})
}

// empty is a report of the same checks, all of which hold.
func empty(t *testing.T) *report.Report {
	t.Helper()
	s, all := small(t)
	var results []checks.Result
	for _, c := range all[:8] {
		results = append(results, checks.Result{Check: c, Status: checks.Pass})
	}
	r := report.New(s, results, nil, now)
	r.Settle()
	return r
}
