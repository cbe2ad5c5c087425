package source

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"example.com/harden/checks/budget"
	"example.com/harden/checks/facts"
)

// A composeReader reads Compose files, and those that they include or extend.
type composeReader struct {
	host *facts.Host
	// open opens a file that another names, by the rule for sources. Nil where no other file is looked into: those that
	// labels name are only a claim.
	open     func(from *Compose, p string) (*File, error)
	files    int
	included map[string]bool      // by path
	bases    map[baseKey]*Compose // files that services of others extend
	users    map[string]string    // by path and name of a service: which service of another file extends it
}

type baseKey struct{ path, dir, env string }

var errNothing = errors.New("nothing in it; Compose would not read it alone")

func newComposeReader(h *facts.Host, open func(*Compose, string) (*File, error)) *composeReader {
	return &composeReader{host: h, open: open, included: map[string]bool{}, bases: map[baseKey]*Compose{},
		users: map[string]string{}}
}

// ComposeOf reads a Compose file that names no others, and the values of variables from environment files, of which the
// last counts most and none need exist.
func ComposeOf(h *facts.Host, f *File, dir string, envFiles ...string) *Compose {
	return newComposeReader(h, nil).project(f, dir, envFiles)
}

// project reads a file with its services.
func (r *composeReader) project(f *File, dir string, envFiles []string) *Compose {
	c := r.compose(f, dir)
	if c.Err = composeEnv(r.host, c, envFiles, true); c.Err != nil {
		return c
	}
	if c.Err = c.parse(r, true); c.Err != nil && c.docs == nil {
		return c
	}
	return c.resolve().within()
}

func (r *composeReader) compose(f *File, dir string) *Compose {
	return &Compose{File: *f, Dir: dir, env: map[string]string{}, cost: budget.New(f.As, r.host.Spent())}
}

// composeEnv reads environment files of a project. Values that it has already count more, but for those of an earlier
// file of the same list.
func composeEnv(h *facts.Host, c *Compose, files []string, optional bool) error {
	read := map[string]string{}
	for _, file := range files {
		as := file
		if path.Dir(file) == path.Dir(c.Path) {
			as = path.Join(path.Dir(c.As), path.Base(file))
		}
		cost := budget.New(as, h.Spent())
		env, err := facts.FileWithin(h, cost, file)
		if err == nil {
			err = DotEnv(env.Data, read, c.env, cost)
		}
		switch {
		case errors.Is(err, budget.Err), err != nil && !optional:
			return fmt.Errorf("%s: %w", as, facts.Bare(err))
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			c.envErr = err
		}
	}
	maps.Copy(read, c.env)
	c.env = read
	return nil
}

// parse reads the documents. An error says at most where it is, since what follows in the parser's may quote the file.
func (c *Compose) parse(r *composeReader, includes bool) error {
	trees, err := c.cost.Documents(c.Data, maxDocuments+1)
	if errors.Is(err, budget.Err) {
		return err
	}
	if err != nil {
		if _, rest, ok := strings.Cut(err.Error(), "yaml: line "); ok {
			line, _, _ := strings.Cut(rest, ":")
			return fmt.Errorf("%s: not YAML: line %s", c.As, line)
		}
		return fmt.Errorf("%s: not YAML", c.As)
	}
	switch {
	case len(trees) == 0:
		return fmt.Errorf("%s: %w", c.As, errNothing)
	case len(trees) > maxDocuments:
		return fmt.Errorf("%s: more than %d documents, the limit", c.As, maxDocuments)
	}
	var docs []*composeDoc
	for _, t := range trees {
		d, err := c.document(r, t)
		if err != nil {
			return err
		}
		docs = append(docs, d)
	}
	if !slices.ContainsFunc(docs, (*composeDoc).composes) {
		return fmt.Errorf("%s: it has no services", c.As)
	}
	c.docs = docs
	for _, d := range docs {
		if err := d.include(r, includes); err != nil {
			return err
		}
	}
	return nil
}

// maxDocuments is how many documents one file may have.
const maxDocuments = 16

// sections are keys of which one tells that a document is for Compose.
var sections = []string{"services", "include", "name", "networks", "volumes", "secrets", "configs", "models"}

func (d *composeDoc) composes() bool {
	return slices.ContainsFunc(sections, func(key string) bool { return keyNode(d.top, key) != nil })
}

func (c *Compose) document(r *composeReader, t *budget.Tree) (*composeDoc, error) {
	top := follow(t.Root.Content[0])
	if top.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s: line %d: no mapping, so no Compose file", c.As, top.Line)
	}
	if err := c.twice(top); err != nil {
		return nil, err
	}
	services := FieldOf(top, "services")
	if services != nil && isNull(services) {
		services = nil
	}
	if services != nil && services.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s: line %d: services is not a mapping", c.As, services.Line)
	}
	d := &composeDoc{file: c, top: top, tree: t, services: services, reader: r, extended: map[string]*Compose{},
		tags: strings.Contains(string(c.Data), tagReset) || strings.Contains(string(c.Data), tagOverride)}
	if err := c.variables(top); err != nil {
		return nil, err
	}
	d.name(services)
	return d, nil
}

// twice refuses a mapping that has a key twice, as Compose does.
func (c *Compose) twice(n *yaml.Node) error {
	if n.Kind == yaml.MappingNode {
		seen := map[string]int{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if first := seen[key.Value]; first > 0 {
				return fmt.Errorf("%s: line %d: the key of line %d again, which Compose refuses", c.As, key.Line, first)
			}
			seen[key.Value] = key.Line
		}
	}
	for _, child := range n.Content {
		if err := c.twice(child); err != nil {
			return err
		}
	}
	return nil
}

// extends reads another file for what a service of it is extended by.
func (d *composeDoc) extends(from *yaml.Node, name, user string) (*Compose, error) {
	p, err := d.file.text(from)
	if err != nil {
		return nil, err
	}
	r := d.reader
	base := d.extended[p]
	if base == nil {
		if r.open == nil {
			return nil, errors.New("it extends one of another file, which is not looked into")
		}
		if base, err = r.base(d.file, p); err != nil {
			return nil, fmt.Errorf("it extends one of %s: %w", facts.Clip(p), err)
		}
		d.extended[p] = base
	}
	if key := base.Path + "\x00" + name; r.users[key] == "" {
		r.users[key] = user + " of " + d.file.As
	}
	return base, base.Err
}

// base reads a file of which others extend services. Its own include counts for nothing, as in compose-go.
func (r *composeReader) base(c *Compose, p string) (*Compose, error) {
	f, err := r.named(c, p)
	if err != nil {
		return nil, err
	}
	key := baseKey{f.Path, path.Dir(f.Path), fmt.Sprint(c.env)}
	if r.bases[key] == nil {
		b := r.compose(f, path.Dir(f.Path))
		b.env = c.env
		r.bases[key] = b
		b.Err = b.parse(r, false)
	}
	return r.bases[key], nil
}

// named opens a file that a Compose file names.
func (r *composeReader) named(c *Compose, p string) (*File, error) {
	if strings.Contains(p, "://") || strings.HasPrefix(p, "git@") || strings.HasPrefix(p, "oci:") {
		return nil, errors.New("harden does not read files of other machines")
	}
	if r.files++; r.files > maxSourceFiles {
		return nil, fmt.Errorf("more than %d files are included or extended, the limit", maxSourceFiles)
	}
	if !path.IsAbs(p) {
		p = path.Join(c.Dir, p)
	}
	f, err := r.open(c, path.Clean(p))
	if err != nil {
		return nil, errors.New(reasonOf(err))
	}
	return f, nil
}
