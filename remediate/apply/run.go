package apply

import (
	"io/fs"
	"time"

	"example.com/harden/remediate"
)

// RunSchema names the shape of a Run as JSON.
const RunSchema = "harden-run/v1"

// A Run is one carrying-out of a plan, and what became of it.
type Run struct {
	Schema      string            `json:"schema"`
	ID          string            `json:"id"`
	Number      int               `json:"number"` // that the ID begins with; no other run gets it
	Root        string            `json:"root"`
	Started     time.Time         `json:"started"`
	Finished    time.Time         `json:"finished,omitzero"` // when it got its outcome; zero while interrupted
	Outcome     Outcome           `json:"outcome"`
	Reason      string            `json:"reason,omitempty"` // why it was taken back or failed
	Changes     []FileChange      `json:"changes"`
	Updates     []ContainerChange `json:"updates,omitempty"`
	Activations []Activated       `json:"activations"`
	Checks      []string          `json:"checks"`            // judged again at the end of the run
	Waiting     []string          `json:"waiting,omitempty"` // not judged: they wait for a pending activation
	Left        []Left            `json:"left,omitempty"`    // as others made it when the run was finished or rolled back
	Actor       Actor             `json:"actor"`
	Version     string            `json:"version"`
	Unconfirmed *Deadline         `json:"unconfirmed,omitempty"` // nil once it is confirmed or taken back, or need not be
	Head        string            `json:"head,omitempty"`        // hash of the run's last history record, hexadecimal
}

// Outcome says what became of a run.
type Outcome string

// The outcomes.
const (
	Unchanged  Outcome = "unchanged"   // there was nothing to do, or nothing that can be done here; no trace is kept
	Applied    Outcome = "applied"     // everything is written; what is Pending says so
	RolledBack Outcome = "rolled-back" // taken back whole, because it was asked for or for Reason
	Failed     Outcome = "failed"      // taken back, but a service is not as it was before: Reason says which
	CutShort   Outcome = "interrupted" // neither finished nor undone yet
	Abandoned  Outcome = "abandoned"   // given up as it stood: nothing was finished and nothing taken back
)

// A Left is one file or container of a run that was left as somebody else made it.
type Left struct {
	Path string `json:"path"` // of a container "container NAME (ID)"
	Why  string `json:"why"`
}

// What a FileChange does.
const (
	Create     = "create"
	Content    = "content" // and attributes, in the same instant
	Attributes = "attributes"
	Remove     = "remove"
)

// A FileChange is one file of a run.
type FileChange struct {
	Path   string   `json:"path"`
	Kind   string   `json:"kind"`
	Before Image    `json:"before,omitzero"` // zero for Create
	After  Image    `json:"after"`           // zero for Remove
	Checks []string `json:"checks"`
	Diff   string   `json:"diff,omitempty"` // secrets hidden; only where one run is told
}

// An Image is what a file was or became.
type Image struct {
	SHA256 string      `json:"sha256,omitempty"` // of the content, hexadecimal; empty where only attributes change
	Mode   fs.FileMode `json:"mode"`             // the twelve permission bits
	UID    uint32      `json:"uid"`
	GID    uint32      `json:"gid"`
	Owner  string      `json:"owner"` // "user:group"
}

// An Activated is one activation of a run, with its State: Done, Pending, Failure or NotReached. Its Record and Reads
// are in the journal alone.
type Activated = remediate.Activation

// The states of an activation.
const (
	Done       = "done"
	Pending    = "pending" // nothing here can do it; it happens at the service's next start
	Failure    = "failed"
	NotReached = "not-reached" // the run ended before it
)

// An Actor is who started a run. Only LoginUID is beyond the reach of whoever is root: the kernel keeps it since login.
type Actor struct {
	UID      int    `json:"uid"`
	LoginUID *int64 `json:"loginuid,omitempty"`          // nil when nobody logged in: a service, a boot script
	SudoUser string `json:"sudo_user_claimed,omitempty"` // from the environment, so claimed and no more
	TTY      string `json:"tty,omitempty"`
	PID      int    `json:"pid"`
}
