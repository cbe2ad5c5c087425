package report_test

import (
	"slices"
	"testing"

	"example.com/harden/checks"
	"example.com/harden/checks/want"
	"example.com/harden/remediate/diff"
	"example.com/harden/remediate/report"
)

var hidden = diff.NewRedactor([]byte("key"))

func idsOf(h report.Host, findings ...checks.Finding) []report.FindingID {
	return report.FindingIDs(h, "docker/x", findings, hidden)
}

// TestFindingIDs says what an ID goes by, and what it does not.
func TestFindingIDs(t *testing.T) {
	host := report.Host{Name: "h", Machine: "m"}
	web := checks.Finding{Subject: "container web", Got: "1", Must: "2", Key: "container web"}
	id := idsOf(host, web)[0]
	stopped, worded, service, db := web, web, web, web
	stopped.Subject = "container web (exited)"
	worded.Got, worded.Must, worded.Reason, worded.Wants = "one", "two", "why", []want.Want{want.Mode{}}
	service.Service = "shop/web"
	db.Key = "container db"
	for name, f := range map[string]checks.Finding{"stopped": stopped, "worded": worded} {
		if got := idsOf(host, f)[0]; got != id {
			t.Errorf("%s: %s, want %s", name, got, id)
		}
	}
	others := []report.FindingID{id, idsOf(host, service)[0], idsOf(host, db)[0],
		idsOf(report.Host{Name: "h2", Machine: "m"}, web)[0], idsOf(report.Host{Name: "h", Machine: "m2"}, web)[0],
		report.FindingIDs(host, "docker/y", []checks.Finding{web}, hidden)[0]}
	slices.Sort(others)
	if n := len(slices.Compact(others)); n != 6 {
		t.Errorf("%d of 6 findings have an ID of their own", n)
	}
}

// TestFindingIDsRank tells apart what has the same key, in whichever order it is found.
func TestFindingIDsRank(t *testing.T) {
	host := report.Host{Name: "h"}
	old := checks.Finding{Subject: "image a:1", Key: "image a"}
	young := checks.Finding{Subject: "image a:2", Key: "image a"}
	both, turned := idsOf(host, old, young), idsOf(host, young, old)
	if both[0] == both[1] || both[0] != turned[1] || both[1] != turned[0] {
		t.Errorf("%v %v", both, turned)
	}
	if alone := idsOf(host, young)[0]; alone != both[0] {
		t.Errorf("a new tag alone is %s, want what the old one was: %s", alone, both[0])
	}
}

// TestFindingIDsHide makes an ID of what is told, so that nobody can guess a secret from it.
func TestFindingIDsHide(t *testing.T) {
	of := func(secret string) report.FindingID {
		return idsOf(report.Host{}, checks.Finding{Subject: "RUN x --password " + secret})[0]
	}
	if of("Abcdef1234") != of("Zyxwvu9876") {
		t.Error("an ID depends on a secret")
	}
}

// TestCompareTags tells what became of two tags of one image by their subjects, though the ID of one is now another's.
func TestCompareTags(t *testing.T) {
	image := func(tag string) checks.Finding {
		return checks.Finding{Subject: "image a:" + tag, Key: "image a", Got: "old", Must: "new"}
	}
	before := settled(t, checks.Result{Status: checks.Fail, Findings: []checks.Finding{image("1"), image("2")}}, nil, nil)
	now := settled(t, checks.Result{Status: checks.Fail, Findings: []checks.Finding{image("2")}}, nil, nil)
	shifts := report.Compare(before, now)
	if len(shifts) != 1 || shifts[0].Kind != report.ShiftFixed || shifts[0].Subject != "image a:1" {
		t.Errorf("%+v", shifts)
	}
	stopped := settled(t, checks.Result{Status: checks.Fail, Findings: []checks.Finding{{Subject: "container a (exited)",
		Key: "container a"}}}, nil, nil)
	runs := settled(t, checks.Result{Status: checks.Fail, Findings: []checks.Finding{{Subject: "container a",
		Key: "container a"}}}, nil, nil)
	if shifts := report.Compare(stopped, runs); len(shifts) != 0 {
		t.Errorf("a container that was started is a change: %+v", shifts)
	}
}
