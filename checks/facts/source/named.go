package source

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"example.com/harden/checks/budget"
	"example.com/harden/checks/facts"
)

// composeFiles takes the files that an environment file names as a project's, whatever they are called.
func (w *sourceWalk) composeFiles(env string) {
	cost := budget.New(w.name(env), w.host.Spent())
	f, err := facts.FileWithin(w.host, cost, env)
	values := map[string]string{}
	if err == nil {
		err = DotEnv(f.Data, values, nil, cost)
	}
	if err != nil || values["COMPOSE_FILE"] == "" {
		return // who reads the file for a project tells
	}
	separator := values["COMPOSE_PATH_SEPARATOR"]
	if separator == "" {
		separator = ":"
	}
	for name := range strings.SplitSeq(values["COMPOSE_FILE"], separator) {
		if name == "" || name == "-" {
			continue
		}
		if !path.IsAbs(name) {
			name = path.Join(path.Dir(env), name)
		}
		if f := w.named(name, "COMPOSE_FILE in "+w.name(env)); f != nil {
			w.take(f, composeSource)
		}
	}
}

// named reads a file that another names as a source; nil where it has been taken already, or cannot be.
func (w *sourceWalk) named(p, by string) *File {
	info, err := w.host.Info(path.Clean(p))
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && w.seen[info.Path]:
		return nil
	case errors.Is(err, facts.ErrOutside) || err == nil && !facts.Within(info.Path, w.root):
		w.found.Left = append(w.found.Left, by+" names a file that is outside of "+w.as)
		return nil
	}
	w.files++
	var f *File
	if err == nil && w.files > maxSourceFiles {
		err = errors.New("it is one file more than the limit")
	}
	if err == nil {
		f, err = w.read(p, info, w.root, w.as)
	}
	if err != nil {
		w.skip(p, reasonOf(err))
		return nil
	}
	w.seen[info.Path] = true
	w.found.Left = slices.DeleteFunc(w.found.Left, func(l string) bool { return strings.HasPrefix(l, f.As+": ") })
	return f
}

// builds takes the Dockerfiles that services are built from and the walk has not found by their names, and those that
// are written in a Compose file.
func (w *sourceWalk) builds() {
	inline := map[*yaml.Node]bool{}
	for _, c := range w.found.Composes {
		w.root, w.as = c.Root, w.roots[c.Root]
		for _, s := range c.Services {
			if v, ok := s.Get("build", "dockerfile_inline"); ok && !inline[v.Node] {
				inline[v.Node] = true
				w.inline(s, v)
				continue
			}
			if v, ok := s.Get("build", "dockerfile"); ok {
				w.built(s, v)
			}
		}
	}
	slices.SortStableFunc(w.found.Dockerfiles, func(a, b *Dockerfile) int { return strings.Compare(a.Path, b.Path) })
}

func (w *sourceWalk) built(s *Service, name Value) {
	file, err := name.Text()
	dir := name.File.Dir
	if v, ok := s.Get("build", "context"); ok && err == nil {
		dir, err = v.Text()
		if !path.IsAbs(dir) {
			dir = path.Join(v.File.Dir, dir)
		}
	}
	// who starts the project chooses, or another machine has it
	if err != nil || file == "" || strings.Contains(dir, ":/") {
		return
	}
	if !path.IsAbs(file) {
		file = path.Join(dir, file)
	}
	if f := w.named(file, name.File.As+": service "+s.Name); f != nil {
		w.take(f, dockerSource)
	}
}

// inline judges what stands in a Compose file as a Dockerfile: its lines are those of that file.
func (w *sourceWalk) inline(s *Service, v Value) {
	text, err := v.Text()
	if err != nil {
		text = v.Said()
	}
	d := parseDockerfile(&File{Path: v.File.Path, As: v.File.As + " (" + s.Name + ")", Root: v.File.Root,
		Data: []byte(text)}, w.host.Spent())
	d.Inline = &v
	w.found.Dockerfiles = append(w.found.Dockerfiles, d)
}

// At is a place in the file as people write it.
func (d *Dockerfile) At(line int) string {
	if d.Inline == nil {
		return d.File.At(line)
	}
	return d.Inline.File.At(d.Inline.Line + line)
}
