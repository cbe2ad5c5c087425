package facts

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Labels by which Compose knows its containers again.
const (
	LabelComposeFiles = "com.docker.compose.project.config_files"
	LabelComposeDir   = "com.docker.compose.project.working_dir"
	LabelComposeOnce  = "com.docker.compose.oneoff"
)

// ErrNoSource means that nothing tells which file a container was made from.
var ErrNoSource = errors.New("no Compose file is known for it")

// ComposeService returns the service of a Compose file that a container was made from, as the file is now. It is
// ErrNoSource where Compose did not make it, or its file is not on this host.
func (h *Host) ComposeService(c *Container) (*Service, error) {
	l := c.Config.Labels
	name, files := l[LabelComposeService], l[LabelComposeFiles]
	switch {
	case !c.Sourced():
		return nil, ErrNoSource
	case !h.local():
		return nil, fmt.Errorf("%w on this machine", ErrNoSource)
	case strings.Count(files, ",") >= maxChains:
		return nil, fmt.Errorf("%w: its label names more than %d files, the limit", ErrNoSource, maxChains)
	}
	var all []*Compose // the first counts least
	for file := range strings.SplitSeq(files, ",") {
		if !path.IsAbs(file) { // as old versions wrote it
			file = path.Join(l[LabelComposeDir], file)
		}
		if !path.IsAbs(file) {
			return nil, ErrNoSource
		}
		f, err := h.Compose(file)
		if err != nil {
			return nil, err
		}
		if f.Err != nil {
			return nil, f.Err
		}
		all = append(all, f)
	}
	base := all[0]
	if len(all) > 1 {
		over := slices.Clone(all[1:])
		slices.Reverse(over)
		base = base.with(over)
	}
	i := slices.IndexFunc(base.Services, func(s *Service) bool { return s.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("%s: it no longer has a service %s", base.As, name)
	}
	return base.Services[i], nil
}

// Sourced reports whether Compose has made the container, and tells from which files.
func (c *Container) Sourced() bool {
	l := c.Config.Labels
	return l[LabelComposeFiles] != "" && l[LabelComposeProject] != "" && l[LabelComposeService] != "" &&
		!strings.EqualFold(l[LabelComposeOnce], "true")
}

func (h *Host) local() bool {
	e, err := h.Engine()
	return err == nil && e.Local
}

// Recreated reports whether a plan would have had a container made again from its Compose file.
func (h *Host) Recreated(c *Container) bool {
	l := c.Config.Labels
	return h.after.Recreated[l[LabelComposeProject]+"/"+l[LabelComposeService]]
}

// Unset reports whether the file depends on a variable that neither it nor the .env file beside it gives a value: one
// that only the shell had in which it was started.
func (c *Compose) Unset() bool {
	unset := false
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		if n.Kind == yaml.ScalarNode && strings.Contains(n.Value, "$") {
			if _, err := c.text(n); err != nil {
				unset = true
			}
		}
		for _, child := range n.Content {
			walk(child)
		}
	}
	walk(c.top)
	for _, o := range c.over {
		unset = unset || o.Unset()
	}
	return unset
}
