package remediate

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/schema"
	"example.com/harden/checks/want"
	"example.com/harden/remediate/edit"
)

var _ = editor((*draft).podFlag)

// podFlag changes a static pod's manifest. All that is wanted of one component meets there, so that it restarts once.
func (d *draft) podFlag(f fix, w want.PodFlag) error {
	manifest, err := d.host.Info(w.Manifest)
	if err != nil {
		return err
	}
	if strings.HasPrefix(path.Base(manifest.Path), ".") {
		return fmt.Errorf("%s: the kubelet reads no file whose name begins with a dot", manifest.Path)
	}
	d.activate(f, RollOut, manifest.Path)
	return d.content(f, w, manifest.Path, 0o600, func(data []byte) ([]byte, error) {
		after, err := edit.PodFlag(data, w)
		// what the component has taken so far it knows; the validator asks again, and can only blame all fixes of the
		// file
		if err == nil && !w.Gone && !bytes.Contains(data, []byte("--"+w.Name)) {
			err = schema.Flag(w.Runs(), 0, w.Name, w.Value)
		}
		return after, err
	})
}

// complete says which file a fix names to a pod that is neither there nor made: the pod would wait for it for ever.
func (d *draft) complete(f fix) error {
	for _, w := range f.finding.Wants {
		w, ok := w.(want.PodFlag)
		if !ok {
			continue
		}
		for _, m := range w.Mounts {
			if m.Type != "File" || d.files[m.Path] != nil {
				continue
			}
			if _, err := d.host.Info(m.Path); err != nil {
				return fmt.Errorf("--%s names a file that is not there: %w", w.Name, err)
			}
		}
	}
	return nil
}

var _ = editor((*draft).newFile)

// newFile makes a file, and leaves alone what is there.
func (d *draft) newFile(f fix, w want.Content) error {
	if _, err := d.host.Info(w.File); err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := d.content(f, w, w.File, w.Mode, func(data []byte) ([]byte, error) {
		if data != nil && string(data) != w.Data {
			return nil, errors.New("another fix makes it with other content; choose one yourself")
		}
		return []byte(w.Data), nil
	})
	if err != nil || w.Owner == "" {
		return err
	}
	return d.setOwner(&d.files[w.File].After.Info, w.Owner)
}

// withoutFlag takes a flag out of where it is written: an environment file, else the command line, which a drop-in
// then repeats without it.
func (d *draft) withoutFlag(f fix, w want.Flag, u *facts.Unit, command string) error {
	name := w.Name
	flag, ok := u.Flags()[name]
	if !ok {
		name = strings.ReplaceAll(name, "-", "_") // the kubelet takes one for the other
		if flag, ok = u.Flags()[name]; !ok {
			return fmt.Errorf("--%s is not in the flags of %s that harden can see; remove it yourself", w.Name, w.Unit)
		}
	}
	value, _ := u.Flags().Last(name)
	boolean, known := schema.Boolean(strings.TrimSuffix(w.Unit, ".service"), w.Name)
	if !known {
		boolean = value == "true" || value == "false"
	}
	if !boolean && strings.HasPrefix(value, "-") {
		return fmt.Errorf("--%s: the end of its value is unclear; remove it yourself", w.Name)
	}
	if flag.Variable != "" {
		return d.content(f, w, flag.Origin, 0o644, func(data []byte) ([]byte, error) {
			return edit.RemoveEnvFlag(data, flag.Variable, name, boolean)
		})
	}
	d.activate(f, ReloadManager, "")
	return d.content(f, w, dropInPath(w.Unit), dropInMode(w.Unit), func(data []byte) ([]byte, error) {
		line, err := edit.RemoveFlag(edit.CommandLine(data, command), name, boolean)
		if err != nil {
			return nil, err
		}
		return edit.Unit(data, "Service", "ExecStart", line)
	})
}

// idle reports whether a roll-out is asked for of a manifest that the draft leaves as it is.
func (d *draft) idle(kind Kind, manifest string) bool {
	c := d.files[manifest]
	return kind == RollOut && (c == nil || bytes.Equal(c.Before.Data, c.After.Data))
}
