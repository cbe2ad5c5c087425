package main

import (
	"bytes"
	"slices"
	"testing"

	"example.com/harden/checks/catalog"
	"example.com/harden/fixtures"
	"example.com/harden/remediate/report"
)

// TestEveryRecording holds for each recorded host and each permission: the totals add up, nobody is in two states,
// what is planned is named, the JSON is as published, and a plan as a file says the same as a plan made again.
func TestEveryRecording(t *testing.T) {
	for _, name := range fixtures.Names() {
		for _, allow := range []string{"none", "all"} {
			t.Run(name+" "+allow, func(t *testing.T) {
				s := recorded(t, name, allow)
				r := reported(t, s)
				sum := 0
				for _, n := range r.Summary.States {
					sum += n
				}
				if sum != len(catalog.All) || r.Summary.Selected != sum {
					t.Errorf("%d checks, %d selected, and the states add up to %d", len(catalog.All), r.Summary.Selected, sum)
				}
				for _, res := range r.Results {
					if res.State == report.Fail || res.State == report.Fixed || res.State == report.Failed {
						t.Errorf("%s is %s in a plan", res.ID, res.State)
					}
					if res.State == report.Planned && !planned(r.Plan, res.ID) {
						t.Errorf("%s is to be fixed, and no change or activation names it", res.ID)
					}
					if allow == "all" && res.State == report.Held && !named([]string{res.ID})[0].Named {
						t.Errorf("%s is held back though everything is allowed", res.ID)
					}
				}
				var b bytes.Buffer
				if err := report.JSON(&b, r); err != nil {
					t.Fatal(err)
				}
				if err := asPublished(b.Bytes()); err != nil {
					t.Error(err)
				}
				again := recorded(t, name, allow)
				first, err := s.plan()
				if err != nil {
					t.Fatal(err)
				}
				second, err := again.plan()
				if err != nil {
					t.Fatal(err)
				}
				if moved := s.save(first).Moved(again.save(second)); len(moved) > 0 {
					t.Errorf("the same host, planned twice: %q", moved)
				}
			})
		}
	}
}

func planned(p *report.Plan, id string) bool {
	for _, c := range p.Changes {
		if slices.Contains(c.Checks, id) {
			return true
		}
	}
	return slices.ContainsFunc(p.Updates, func(u report.Update) bool { return slices.Contains(u.Checks, id) }) ||
		slices.ContainsFunc(p.Activations, func(a report.Activation) bool { return slices.Contains(a.Checks, id) })
}
