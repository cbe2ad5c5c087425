package apply

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// A journal is one run as it was decided: all that finishing or undoing it needs, but for the files' bytes, which
// lie beside it as before.N and after.N; what was written over lies there as theirs.N.HASH.
type journal struct {
	Schema      string            `json:"schema,omitempty"` // journalSchema; empty where harden wrote none yet
	ID          string            `json:"id"`
	Seq         int               `json:"seq"` // orders runs: clocks jump
	Root        []byte            `json:"root"`
	Started     time.Time         `json:"started"`
	Boot        string            `json:"boot"`
	Version     string            `json:"version"`
	Actor       Actor             `json:"actor"`
	Items       []item            `json:"items"`
	Dirs        [][]byte          `json:"dirs,omitempty"` // made for the items, the topmost first
	Updates     []ContainerChange `json:"updates,omitempty"`
	Engine      string            `json:"engine,omitempty"`      // whose containers those are
	EngineHome  string            `json:"engine_home,omitempty"` // docker.EngineID has these; older runs know the ID alone
	EngineRoot  string            `json:"engine_root,omitempty"`
	DockerHost  string            `json:"docker_host,omitempty"`
	Activations []Activated       `json:"activations,omitempty"`
	Checks      []string          `json:"checks,omitempty"`
	Waiting     []string          `json:"waiting,omitempty"`
	Snapshot    json.RawMessage   `json:"snapshot,omitempty"`
	Confirm     *deadline         `json:"confirm,omitempty"` // nil where nobody has to confirm the run
}

// An item is one file of a run. Paths are bytes: JSON text would turn a name that is no UTF-8 into another name.
type item struct {
	Path     []byte   `json:"path"`
	Temp     string   `json:"temp,omitempty"`     // what lies beside it while it is written
	Content  bool     `json:"content,omitempty"`  // else attributes alone change
	Volatile bool     `json:"volatile,omitempty"` // on a file system that a boot empties
	Before   image    `json:"before"`
	After    image    `json:"after"`
	Checks   []string `json:"checks,omitempty"`

	Modified time.Time `json:"modified,omitzero"` // when the content before was written

	before, after []byte // the bytes, while they are in memory
}

func (it *item) path() string { return string(it.Path) }

// An entry is one line of a journal's log: what was decided on the way. What has been written is never taken from
// it, only what may have been: an item whose writing was not announced was not touched.
type entry struct {
	Event string    `json:"event"`
	Time  time.Time `json:"time"`
	N     int       `json:"n,omitempty"`     // write, unwritten, activation: which one
	State string    `json:"state,omitempty"` // activation
	// of applied: the hash of what is in each file of which the run has changed attributes alone, by the item's number
	Sums map[int]string `json:"sums,omitempty"`
	// of undo: why, what there is to activate, and what ran when it began
	Reason      string          `json:"reason,omitempty"`
	Activations []Activated     `json:"activations,omitempty"`
	Boot        string          `json:"boot,omitempty"`
	Snapshot    json.RawMessage `json:"snapshot,omitempty"`
	// of undo and resolved: what becomes of files and containers that somebody has changed since
	Resolved []resolved `json:"resolved,omitempty"`
}

// A log is all that was decided on the way.
type log []entry

// The events of a log.
const (
	evPlanned    = "planned"    // Reason is the plan file's hash
	evWrite      = "write"      // item N is about to be written
	evUnwritten  = "unwritten"  // and was not: somebody else wrote it first
	evUpdate     = "update"     // container N is about to be changed
	evActivate   = "activate"   // activation N is about to happen
	evActivation = "activation" // and this became of it
	evUndo       = "undo"       // from here on the run is being taken back
	evResolved   = "resolved"   // it goes on, though somebody has changed something since
	evLost       = "lost"       // the bytes of item N, before or after by State, were damaged and set aside
	evConfirmed  = "confirmed"  // the run stays
	evKept       = "kept"       // it was not confirmed in time, and could not be taken back for Reason
)

// A txn is a journal on disk.
type txn struct {
	journal
	log
	store *store
	dir   string
}

const planFile, logFile = "plan.json", "log"

