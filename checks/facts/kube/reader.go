package kube

import (
	"path"
	"strings"

	"example.com/harden/checks/facts"
)

// Unprivileged returns the programs of the node that are started by a manifest or a unit and do not run as root.
func (n *Node) Unprivileged() []*Component {
	all, _ := facts.OncePer(n.host, "unprivileged", n, facts.Anew, func(*facts.Host, *Node) ([]*Component, error) {
		return n.findUnprivileged(), nil
	})
	return all
}

func (n *Node) findUnprivileged() []*Component {
	var all []*Component
	for i := range n.all {
		c := &Component{Name: n.all[i].Container, Pod: &n.all[i], host: n.host}
		if !c.Identity().Root() {
			c.Next = n.all[i].flags()
			all = append(all, c)
		}
	}
	for _, name := range Programs {
		if c, err := n.Component(name); err == nil && !c.Identity().Root() && (c.Pod == nil || c.Pod.Runs.Root()) {
			all = append(all, c)
		}
	}
	return all
}

// Needs reports whether the component reads a file of the node, or searches a directory, as whoever it runs as: it
// can now, and either the file is given to its user or group, or its arguments name it.
func (c *Component) Needs(file facts.Info) bool {
	id := c.Identity()
	if !c.reaches(file.Path) || !id.Reads(file) {
		return false
	}
	return id.Class(file) != 0o004 || c.names(file.Path)
}

// reaches reports whether a path of the node is in what the component sees of it.
func (c *Component) reaches(file string) bool {
	if c.Pod == nil {
		return true
	}
	for _, m := range c.Pod.Mounts {
		if facts.Within(file, realPath(c.host, m.HostPath)) {
			return true
		}
	}
	return false
}

// names reports whether the component's arguments, or its environment, name a path of the node or something below it.
func (c *Component) names(file string) bool {
	var words []string
	for _, f := range c.Next {
		for _, v := range f.Values {
			words = append(words, strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == '=' })...)
		}
	}
	if c.Pod != nil {
		for _, v := range c.Pod.Env {
			words = append(words, v)
		}
	}
	for _, w := range words {
		if !path.IsAbs(w) {
			continue
		}
		if on, ok := c.HostPath(w); ok && facts.Within(realPath(c.host, on), file) {
			return true
		}
	}
	return false
}

// realPath is where a path leads, or the path itself where nothing is.
func realPath(h *facts.Host, p string) string {
	if i, err := h.Info(p); err == nil {
		return i.Path
	}
	return path.Clean(p)
}
