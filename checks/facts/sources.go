package facts

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"example.com/harden/checks/budget"
)

// Bounds of a walk below a source directory. What is beyond one of them is told in Sources.Skipped and not judged.
const (
	maxSourceEntries = 50_000 // names looked at
	maxSourceFiles   = 2_000  // Dockerfiles and Compose files together
	maxSourceDepth   = 24     // directories below one another
	maxSourceSize    = 1 << 20
)

// envName is the file beside a Compose file that gives values to its variables.
const envName = ".env"

// A SourceDir is one directory of --source.
type SourceDir struct {
	Path string // absolute
	As   string // how it was named, and how its files are called
}

// Sources are the files that images and containers are made from.
type Sources struct {
	Dockerfiles []*Dockerfile // sorted by path
	Composes    []*Compose    // sorted by path; an override is with the file that it overrides
	Skipped     []string      // what was not looked at, and why
	Outside     []string      // links to anything else that lead out of the directories, and are not followed
}

// A SourceFile is where a source is.
type SourceFile struct {
	Path string // where it really is
	As   string // what it is called
	Root string // the directory of --source that it is in
	Data []byte
}

// At is a place in the file as people write it: "app/Dockerfile:12".
func (f *SourceFile) At(line int) string { return fmt.Sprintf("%s:%d", f.As, line) }

// Sources returns the Dockerfiles and Compose files below SourceDirs. ErrAbsent where there are none.
func (h *Host) Sources() (*Sources, error) { return h.sources() }

func (h *Host) readSources() (*Sources, error) {
	w := &sourceWalk{host: h, seen: map[string]bool{}, found: &Sources{}}
	for _, dir := range h.SourceDirs {
		info, err := h.Info(dir.Path)
		if err != nil {
			return nil, err
		}
		w.root, w.as = info.Path, dir.As
		if err := w.dir(info.Path, 0); err != nil {
			return nil, err
		}
	}
	for _, f := range w.composes {
		env := path.Join(path.Dir(f.Path), envName)
		c := h.composeOf(f, env)
		if as := w.name(env); c.envErr != nil && !slices.ContainsFunc(w.found.Skipped,
			func(s string) bool { return strings.HasPrefix(s, as+": ") }) {
			w.found.Skipped = append(w.found.Skipped, as+": "+reasonOf(c.envErr))
		}
		w.found.Composes = append(w.found.Composes, c)
	}
	w.found.Composes = h.withOverrides(w.found.Composes)
	if len(w.found.Dockerfiles)+len(w.found.Composes)+len(w.found.Skipped) == 0 {
		return nil, fmt.Errorf("no Dockerfile and no Compose file: %w", ErrAbsent)
	}
	return w.found, nil
}

type sourceWalk struct {
	host     *Host
	root, as string
	seen     map[string]bool // by where it really is
	entries  int
	files    int
	full     bool
	composes []*SourceFile
	found    *Sources
}

func (w *sourceWalk) skip(p, why string) {
	w.found.Skipped = append(w.found.Skipped, w.name(p)+": "+why)
}

// name is what a path below the root is called.
func (w *sourceWalk) name(p string) string {
	return path.Join(w.as, strings.TrimPrefix(strings.TrimPrefix(p, w.root), "/"))
}

// skipped are directories of other people's sources, and of bookkeeping.
var skippedDirs = map[string]bool{".git": true, ".hg": true, ".svn": true, "node_modules": true}

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
	for _, name := range names {
		if w.entries++; w.entries > maxSourceEntries {
			if !w.full {
				w.full = true
				w.skip(dir, fmt.Sprintf("more than %d files, the limit: look at fewer directories", maxSourceEntries))
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
	switch {
	case errors.Is(err, fs.ErrNotExist): // a link that leads nowhere, or a file that has just gone
		return nil
	case errors.Is(err, ErrOutside) || err == nil && !Within(info.Path, w.root):
		if kind != noSource {
			w.skip(p, "a link that leads out of "+w.as)
		} else if name != envName {
			w.found.Outside = append(w.found.Outside, w.name(p))
		}
		return nil
	case err != nil:
		if kind != noSource {
			w.skip(p, reasonOf(err))
		}
		return nil
	case kind != noSource && info.Type != 0 && !info.Type.IsDir():
		w.skip(p, "not a regular file")
		return nil
	case kind != noSource && info.Type == 0 && info.Links > 1:
		w.skip(p, fmt.Sprintf("it has %d names (hard links), of which one may be outside", info.Links))
		return nil
	case info.Type.IsDir() && !skippedDirs[name]:
		return w.dir(info.Path, depth+1)
	case kind == noSource || info.Type != 0 || w.seen[info.Path]:
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
	if info.Size > maxSourceSize {
		w.skip(p, fmt.Sprintf("%d bytes are more than any of its kind has: the limit is %d", info.Size, maxSourceSize))
		return nil
	}
	if err := w.host.spent.Spend(budget.Bytes, int(info.Size), 0); err != nil {
		w.skip(p, err.Error())
		return nil
	}
	file, err := w.host.File(p)
	if err != nil {
		w.skip(p, reasonOf(err))
		return nil
	}
	f := &SourceFile{Path: info.Path, As: w.name(info.Path), Root: w.root, Data: file.Data}
	if kind == composeSource {
		w.composes = append(w.composes, f)
	} else {
		w.found.Dockerfiles = append(w.found.Dockerfiles, parseDockerfile(f, w.host.spent))
	}
	return nil
}

// reasonOf is an error without the path that stands before it anyway.
func reasonOf(err error) string { return bare(err).Error() }

func bare(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

type kindOfSource int

const (
	noSource kindOfSource = iota
	dockerSource
	composeSource
)

// notSources are endings of what is named like a Dockerfile and is none: templates, and lists of what to ignore.
var notSources = []string{".dockerignore", ".containerignore", ".j2", ".jinja", ".jinja2", ".tmpl", ".tpl", ".template", ".erb", ".in", ".m4",
	".md", ".txt", ".bak", ".orig", ".swp", ".go", ".py", ".js", ".ts", ".sh", ".yml", ".yaml", ".json"}

// IsDockerfile reports whether a file of that name is taken for a Dockerfile.
func IsDockerfile(name string) bool { return sourceKind(name) == dockerSource }

// sourceKind tells by its name what a file is.
func sourceKind(name string) kindOfSource {
	lower := strings.ToLower(name)
	if ext := path.Ext(lower); ext == ".yml" || ext == ".yaml" {
		base := strings.TrimSuffix(lower, ext)
		for _, stem := range []string{"compose", "docker-compose"} {
			if base == stem || strings.HasPrefix(base, stem+".") || strings.HasPrefix(base, stem+"-") {
				return composeSource
			}
		}
		return noSource
	}
	for _, stem := range []string{"dockerfile", "containerfile"} {
		if lower == stem || strings.HasSuffix(lower, "."+stem) {
			return dockerSource
		}
		if strings.HasPrefix(lower, stem+".") && !slices.ContainsFunc(notSources, func(end string) bool { return strings.HasSuffix(lower, end) }) {
			return dockerSource
		}
	}
	return noSource
}
