package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"example.com/harden/checks"
	"example.com/harden/checks/catalog"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/stride"
	"example.com/harden/checks/want"
	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/report"
)

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// fix is a finding that a change of class c would settle.
func fix(subject string, c want.Class) checks.Finding {
	w := map[want.Class]want.Want{
		want.None:    want.Mode{File: subject, Mode: 0o644},
		want.Restart: want.Key{File: "/etc/docker/daemon.json", Key: []string{"icc"}, Value: false},
	}[c]
	return checks.Finding{Subject: subject, Got: "0666", Must: "within 0644", Wants: []want.Want{w}}
}

// settled reports one check with these findings, in a plan and a run.
func settled(t *testing.T, result checks.Result, plan *report.Plan, run *report.Run) *report.Report {
	t.Helper()
	result.Check = &checks.Check{ID: "docker/x", Items: cis.Docker("3.1", "3.1", "3.1", "3.1"), Title: "x holds", Why: "or else", Level: 1,
		Threats: []stride.ID{"docker/host/tampering"}}
	s, err := catalog.Select([]*checks.Check{result.Check}, catalog.Query{})
	if err != nil {
		t.Fatal(err)
	}
	r := report.New(s, []checks.Result{result}, nil, now)
	r.Command, r.Host.Name, r.Host.Root = "plan", "h", "/"
	r.Plan, r.Run = plan, run
	r.Settle()
	return r
}

func planOf(changes, held []report.Change, class want.Class, left ...report.LeftOver) *report.Plan {
	p := &report.Plan{Changes: append([]report.Change{}, changes...), Updates: []report.Update{}, Activations: []report.Activation{}, Held: []report.HeldBack{}, Left: append([]report.LeftOver{}, left...)}
	if len(held) > 0 {
		p.Held = append(p.Held, report.HeldBack{Disruption: class, Allow: report.Allow(class), Changes: held, Updates: []report.Update{}, Activations: []report.Activation{}})
	}
	return p
}

func runOf(outcome string, waiting []string, failing ...report.LeftOver) *report.Run {
	return &report.Run{ID: "1", Outcome: outcome, Activations: []apply.Activated{}, Waiting: append([]string{}, waiting...), Failing: append([]report.LeftOver{}, failing...)}
}

