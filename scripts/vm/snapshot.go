package vm

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// A Snapshot is a machine at rest: its disk and, unless it was switched off, what was in its memory. Any number of
// machines can start from it; none changes it.
type Snapshot struct{ disk, state, kernel, initrd string }

// stored is a snapshot as its folder describes it, by paths from that folder, which may still move.
type stored struct{ Disk, State, Kernel, Initrd string }

const description = "snapshot.json"

func (s Snapshot) write(dir string) error {
	var d stored
	for to, path := range map[*string]string{&d.Disk: s.disk, &d.State: s.state, &d.Kernel: s.kernel,
		&d.Initrd: s.initrd} {
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		*to = rel
	}
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, description), text, 0o644)
}

func read(dir string) (Snapshot, error) {
	var d stored
	text, err := os.ReadFile(filepath.Join(dir, description))
	if err != nil {
		return Snapshot{}, err
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return Snapshot{}, err
	}
	at := func(rel string) string { return filepath.Join(dir, rel) }
	return Snapshot{disk: at(d.Disk), state: at(d.State), kernel: at(d.Kernel), initrd: at(d.Initrd)}, nil
}
