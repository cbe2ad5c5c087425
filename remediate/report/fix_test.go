package report_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks"
	"example.com/harden/checks/want"
	"example.com/harden/remediate/report"
)

// TestFixes groups a plan by check, the most severe first: each change is in one fix, the other checks that it serves
// refer to it, and what names no check of the report is not lost.
func TestFixes(t *testing.T) {
	r := host(t)
	r.Results[0].Severity, r.Results[1].Severity = 1, 4 // file-1 low, file-2 critical
	r.Plan.Changes = append(r.Plan.Changes, report.Change{Target: "/nobody's", Diff: "# nobody's\n"},
		report.Change{Target: "/other", Diff: "# other\n", Checks: []string{"docker/unheard-of"}})
	type fix struct {
		ID, Allow            string
		Changes, With, Kinds []string
	}
	var got []fix
	for _, f := range r.Fixes() {
		one := fix{ID: f.Check.ID, Allow: f.Allow}
		for _, c := range f.Changes {
			one.Changes = append(one.Changes, c.Target)
		}
		for _, u := range f.Updates {
			one.Changes = append(one.Changes, u.Container)
		}
		for _, s := range f.Shared {
			one.With = append(one.With, s.Target+" "+s.With)
		}
		for _, a := range f.Activations {
			one.Kinds = append(one.Kinds, string(a.Kind))
		}
		got = append(got, one)
	}
	want := []fix{
		{ID: "docker/file-2", Changes: []string{"/etc/docker/daemon.json"}},
		{ID: "docker/file-3", Changes: []string{"web"}},
		{ID: "docker/file-1", With: []string{"/etc/docker/daemon.json 3.2"}},
		{ID: "docker/unheard-of", Changes: []string{"/other"}},
		{Changes: []string{"/nobody's"}},
		{ID: "docker/file-3", Allow: "--allow restart", Changes: []string{"web", "web"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	var b bytes.Buffer
	if err := text(&b, r, report.Style{}); err != nil {
		t.Fatal(err)
	}
	for _, diff := range []string{diffText, "# nobody's\n", "# other\n"} {
		if n := strings.Count(b.String(), diff); n != 1 {
			t.Errorf("shown %d times: %q in\n%s", n, diff, b.String())
		}
	}
	if (&report.Report{}).Fixes() != nil {
		t.Error("an audit has fixes")
	}
}

// TestFixAlone shows one fix with all that is to be known of it: a threat in full that another fix has, its own
// consequences and not another check's, what follows and what allows it.
func TestFixAlone(t *testing.T) {
	of := func(n int, breaks, on string) checks.Result {
		_, all := small(t)
		all[n].Breaks = breaks
		return checks.Result{Check: all[n], Status: checks.Fail, Findings: []checks.Finding{{Subject: "/a", Breaks: on}}}
	}
	s, _ := small(t)
	r := report.New(s, []checks.Result{of(1, "of two", ""), of(2, "of three", "this container")}, nil, now)
	ids := []string{"docker/file-2", "docker/file-3"}
	r.Plan = &report.Plan{Held: []report.HeldBack{{Disruption: want.Restart, Allow: report.Allow(want.Restart),
		Changes: []report.Change{{Target: "/a", Diff: "# /a\n", Checks: ids, Disruption: want.Restart,
			Breaks: []string{"of two", "of three", "this container", "this host"}}},
		Activations: []report.Activation{{Kind: "restart", Unit: "x.service", Checks: ids},
			{Kind: "restart", Unit: "y.service", Checks: ids[:1], Pending: "nothing starts it"},
			{Kind: "reload", Unit: "z.service", Checks: []string{"docker/file-4"}, Disruption: want.Reload}}}}}
	r.Settle()
	fixes := r.Fixes()
	for i, want := range []string{`3.2       docker/file-2: file 2 belongs to root (medium)
  why     whoever owns it chooses what root runs
  threat  T docker/host/tampering: a compromised client changes the daemon's configuration
  threat  S docker/client/spoofing: clients, the daemon and registries talk without proving who they
          are
  breaks  of two
  breaks  this host
  class   restart: one restart
# /a
  then    restart x.service
  then    restart y.service, by you: nothing starts it
  allow   --allow restart
`, `3.3       docker/file-3: file 3 belongs to root (medium)
  why     whoever owns it chooses what root runs
  threat  T docker/host/tampering: a compromised client changes the daemon's configuration
  threat  S docker/client/spoofing: clients, the daemon and registries talk without proving who they
          are
  breaks  of three
  breaks  this container
  class   restart: one restart
  change  /a: shown with 3.2
  then    restart x.service
  allow   --allow restart
`, `          docker/file-4
  class   reload: by reload, no restart
  then    reload z.service
  allow   --allow restart
`} {
		var b bytes.Buffer
		if err := text(&b, &fixes[i], report.Style{}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
	if !slices.IsSortedFunc(fixes, func(a, b report.Fix) int { return strings.Compare(a.Check.ID, b.Check.ID) }) {
		t.Error("checks of one severity are not in the report's order")
	}
}
