package report

import (
	"fmt"
	"strings"
	"time"

	"example.com/harden/remediate"
	"example.com/harden/remediate/apply"
)

// DriftSchema names the shape of a Drift as JSON.
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
	Runs        int           `json:"runs"`                  // how many runs there are to compare with
	Files       int           `json:"files"`                 // how many files those have left
	Containers  int           `json:"containers"`            // how many containers they have changed in place
	Checks      int           `json:"checks"`                // how many checks they have settled, each judged again
	Unconfirmed string        `json:"unconfirmed,omitempty"` // the run among them that is not confirmed yet
	Notes       []string      `json:"notes"`
	Drifted     []Drifted     `json:"drifted"`
	Live        []DriftedLive `json:"live"`
	Unknown     []NotCompared `json:"unknown"`
}

// A Drifted is one file that is not as it was left.
type Drifted struct {
	Path    string `json:"path"`
	Run     string `json:"run"` // the last that wrote it
	Missing bool   `json:"missing"`
	// harden has set its attributes only, and somebody has replaced its content
	Replaced    bool               `json:"replaced"`
	Differences []apply.Difference `json:"differences"`
	Diff        string             `json:"diff"` // from what the run left to what is there, secrets hidden
}

// What a DriftedLive is of.
const (
	LiveContainer = "container" // one that a run has changed in place
	LiveCheck     = "check"     // a check that a run has settled, and that fails now
	LiveTimer     = "timer"     // one that a run has set going
	LiveConfigMap = "configmap" // one that the cluster keeps for a run
)

// A DriftedLive is one thing beside the files that is not as it was left.
type DriftedLive struct {
	Kind    string `json:"kind"`
	ID      string `json:"id"`      // of the check or the container, else the subject
	Subject string `json:"subject"` // what differs
	// of a check, as its report has it
	Finding     FindingID          `json:"finding,omitempty"`
	Run         string             `json:"run"` // the last that set it
	Differences []apply.Difference `json:"differences"`
	Diff        string             `json:"diff"` // empty where the differences are all
}

// A NotCompared is something that could not be compared.
type NotCompared struct {
	Subject string `json:"subject"`
	Run     string `json:"run"`
	Reason  string `json:"reason"`
}

// Found reports whether anything has drifted.
func (d *Drift) Found() bool { return len(d.Drifted)+len(d.Live) > 0 }

// text is a Drift for people.
func (d *Drift) text(p *page) {
	p.block("", 0, "", d.verdict())
	for _, f := range d.Drifted {
		p.drifted(f)
	}
	for _, l := range d.Live {
		p.title(l.Subject)
		p.labelled("changed", "since run "+l.Run)
		if l.Kind == LiveCheck {
			p.labelled("check", l.ID)
		}
		if l.Diff == "" || l.Differences[0].What == "container" {
			p.differences(l.Differences)
		}
		p.diff(l.Diff)
	}
	if len(d.Unknown) > 0 {
		p.title("Not compared")
		for _, u := range d.Unknown {
			p.labelled("unknown", fmt.Sprintf("%s (run %s): %s", Clean(u.Subject), u.Run, Clean(u.Reason)))
		}
	}
	if d.Unconfirmed != "" {
		p.line()
		p.block("", 0, "", "Run "+d.Unconfirmed+" is not confirmed yet; its changes are compared too.")
	}
	for _, n := range d.Notes {
		p.line()
		p.block("", 0, "", n)
	}
}

// verdict says in one sentence what was compared, and what came of it.
func (d *Drift) verdict() string {
	of := fmt.Sprintf("%s, %s and %s of %s", remediate.Count(d.Files, "file"), remediate.Count(d.Containers, "container"),
		remediate.Count(d.Checks, "check"), remediate.Count(d.Runs, "run"))
	switch {
	case d.Runs == 0:
		return "No applied run is in force here: nothing to compare."
	case d.Found():
		drifted := fmt.Sprintf("Drift: %s since harden ran (compared: %s)",
			remediate.Count(len(d.Drifted)+len(d.Live), "change"), of)
		if len(d.Unknown) > 0 {
			drifted += fmt.Sprintf("; %d could not be compared", len(d.Unknown))
		}
		return drifted
	case len(d.Unknown) > 0:
		return fmt.Sprintf("Unknown: %d could not be compared; the rest is unchanged (%s).", len(d.Unknown), of)
	}
	return "No drift: nothing has changed since harden ran (" + of + ")."
}

func (p *page) drifted(f Drifted) {
	p.title(f.Path)
	state := "changed"
	if f.Missing {
		state = "gone"
	}
	p.labelled(state, "since run "+f.Run)
	if f.Replaced {
		p.labelled("content", "replaced by somebody else; harden has set only mode and owner")
	}
	rest := []apply.Difference{}
	for _, x := range f.Differences {
		if x.What != "mode" && x.What != "owner" && x.What != "existence" { // the diff's head has those
			rest = append(rest, x)
		}
	}
	p.differences(rest)
	p.diff(f.Diff)
}

func (p *page) differences(all []apply.Difference) {
	for _, x := range all {
		p.labelled("differs", fmt.Sprintf("%s: %s -> %s", Clean(x.What), said(x.Was), said(x.Now)))
	}
}

// said is one side of a difference, on one line.
func said(side string) string { return Clean(strings.Join(strings.Fields(side), " ")) }
