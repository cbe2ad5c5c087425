// Package source is what harden knows of the files that images and containers are made from: Dockerfiles and Compose
// files, read as their builders read them, with what they include, extend and put in for variables.
package source

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"example.com/harden/checks/budget"
	"example.com/harden/checks/facts"
)

// Bounds of a walk below a source directory. What is beyond one of them is told in Sources.Skipped and not judged.
const (
	maxSourceEntries = 50_000 // names looked at
	maxSourceFiles   = 2_000  // Dockerfiles and Compose files together
	maxSourceDepth   = 24     // directories below one another
	MaxSize          = 1 << 20
	maxIgnored       = 1_000 // patterns of .gitignore files that are in force at once
)

// envName is the file beside a Compose file that gives values to its variables.
const envName = ".env"

// Files are the files that images and containers are made from.
type Files struct {
	Dockerfiles []*Dockerfile // sorted by path
	Composes    []*Compose    // sorted by path; an override is with the file that it overrides
	Skipped     []string      // what was not looked at, and why
	Outside     []string      // links to anything else that lead out of the directories, and are not followed
	// what was left out as the site wishes, and what looks like a source and is not taken for one
	Left []string
}

// A File is where a source is.
type File struct {
	Path string // where it really is
	As   string // what it is called
	Root string // the directory of --source that it is in
	Data []byte
}

// At is a place in the file as people write it: "app/Dockerfile:12".
func (f *File) At(line int) string { return fmt.Sprintf("%s:%d", f.As, line) }

// Of returns the Dockerfiles and Compose files below SourceDirs. ErrAbsent where there are none.
func Of(h *facts.Host) (*Files, error) { return facts.Once(h, "sources", facts.Anew, readSources) }

func readSources(h *facts.Host) (*Files, error) {
	w := &sourceWalk{host: h, seen: map[string]bool{}, roots: map[string]string{}, found: &Files{}}
	for _, dir := range h.SourceDirs {
		info, err := h.Info(dir.Path)
		if err != nil {
			return nil, err
		}
		w.root, w.as = info.Path, dir.As
		if w.roots[w.root] == "" {
			w.roots[w.root] = w.as
		}
		if err := w.dir(info.Path, 0); err != nil {
			return nil, err
		}
	}
	for _, env := range w.envs {
		w.root, w.as = env.Root, w.roots[env.Root]
		w.composeFiles(env.Path)
	}
	w.projects()
	w.builds()
	if len(w.found.Dockerfiles)+len(w.found.Composes)+len(w.found.Skipped) == 0 {
		return nil, fmt.Errorf("no Dockerfile and no Compose file: %w", facts.ErrAbsent)
	}
	return w.found, nil
}

// projects reads the Compose files. What one includes is judged with it, and not again by itself.
func (w *sourceWalk) projects() {
	r := newComposeReader(w.host, w.open)
	var all []*Compose
	for _, f := range w.composes {
		env := path.Join(path.Dir(f.Path), envName)
		c := r.project(f, path.Dir(f.Path), []string{env})
		as := path.Join(path.Dir(f.As), envName)
		if c.envErr != nil && !slices.ContainsFunc(w.found.Skipped,
			func(s string) bool { return strings.HasPrefix(s, as+": ") }) {
			w.found.Skipped = append(w.found.Skipped, as+": "+reasonOf(c.envErr))
		}
		if w.doubtful[f.Path] && !c.serves() {
			w.found.Left = append(w.found.Left, f.As+": it has no services")
			continue
		}
		all = append(all, c)
	}
	for _, c := range withOverrides(all) {
		if r.included[c.Path] && len(c.over) == 0 {
			continue
		}
		for _, s := range c.Services {
			if user := r.users[s.File.Path+"\x00"+s.Name]; s.Shared == "" {
				s.Shared = user
			}
		}
		w.found.Composes = append(w.found.Composes, c)
	}
}

// serves reports whether a file has services.
func (c *Compose) serves() bool {
	return slices.ContainsFunc(c.docs, func(d *composeDoc) bool { return keyNode(d.top, "services") != nil })
}

type sourceWalk struct {
	host     *facts.Host
	root, as string
	roots    map[string]string // what each directory of --source is called
	seen     map[string]bool   // by where it really is
	entries  int
	files    int
	full     bool
	composes []*File
	envs     []File          // environment files beside which a project may be
	doubtful map[string]bool // of those, the ones whose names others use too
	ignore   []ignoreRule
	found    *Files
}

func (w *sourceWalk) skip(p, why string) {
	w.found.Skipped = append(w.found.Skipped, w.name(p)+": "+why)
}

// leave notes what is not taken, and why; that it is not says nothing of what is.
func (w *sourceWalk) leave(p, why string) { w.found.Left = append(w.found.Left, w.name(p)+": "+why) }

// name is what a path below the root is called.
func (w *sourceWalk) name(p string) string { return nameBelow(w.root, w.as, p) }

func nameBelow(root, as, p string) string {
	return path.Join(as, strings.TrimPrefix(strings.TrimPrefix(p, root), "/"))
}

// bookkeeping are directories of version control; otherPeoples are of other people's sources.
var (
	bookkeeping  = map[string]bool{".git": true, ".hg": true, ".svn": true}
	otherPeoples = map[string]bool{"node_modules": true, "vendor": true}
)

// enters reports whether a directory is walked.
func (w *sourceWalk) enters(p, name string) bool {
	switch {
	case bookkeeping[name]:
		return false
	case otherPeoples[name] && !w.host.Choices.Sources.Vendor:
		w.leave(p, "other people's sources")
		return false
	}
	return true
}

