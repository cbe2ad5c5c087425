package kubernetes

import (
	"fmt"
	"io/fs"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/kube"
	"example.com/harden/checks/want"
)

// locksOut says why a change of a file's mode or owner must not be made: a program that is not root could not read it
// any more, and would not start again. Owner and mode are judged apart and may be changed together, so that each must
// leave the program its own way in.
func locksOut(h *facts.Host, n *kube.Node, w want.Want) string {
	var file string
	switch w := w.(type) {
	case want.Mode:
		file = w.File
	case want.Owner:
		file = w.File
	default:
		return ""
	}
	now, err := h.Info(file)
	if err != nil {
		return ""
	}
	for _, c := range n.Unprivileged() {
		if !c.Needs(now) {
			continue
		}
		id, after := c.Identity(), now
		if m, ok := w.(want.Mode); ok {
			after.Mode = m.Mode
			if id.Reads(after) {
				continue
			}
			return fmt.Sprintf("%s runs as %s (%s) and could not read %s with mode %04o: %s", c.Name, id, id.From, file,
				m.Mode, stays(id, now))
		}
		if id.Class(now) == 0o004 { // it is read as anybody reads it, whoever owns it
			continue
		}
		return fmt.Sprintf("%s runs as %s (%s) and could not read %s if it belonged to root:root: %s", c.Name, id,
			id.From, file, stays(id, now))
	}
	return ""
}

// stays is what a person can do about a file that a program must go on reading.
func stays(id kube.Identity, now facts.Info) string {
	mode := fs.FileMode(0o640)
	if now.Type.IsDir() {
		mode = 0o750
	}
	if g := id.Group(); g != 0 && (now.UID != 0 || now.GID != g || now.Mode&^mode != 0) {
		return fmt.Sprintf("`chown root:%d` and `chmod %04o` keep it readable by the program's group", g, mode)
	}
	return "leave it as it is, and waive this check for it"
}

// fileFor is a file that harden adds for a program, readable by whom that runs as, and writable by root alone.
func fileFor(c *kube.Component, file, data string) want.Content {
	w := want.Content{File: file, Data: data, Mode: 0o600, Warrant: want.Mine}
	switch id := c.Identity(); {
	case id.Root():
	case id.Group() != 0:
		w.Mode, w.Owner = 0o640, fmt.Sprintf("root:%d", id.Group())
	default: // no group is known that the program has, and there is nothing secret in these files
		w.Mode = 0o644
	}
	return w
}

// unwritable says why a component could not write into a directory of the node; empty if it could.
func unwritable(h *facts.Host, c *kube.Component, dir string) string {
	id := c.Identity()
	if id.Root() {
		return ""
	}
	i, err := h.Info(dir)
	if err == nil && !id.Unsure && i.Mode&fs.FileMode(id.Class(i)>>1) != 0 {
		return ""
	}
	make := fmt.Sprintf("first run `install -d -o %d -m 0700 %s`", id.UID, dir)
	if id.Unsure {
		make = fmt.Sprintf("first make %s, writable by it", dir)
	}
	return fmt.Sprintf("%s runs as %s (%s), which cannot write to %s: %s", c.Name, id, id.From, dir, make)
}
