package apply

import (
	"errors"
	"io/fs"

	"example.com/harden/checks/facts"
)

// Earlier returns what a file held before each run that replaced its content, oldest first, the run at work included.
// It takes no lock and believes no damaged journal: what it cannot read it leaves out.
func Earlier(o Options, path string) ([]facts.Version, error) {
	o, err := o.defaults()
	if err != nil {
		return nil, err
	}
	s := &store{dir: o.State, sys: o.sys}
	ids, err := s.ids()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	dirs := []string{}
	for _, id := range ids {
		dirs = append(dirs, s.run(id))
	}
	var versions []facts.Version
	for _, dir := range append(dirs, s.current()) {
		t, err := readTxn(s, dir)
		if err != nil || string(t.Root) != o.Root {
			continue
		}
		for i := range t.Items {
			if it := &t.Items[i]; it.Content && it.path() == path {
				versions = append(versions, t.version(i)...)
			}
		}
	}
	return versions, nil
}

// version is what item i held before the run, if the run got to writing it.
func (t *txn) version(i int) []facts.Version {
	it := &t.Items[i]
	for _, e := range t.log {
		if e.Event != evWrite || e.N != i {
			continue
		}
		v := facts.Version{Modified: it.Modified, Replaced: e.Time}
		if it.Before.Exists {
			data, err := t.bytes("before", i)
			if err != nil {
				return nil
			}
			v.Data = data
		}
		return []facts.Version{v}
	}
	return nil
}