// publish writes the journal whole and makes it the current one by a single rename: there is never half of one.
func publish(s *store, j journal) (*txn, error) {
	dir := s.staging()
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	j.Schema = journalSchema
	t := &txn{journal: j, store: s, dir: dir}
	err := t.fill()
	if err == nil {
		err = s.syncDir(dir)
	}
	if err != nil {
		return nil, together(err, os.RemoveAll(dir))
	}
	if err := s.move(dir, s.current()); err != nil {
		return nil, together(err, os.RemoveAll(dir))
	}
	t.dir = s.current()
	return t, nil
}

func (t *txn) fill() error {
	for i, it := range t.Items {
		if !it.Content {
			continue
		}
		if it.Before.Exists {
			if err := t.store.write(t.blob("before", i), it.before); err != nil {
				return err
			}
		}
		if it.After.Exists {
			if err := t.store.write(t.blob("after", i), it.after); err != nil {
				return err
			}
		}
	}
	plan, err := json.MarshalIndent(t.journal, "", "\t")
	if err != nil {
		return err
	}
	if err := t.store.write(filepath.Join(t.dir, planFile), plan); err != nil {
		return err
	}
	return t.note(entry{Event: evPlanned, Reason: sum(plan)})
}

func (t *txn) blob(when string, i int) string {
	return filepath.Join(t.dir, fmt.Sprintf("%s.%d", when, i))
}

// bytes returns an item's content before or after, checked against its hash: a journal is not believed blindly.
func (t *txn) bytes(when string, i int) ([]byte, error) {
	want, kept := t.Items[i].Before.Sum, t.Items[i].before
	if when == "after" {
		want, kept = t.Items[i].After.Sum, t.Items[i].after
	}
	data, err := readState(t.blob(when, i))
	switch {
	case err == nil && sum(data) == want:
		return data, nil
	case kept != nil && sum(kept) == want: // the state was removed under the run that is at work
		return kept, nil
	case err == nil:
		return nil, damaged(t.blob(when, i), fmt.Sprintf("sha256 %s, not %s", sum(data), want))
	case errors.Is(err, fs.ErrNotExist):
		return nil, damaged(t.blob(when, i), "it is gone")
	}
	return nil, err
}

// readTxn reads a journal; an error that wraps fs.ErrNotExist means that there is none.
func readTxn(s *store, dir string) (*txn, error) {
	t := &txn{store: s, dir: dir}
	if _, err := os.Lstat(dir); err != nil {
		return nil, err
	}
	plan, err := readState(filepath.Join(dir, planFile))
	if err != nil {
		return nil, unreadable(filepath.Join(dir, planFile), err)
	}
	name := filepath.Join(dir, logFile)
	text, err := readState(name)
	if err != nil {
		return nil, unreadable(name, err)
	}
	if err := vouched(name, text, plan); err != nil {
		return nil, err
	}
	if t.journal, err = parseJournal(filepath.Join(dir, planFile), plan); err != nil {
		return nil, err
	}
	if t.log, _, err = parseLog(name, text); err != nil {
		return nil, err
	}
	if err := t.check(dir); err != nil {
		return nil, err
	}
	return t, nil
}

// note appends to the log, flushed; what a crash left of an earlier line is cut off first.
func (t *txn) note(e entry) error {
	e.Time = time.Now().UTC()
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if ok, err := t.store.still(); !ok {
		if err == nil {
			t.log = append(t.log, e)
		}
		return err
	}
	f, err := openState(filepath.Join(t.dir, logFile), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return err
	}
	err = func() error {
		text, err := readState(f.Name())
		if err != nil {
			return err
		}
		_, size, err := parseLog(f.Name(), text)
		if err != nil {
			return err
		}
		if err := f.Truncate(int64(size)); err != nil {
			return err
		}
		if _, err := f.WriteAt(logLine(body), int64(size)); err != nil {
			return err
		}
		return t.store.sys.fsync(int(f.Fd()))
	}()
	if err := together(err, f.Close()); err != nil {
		return err
	}
	t.log = append(t.log, e)
	return nil
}

// file puts the journal among those that have their outcome.
func (t *txn) file() error {
	if ok, err := t.store.still(); !ok {
		return err
	}
	return t.store.move(t.dir, t.store.run(t.ID))
}
