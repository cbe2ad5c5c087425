// Package scratch writes what is gone again when a call or a restart is over. It is the one package beside apply that
// writes to a host, and what it writes is below /run, where a reboot forgets it, or was there before.
package scratch

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// File makes a file in /run that root alone can read, whatever TMPDIR says. What it returns removes it.
func File(pattern string, data []byte) (path string, remove func(), err error) {
	f, err := os.CreateTemp("/run", pattern)
	if err != nil {
		return "", nil, err
	}
	remove = func() { os.Remove(f.Name()) }
	_, err = f.Write(data)
	if err = cmp.Or(err, f.Close()); err != nil {
		remove()
		return "", nil, err
	}
	return f.Name(), remove, nil
}

// units is where systemd reads what is to last until the next boot at most.
const units = "/run/systemd/system/"

// DropIn writes a drop-in of a unit below /run.
func DropIn(path, text string) error {
	if !strings.HasPrefix(filepath.Clean(path), units) {
		return fmt.Errorf("%s: not below %s: this is a bug in harden", path, units)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// RemoveDropIn takes a drop-in away, and its directory where nothing else is in it. It says whether there was one.
func RemoveDropIn(path string) (gone bool, err error) {
	err = os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	os.Remove(filepath.Dir(path)) // no matter where it holds somebody else's
	return err == nil, err
}

// Keep does something and leaves a file as it was before: augenrules makes a copy of the rules that it replaces, which
// a run that is taken back would leave behind. harden keeps what it replaces itself.
func Keep(file string, do func() error) error {
	before, err := os.ReadFile(file)
	absent := errors.Is(err, fs.ErrNotExist)
	if err != nil && !absent {
		return err
	}
	failure := do()
	after, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist) && absent, err == nil && !absent && bytes.Equal(before, after):
		err = nil
	case absent:
		err = os.Remove(file)
	default:
		err = os.WriteFile(file, before, 0o640)
	}
	return errors.Join(failure, err)
}
