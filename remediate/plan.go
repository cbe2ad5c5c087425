package remediate

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
)

// A Plan is what harden proposes, whole: apply does this and nothing else. Nothing in it has happened yet.
type Plan struct {
	Changes     []Change     // what apply writes, sorted by path
	Updates     []Update     // what it then changes of containers in place, sorted by name
	Activations []Activation // what it then does, once, in this order
	Held        []Held       // fixes that need permission first
	Left        []Left       // findings no change settles
}

// Empty reports whether there is nothing to apply.
func (p *Plan) Empty() bool {
	return len(p.Changes) == 0 && len(p.Updates) == 0 && len(p.Activations) == 0
}

// A Change replaces one file, or its attributes, and only while it still is exactly Before.
type Change struct {
	Path    string     // where the file really is, links followed
	Before  facts.File // the zero File when Created
	After   facts.File // Data is nil, as in Before, when only attributes change
	Created bool       // there is no file yet; missing directories above it are made, 0755 root:root
	// the file goes away, After is the zero File: only a schedule that ends, and taking a run back, do that
	Removed bool
	Class   want.Class // the most that any of its wants disturbs
	Checks  []*checks.Check
	Wants   []want.Want
	// Warrants are what entitles to the change: apply refuses it where there is none, or one does not do.
	Warrants []want.Warrant
	Breaks   []string // who will notice, on this host
	Upgrade  *Upgrade // nil where kubeadm has nothing to do with it
}

// Content reports whether the change writes the file's bytes, and not its mode or owner alone.
func (c Change) Content() bool { return c.Created || c.Removed || c.After.Data != nil }

// Action names what the change does: "create", "content", "attributes" or "remove".
func (c Change) Action() string {
	switch {
	case c.Created:
		return "create"
	case c.Removed:
		return "remove"
	case c.Content():
		return "content"
	}
	return "attributes"
}

// A Held is what one more allowed class would add to the plan, or one check that has to be named.
type Held struct {
	Class       want.Class
	Named       *checks.Check // to be named; nil where allowing the class is enough
	Changes     []Change      // on top of the plan's own changes: each Before is what those leave behind
	Updates     []Update      // likewise
	Activations []Activation
}

// A Left is a finding left to a person, and why.
type Left struct {
	Check   *checks.Check
	Finding checks.Finding
	Reason  string
}

// A Kind says what an activation does.
type Kind string

// The kinds, in the order in which a plan does them.
const (
	LoadAudit     Kind = "load-audit-rules" // the rules on disk into the kernel
	ReloadManager Kind = "reload-systemd"   // systemd re-reads unit files
	Reload        Kind = "reload"           // the service re-reads its configuration in place
	Restart       Kind = "restart"          // the service restarts, once
	ComposeUp     Kind = "compose-up"       // Compose makes the containers of a service again from its file
	// RollOut waits for a static pod that the kubelet starts again by itself once its manifest is written, and until it
	// is known to be well. Manifests are written one by one, each as its roll-out begins and after all other files.
	RollOut Kind = "roll-out"
	// RecordInCluster has the cluster keep what was changed on the node, after all that the node itself was to do: the
	// next "kubeadm upgrade" writes it again.
	RecordInCluster Kind = "record-in-cluster"
	// SetTimer has a timer run as its unit file says from now on, and stop where there is no such file any more. So one
	// kind serves making a timer, changing it, removing it, and taking each of these back.
	SetTimer Kind = "set-timer"
)

// Kinds lists the kinds in order.
var Kinds = []Kind{LoadAudit, ReloadManager, Reload, Restart, ComposeUp, RollOut, RecordInCluster, SetTimer}

// An Activation makes a running program take up what has been written. As JSON it is what a journal keeps of it: what
// it takes to do it, and what became of it.
type Activation struct {
	Kind Kind `json:"kind"`
	// "docker.service"; "project/service" for ComposeUp; the manifest's path for RollOut; a Record's String; empty for
	// LoadAudit and ReloadManager
	Unit  string     `json:"unit,omitempty"`
	Class want.Class `json:"class"`
	// State and Reason are empty in a plan: a run says there what became of it.
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`

	Record *Record `json:"record,omitempty"` // of RecordInCluster
	Diff   string  `json:"diff,omitempty"`   // of Record, secrets hidden; only where one run is told
	Reads  *Reads  `json:"reads,omitempty"`  // of ComposeUp

	Checks []*checks.Check `json:"-"`
	Breaks []string        `json:"-"` // who will notice, on this host
	// Pending says why it cannot be done as part of the plan; what it is for is then written all the same, and waits.
	Pending string `json:"-"`
}

func (a Activation) String() string { return strings.TrimSpace(string(a.Kind) + " " + a.Unit) }

// Sum tells the activation from one that does otherwise with the same unit: a SHA-256 of a record's text before and
// after, or of the sums of what Compose reads; empty for other kinds.
func (a Activation) Sum() string {
	var text []byte
	switch {
	case a.Reads != nil:
		// maps of strings always can be, sorted by key
		text, _ = json.Marshal([]map[string]string{a.Reads.Before, a.Reads.After})
	case a.Record != nil:
		text = []byte(a.Record.Before + a.Record.After)
	default:
		return ""
	}
	return fmt.Sprintf("%x", sha256.Sum256(text))
}

// A Record is a text in a ConfigMap of the cluster that shall become another, as long as it is the one that it was.
type Record struct {
	Namespace string `json:"namespace"`
	ConfigMap string `json:"configmap"`
	Key       string `json:"key"`
	Before    string `json:"before"`
	After     string `json:"after"`
}

func (r Record) String() string { return "configmap/" + r.Namespace + "/" + r.ConfigMap }

// Undo is the record that takes r back.
func (r Record) Undo() *Record { r.Before, r.After = r.After, r.Before; return &r }

// Change is r as a change of a file, to be shown as one.
func (r Record) Change() Change {
	file := func(text string) facts.File {
		return facts.File{Info: facts.Info{Path: r.String(), Mode: 0o600, Size: int64(len(text))}, Data: []byte(text)}
	}
	return Change{Path: r.String(), Before: file(r.Before), After: file(r.After)}
}

// Reads are the files that Compose reads for a service, by path: the SHA-256 of what each holds before the run and
// after it, empty where there is none. Compose is not called where they hold anything else.
type Reads struct {
	Before map[string]string `json:"before"`
	After  map[string]string `json:"after"`
	// Ran is how many of the service's containers ran. A Compose that fails may leave none that runs, and taking the run
	// back has to start them all the same. 0 leaves it to how many run now.
	Ran int `json:"ran,omitempty"`
}

// Undo is for taking a run back.
func (r Reads) Undo() *Reads { r.Before, r.After = r.After, r.Before; return &r }

// IDs gives the checks' IDs.
func IDs(cs []*checks.Check) []string {
	ids := make([]string, len(cs))
	for i, c := range cs {
		ids[i] = c.ID
	}
	return ids
}

func addCheck(cs []*checks.Check, c *checks.Check) []*checks.Check {
	if slices.Contains(cs, c) {
		return cs
	}
	return append(cs, c)
}
