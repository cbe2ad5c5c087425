package report

import (
	"fmt"
	"io"
	"time"
)

// DriftSchema names the shape of a Drift as JSON, which is $defs/drift of the JSON Schema.
const DriftSchema = "harden-drift/v1"

// A Drift is a host compared with what harden's runs have left.
type Drift struct {
	Schema  string    `json:"schema"`
	Version string    `json:"version"` // harden's own
	Time    time.Time `json:"time"`
	Host    struct {
		Name string `json:"name"`
		Root string `json:"root"`
	} `json:"host"`
	Runs        int       `json:"runs"`                  // how many runs there are to compare with
	Files       int       `json:"files"`                 // how many files those have left
	Unconfirmed string    `json:"unconfirmed,omitempty"` // the run among them that is not confirmed yet
	Notes       []string  `json:"notes"`
	Drifted     []Drifted `json:"drifted"`
}

// A Drifted is one file that is not as it was left.
type Drifted struct {
	Path        string       `json:"path"`
	Run         string       `json:"run"` // the last that wrote it
	Missing     bool         `json:"missing"`
	Differences []Difference `json:"differences"`
	Diff        string       `json:"diff"` // from what the run left to what is there, secrets hidden
}

// A Difference is one thing of a file that differs.
type Difference struct {
	What string `json:"what"` // "existence", "type", "content", "mode", "owner" or "xattr NAME"
	Was  string `json:"was"`
	Now  string `json:"now"`
}

// DriftText writes a Drift for people.
func DriftText(w io.Writer, d *Drift, s Style) error {
	p := newPage(s)
	of := fmt.Sprintf("%s of %s", plural(d.Files, "file"), plural(d.Runs, "run"))
	switch {
	case d.Runs == 0:
		p.line("Nothing that harden has applied is in force here, so there is nothing to compare with.")
	case len(d.Drifted) == 0:
		p.line("No drift: nobody has changed what harden has left (" + of + ").")
	default:
		p.line(p.paint(bold, fmt.Sprintf("Drift: %d of %s changed since", len(d.Drifted), of)))
	}
	for _, f := range d.Drifted {
		p.title(f.Path)
		state := "changed"
		if f.Missing {
			state = "gone"
		}
		p.labelled(state, "since run "+f.Run)
		for _, x := range f.Differences {
			if x.What != "mode" && x.What != "owner" && x.What != "existence" { // the diff's head has those
				p.labelled("differs", fmt.Sprintf("%s: %s -> %s", Clean(x.What), x.Was, x.Now))
			}
		}
		p.diff(f.Diff)
	}
	if d.Unconfirmed != "" {
		p.line()
		p.block("", 0, "", "Run "+d.Unconfirmed+" is not confirmed yet: what it has left is compared with too.")
	}
	for _, n := range d.Notes {
		p.line()
		p.block("", 0, "", n)
	}
	_, err := w.Write(p.Bytes())
	return err
}
