package apply

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"example.com/harden/remediate"
)

// A journal is one run as it was decided: all that finishing or undoing it needs, but for the files' bytes, which
// lie beside it as before.N and after.N.
type journal struct {
	ID          string          `json:"id"`
	Seq         int             `json:"seq"` // orders runs: clocks jump
	Root        []byte          `json:"root"`
	Started     time.Time       `json:"started"`
	Boot        string          `json:"boot"`
	Version     string          `json:"version"`
	Actor       Actor           `json:"actor"`
	Items       []item          `json:"items"`
	Dirs        [][]byte        `json:"dirs,omitempty"` // made for the items, the topmost first
	Updates     []update        `json:"updates,omitempty"`
	Engine      string          `json:"engine,omitempty"` // whose containers those are
	DockerHost  string          `json:"docker_host,omitempty"`
	Activations []Activated     `json:"activations,omitempty"`
	Checks      []string        `json:"checks,omitempty"`
	Waiting     []string        `json:"waiting,omitempty"`
	Snapshot    json.RawMessage `json:"snapshot,omitempty"`
	Confirm     *deadline       `json:"confirm,omitempty"` // nil where nobody has to confirm the run
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
}

// The events of a log.
const (
	evPlanned    = "planned"    // Reason is the plan file's hash
	evWrite      = "write"      // item N is about to be written
	evUnwritten  = "unwritten"  // and was not: somebody else wrote it first
	evUpdate     = "update"     // container N is about to be changed
	evActivate   = "activate"   // activation N is about to happen
	evActivation = "activation" // and this became of it
	evUndo       = "undo"       // from here on the run is being taken back
	evConfirmed  = "confirmed"  // the run stays
	evKept       = "kept"       // it was not confirmed in time, and could not be taken back for Reason
)

// A txn is a journal on disk.
type txn struct {
	journal
	store *store
	dir   string
	log   []entry
}

const planFile, logFile = "plan.json", "log"

// publish writes the journal whole and makes it the current one by a single rename: there is never half of one.
func publish(s *store, j journal) (*txn, error) {
	dir := s.staging()
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
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
	data, err := os.ReadFile(t.blob(when, i))
	if err != nil {
		return nil, err
	}
	want := t.Items[i].Before.Sum
	if when == "after" {
		want = t.Items[i].After.Sum
	}
	if sum(data) != want {
		return nil, fmt.Errorf("%s: the journal is damaged: sha256 %s, not %s", t.blob(when, i), sum(data), want)
	}
	return data, nil
}

// readTxn reads a journal; an error that wraps fs.ErrNotExist means that there is none.
func readTxn(s *store, dir string) (*txn, error) {
	t := &txn{store: s, dir: dir}
	if _, err := os.Lstat(dir); err != nil {
		return nil, err
	}
	plan, err := os.ReadFile(filepath.Join(dir, planFile))
	if err != nil {
		return nil, fmt.Errorf("%s: the journal is damaged: %s", dir, err)
	}
	if err := json.Unmarshal(plan, &t.journal); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, planFile), err)
	}
	text, err := os.ReadFile(filepath.Join(dir, logFile))
	if err != nil {
		return nil, fmt.Errorf("%s: the journal is damaged: %s", dir, err)
	}
	t.log, _ = parseLog(text)
	if len(t.log) == 0 || t.log[0].Event != evPlanned || t.log[0].Reason != sum(plan) {
		return nil, fmt.Errorf("%s: the journal is damaged: its log is of another plan", dir)
	}
	return t, nil
}

// parseLog returns the entries up to the first line that is not whole, and how many bytes those take.
func parseLog(text []byte) (log []entry, size int) {
	for line := range bytes.Lines(text) {
		check, body, ok := strings.Cut(strings.TrimSuffix(string(line), "\n"), " ")
		var e entry
		if !ok || line[len(line)-1] != '\n' || check != sum([]byte(body))[:16] || json.Unmarshal([]byte(body), &e) != nil {
			break
		}
		log, size = append(log, e), size+len(line)
	}
	return log, size
}

// note appends to the log, flushed; what a crash left of an earlier line is cut off first.
func (t *txn) note(e entry) error {
	e.Time = time.Now().UTC()
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(t.dir, logFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	err = func() error {
		text, err := os.ReadFile(f.Name())
		if err != nil {
			return err
		}
		_, size := parseLog(text)
		if err := f.Truncate(int64(size)); err != nil {
			return err
		}
		if _, err := f.WriteAt(fmt.Appendf(nil, "%s %s\n", sum(body)[:16], body), int64(size)); err != nil {
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

// begun reports whether the writing of item i was announced, and not withdrawn.
func (t *txn) begun(i int) (begun bool) {
	for _, e := range t.log {
		if e.N == i && (e.Event == evWrite || e.Event == evUnwritten) {
			begun = e.Event == evWrite
		}
	}
	return begun
}

// undoing returns the entry that began the undoing, nil when there is none.
func (t *txn) undoing() *entry {
	if i := slices.IndexFunc(t.log, func(e entry) bool { return e.Event == evUndo }); i >= 0 {
		return &t.log[i]
	}
	return nil
}

// outcome is what became of the run: the last outcome that was logged, unless an undo has begun since.
func (t *txn) outcome() (o Outcome, at entry) {
	o = CutShort
	for _, e := range t.log {
		switch Outcome(e.Event) {
		case Applied, RolledBack, Failed:
			o, at = Outcome(e.Event), e
		case evUndo:
			o, at = CutShort, e
		}
	}
	return o, at
}

// activations returns those of the run, or of its undoing once that has begun, each as it stands; tried tells of
// each whether it was begun.
func (t *txn) activations() (as []Activated, tried []bool) {
	as = slices.Clone(t.Activations)
	tried = make([]bool, len(as))
	for _, e := range t.log {
		switch e.Event {
		case evUndo:
			as = slices.Clone(e.Activations)
			tried = make([]bool, len(as))
		case evActivate:
			tried[e.N] = true
		case evActivation:
			as[e.N].State, as[e.N].Reason = e.State, e.Reason
		}
	}
	return as, tried
}

// file puts the journal among those that have their outcome.
func (t *txn) file() error {
	to := t.store.run(t.ID)
	if err := t.store.move(t.dir, to); err != nil {
		return err
	}
	t.dir = to
	return nil
}

// summary is the run as it is told.
func (t *txn) summary() *Run {
	r := &Run{ID: t.ID, Root: string(t.Root), Started: t.Started, Checks: t.Checks, Waiting: t.Waiting, Actor: t.Actor,
		Version: t.Version, Changes: []FileChange{}}
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
	as, _ := t.activations()
	r.Activations = append([]Activated{}, as...)
	for i := range r.Activations {
		r.Activations[i].Record = nil
	}
	for _, u := range t.Updates {
		r.Updates = append(r.Updates, ContainerChange(u))
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

func (a Activated) plan() remediate.Activation {
	return remediate.Activation{Kind: a.Kind, Unit: a.Unit, Class: a.Class, Record: a.Record}
}

func (a Activated) String() string { return strings.TrimSpace(string(a.Kind) + " " + a.Unit) }
