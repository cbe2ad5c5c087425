package report

import (
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
	"example.com/harden/remediate/diff"
)

// A Plan is what is proposed.
type Plan struct {
	Changes     []Change     `json:"changes"`
	Updates     []Update     `json:"updates"`
	Activations []Activation `json:"activations"`
	Held        []HeldBack   `json:"held"`
	Left        []LeftOver   `json:"left"`
}

// visible escapes in its diffs what could deceive a terminal.
func (p *Plan) visible() {
	if p == nil {
		return
	}
	parts := []HeldBack{{Changes: p.Changes, Updates: p.Updates, Activations: p.Activations}}
	for _, part := range append(parts, p.Held...) {
		for i := range part.Changes {
			part.Changes[i].Diff = diff.Visible(part.Changes[i].Diff)
		}
		for i := range part.Updates {
			part.Updates[i].Diff = diff.Visible(part.Updates[i].Diff)
		}
		for i := range part.Activations {
			part.Activations[i].Diff = diff.Visible(part.Activations[i].Diff)
		}
	}
}

// A Change is one file to change, in a report and in a saved plan.
type Change struct {
	Target     string     `json:"target"`
	Action     string     `json:"action"` // "create", "content", "attributes" or "remove"
	Before     *Image     `json:"before"` // null when it is created
	After      *Image     `json:"after"`  // null when it is removed
	Diff       string     `json:"diff"`   // secrets and what could deceive a terminal replaced
	Checks     []string   `json:"checks"`
	Disruption want.Class `json:"disruption"`
	Breaks     []string   `json:"breaks"`
	Upgrade    *Upgrade   `json:"upgrade,omitempty"` // absent where kubeadm has nothing to do with the file
}

// An Upgrade is what the next "kubeadm upgrade" makes of a change.
type Upgrade struct {
	Safe bool   `json:"safe"`
	Note string `json:"note,omitempty"` // what else has to be changed where it is not
}

// An Update is one container to change in place, in a report and in a saved plan.
type Update struct {
	Container  string      `json:"container"` // its name
	Name       string      `json:"name"`      // the same: saved plans have always called it so
	ID         string      `json:"id"`
	Before     want.Limits `json:"before"`
	After      want.Limits `json:"after"`
	Diff       string      `json:"diff"` // what could deceive a terminal replaced
	Checks     []string    `json:"checks"`
	Disruption want.Class  `json:"disruption"`
	Breaks     []string    `json:"breaks"`
	OneWay     []string    `json:"one_way"` // what taking it back leaves as it is
}

// An Activation is what a plan does after its changes are written, in a report and in a saved plan.
type Activation struct {
	Kind       remediate.Kind `json:"kind"`
	Unit       string         `json:"unit,omitempty"`
	Disruption want.Class     `json:"disruption"`
	Checks     []string       `json:"checks"`
	Breaks     []string       `json:"breaks"`
	Pending    string         `json:"pending,omitempty"` // why it cannot be part of the run
	Diff       string         `json:"diff,omitempty"`    // of what the cluster is to keep
	Later      bool           `json:"later,omitempty"`   // it cannot be part of the run
	// of a record's text before and after; of the sums of what Compose reads
	SHA256 string `json:"sha256,omitempty"`
}

// A HeldBack is what one more allowed class would add.
type HeldBack struct {
	Disruption  want.Class   `json:"disruption"`
	Allow       string       `json:"allow"`           // the flag that allows it
	Named       string       `json:"named,omitempty"` // the check that has to be named, since no class allows it
	Changes     []Change     `json:"changes"`
	Updates     []Update     `json:"updates"`
	Activations []Activation `json:"activations"`
}

// A LeftOver is a finding that no change settles.
type LeftOver struct {
	ID      string `json:"id"`
	Subject string `json:"subject"`
	Reason  string `json:"reason"`
}

// PlanOf is a plan as reports have it, its secrets hidden by r.
func PlanOf(p *remediate.Plan, r *diff.Redactor) *Plan {
	out := &Plan{Changes: ChangesOf(p.Changes, r), Updates: UpdatesOf(p.Updates),
		Activations: ActivationsOf(p.Activations, r),
		Held:        []HeldBack{}, Left: []LeftOver{}}
	for _, h := range p.Held {
		back := HeldBack{Disruption: h.Class, Allow: Allow(h.Class), Changes: ChangesOf(h.Changes, r),
			Updates: UpdatesOf(h.Updates), Activations: ActivationsOf(h.Activations, r)}
		if h.Named != nil {
			back.Named, back.Allow = h.Named.ID, "--only "+h.Named.ID
		}
		out.Held = append(out.Held, back)
	}
	for _, l := range p.Left {
		out.Left = append(out.Left, LeftOver{ID: l.Check.ID, Subject: l.Finding.Subject, Reason: r.RedactText(l.Reason)})
	}
	return out
}

// ChangesOf are changes as reports have them.
func ChangesOf(cs []remediate.Change, r *diff.Redactor) []Change {
	out := []Change{}
	for _, c := range cs {
		change := Change{Target: c.Path, Action: c.Action(), Diff: diff.Unified(c, r), Checks: remediate.IDs(c.Checks),
			Disruption: c.Class, Breaks: append([]string{}, c.Breaks...)}
		if !c.Created {
			change.Before = imageOf(c.Before, c.Content())
		}
		if !c.Removed {
			change.After = imageOf(c.After, c.Content())
		}
		if c.Upgrade != nil {
			change.Upgrade = &Upgrade{Safe: c.Upgrade.Safe, Note: r.RedactText(c.Upgrade.Note)}
		}
		out = append(out, change)
	}
	return out
}

// UpdatesOf are updates as reports have them.
func UpdatesOf(us []remediate.Update) []Update {
	out := []Update{}
	for _, u := range us {
		out = append(out, Update{Container: u.Name, Name: u.Name, ID: u.ID, Before: u.Before, After: u.After,
			Diff: diff.Container(u), Checks: remediate.IDs(u.Checks),
			Disruption: u.Class, Breaks: append([]string{}, u.Breaks...), OneWay: append([]string{}, u.OneWay...)})
	}
	return out
}

// ActivationsOf are activations as reports have them.
func ActivationsOf(as []remediate.Activation, r *diff.Redactor) []Activation {
	out := []Activation{}
	for _, a := range as {
		one := Activation{Kind: a.Kind, Unit: a.Unit, Disruption: a.Class, Checks: remediate.IDs(a.Checks),
			Breaks: append([]string{}, a.Breaks...), Pending: a.Pending, Later: a.Pending != "", SHA256: a.Sum()}
		if a.Record != nil {
			one.Diff = diff.Unified(a.Record.Change(), r)
		}
		out = append(out, one)
	}
	return out
}