func TestSettle(t *testing.T) {
	change := []report.Change{{Target: "/a", Action: "attributes", Checks: []string{"docker/x"}, Breaks: []string{}}}
	left := report.LeftOver{ID: "docker/x", Subject: "/a", Reason: "no"}
	fails := func(fs ...checks.Finding) checks.Result { return checks.Result{Status: checks.Fail, Findings: fs} }
	pending := fix("/a", want.Restart)
	pending.Pending = true
	tests := map[string]struct {
		result  checks.Result
		plan    *report.Plan
		run     *report.Run
		state   report.State
		finding []report.State
		verdict string
	}{
		"pass":                   {checks.Result{Status: checks.Pass}, nil, nil, report.Pass, nil, report.Sound},
		"n/a":                    {checks.Result{Status: checks.NotApplicable, Err: facts.ErrAbsent}, nil, nil, report.NotApplicable, nil, report.Sound},
		"manual":                 {checks.Result{Status: checks.Manual, Err: checks.ErrManual}, nil, nil, report.Manual, nil, report.Sound},
		"waived":                 {checks.Result{Status: checks.Waived}, nil, nil, report.Waived, nil, report.Sound},
		"unknown":                {checks.Result{Err: errors.New("e")}, nil, nil, report.Unknown, nil, report.Doubt},
		"audit":                  {fails(fix("/a", want.None)), nil, nil, report.Fail, []report.State{report.Fail}, report.Findings},
		"audit, not taken up":    {fails(pending), nil, nil, report.Pending, []report.State{report.Pending}, report.Findings},
		"planned":                {fails(fix("/a", want.None)), planOf(change, nil, 0), nil, report.Planned, []report.State{report.Planned}, report.Findings},
		"held":                   {fails(fix("/a", want.Restart)), planOf(nil, change, want.Restart), nil, report.Held, []report.State{report.Held}, report.Findings},
		"left":                   {fails(fix("/a", want.None)), planOf(nil, nil, 0, left), nil, report.Left, []report.State{report.Left}, report.Findings},
		"planned and held":       {fails(fix("/a", want.None), fix("/b", want.Restart)), planOf(change, change, want.Restart), nil, report.Held, []report.State{report.Planned, report.Held}, report.Findings},
		"left and planned":       {fails(fix("/a", want.None), fix("/b", want.None)), planOf(change, nil, 0, left), nil, report.Left, []report.State{report.Left, report.Planned}, report.Findings},
		"not taken up, no plan":  {fails(pending), planOf(nil, nil, 0), nil, report.Pending, []report.State{report.Pending}, report.Findings},
		"fixed":                  {fails(fix("/a", want.None)), planOf(change, nil, 0), runOf("applied", nil), report.Fixed, []report.State{report.Fixed}, report.Changed},
		"written, waiting":       {fails(fix("/a", want.None)), planOf(change, nil, 0), runOf("applied", []string{"docker/x"}), report.Pending, []report.State{report.Pending}, report.Changed},
		"written, still failing": {fails(fix("/a", want.None)), planOf(change, nil, 0), runOf("applied", nil, left), report.Failed, []report.State{report.Failed}, report.Broken},
		"taken back":             {fails(fix("/a", want.None)), planOf(change, nil, 0), runOf("rolled-back", []string{"docker/x"}, left), report.Failed, []report.State{report.Failed}, report.Broken},
		"held, other run":        {fails(fix("/a", want.Restart)), planOf(nil, change, want.Restart), runOf("applied", nil, left), report.Held, []report.State{report.Held}, report.Changed},
		"nothing to run":         {fails(fix("/a", want.Restart)), planOf(nil, change, want.Restart), runOf("unchanged", nil), report.Held, []report.State{report.Held}, report.Findings},
	}
	until := *runOf("applied", nil)
	until.Unconfirmed = &now
	unconfirmed := tests["fixed"]
	unconfirmed.run = &until
	tests["fixed, unconfirmed"] = unconfirmed
	schema := compiled(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := settled(t, test.result, test.plan, test.run)
			var findings []report.State
			for _, f := range r.Results[0].Findings {
				findings = append(findings, f.State)
			}
			if diff := cmp.Diff(test.finding, findings); diff != "" || r.Results[0].State != test.state {
				t.Errorf("state %s, want %s; findings (-want +got)\n%s", r.Results[0].State, test.state, diff)
			}
			if r.Summary.Verdict != test.verdict {
				t.Errorf("verdict %s, want %s", r.Summary.Verdict, test.verdict)
			}
			sum := 0
			for _, n := range r.Summary.States {
				sum += n
			}
			if sum != 1 || r.Summary.States[test.state] != 1 {
				t.Errorf("the states of one check add up to %d: %v", sum, r.Summary.States)
			}
			if r.Run != nil && test.state != report.Failed && len(r.Run.Failing) > 0 {
				t.Errorf("the run is blamed for %v", r.Run.Failing)
			}
			valid(t, schema, r)
		})
	}
}

