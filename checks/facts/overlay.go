package facts

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"

	"example.com/harden/checks/want"
)

// An Overlay is what a plan would have changed.
type Overlay struct {
	Files     map[string]File        // by path; the Data of an attribute-only change is nil
	Restarted map[string]bool        // services that would have been restarted, or reloaded where that is enough
	Audited   bool                   // audit rules on disk would have been loaded
	Recreated map[string]bool        // services of Compose projects, as "project/service", made again from their files
	Updated   map[string]want.Limits // containers, by ID, and what would have been changed of them in place
}

// With returns the host as it would be after a plan. Nothing is written; what becomes of each fact is said where it is
// read.
func (h *Host) With(o Overlay) *Host {
	n := New(h.ctx, overlay(h.src, o.Files), h.Choices)
	n.before, n.after, n.Earlier, n.SourceDirs, n.Deep = h, o, h.Earlier, h.SourceDirs, h.Deep
	return n
}

// Plan is what a plan would have changed of the host; nothing on a host that is as it is.
func (h *Host) Plan() Overlay { return h.after }

// Restarted reports whether a plan would have made the service take up what is on disk. What the Engine says of
// itself is then of before the plan: rules must judge what is configured alone.
func (h *Host) Restarted(unit string) bool { return h.after.Restarted[unit] }

type overlaid struct {
	Source
	files map[string]File
	above map[string]bool // the directories of files, which are made where they are missing
}

func overlay(under Source, files map[string]File) overlaid {
	o := overlaid{under, files, map[string]bool{}}
	for p := range files {
		for d := filepath.Dir(p); !o.above[d] && d != "/" && d != "."; d = filepath.Dir(d) {
			o.above[d] = true
		}
	}
	return o
}

// find looks a path up by itself and by where it really is, since a plan names files by the latter.
func (o overlaid) find(ctx context.Context, path string) (File, bool) {
	if f, ok := o.files[path]; ok {
		return f, true
	}
	info, err := o.Source.Stat(ctx, path)
	if err != nil {
		return File{}, false
	}
	f, ok := o.files[info.Path]
	return f, ok
}

func (o overlaid) Stat(ctx context.Context, path string) (Info, error) {
	if f, ok := o.find(ctx, path); ok {
		return f.Info, nil
	}
	info, err := o.Source.Stat(ctx, path)
	if errors.Is(err, fs.ErrNotExist) && o.above[path] {
		return Info{Path: path, Type: fs.ModeDir, Mode: 0o755, User: "root", Group: "root"}, nil
	}
	return info, err
}

func (o overlaid) Read(ctx context.Context, path string) ([]byte, error) {
	if f, ok := o.find(ctx, path); ok && f.Data != nil {
		return f.Data, nil
	}
	return o.Source.Read(ctx, path)
}

func (o overlaid) List(ctx context.Context, dir string) ([]string, error) {
	names, err := o.Source.List(ctx, dir)
	add := func(p string) {
		if filepath.Dir(p) == dir && !slices.Contains(names, filepath.Base(p)) {
			names, err = append(slices.Clone(names), filepath.Base(p)), nil
		}
	}
	for p := range o.files {
		add(p)
	}
	for d := range o.above {
		add(d)
	}
	slices.Sort(names)
	return names, err
}