// gitignore reads what a directory's .gitignore names, where the site wants that left out.
func (w *sourceWalk) gitignore(dir string) error {
	if !w.host.Choices.Sources.SkipIgnored {
		return nil
	}
	p := path.Join(dir, ".gitignore")
	f, err := facts.FileWithin(w.host, budget.New(w.name(p), w.host.Spent()), p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	w.ignore = append(w.ignore, parseIgnore(dir, f.Data)...)
	if len(w.ignore) > maxIgnored {
		w.ignore = w.ignore[:maxIgnored]
		return fmt.Errorf("more than %d patterns to ignore, the limit", maxIgnored)
	}
	return nil
}

func (w *sourceWalk) dir(dir string, depth int) error {
	if w.seen[dir] || w.full {
		return nil
	}
	w.seen[dir] = true
	if depth > maxSourceDepth {
		w.skip(dir, fmt.Sprintf("more than %d directories deep, the limit", maxSourceDepth))
		return nil
	}
	names, err := w.host.List(dir)
	if err != nil {
		if depth == 0 {
			return err
		}
		w.skip(dir, reasonOf(err))
		return nil
	}
	rules := len(w.ignore)
	defer func() { w.ignore = w.ignore[:rules] }()
	if err := w.gitignore(dir); err != nil {
		w.skip(path.Join(dir, ".gitignore"), reasonOf(err))
	}
	for _, name := range names {
		if w.entries++; w.entries > maxSourceEntries {
			if !w.full {
				w.full = true
				w.skip(dir, fmt.Sprintf("more than %d files, the limit: use fewer directories", maxSourceEntries))
			}
			return nil
		}
		if err := w.entry(path.Join(dir, name), name, depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *sourceWalk) entry(p, name string, depth int) error {
	info, err := w.host.Info(p)
	kind := sourceKind(name)
	source := kind != noSource && kind != likeSource
	switch {
	case errors.Is(err, fs.ErrNotExist): // a link that leads nowhere, or a file that has just gone
		return nil
	case errors.Is(err, facts.ErrOutside) || err == nil && !facts.Within(info.Path, w.root):
		if source {
			w.skip(p, "a link that leads out of "+w.as)
		} else if name != envName {
			w.found.Outside = append(w.found.Outside, w.name(p))
		}
		return nil
	case err != nil:
		if source {
			w.skip(p, reasonOf(err))
		}
		return nil
	case ignored(w.ignore, p, info.Type.IsDir()):
		if source || info.Type.IsDir() {
			w.leave(p, "a .gitignore names it")
		}
		return nil
	case info.Type.IsDir():
		if !w.enters(p, name) {
			return nil
		}
		return w.dir(info.Path, depth+1)
	case kind == likeSource:
		w.leave(p, "by its name neither a Dockerfile nor a Compose file")
		return nil
	case name == envName && info.Type == 0:
		w.envs = append(w.envs, File{Path: p, Root: w.root})
		return nil
	case !source || w.seen[info.Path]:
		return nil
	}
	w.seen[info.Path] = true
	if w.files++; w.files > maxSourceFiles {
		if !w.full {
			w.full = true
			w.skip(p, fmt.Sprintf("more than %d Dockerfiles and Compose files, the limit", maxSourceFiles))
		}
		return nil
	}
	f, err := w.read(p, info, w.root, w.as)
	if err != nil {
		w.skip(p, reasonOf(err))
		return nil
	}
	w.take(f, kind)
	return nil
}

func (w *sourceWalk) take(f *File, kind kindOfSource) {
	if kind == dockerSource {
		w.found.Dockerfiles = append(w.found.Dockerfiles, parseDockerfile(f, w.host.Spent()))
		return
	}
	w.composes = append(w.composes, f)
	if kind == stackSource {
		if w.doubtful == nil {
			w.doubtful = map[string]bool{}
		}
		w.doubtful[f.Path] = true
	}
}

// read is the one way in which a source is opened: a regular file of one name, within the directory of --source, of a
// size that sources have, within the budget.
func (w *sourceWalk) read(p string, info facts.Info, root, as string) (*File, error) {
	switch {
	case !facts.Within(info.Path, root):
		return nil, errors.New("a link that leads out of " + as)
	case info.Type != 0:
		return nil, errors.New("not a regular file")
	case info.Links > 1:
		return nil, fmt.Errorf("it has %d names (hard links), of which one may be outside", info.Links)
	case info.Size > MaxSize:
		return nil, fmt.Errorf("%d bytes are more than any of its kind has: the limit is %d", info.Size, MaxSize)
	}
	if err := w.host.Spent().Spend(budget.Bytes, int(info.Size), 0); err != nil {
		return nil, err
	}
	file, err := w.host.File(p)
	if err != nil {
		return nil, err
	}
	return &File{Path: info.Path, As: nameBelow(root, as, info.Path), Root: root, Data: file.Data}, nil
}

// open opens a file that a Compose file names.
func (w *sourceWalk) open(from *Compose, p string) (*File, error) {
	as := w.roots[from.Root]
	info, err := w.host.Info(p)
	if errors.Is(err, facts.ErrOutside) || err == nil && !facts.Within(info.Path, from.Root) {
		return nil, errors.New("it is outside of " + as)
	}
	if err != nil {
		return nil, err
	}
	return w.read(p, info, from.Root, as)
}

// reasonOf is an error without the path that stands before it anyway.
func reasonOf(err error) string { return facts.Bare(err).Error() }
