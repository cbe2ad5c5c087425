package apply

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
)

// A Conflict is one file or container of a run that somebody has changed since, or that cannot be restored.
type Conflict struct {
	Path  string   `json:"path"`
	Why   string   `json:"why"`
	Kept  string   `json:"kept,omitempty"`    // the file of the journal that holds what it was before the run
	Stuck string   `json:"no_ours,omitempty"` // why Ours cannot be chosen
	Newer []string `json:"newer,omitempty"`   // the later runs that have changed it, newest first

	n      int
	update bool
	ids    []string     // the other names of a container
	found  *sight       // of a file
	limits *want.Limits // of a container
	err    error        // what else it is
}

func (c Conflict) Error() string {
	text := fmt.Sprintf("%s: %v: %s", c.Path, ErrConflict, c.Why)
	if c.err != nil {
		text = fmt.Sprintf("%s: it cannot be restored: %s", c.Path, c.Why)
	}
	if len(c.Newer) > 0 {
		text += "; a later run has changed it: " + order(c.Newer)
	} else if c.Kept != "" {
		text += "; its content from before the run is in " + c.Kept
	}
	return text
}

// order says which runs are to be rolled back first.
func order(newer []string) string {
	return "first `harden rollback " + strings.Join(newer, "`, then `harden rollback ") + "`"
}

// A ConflictError lists what of a run somebody has changed since, so that it is neither rolled back nor finished.
// Nothing has been changed. It is an ErrConflict.
type ConflictError struct {
	Run       string
	Conflicts []Conflict
}

func (e *ConflictError) Error() string {
	var errs []error
	for _, c := range e.Conflicts {
		errs = append(errs, c)
	}
	return together(errs...).Error()
}

func (e *ConflictError) Unwrap() []error {
	errs := []error{ErrConflict}
	for _, c := range e.Conflicts {
		if c.err != nil {
			errs = append(errs, c.err)
		}
	}
	return errs
}

// superseded tells of each subject which later runs have changed it and still stand: that is a conflict, even where
// both have made the same of it.
func (t *txn) superseded(subjects []subject) error {
	ids, err := t.store.ids()
	if err != nil {
		return err
	}
	for _, id := range slices.Backward(ids) {
		if sequence(id) <= t.Seq {
			break
		}
		later, err := readTxn(t.store, t.store.run(id))
		if err != nil {
			continue // Diagnose tells
		}
		if outcome, _ := later.outcome(); outcome != Applied || string(later.Root) != string(t.Root) {
			continue
		}
		for i := range subjects {
			s := &subjects[i]
			if !s.open && !s.standing || !later.writes(s.Path) {
				continue
			}
			if s.Newer = append(s.Newer, id); !s.open {
				s.open, s.Why = true, "a later run has changed it"
			}
		}
	}
	return nil
}

// writes reports whether the run has changed a file or a container.
func (j *journal) writes(path string) bool {
	return slices.ContainsFunc(j.Items, func(it item) bool { return it.path() == path }) ||
		slices.ContainsFunc(j.Updates, func(u ContainerChange) bool { return u.String() == path })
}

// conflict returns what is at item i, and a conflict when somebody else has put it there, or when what is to be put
// back is not there any more.
func (at site) conflict(i int, back, cutShort bool) (sight, *Conflict, error) {
	it := &at.Items[i]
	c := &Conflict{Path: it.path(), n: i}
	now, err := it.look(at.tree)
	switch {
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENOTDIR):
		c.Why, c.Stuck = "a directory of its path is a symbolic link or a file", "harden does not write through links"
		return now, c, nil
	case errors.Is(err, unix.EIO):
		c.Why, c.Stuck, c.err = err.Error(), "it cannot be read", err
		return now, c, nil
	case err != nil:
		return now, nil, err
	}
	stands, why := at.stands(i, now.image)
	if stands == isAfter && back && !cutShort && !it.Volatile {
		if replaced := at.replaced(i); replaced != "" {
			stands, why = isConflict, replaced
		}
	}
	if it.Volatile && (stands == isConflict || !now.Exists) {
		return now, nil, nil // made anew since, by whoever makes it at each start
	}
	if back && it.Content && it.Before.Exists && stands != isBefore {
		data, err := at.bytes("before", i)
		if err != nil {
			c.Why, c.Stuck, c.err = err.Error(), "its content from before the run is lost", err
			return now, c, nil
		}
		it.before = data // whatever becomes of the journal while the run is taken back
	}
	if now.Type == unix.S_IFREG && now.links > 1 && (back && stands != isBefore || !back && stands != isAfter) {
		stands = isConflict
		why = fmt.Sprintf("it has %d names (hard links); a change would change or unlink the others", now.links)
	}
	if stands != isConflict && (stands != isBetween || cutShort) {
		return now, nil, nil
	}
	c.Why, c.found, c.Stuck = why, &now, it.stuck(at.tree, now)
	if it.Content && it.Before.Exists {
		c.Kept = at.blob("before", i)
	}
	return now, c, nil
}

// stuck says why the item cannot be written over what is there, empty when it can: what is there has to be such that it
// can be kept.
func (it *item) stuck(tree *tree, now sight) string {
	switch {
	case now.Exists && it.Content && now.Type != unix.S_IFREG, now.Exists && !it.Content && now.Type != it.Before.Type:
		return fmt.Sprintf("it is %s: move that away first", typeNames[now.Type])
	case it.Content && now.size > facts.MaxFile:
		return fmt.Sprintf("its %d bytes are too many to keep", now.size)
	case now.Exists && now.Type == unix.S_IFREG && now.links != 1:
		return fmt.Sprintf("it has %d names (hard links)", now.links)
	case !now.Exists && !it.Content:
		return "it is gone, and the run recorded only its mode and owner"
	default:
		g, err := tree.open(it.path())
		if errors.Is(err, fs.ErrNotExist) {
			return "its directory is gone: create it first"
		}
		if err != nil {
			return err.Error()
		}
		g.close()
	}
	return ""
}
