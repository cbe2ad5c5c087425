package source

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"

	"example.com/harden/checks/facts"
	"go.yaml.in/yaml/v3"
)

// include reads the files that a document includes, each with those that override it there.
func (d *composeDoc) include(r *composeReader, follow bool) error {
	list := FieldOf(d.top, "include")
	if list == nil || isNull(list) || !follow {
		return nil
	}
	c := d.file
	if list.Kind != yaml.SequenceNode {
		return fmt.Errorf("%s: include is not a list", c.At(list.Line))
	}
	if r.open == nil {
		return fmt.Errorf("%s: include: harden does not read included files", c.At(list.Line))
	}
	for _, entry := range (Value{Node: list, File: c}).Items() {
		inc, err := r.include(c, entry)
		if err != nil {
			return fmt.Errorf("%s: include: %w", c.At(entry.Line), err)
		}
		d.includes = append(d.includes, inc)
	}
	return nil
}

// include reads one entry of an include list: a file, and those that override it.
func (r *composeReader) include(c *Compose, entry Value) (*Compose, error) {
	paths, dir, envFiles, err := included(entry)
	if err != nil {
		return nil, err
	}
	var all []*Compose
	for i, p := range paths {
		f, err := r.named(c, p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", facts.Clip(p), err)
		}
		chain := append(slices.Clone(c.chain), c.Path)
		if slices.Contains(chain, f.Path) {
			return nil, fmt.Errorf("%s includes itself, in the end", f.As)
		}
		if len(chain) > MaxChains {
			return nil, fmt.Errorf("files include others in more than %d steps, the limit", MaxChains)
		}
		if i == 0 && dir == "" {
			dir = path.Dir(f.Path)
		}
		part := r.compose(f, dir)
		part.chain, part.env = chain, maps.Clone(c.env)
		if err := r.includeEnv(c, part, envFiles); err != nil {
			return nil, err
		}
		if err := part.parse(r, true); err != nil && (i == 0 || !errors.Is(err, errNothing)) {
			return nil, err
		}
		r.included[f.Path] = true
		all = append(all, part)
	}
	if len(all) == 0 {
		return nil, errors.New("no path")
	}
	over := slices.Clone(all[1:])
	slices.Reverse(over)
	all[0].over = over
	return all[0], nil
}

// includeEnv gives an included file the values of its own environment files, which count less than those of who
// includes it.
func (r *composeReader) includeEnv(c, part *Compose, envFiles []string) error {
	if envFiles == nil {
		return composeEnv(r.host, part, []string{path.Join(part.Dir, envName)}, true)
	}
	var files []string
	for _, f := range envFiles {
		if f == "/dev/null" {
			continue
		}
		if !path.IsAbs(f) {
			f = path.Join(c.Dir, f)
		}
		files = append(files, path.Clean(f))
	}
	return composeEnv(r.host, part, files, false)
}

// included is what an entry of an include list says, in the short form or the long.
func included(entry Value) (paths []string, dir string, envFiles []string, err error) {
	texts := func(v Value) (all []string) {
		for _, item := range v.Items() {
			text, errText := item.Text()
			err = errors.Join(err, errText)
			all = append(all, text)
		}
		return all
	}
	if entry.Node.Kind != yaml.MappingNode {
		return texts(entry), "", nil, err
	}
	if v, ok := entry.Field("path"); ok {
		paths = texts(v)
	}
	if v, ok := entry.Field("project_directory"); ok {
		dir, err = v.Text()
		if dir != "" && !path.IsAbs(dir) {
			dir = path.Join(entry.File.Dir, dir)
		}
	}
	if v, ok := entry.Field("env_file"); ok && !isNull(v.Node) {
		envFiles = texts(v)
	}
	return paths, dir, envFiles, err
}