// TestDrift holds the whole text of a drift, and its JSON to the published schema with every object closed.
func TestDrift(t *testing.T) {
	d := &report.Drift{Schema: report.DriftSchema, Version: "1", Time: now, Runs: 2, Files: 3, Containers: 1, Checks: 2,
		Unconfirmed: "0002-x", Notes: []string{"a note"}, Drifted: []report.Drifted{
			{Path: "/etc/a", Run: "0001-x", Diff: "# /etc/a\n# mode 0644 -> 0666\n", Differences: []apply.Difference{
				{What: "mode", Was: "0644", Now: "0666"}, {What: "xattr user.\x1b", Was: "none", Now: "sha256 0"}}},
			{Path: "/etc/b", Run: "0002-x", Missing: true, Diff: "# /etc/b\n", Differences: []apply.Difference{{What: "existence", Was: "there", Now: "gone"}}},
			{Path: "/etc/c", Run: "0002-x", Replaced: true, Diff: "# /etc/c\n", Differences: []apply.Difference{{What: "content", Was: "sha256 0", Now: "sha256 1"}}},
		}, Live: []report.DriftedLive{
			{Kind: report.LiveContainer, ID: "abc", Subject: "container web", Run: "0001-x", Diff: "# container web (abc)\n-restart no\n+restart always\n",
				Differences: []apply.Difference{{What: "restart", Was: "no", Now: "always"}}},
			{Kind: report.LiveContainer, ID: "abd", Subject: "container db", Run: "0001-x",
				Differences: []apply.Difference{{What: "existence", Was: "there", Now: "gone"}}},
			{Kind: report.LiveCheck, ID: "docker/icc", Subject: "daemon icc", Run: "0002-x",
				Differences: []apply.Difference{{What: "verdict", Was: "pass", Now: "fail: true, must be false"}}},
		}, Unknown: []report.NotCompared{{Subject: "/etc/d", Run: "0001-x", Reason: "denied"}}}
	d.Host.Name, d.Host.Root = "h", "/"
	var text, doc bytes.Buffer
	if err := report.Views[0].Write(&text, d, report.Style{}); err != nil {
		t.Fatal(err)
	}
	want := `Drift: 6 changes since harden (compared: 3 files, 1 container and 2 checks of 2 runs); 1 could not
be compared

/etc/a
  changed since run 0001-x
  differs "xattr user.\x1b": none -> sha256 0
# /etc/a
# mode 0644 -> 0666

/etc/b
  gone    since run 0002-x
# /etc/b

/etc/c
  changed since run 0002-x
  content replaced by somebody else; harden has set only mode and owner
  differs content: sha256 0 -> sha256 1
# /etc/c

container web
  changed since run 0001-x
# container web (abc)
-restart no
+restart always

container db
  changed since run 0001-x
  differs existence: there -> gone

daemon icc
  changed since run 0002-x
  check   docker/icc
  differs verdict: pass -> fail: true, must be false

Could not be compared
  unknown /etc/d (run 0001-x): denied

Run 0002-x is not confirmed yet: what it has left is compared with too.

a note
`
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := report.JSON(&doc, d); err != nil {
		t.Fatal(err)
	}
	said, err := jsonschema.UnmarshalJSON(&doc)
	if err != nil {
		t.Fatal(err)
	}
	schema, err := compiler(t).Compile("urn:harden:v1#/$defs/drift")
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(said); err != nil {
		t.Error(err)
	}
	for _, none := range []*report.Drift{{Runs: 1, Files: 1, Unknown: d.Unknown}, {Runs: 1, Files: 1}} {
		var text bytes.Buffer
		if err := report.Views[0].Write(&text, none, report.Style{}); err != nil {
			t.Fatal(err)
		}
		want := "No drift: nobody has changed what harden has left (1 file, 0 containers and 0 checks of 1 run).\n"
		if len(none.Unknown) > 0 {
			want = "Unknown: 1 could not be compared; the rest is as harden has left it (1 file, 0 containers and 0\nchecks of 1 run).\n"
		}
		if got, _, _ := strings.Cut(text.String(), "\n\n"); strings.TrimSuffix(got, "\n")+"\n" != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	delete(said.(map[string]any)["drifted"].([]any)[0].(map[string]any), "differences")
	if schema.Validate(said) == nil {
		t.Error("the schema takes a file of which nothing differs")
	}
}

// compiled is the published schema with every object closed: a field that it does not name must not be written.
func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	schema, err := compiler(t).Compile("urn:harden:v1")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func compiler(t *testing.T) *jsonschema.Compiler {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(report.JSONSchema))
	if err != nil {
		t.Fatal(err)
	}
	closeObjects(doc)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("urn:harden:v1", doc); err != nil {
		t.Fatal(err)
	}
	return c
}

