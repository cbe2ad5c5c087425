// Package apply carries out a plan, and takes it back. Only it writes to the files of a host; a guided move, which
// copies a data root beside what is there, is the one thing besides (remediate/guide).
//
// A run is made twice: first as a journal, whole and on disk before the first file is touched, then for real. So a
// run that is cut short at any instant leaves enough behind to finish it or to undo it, and what a file is now is
// told by its content and attributes, never by how far a log had got.
package apply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"example.com/harden/remediate"
)

// Options say where and how to write.
type Options struct {
	State      string     // where journals and the history are kept: "/var/lib/harden"; made, 0700, when missing
	Root       string     // "/", or the directory that holds the host; a plan's paths are below it
	Services   Services   // nil where nothing can be activated (--root): activations then end Pending
	Containers Containers // nil for Services, where those can change containers too
	DockerHost string     // where the Docker Engine is that the host was judged with; empty for the host's own
	// Verify judges these checks again on a fresh look at the host and says of each that still fails why. Nil
	// verifies nothing.
	Verify   func(ctx context.Context, checks []string) (failing map[string]string, err error)
	Progress func(Step) // told of each step as it begins; may be nil
	// Within is how long after the first write the run must be confirmed, or it takes itself back; zero asks for no
	// confirmation. It needs a Guard, and Recall: the arguments by which harden's program comes to call Expire.
	Within  time.Duration
	Guard   Guard
	Recall  []string
	Resolve Resolution // of what somebody has changed since the run that is rolled back or finished
	Version string     // harden's own, for the history
	// Source says that Root is a directory of sources and no host: whoever runs harden must own it, and the contents of
	// files that are there are all that is changed.
	Source bool

	sys  *sys     // what tests replace; nil is the kernel
	held *os.File // the lock, where Hold has taken it for longer than one call
}

// Hold takes the lock of the state directory until release is called, so that several calls with the Options that it
// returns happen with nobody else at work in between. A *LockedError says who is at work already. Nothing else is
// changed, but that the state directory is made when it is missing.
func Hold(o Options) (held Options, release func(), err error) {
	o, err = o.defaults()
	if err != nil {
		return o, nil, err
	}
	s, err := openStore(o, true)
	if err != nil {
		return o, nil, err
	}
	o.held = s.lock
	return o, s.close, nil
}

// Services makes running programs take up what has been written. Only Ready and Snapshot are called before
// anything has changed.
type Services interface {
	// Ready returns nil when the activation can be done here, and else why it has to stay pending.
	Ready(ctx context.Context, a remediate.Activation) error
	// Snapshot describes what runs now. It is kept in the journal, so that a recovery can compare too.
	Snapshot(ctx context.Context) (json.RawMessage, error)
	// Activate does the activation and returns when the program has answered to it.
	Activate(ctx context.Context, a remediate.Activation) error
	// Healthy watches until it is sure that what Snapshot described still runs: the same containers, the same
	// PIDs. A nil before only asks that the daemon stays up: it was taken in another boot.
	Healthy(ctx context.Context, before json.RawMessage) error
}

// A Step is one thing that a run is about to do.
type Step struct {
	Doing   Doing
	Subject string // a path, or an activation such as "restart docker.service"; empty where there is no one thing
}

// Doing names a step.
type Doing string

// The steps, in the order of a run; Restoring and what follows it only when a run is taken back.
const (
	Checking   Doing = "check"    // one target against what the plan was made from
	Journaling Doing = "journal"  // the run, whole, to the disk
	Writing    Doing = "write"    // one file or its attributes
	Activating Doing = "activate" // one activation
	Watching   Doing = "watch"    // whether what ran still runs
	Verifying  Doing = "verify"   // the checks, again
	Restoring  Doing = "restore"  // one file to what it was
)

var (
	// ErrDrift means that a target is no longer what the plan was made from. Nothing has been written.
	ErrDrift = errors.New("changed since the plan was made")
	// ErrConflict means that a target is neither what a run wrote nor what was there before it: somebody has
	// changed it since. The run is not taken back or finished, and nothing has been changed.
	ErrConflict = errors.New("changed by somebody else since the run")
	// ErrRolledBack means that an apply could not be completed and was taken back; the error wraps the reason too.
	ErrRolledBack = errors.New("rolled back")
	// ErrInterrupted means that an earlier run neither finished nor was undone, which has to be settled first.
	ErrInterrupted = errors.New("an earlier run was interrupted")
	// ErrNoRun means that there is no such run, or none that could be taken back or resumed.
	ErrNoRun = errors.New("no such run")
	// ErrUnconfirmed means that a run still has to be confirmed or taken back before another is begun.
	ErrUnconfirmed = errors.New("not confirmed yet")
	// ErrHistory means that the history is not as it was written: a record was changed, removed or put in.
	ErrHistory = errors.New("the history was tampered with")
)

// together makes one error of those that are not nil: itself where it is alone, else one line for all.
func together(errs ...error) error {
	all := multierror.Append(nil, errs...)
	if len(all.Errors) == 1 {
		return all.Errors[0]
	}
	all.ErrorFormat = func(errs []error) string {
		lines := make([]string, len(errs))
		for i, err := range errs {
			lines[i] = err.Error()
		}
		return strings.Join(lines, "; ")
	}
	return all.ErrorOrNil()
}

// LockedError means that another harden is at work with the same state directory.
type LockedError struct {
	PID     int
	Since   time.Time
	Command string // its arguments, joined by spaces, quoted where they need it
	Loose   string `json:",omitempty"` // the lock file, where any user could have taken it instead
}

func (e *LockedError) Error() string {
	text := fmt.Sprintf("another run is active: PID %d since %s: %s", e.PID, e.Since.Format(time.RFC3339), e.Command)
	if e.Loose != "" {
		text += fmt.Sprintf("; its lock was writable for every user: if no harden is running, remove %s", e.Loose)
	}
	return text
}
