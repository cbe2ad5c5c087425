package guide

import (
	"path"
	"slices"
	"strings"

	"example.com/harden/checks/facts/docker"
)

// volumes are all of them: one that no container uses now may be what matters.
func (p *planner) volumes() {
	users := map[string][2]int{} // containers of a namespace of their own, and of the host's
	for _, i := range p.inspected {
		for _, m := range i.Mounts {
			n := users[m.Name]
			if p.host[i.ShortName()] {
				n[1]++
			} else {
				n[0]++
			}
			users[m.Name] = n
		}
	}
	for _, v := range p.State.Volumes {
		what := "volume " + show(v.Name)
		got := Volume{Name: v.Name, Driver: v.Driver, Options: v.Options, Labels: v.Labels}
		use := users[v.Name]
		got.Host = use[1] > 0 && use[0] == 0
		if use[1] > 0 && use[0] > 0 {
			p.leave(what, "containers with --userns=host use it beside others: to them its files belong to users "+
				"of the mapping")
		}
		switch {
		case v.Driver != "local":
			p.leave(what, "its driver is %s, which holds the content: owners are not changed", show(v.Driver))
		case len(v.Options) > 0:
			p.leave(what, "its options point to external content: owners are not changed")
		default:
			p.tree(what, &got)
		}
		p.Move.Volumes = append(p.Move.Volumes, got)
	}
	slices.SortFunc(p.Move.Volumes, func(a, b Volume) int { return strings.Compare(a.Name, b.Name) })
}

// tree takes up what a volume that is copied holds.
func (p *planner) tree(what string, v *Volume) {
	v.Source = path.Join("volumes", v.Name, "_data")
	if err := p.TreeErrs[v.Name]; err != nil {
		p.refuse("%s: %v", what, err)
		return
	}
	t := p.Trees[v.Name]
	v.Tree = t
	p.Space.Volumes += t.Bytes
	if t.NDevices > 0 {
		p.leave(what, "%d device nodes are not copied: %s", t.NDevices, some(t.Devices, t.NDevices))
	}
	if len(t.Mounts) > 0 {
		p.leave(what, "what is mounted in it is not copied: %s", some(t.Mounts, int64(len(t.Mounts))))
	}
	if t.NForeign > 0 && !v.Host {
		p.refuse("%s: %d files belong to users that have no place in the mapping: %s; give the user of the "+
			"mapping more IDs in "+
			"/etc/subuid and /etc/subgid, or the files other owners", what, t.NForeign, some(t.Foreign, t.NForeign))
	}
}

// binds tells what containers can't do any more with what they have of the host.
func (p *planner) binds() {
	mounts := map[string][]docker.Mount{} // by the container's ID
	for _, i := range p.inspected {
		mounts[i.ID] = i.Mounts
	}
	for n := range p.Move.Containers {
		c := &p.Move.Containers[n]
		for _, m := range mounts[c.ID] {
			if m.Type == "bind" && !c.Host {
				p.bind(c, m)
			}
		}
	}
}

func (p *planner) bind(c *Container, m docker.Mount) {
	b := p.Binds[m.Source]
	b.Source, b.Writes = m.Source, m.RW
	needs := uint32(0o4)
	if m.RW {
		needs = 0o6
	}
	inside := false
	if p.Mapping != nil { // somebody has given it to the mapping already
		root, _ := p.Mapping.UID(0)
		inside = b.UID == root
	}
	b.TakesAny = b.Mode&needs == needs
	c.Binds = append(c.Binds, b)
	what := "container " + show(c.Name)
	does := "read"
	if m.RW {
		does = "write"
	}
	switch {
	case b.Unknown == "" && (inside || b.TakesAny):
	case b.Unknown != "":
		p.leave(what, "it can %s %s of the host only where every user can: who owns it is not known (%s)", does,
			show(m.Source), b.Unknown)
	default:
		p.leave(what, "it can't %s %s of the host any more: it belongs to %d:%d with mode %04o, and root of the "+
			"container becomes another "+
			"user; give it to that user if the container needs it. It is not changed here", does, show(m.Source),
			b.UID, b.GID, b.Mode&0o7777)
	}
}