func closeObjects(node any) {
	switch n := node.(type) {
	case map[string]any:
		if _, ok := n["properties"].(map[string]any); ok && n["type"] == "object" {
			n["additionalProperties"] = false
		}
		for _, v := range n {
			closeObjects(v)
		}
	case []any:
		for _, v := range n {
			closeObjects(v)
		}
	}
}

func valid(t *testing.T, schema *jsonschema.Schema, r *report.Report) {
	t.Helper()
	var b bytes.Buffer
	if err := report.JSON(&b, r); err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(&b)
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(doc); err != nil {
		t.Errorf("not %s: %v", report.Schema, err)
	}
}

// TestSchemaRefuses shows that the schema can fail: each report is broken in one place.
func TestSchemaRefuses(t *testing.T) {
	schema := compiled(t)
	for name, spoil := range map[string]func(map[string]any){
		"missing field": func(m map[string]any) { delete(m, "summary") },
		"unknown field": func(m map[string]any) { m["new"] = 1 },
		"null list":     func(m map[string]any) { m["results"].([]any)[0].(map[string]any)["findings"] = nil },
		"other state":   func(m map[string]any) { m["results"].([]any)[0].(map[string]any)["state"] = "ok" },
		"bad ID":        func(m map[string]any) { m["results"].([]any)[0].(map[string]any)["id"] = "3.1" },
	} {
		data, err := json.Marshal(settled(t, checks.Result{Status: checks.Pass}, nil, nil))
		if err != nil {
			t.Fatal(err)
		}
		var doc map[string]any
		if err := json.Unmarshal(data, &doc); err != nil {
			t.Fatal(err)
		}
		if spoil(doc); schema.Validate(doc) == nil {
			t.Errorf("%s: the schema has nothing against it", name)
		}
	}
}

