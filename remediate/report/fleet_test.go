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

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"example.com/harden/checks"
	"example.com/harden/remediate/report"
)

func same(text string) string { return text }

// member is the gist of a host's report in which docker/x found these things, each a subject and a value.
func member(t *testing.T, host, file string, at time.Time, result checks.Result, found ...string) *report.Gist {
	t.Helper()
	for pair := range slices.Chunk(found, 2) {
		result.Status = checks.Fail
		result.Findings = append(result.Findings, checks.Finding{Subject: pair[0], Got: pair[1], Must: "good"})
	}
	r := settled(t, result, nil, nil)
	r.Command, r.Host.Name, r.Time = "check", host, at
	return gist(t, file, r)
}

func gist(t *testing.T, file string, r *report.Report) *report.Gist {
	t.Helper()
	var b bytes.Buffer
	if err := report.JSON(&b, r); err != nil {
		t.Fatal(err)
	}
	g, err := report.ReadGist(file, &b, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func fleet(t *testing.T, by string, members ...*report.Gist) *report.Fleet {
	t.Helper()
	grouping, err := report.GroupBy(by)
	if err != nil {
		t.Fatal(err)
	}
	m := report.NewMerger(grouping, same)
	for _, g := range members {
		m.Add(g)
	}
	return reread(t, m.FleetOf("1", now))
}

// reread is a fleet as its JSON has it, which is held to the published schema.
func reread(t *testing.T, f *report.Fleet) *report.Fleet {
	t.Helper()
	var b bytes.Buffer
	if err := report.JSON(&b, f); err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if err := compiler(t).MustCompile("urn:harden:v1#/$defs/fleet").Validate(doc); err != nil {
		t.Error(err)
	}
	read := new(report.Fleet)
	if err := json.Unmarshal(b.Bytes(), read); err != nil {
		t.Fatal(err)
	}
	return read
}

// TestFleetDiffers tells what one host has otherwise than two others.
func TestFleetDiffers(t *testing.T) {
	pass, unknown := checks.Result{Status: checks.Pass}, checks.Result{Status: checks.Unknown, Err: errors.New("gone")}
	waived := checks.Result{Status: checks.Waived, Waived: []checks.Accepted{{
		Finding: checks.Finding{Subject: "/a", Got: "bad", Must: "good"}, Waiver: checks.Waiver{Reason: "so"}}}}
	none := checks.Result{}
	for name, test := range map[string]struct {
		odd, other checks.Result
		is, usual  []string
		want       []string
	}{
		"alike":        {none, none, []string{"/a", "bad"}, []string{"/a", "bad"}, nil},
		"in any order": {none, none, []string{"/a", "1", "/b", "2"}, []string{"/b", "2", "/a", "1"}, nil},
		"value": {none, none, []string{"/a", "0666"}, []string{"/a", "0622"},
			[]string{"value fail fail /a 0666 0622"}},
		"extra": {none, none, []string{"/a", "1", "/b", "2"}, []string{"/a", "1"}, []string{"extra fail fail /b 2 "}},
		"missing": {none, none, []string{"/a", "1"}, []string{"/a", "1", "/b", "2"},
			[]string{"missing fail fail /b  2"}},
		"fails alone": {none, pass, []string{"/a", "1", "/b", "2"}, nil,
			[]string{"extra fail pass /a 1 ", "extra fail pass /b 2 "}},
		"passes alone":   {pass, none, nil, []string{"/a", "1"}, []string{"state pass fail   "}},
		"unknown alone":  {unknown, pass, nil, nil, []string{"state unknown pass   "}},
		"waived alone":   {waived, none, nil, []string{"/a", "bad"}, []string{"state waived fail   "}},
		"twice the same": {none, none, []string{"/a", "1", "/a", "1"}, []string{"/a", "1"}, []string{"more fail fail   "}},
	} {
		f := fleet(t, "kind", member(t, "a", "a.json", now, test.other, test.usual...),
			member(t, "odd", "odd.json", now, test.odd, test.is...),
			member(t, "b", "b.json", now, test.other, test.usual...))
		var got []string
		for _, h := range f.Hosts {
			if h.Name != "odd" && len(h.Differences) > 0 {
				t.Errorf("%s: host %s differs too", name, h.Name)
			}
			for _, d := range h.Differences {
				got = append(got, fmt.Sprintf("%s %s %s %s %s %s", d.Kind, d.State, d.Majority, d.Subject, d.Got, d.MajorityGot))
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if want := min(len(test.want), 1); f.Differing != want || f.Groups[0].Differing != want || f.Merged != 3 {
			t.Errorf("%s: %d of %d hosts differ, %d in the group", name, f.Differing, f.Merged, f.Groups[0].Differing)
		}
		if len(test.want) > 0 && f.Hosts[0].Name != "odd" {
			t.Errorf("%s: the host that differs is not the first", name)
		}
	}
}

// TestFleetMajority compares findings only where most hosts have the same ones, and nothing where no state has the
// majority.
func TestFleetMajority(t *testing.T) {
	none, pass := checks.Result{}, checks.Result{Status: checks.Pass}
	own := fleet(t, "kind", member(t, "a", "a", now, none, "container a", "1"), member(t, "b", "b", now, none,
		"container b", "1"), member(t, "c", "c", now, none, "container c", "1"))
	if own.Differing != 0 || len(own.Groups[0].Checks) != 0 {
		t.Errorf("each host has a container of its own: %+v", own.Groups)
	}
	split := fleet(t, "kind", member(t, "a", "a", now, none, "/a", "1"), member(t, "b", "b", now, pass))
	c := split.Groups[0].Checks[0]
	if split.Differing != 0 || c.Majority != "" || len(c.Sides) != 2 || c.Sides[0].Names[0] != "a" {
		t.Errorf("one fails, one passes: %+v", split.Groups)
	}
	most := fleet(t, "kind", member(t, "a", "a", now, none, "/a", "1"), member(t, "b", "b", now, pass),
		member(t, "c", "c", now, pass))
	if c := most.Groups[0].Checks[0]; c.Majority != report.Pass || c.Sides[0].Hosts != 2 || c.Sides[1].Names[0] != "a" {
		t.Errorf("two of three pass: %+v", c)
	}
}

// TestFleetGroups compares hosts of a group alone.
func TestFleetGroups(t *testing.T) {
	on := func(name, file, os string, change func(*report.Report)) *report.Gist {
		r := settled(t, checks.Result{Status: checks.Pass}, nil, nil)
		r.Host.Name, r.Host.OS = name, os
		change(r)
		return gist(t, file, r)
	}
	plain := func(*report.Report) {}
	members := []*report.Gist{on("web1", "front/a.json", "Debian", plain), on("web2", "front/b.json", "Fedora",
		func(r *report.Report) { r.Host.Daemon = &report.Daemon{} }), on("db1", "back/c.json", "",
		func(r *report.Report) {
			r.Host.Node = &report.Node{Config: []string{}, Components: []report.Component{{Name: "kube-apiserver"}}}
		}), on("9", "back/d.json", "Debian",
		func(r *report.Report) { r.Benchmarks = []string{"docker@1.6.0"} })}
	for by, want := range map[string][]string{
		"kind": {"Docker host (CIS Docker Benchmark 1.8.0, CIS Kubernetes Benchmark 2.0) 1",
			"Kubernetes control plane (CIS Docker Benchmark 1.8.0, CIS Kubernetes Benchmark 2.0) 1",
			"neither Docker nor Kubernetes (CIS Docker Benchmark 1.6.0) 1",
			"neither Docker nor Kubernetes (CIS Docker Benchmark 1.8.0, CIS Kubernetes Benchmark 2.0) 1"},
		"directory": {"back 2", "front 2"}, "os": {"Debian 2", "Fedora 1", "unknown OS 1"}, "none": {"all hosts 4"},
		"name=^[a-z]+": {"db 1", "other names 1", "web 2"}, "name=([0-9])": {"1 2", "2 1", "9 1"},
	} {
		var got []string
		for _, g := range fleet(t, by, members...).Groups {
			got = append(got, fmt.Sprintf("%s %d", g.Name, g.Hosts))
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", by, diff)
		}
	}
	for _, bad := range []string{"", "colour", "name", "name=("} {
		if _, err := report.GroupBy(bad); err == nil {
			t.Errorf("--group-by %q is accepted", bad)
		}
	}
}

// TestFleetNewest counts the newest of two reports of one host, in either order, and tells of the other.
func TestFleetNewest(t *testing.T) {
	pass, none := checks.Result{Status: checks.Pass}, checks.Result{}
	older := member(t, "a", "old.json", now.Add(-time.Hour), none, "/a", "bad")
	newer := member(t, "a", "new.json", now, pass)
	clone := member(t, "b", "b.json", now, pass)
	for _, order := range [][]*report.Gist{{older, newer, clone}, {newer, clone, older}} {
		f := fleet(t, "kind", order...)
		if f.Merged != 2 || f.Reports != 3 || f.Differing != 0 || f.Hosts[0].File != "new.json" {
			t.Errorf("%d hosts, %d differ, of %s", f.Merged, f.Differing, f.Hosts[0].File)
		}
		want := []report.Superseded{{File: "old.json", Host: "a", Newer: "new.json"}}
		if diff := cmp.Diff(want, f.Superseded); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// TestFleetHides hides the secrets in all that is kept of a report.
func TestFleetHides(t *testing.T) {
	m := report.NewMerger(report.Grouping{}, func(text string) string { return strings.ReplaceAll(text, "hunter2", "‹›") })
	for _, h := range []string{"a", "b", "hunter2"} {
		g := member(t, h, "hunter2.json", now, checks.Result{}, "/"+h, h)
		g.Host.OS, g.Host.Kernel, g.Version = "hunter2", "hunter2", "hunter2"
		m.Add(g)
	}
	m.Refuse("hunter2.json", errors.New("hunter2"))
	f := m.FleetOf("1", now)
	for _, format := range []string{"text", "json", "csv", "html"} {
		view, err := report.ViewOf(format, report.OfFleet)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := view.Write(&b, f, report.Style{Verbose: true}); err != nil || b.Len() == 0 {
			t.Fatal(b.Len(), err)
		}
		if strings.Contains(b.String(), "hunter2") {
			t.Errorf("%s tells a secret:\n%s", format, b.String())
		}
	}
}

// TestFleetHostile writes what hosts may be called and may find, in every format, so that it is data and nothing else.
func TestFleetHostile(t *testing.T) {
	m := report.NewMerger(report.Grouping{}, same)
	usual := checks.Result{Status: checks.Pass}
	for i := range 40 {
		m.Add(member(t, fmt.Sprint("h", i), "x", now, usual))
	}
	for _, n := range hostile {
		m.Add(member(t, n, n, now, checks.Result{}, n, n))
	}
	f := m.FleetOf("1", now)
	reread(t, f)
	write := func(format string) string {
		view, err := report.ViewOf(format, report.OfFleet)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := view.Write(&b, f, report.Style{Verbose: true}); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if text := write("text"); strings.ContainsAny(text, "\x1b\x00\u202e") {
		t.Errorf("text moves the cursor: %q", text)
	}
	page := write("html")
	if strings.Count(page, "<script>") != 1 || strings.Contains(page, "<!--") {
		t.Error("a name is part of the page")
	}
	for line := range strings.Lines(write("csv")) {
		if strings.ContainsAny(line[:1], "=+-@\t") {
			t.Errorf("a cell is a formula: %q", line)
		}
	}
}

// TestReadGist holds the short reader to the long one: what the one refuses of what both read, the other refuses.
func TestReadGist(t *testing.T) {
	var b bytes.Buffer
	r := settled(t, checks.Result{Status: checks.Fail, Findings: []checks.Finding{{Subject: "/a", Got: "1", Must: "2"}}},
		nil, nil)
	if err := report.JSON(&b, r); err != nil {
		t.Fatal(err)
	}
	whole := b.String()
	for name, spoil := range map[string]func(string) string{
		"empty":          func(string) string { return "" },
		"a list":         func(s string) string { return "[" + s + "]" },
		"cut off":        func(s string) string { return s[:len(s)/2] },
		"two":            func(s string) string { return s + s },
		"another schema": func(s string) string { return strings.Replace(s, "harden/v1", "harden/v2", 1) },
		"a plan":         func(s string) string { return strings.Replace(s, "harden/v1", "harden-plan/v1", 1) },
		"no results":     func(s string) string { return strings.Replace(s, `"results"`, `"result"`, 1) },
		"no list":        func(s string) string { return strings.Replace(s, `"findings": [`, `"findings": 1, "f": [`, 1) },
		"a number":       func(s string) string { return strings.Replace(s, `"subject": "/a"`, `"subject": 7`, 1) },
		"another state":  func(s string) string { return strings.Replace(s, `"state": "fail"`, `"state": "ok"`, -1) },
		"another ID":     func(s string) string { return strings.Replace(s, `"docker/x"`, `"../x"`, -1) },
		"no time":        func(s string) string { return strings.Replace(s, `"time": "`, `"time": "x`, 1) },
		"twice a key": func(s string) string {
			return strings.Replace(s, `"version"`, `"schema": "harden/v1", "version"`, 1)
		},
		"no JSON": func(s string) string { return strings.Replace(s, `"results": [`, `"results": [harden`, 1) },
	} {
		bad := spoil(whole)
		_, short := report.ReadGist("web1.json", strings.NewReader(bad), 1<<20)
		_, long := report.Read("web1.json", strings.NewReader(bad), 1<<20)
		if short == nil || !strings.HasPrefix(short.Error(), "web1.json:") {
			t.Errorf("%s: %v", name, short)
		}
		if long == nil {
			t.Errorf("%s: the long reader has nothing against it; the short one says %v", name, short)
		}
	}
	_, err := report.ReadGist("x", strings.NewReader(whole), 100)
	if err == nil || !strings.Contains(err.Error(), "larger") {
		t.Errorf("a report that is too large: %v", err)
	}
	if _, err := report.ReadGist("x", strings.NewReader(strings.Replace(whole, `"results"`, `"new": [{}], "results"`, 1)),
		1<<20); err != nil {
		t.Errorf("a field that it does not know: %v", err)
	}
}
