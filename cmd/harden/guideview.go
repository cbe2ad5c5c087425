package main

import (
	"strings"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/remediate/guide"
	"example.com/harden/remediate/report"
)

// whole completes a report with what is the same in all.
func whole(r *report.Guide) *report.Guide {
	r.Schema, r.Version, r.Move = report.GuideSchema, version(), "userns-remap"
	r.Networks, r.Refusals = append([]string{}, r.Networks...), append([]string{}, r.Refusals...)
	r.Images, r.Volumes = append([]report.GuideImage{}, r.Images...), append([]report.GuideVolume{}, r.Volumes...)
	r.Containers, r.Steps = append([]report.GuideContainer{}, r.Containers...), append([]report.GuideStep{}, r.Steps...)
	r.Left = append([]report.GuideLeft{}, r.Left...)
	return r
}

// moveReport is a move as it is shown: nothing of what containers are made from.
func moveReport(m *guide.Move, j *guide.Journal) *report.Guide {
	r := &report.Guide{ID: m.ID, From: m.From, Refusals: m.Refusals,
		Space: &report.GuideSpace{Archive: m.Space.Archive, Images: m.Space.Images,
			Volumes: m.Space.Volumes, Need: m.Space.Need(), Free: m.Space.Free, Room: m.Space.Room()},
		Back: "`harden guide userns-remap --back` rolls back at any time: nothing in " + m.From + " is changed but " +
			"for a new directory, and " +
			"what is written after the move is kept aside then. Once nobody wants to go back, what is there " +
			"beside the new data root can be removed."}
	switch {
	case j == nil:
		r.State = "planned"
	case j.GoingBack():
		r.State = "going-back"
	case j.Done(guide.Verify):
		r.State = "done"
	default:
		r.State = "unfinished"
	}
	for _, i := range m.Images {
		name, how := docker.ShortID(i.ID), "archive"
		if len(i.Names) > 0 {
			name = strings.Join(i.Names, ", ")
		}
		if i.Pull != "" {
			how = "pull"
		}
		r.Images = append(r.Images, report.GuideImage{Name: facts.Clip(name), Bytes: i.Bytes, How: how})
	}
	for _, n := range m.Networks {
		r.Networks = append(r.Networks, facts.Clip(n.Name))
	}
	for _, v := range m.Volumes {
		how := "copy"
		if v.Source == "" {
			how = "recreated"
		}
		r.Volumes = append(r.Volumes, report.GuideVolume{Name: facts.Clip(v.Name), How: how, Files: v.Tree.Entries,
			Bytes: v.Tree.Bytes,
			SetID: v.Tree.SetID, HostIDs: v.Host})
	}
	for _, c := range m.Containers {
		r.Containers = append(r.Containers, report.GuideContainer{Name: facts.Clip(c.Name), Running: c.Running,
			HostIDs: c.Host})
	}
	for _, s := range guide.Steps {
		step := report.GuideStep{Step: string(s.Step), Does: s.Does}
		if j != nil && j.Done(s.Step) {
			step.State = "done"
		} else if j != nil && j.Begun(s.Step) {
			step.State = "begun"
		}
		r.Steps = append(r.Steps, step)
	}
	for _, l := range m.Left {
		r.Left = append(r.Left, report.GuideLeft{What: l.What, Why: l.Why})
	}
	return r
}
