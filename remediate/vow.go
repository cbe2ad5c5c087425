package remediate

import (
	"io/fs"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/want"
)

// A vow is that root may change a file. It is asked for when the whole draft is known: a directory that another can
// write to may be put right by it too, and is then so before anything below it is touched.
type vow struct {
	fix     fix
	file    string
	warrant want.Warrant
	ask     func(Target, want.Warrant) string
}

// entitled notes what is to be asked. What is proposed of --source is shown and never written.
func (d *draft) entitled(f fix, file string, ask func(Target, want.Warrant) string, w want.Warrant) {
	if len(d.host.SourceDirs) == 0 {
		d.vows = append(d.vows, vow{f, file, w, ask})
	}
}

// refused asks, and returns by fix why it may not be made.
func (d *draft) refused() map[string]string {
	bad := map[string]string{}
	for _, v := range d.vows {
		t, err := d.target(v.file, v.warrant.Kind)
		why := v.ask(t, v.warrant)
		if err != nil {
			why = err.Error()
		}
		if why != "" && bad[v.fix.key()] == "" {
			bad[v.fix.key()] = why
		}
	}
	return bad
}

// target is a file as it is, below the directories as the draft leaves them.
func (d *draft) target(file string, kind want.Kind) (Target, error) {
	t := Target{Path: file}
	var err error
	if t.Chain, t.Exists, err = d.host.Chain(file); err != nil {
		return t, err
	}
	for i, dir := range t.Chain {
		if c := d.files[dir.Path]; c != nil && c.Before.Path == dir.Path && dir.Path != file {
			t.Chain[i] = c.After.Info
		}
	}
	at := file
	if t.Exists && len(t.Chain) > 0 {
		at = t.Chain[len(t.Chain)-1].Path
	}
	// what is not known of containers makes no path worse: without an Engine the directories of runtimes are known all the
	// same
	if reach, _ := docker.ContainerReach(d.host, at); reach.Hold == docker.HoldName && !reach.System {
		t.Held = reach.By
	}
	if !t.Exists || len(t.Chain) == 0 || !facts.NeedsContent(kind) {
		return t, nil
	}
	switch t.Chain[len(t.Chain)-1].Type {
	case 0:
		var f facts.File
		f, err = d.host.File(file)
		t.Data = f.Data
	case fs.ModeDir:
		t.Names, err = d.host.List(file)
	}
	return t, err
}

// warrantOf is what entitles to the file that a want is written to. Drop-ins, audit rules and environment files are not
// what a want is about, and so not of its kind.
func warrantOf(w want.Want) want.Warrant {
	warrant := w.Entitled()
	switch w.(type) {
	case want.AuditRule: // the path that it records has been asked about by itself
		return want.Mine
	case want.Flag, want.Setting:
		warrant.Kind = want.Own
	}
	return warrant
}
