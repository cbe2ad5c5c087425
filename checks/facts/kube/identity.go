package kube

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"example.com/harden/checks/facts"
)

// An Identity is whom a program runs as, as far as files ask for it. The zero value is root.
type Identity struct {
	UID    uint32
	Groups []uint32 // all of them
	Unsure bool     // it is not root, or may not be, and who it is cannot be told
	From   string   // what says so: "securityContext in /etc/kubernetes/manifests/etcd.yaml"
}

// Root reports whether the program runs as root for certain.
func (i Identity) Root() bool { return i.UID == 0 && !i.Unsure }

// String names whom the program runs as.
func (i Identity) String() string {
	if i.Unsure {
		return "an unknown user"
	}
	return fmt.Sprintf("uid %d", i.UID)
}

// Class returns the permission bits that count for the program, the read bit of each class alone: 0400 of the owner,
// 0040 of the group, 0004 of all others. The kernel asks one class and no other.
func (i Identity) Class(file facts.Info) uint32 {
	switch {
	case i.Unsure && file.UID != 0: // it may be anybody
		return 0o400
	case i.Unsure && file.GID != 0:
		return 0o040
	case i.Unsure:
		return 0o004
	case i.UID == file.UID:
		return 0o400
	case slices.Contains(i.Groups, file.GID):
		return 0o040
	}
	return 0o004
}

// Reads reports whether the program can read a file, or search a directory, by its mode and owner.
func (i Identity) Reads(file facts.Info) bool {
	bit := i.Class(file)
	if file.Type.IsDir() {
		bit >>= 2
	}
	return i.Root() || uint32(file.Mode)&bit != 0
}

// Group is a group of the program's that a file can be given to; 0 where none but root's is known.
func (i Identity) Group() uint32 {
	if j := slices.IndexFunc(i.Groups, func(g uint32) bool { return g != 0 }); j >= 0 && !i.Unsure {
		return i.Groups[j]
	}
	return 0
}

// A securityContext is of a pod or of one of its containers, which beats the pod's.
// Source: kubernetes pkg/securitycontext/util.go, DetermineEffectiveSecurityContext.
type securityContext struct {
	User    *int64   `yaml:"runAsUser"`
	Group   *int64   `yaml:"runAsGroup"`
	NonRoot *bool    `yaml:"runAsNonRoot"`
	FSGroup *int64   `yaml:"fsGroup"`            // of a pod alone
	More    []uint32 `yaml:"supplementalGroups"` // of a pod alone
}

// identity is whom a container runs as. What nobody says its image does: those of Kubernetes say root.
func (pod *podFile) identity(c *podContainer, file string) Identity {
	p, own := pod.Spec.Security, c.Security
	user, group := cmp.Or(own.User, p.User), cmp.Or(own.Group, p.Group)
	nonRoot := cmp.Or(own.NonRoot, p.NonRoot)
	id := Identity{From: "securityContext in " + file}
	switch {
	case user == nil && nonRoot != nil && *nonRoot || pod.Spec.HostUsers != nil && !*pod.Spec.HostUsers:
		id.Unsure = true
	case user != nil:
		id.UID = uint32(*user)
	}
	for _, g := range []*int64{group, p.FSGroup} { // the program's own group comes first
		if g != nil {
			id.Groups = append(id.Groups, uint32(*g))
		}
	}
	id.Groups = append(id.Groups, p.More...)
	// the image's passwd may name another: then no file of root's group is meant for it
	if group == nil && user != nil && *user != 0 {
		id.Groups = append(id.Groups, 0)
	}
	return id
}

// Identity is whom the component would be started as next.
func (c *Component) Identity() Identity {
	var id Identity
	switch {
	case c.Pod != nil:
		id = c.Pod.Runs
	case c.Unit != "":
		id = unitIdentity(c.host, c.Unit)
	}
	// the image says so, or another program that starts it
	if p := c.Process; p != nil && p.UID != 0 && id.Root() && !c.anew && !p.OtherUsers {
		id = Identity{UID: p.UID, From: fmt.Sprintf("process %d", p.PID)}
	}
	return id
}

// unitIdentity is whom a service runs as. Source: systemd.exec(5), "User/Group Identity".
func unitIdentity(h *facts.Host, unit string) Identity {
	u, err := h.Unit(unit)
	if err != nil {
		return Identity{}
	}
	id := Identity{From: "User= of " + unit}
	if dynamic, ok := u.Get("Service", "DynamicUser"); ok &&
		slices.Contains([]string{"1", "yes", "true", "on"}, strings.ToLower(dynamic.Value)) {
		id.Unsure = true
		return id
	}
	user, ok := u.Get("Service", "User")
	if !ok || user.Value == "root" || user.Value == "0" {
		return Identity{}
	}
	if id.UID, err = number(user.Value, h.UserID); err != nil {
		id.Unsure = true
		return id
	}
	groups := []string{}
	if a, err := facts.AccountNamed(h, "/etc/passwd", user.Value); err == nil {
		groups = a.Fields[3:4]
	}
	if g, ok := u.Get("Service", "Group"); ok {
		groups = []string{g.Value}
	}
	for _, s := range u.All("Service", "SupplementaryGroups") {
		groups = append(groups, strings.Fields(s.Value)...)
	}
	for _, name := range groups {
		if gid, err := number(name, h.GroupID); err == nil {
			id.Groups = append(id.Groups, gid)
		}
	}
	return id
}

func number(name string, lookup func(string) (uint32, error)) (uint32, error) {
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		return uint32(n), nil
	}
	return lookup(name)
}
