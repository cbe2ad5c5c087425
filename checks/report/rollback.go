package report

import "io"

// RollbackSchema names the shape of a Rollback as JSON.
const RollbackSchema = "harden-rollback/v1"

// A Rollback is a run taken back.
type Rollback struct {
	Schema  string   `json:"schema"`
	Version string   `json:"version"` // harden's own
	Changes []Change `json:"changes"` // what taking the run back writes
	Updates []Update `json:"updates"` // what it changes of containers in place
	Run     *Run     `json:"run,omitempty"`
}

// RollbackText writes what taking a run back would do.
func RollbackText(w io.Writer, r *Rollback, s Style) error {
	p := newPage(s)
	p.line(p.paint(bold, "Taking it back: "+count(r.Changes, r.Updates)))
	for _, c := range r.Changes {
		p.line()
		p.diff(c.Diff)
	}
	for _, u := range r.Updates {
		p.line()
		p.diff(u.Diff)
	}
	_, err := w.Write(p.Bytes())
	return err
}

// TakenBack writes that a run is taken back, and what of it stays to be done.
func TakenBack(w io.Writer, r *Rollback, s Style) error {
	p := newPage(s)
	p.title("Run " + r.Run.ID + " is taken back")
	p.activated(r.Run.Activations)
	_, err := w.Write(p.Bytes())
	return err
}