// TestHostileNames shows data that a host's users choose: none of it may reach a terminal as it is.
func TestHostileNames(t *testing.T) {
	evil := "web\x1b[2J\r\n✓ pass \u202e\x9b\xff"
	r := settled(t, checks.Result{Status: checks.Fail, Findings: []checks.Finding{{Subject: evil, Got: evil, Must: evil}},
		Waived: []checks.Accepted{{Finding: checks.Finding{Subject: evil}}}}, nil, nil)
	r.Host.Name = evil
	r.Host.Notes = []string{evil}
	r.Plan = planOf([]report.Change{{Target: evil, Checks: []string{"docker/x"}, Breaks: []string{evil}, Upgrade: &report.Upgrade{Note: evil}}}, nil, 0, report.LeftOver{ID: "docker/x", Subject: evil, Reason: evil})
	r.Run = runOf("rolled-back", nil, report.LeftOver{ID: "docker/x", Subject: evil, Reason: evil})
	r.Run.ID, r.Run.Reason = evil, evil
	var b bytes.Buffer
	if err := errors.Join(text(&b, r, report.Style{Verbose: true}), text(&b, report.Applied{Report: r}, report.Style{})); err != nil {
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
	r := settled(t, checks.Result{Status: checks.Fail, Findings: []checks.Finding{fix(strings.Repeat("/word and", 30), want.None)}}, nil, nil)
	for _, style := range []report.Style{{}, {Color: true}, {Width: 50}, {Width: 50, Color: true}, {Width: 10}, {Width: 500}} {
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
	for status, shown := range map[checks.Status]bool{checks.Pass: false, checks.NotApplicable: false, checks.Waived: false,
		checks.Unknown: true, checks.Manual: true} {
		var b bytes.Buffer
		if err := text(&b, settled(t, checks.Result{Status: status, Err: errors.New("e")}, nil, nil), report.Style{Quiet: true}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(b.String(), "x holds"); got != shown {
			t.Errorf("-q shows a check that is %s: %v", status, got)
		}
	}
}

func TestDescribe(t *testing.T) {
	for _, test := range []struct {
		want want.Want
		text string
	}{
		{want.Key{File: "/d.json", Key: []string{"a", "b"}, Value: []string{"x"}}, `set a.b to ["x"] in /d.json`},
		{want.Key{File: "/d.json", Key: []string{"tls"}}, "take tls out of /d.json"},
		{want.Flag{Unit: "docker.service", Name: "icc", Value: "false"}, "start docker.service with --icc=false"},
		{want.Flag{Unit: "kubelet.service", Name: "read-only-port", Gone: true}, "start kubelet.service without --read-only-port"},
		{want.Field{File: "/k.yaml", Field: []string{"a", "b"}, Value: false}, "set a.b to false in /k.yaml"},
		{want.Field{File: "/k.yaml", Field: []string{"a"}}, "take a out of /k.yaml"},
		{want.PodFlag{Container: "etcd", Name: "x", Value: "y"}, "etcd: start it with --x=y"},
		{want.PodFlag{Container: "etcd", Name: "x", Gone: true}, "etcd: start it without --x"},
		{want.PodFlag{Container: "c", Name: "x", Add: []string{"a", "b"}, Drop: []string{"d"}, Mounts: []want.Mount{{Path: "/e"}}}, "c: add a,b to --x, take d out of --x, show it /e"},
		{want.Content{File: "/p.yaml", Data: "secret"}, "make /p.yaml"},
		{want.Setting{Unit: "docker.socket", Section: "Socket", Key: "SocketMode", Value: "0660"}, "set SocketMode=0660 in [Socket] of docker.socket"},
		{want.Mode{File: "/a", Mode: 0o644}, "set the mode of /a to 0644"},
		{want.Owner{File: "/a", Owner: "root:docker"}, "give /a to root:docker"},
		{want.AuditRule{Path: "/a"}, "record changes of /a"},
		{want.AuditRule{Path: "/a", Dir: true}, "record changes of /a and all below it"},
		{want.Env{File: "/etc/environment", Name: "A", Value: "1"}, "set A=1 in /etc/environment"},
		{want.Container{ID: "c", Name: "web\x1b", Limits: want.Limits{Memory: 5, MemorySwap: -1, CPUShares: 7, PIDs: 100, Restart: "on-failure:5"}},
			`update --memory=5, --memory-swap=-1, --cpu-shares=7, --pids-limit=100, --restart=on-failure:5 of the container "web\x1b" in place`},
		{want.Container{Name: "web", Limits: want.Limits{PIDs: -1}}, "update --pids-limit=-1 of the container web in place"},
		{want.Compose{File: "/c.yaml", Service: "web", Key: []string{"a", "b"}, Value: true}, "set a.b to true for service web in /c.yaml"},
		{want.Compose{File: "/c.yaml", Service: "web", Key: []string{"a"}}, "take a out of service web in /c.yaml"},
		{want.Compose{File: "/c.yaml", Service: "web", Project: "p"}, "make the containers of service web of p again from /c.yaml"},
		{want.Instruction{File: "Dockerfile", Line: 3, From: "ADD", To: "COPY"}, "make COPY of the ADD in line 3 of Dockerfile"},
		{want.Key{File: "/d.json", Key: []string{"a"}, Value: func() {}}, "set a in /d.json"},
		{want.Field{File: "/k.yaml", Field: []string{"a"}, Value: func() {}}, "set a in /k.yaml"},
		{want.Service{Unit: "docker.service", Reload: true}, "reload docker.service"},
		{want.Service{Unit: "docker.service"}, "restart docker.service"},
	} {
		if got := report.Describe(test.want); got != test.text {
			t.Errorf("%#v is %q, want %q", test.want, got, test.text)
		}
	}
}

func TestUpgrade(t *testing.T) {
	r := settled(t, checks.Result{Status: checks.Fail, Findings: []checks.Finding{{Subject: "/a"}}}, nil, nil)
	r.Plan = planOf([]report.Change{{Target: "/a", Checks: []string{"docker/x"}, Upgrade: &report.Upgrade{Safe: true}},
		{Target: "/b", Checks: []string{"docker/x"}, Upgrade: &report.Upgrade{Note: "kubeadm writes it anew"}}, {Target: "/c", Checks: []string{"docker/x"}}}, nil, 0)
	r.Plan.Activations = []report.Activation{{Kind: "record-in-cluster", Unit: "configmap/n/m", Breaks: []string{"other nodes"}, Diff: "-old\n+new\n"}}
	var b bytes.Buffer
	if err := text(&b, r, report.Style{}); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"upgrade-safe: yes", "upgrade-safe: no: kubeadm writes it anew", "Then record in cluster configmap/n/m", "other nodes", "-old\n+new\n"} {
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
		{Check: "docker/a", Reason: "r"}, {Check: "docker/b", Scope: "web", Reason: "r", Expires: day(-1)}, {Check: "docker/c", Reason: "r", Expires: day(3)},
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
		"waiver  the waiver of docker/b for web ended with 2026-05-31 UTC: what it covered counts again",
		"waiver  the waiver of docker/c ends with 2026-06-04 UTC",
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
	for n, want := range map[int]string{4: "/0, /1, /2, /3: 0666", 5: "/0, /1, /2, /3 and 1 more: 0666", 7: "/0, /1, /2, /3 and 3 more: 0666"} {
		var fs []checks.Finding
		var left []report.LeftOver
		all := "/0"
		for i := range n {
			subject := fmt.Sprintf("/%d", i)
			fs = append(fs, checks.Finding{Subject: subject, Got: "0666", Must: "0644"})
			left = append(left, report.LeftOver{ID: "docker/x", Subject: subject, Reason: "a person decides"})
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

// TestStream holds a report that is written a result at a time to what it would be written whole.
func TestStream(t *testing.T) {
	for _, n := range []int{0, 1, 3} {
		r := &report.Report{Results: []report.Result{}}
		for i := range n {
			r.Results = append(r.Results, report.Result{ID: fmt.Sprintf("docker/x%d", i), Title: "a <b> & \n  \"results\": []", Findings: []report.Finding{{Subject: "s", Fix: []string{}}}})
		}
		var whole, got bytes.Buffer
		e := json.NewEncoder(&whole)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(r); err != nil {
			t.Fatal(err)
		}
		if err := report.JSON(&got, r); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(whole.String(), got.String()); diff != "" {
			t.Errorf("%d results (-whole +streamed):\n%s", n, diff)
		}
	}
}

// TestStillOpen says nothing where all is resolved, and has room for any number.
func TestStillOpen(t *testing.T) {
	for n, want := range map[int]string{0: "", 1e12: "Still open:\n  1000000000000 manualmanual review\n"} {
		var b bytes.Buffer
		r := &report.Report{Summary: report.Summary{Open: map[report.State]int{report.Manual: n}}}
		if err := text(&b, report.Nothing{Report: r}, report.Style{}); err != nil || b.String() != "There is nothing to apply.\n"+want {
			t.Errorf("%q, want %q; %v", b.String(), want, err)
		}
	}
}

// TestEntries gives each check its number in every edition that has it.
func TestEntries(t *testing.T) {
	s, all := small(t)
	entries := report.Entries(s)
	for _, c := range all {
		want := map[string]string{}
		for b, n := range c.Items {
			want[string(b)] = n
		}
		i := slices.IndexFunc(entries, func(e report.Entry) bool { return e.ID == c.ID })
		if diff := cmp.Diff(want, entries[i].Items); diff != "" {
			t.Errorf("%s (-want +got)\n%s", c.ID, diff)
		}
	}
}
