package apply

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"

	"example.com/harden/remediate"
)

var shortNumber = regexp.MustCompile(`^[0-9]+$`)

// Named returns the ID of the run that name means: its ID, or the number that it begins with, which no other run gets.
// ErrNoRun when there is no run of that number; whether there is one of an ID is not looked at.
func Named(name string, o Options) (string, error) {
	if !shortNumber.MatchString(name) {
		return name, nil
	}
	o, err := o.defaults()
	if err != nil {
		return "", err
	}
	s := &store{dir: o.State, sys: o.sys}
	ids, err := s.ids()
	if err != nil {
		return "", err
	}
	if t, err := current(s); err != nil && !errors.Is(err, ErrDamaged) {
		return "", err
	} else if t != nil {
		ids = append(ids, t.ID)
	}
	number, err := strconv.Atoi(name)
	i := slices.IndexFunc(ids, func(id string) bool { return err == nil && sequence(id) == number })
	switch {
	case i >= 0:
		return ids[i], nil
	case len(ids) == 0:
		return "", fmt.Errorf("%s: %w: nothing has been applied yet", name, ErrNoRun)
	}
	return "", fmt.Errorf("%s: %w; `harden history` lists them, from %d to %d", name, ErrNoRun, sequence(ids[0]),
		sequence(ids[len(ids)-1]))
}

// Past returns one run, and what it was to do: the changes of its files in the order of the run's, and its activations
// with what they record in a cluster. It is told from the journal alone: what the host is like now does not matter.
// What of the journal cannot be read is in the error, beside the rest.
func Past(id string, o Options) (*Run, *remediate.Plan, error) {
	o, err := o.defaults()
	if err != nil {
		return nil, nil, err
	}
	s := &store{dir: o.State, sys: o.sys, source: o.Source}
	if err := s.trusted(); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("%s: %w: nothing has been applied yet", id, ErrNoRun)
	} else if err != nil {
		return nil, nil, err
	}
	t, err := s.journalOf(id)
	if err != nil {
		return nil, nil, err
	}
	plan, errs := new(remediate.Plan), []error{}
	for i := range t.Items {
		c, err := t.change(i)
		plan.Changes = append(plan.Changes, c)
		errs = append(errs, err)
	}
	as, _ := t.activations()
	plan.Activations = as
	return t.summary(), plan, together(errs...)
}

// journalOf finds the journal of a run, at work, interrupted or put away.
func (s *store) journalOf(id string) (*txn, error) {
	ids, err := s.ids()
	if err != nil {
		return nil, err
	}
	if slices.Contains(ids, id) { // names of directories, so that id leads nowhere else
		return readTxn(s, s.run(id))
	}
	t, err := current(s)
	if err == nil && (t == nil || t.ID != id) {
		err = fmt.Errorf("%s: %w; `harden history` lists them", id, ErrNoRun)
	}
	return t, err
}

// change is what a run was to do to one of its files.
func (t *txn) change(i int) (remediate.Change, error) {
	it := &t.Items[i]
	c := remediate.Change{Path: it.path(), Before: it.Before.file(it, nil), After: it.After.file(it, nil),
		Created: !it.Before.Exists, Removed: !it.After.Exists}
	if !it.Content {
		return c, nil
	}
	var errs []error
	if it.Before.Exists {
		data, err := t.bytes("before", i)
		c.Before = it.Before.file(it, data)
		errs = append(errs, err)
	}
	if it.After.Exists {
		data, err := t.bytes("after", i)
		c.After = it.After.file(it, data)
		errs = append(errs, err)
	}
	return c, together(errs...)
}
