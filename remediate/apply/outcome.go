package apply

import (
	"io/fs"
	"slices"
)

// begun reports whether the writing of item i was announced, and not withdrawn.
func (l log) begun(i int) (begun bool) {
	for _, e := range l {
		if e.N == i && (e.Event == evWrite || e.Event == evUnwritten) {
			begun = e.Event == evWrite
		}
	}
	return begun
}

// undoing returns the entry that began the undoing, nil when there is none or when that was given up.
func (l log) undoing() (u *entry) {
	for i := range l {
		switch l[i].Event {
		case evUndo:
			u = &l[i]
		case string(Abandoned):
			u = nil
		}
	}
	return u
}

// outcome is what became of the run: the last outcome that was logged, unless an undo has begun since.
func (l log) outcome() (o Outcome, at entry) {
	o = CutShort
	for _, e := range l {
		switch Outcome(e.Event) {
		case Applied, RolledBack, Failed, Abandoned:
			o, at = Outcome(e.Event), e
		case evUndo:
			o, at = CutShort, e
		}
	}
	return o, at
}

// activations returns those of the run, or of its undoing once that has begun, each as it stands; tried tells of
// each whether it was begun. An undoing that was given up does not count: another one starts from what the run did.
func (t *txn) activations() (as []Activated, tried []bool) {
	as = slices.Clone(t.Activations)
	tried = make([]bool, len(as))
	forward, forwardTried := as, tried
	for _, e := range t.log {
		switch e.Event {
		case evUndo:
			forward, forwardTried = as, tried
			as = slices.Clone(e.Activations)
			tried = make([]bool, len(as))
		case string(Abandoned):
			as, tried = forward, forwardTried
		case evActivate:
			tried[e.N] = true
		case evActivation:
			as[e.N].State, as[e.N].Reason = e.State, e.Reason
		}
	}
	return as, tried
}

// summary is the run as it is told.
func (t *txn) summary() *Run {
	r := &Run{Schema: RunSchema, ID: t.ID, Number: sequence(t.ID), Root: string(t.Root), Started: t.Started,
		Checks: t.Checks, Waiting: t.Waiting, Actor: t.Actor, Version: t.Version, Changes: []FileChange{},
		Updates: slices.Clone(t.Updates)}
	var at entry
	r.Outcome, at = t.outcome()
	if r.Outcome != CutShort {
		r.Finished = at.Time
	}
	r.Reason = at.Reason
	if u := t.undoing(); u != nil && r.Reason == "" {
		r.Reason = u.Reason
	}
	r.Unconfirmed = t.deadline()
	r.Left = t.leftOver()
	as, _ := t.activations()
	r.Activations = append([]Activated{}, as...)
	for i := range r.Activations {
		r.Activations[i].Record, r.Activations[i].Reads = nil, nil
	}
	for _, it := range t.Items {
		c := FileChange{Path: it.path(), Kind: Attributes, After: it.After.public(), Checks: it.Checks}
		if it.Before.Exists {
			c.Before = it.Before.public()
		}
		switch {
		case !it.Before.Exists:
			c.Kind = Create
		case !it.After.Exists:
			c.Kind = Remove
		case it.Content:
			c.Kind = Content
		}
		r.Changes = append(r.Changes, c)
	}
	return r
}

func (im image) public() Image {
	return Image{SHA256: im.Sum, Mode: fs.FileMode(im.Mode), UID: im.UID, GID: im.GID, Owner: im.Owner}
}
