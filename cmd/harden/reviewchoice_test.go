package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks"
	"example.com/harden/checks/want"
	"example.com/harden/fixtures"
	"example.com/harden/remediate"
	"example.com/harden/remediate/report"
)

// reviewed is a review of a recorded host's plan.
func reviewed(t *testing.T, name string) *review {
	t.Helper()
	s := recorded(t, name)
	plan, err := s.plan()
	if err != nil {
		t.Fatal(err)
	}
	return &review{session: s, offers: s.offers(plan), found: s.results, plans: map[*offer]*remediate.Plan{}}
}

// TestReviewChoices holds on every recorded host what is planned to what was chosen: each fix alone, every other one,
// and all of them, which is what it comes to if all that was found is allowed.
func TestReviewChoices(t *testing.T) {
	fixes := 0
	for i, name := range fixtures.Names() {
		if testing.Short() && i%8 > 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			r := reviewed(t, name)
			fixes += len(r.offers)
			for i, o := range r.offers {
				if i > 0 && o.check.Severity() > r.offers[i-1].check.Severity() {
					t.Errorf("%s comes after %s, which matters less", o.check, r.offers[i-1].check)
				}
				o.said = take
				r.holdsTo(t)
				o.said = skip
			}
			for i, o := range r.offers {
				o.said = []decision{take, skip}[i%2]
			}
			r.holdsTo(t)
			for _, o := range r.offers {
				o.said = take
			}
			got := r.holdsTo(t)
			// What only holds of a file that the plan makes is nobody's to choose yet: the next run offers it.
			want, err := r.planAllowed(func(c *checks.Check, _ want.Class) bool {
				return slices.ContainsFunc(r.offers, func(o *offer) bool { return o.check == c })
			})
			if err != nil {
				t.Fatal(err)
			}
			// What is allowed can be more than what is offered: a fix that does not go with one that is.
			fewer := slices.ContainsFunc(want.Left, func(l remediate.Left) bool {
				return slices.ContainsFunc(r.offers, func(o *offer) bool { return o.check == l.Check })
			})
			if moved := r.save(want).Moved(r.save(got)); len(moved) > 0 && !fewer {
				t.Errorf("all fixes chosen one by one are not all fixes: %q", moved)
			}
		})
	}
	if fixes < 50 {
		t.Errorf("only %d fixes", fixes)
	}
}

// holdsTo plans what was chosen, and holds the plan to it.
func (r *review) holdsTo(t *testing.T) *remediate.Plan {
	t.Helper()
	chosen := r.chosen()
	plan, err := r.planChosen(chosen)
	if err != nil {
		t.Fatal(err)
	}
	notes := strings.Join(r.notes(plan), "\n")
	changed := changing(plan, false)
	for _, c := range changed {
		if chosen[c.ID] == nil && !strings.Contains(notes, c.ID+" was not chosen and") {
			t.Errorf("%s was not chosen and is in the plan", c)
		}
	}
	if len(plan.Held) > 0 {
		t.Errorf("held back though it was chosen: %+v", plan.Held)
	}
	still := map[string]bool{}
	for _, res := range r.judge(r.ctx, r.host.With(plan.After()), r.selection.Checks) {
		for _, f := range res.Findings {
			still[res.Check.ID+f.Subject] = true
		}
	}
	for _, o := range r.offers {
		open := 0
		for _, f := range o.findings {
			if still[o.check.ID+f.Subject] {
				open++
			}
		}
		if o.said == take && open > 0 && !strings.Contains(notes, o.check.ID+" was chosen and") {
			t.Errorf("%s was chosen, would still fail, and the review does not say so: %s", o.check, notes)
		}
		if o.said == skip && open == 0 && !strings.Contains(notes, o.check.ID+" was skipped, and") {
			t.Errorf("%s was skipped, would be resolved, and the review does not say so: %s", o.check, notes)
		}
	}
	return plan
}

// TestReviewShares holds the diff of a fix to being its own, where a file is changed for several, and what is left when
// one of them is skipped to saying so.
func TestReviewShares(t *testing.T) {
	r := reviewed(t, "docker/debian.txtar")
	for _, o := range r.offers {
		plan, err := r.alone(o)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range plan.Changes {
			if diff := cmp.Diff([]string{o.check.ID}, remediate.IDs(c.Checks)); diff != "" {
				t.Errorf("%s alone changes %s for (-want +got)\n%s", o.check, c.Path, diff)
			}
		}
		o.said = skip
	}
	daemon := func(ids ...string) string {
		for _, o := range r.offers {
			if o.said = skip; slices.Contains(ids, o.check.ID) {
				o.said = take
			}
		}
		for _, c := range r.holdsTo(t).Changes {
			if c.Path == "/etc/docker/daemon.json" {
				return string(c.After.Data)
			}
		}
		return ""
	}
	both, one := daemon("docker/userland-proxy", "docker/live-restore"), daemon("docker/live-restore")
	if !strings.Contains(both, `"userland-proxy": false`) || !strings.Contains(both, `"live-restore": true`) {
		t.Errorf("both: %s", both)
	}
	if strings.Contains(one, "userland") || !strings.Contains(one, `"live-restore": true`) {
		t.Errorf("one: %s", one)
	}
	rep := r.planned(r.holdsTo(t))
	res, _ := rep.Result("docker/userland-proxy")
	if res.State != report.Left || res.Findings[0].Reason != remediate.NotChosen {
		t.Errorf("what was skipped is %s: %+v", res.State, res.Findings)
	}
}

// TestReviewCompose chooses, on a real dockerd, a fix that is held back and that undoes what an earlier run gave the
// container: the limit stays, and the review says so.
func TestReviewCompose(t *testing.T) {
	text := strings.Replace(shopText, "    restart: always\n", "", 1)
	s := newShop(t, text)
	s.harden(0, "--yes", "--only", "docker/pids")
	shown, code := stage{T: t, rows: 500, columns: 80}.play([]string{"--config", "none", "--state", s.dir + "/state",
		"--docker-host", s.d.Host, "--only", "docker/host-p*,docker/pids"}, answering("y", "y")...)
	for _, says := range []string{"y allows this fix alone as --allow behaviour would",
		"docker/pids was not chosen and is in the plan: without it a chosen fix would"} {
		if code != 0 || !strings.Contains(shown, says) {
			t.Fatalf("exit code %d; it must say %q\n%s", code, says, shown)
		}
	}
	s.holds(strings.Replace(text, "    pid: host\n", "", 1) + "    pids_limit: 2048\n")
	if now := s.web(); now.HostConfig.PidMode == "host" || !now.State.Running {
		t.Errorf("the container is %+v", now.HostConfig)
	}
}
