package facts

import (
	"cmp"
	"slices"

	"go.yaml.in/yaml/v3"
)

// A serviceUser is a service that changes with another, or with a mapping.
type serviceUser struct {
	name  string
	place int // in the file's order
}

// serviceUsers tells who would change with a service by its name, and with a mapping that aliases and merge keys name.
type serviceUsers struct {
	extends map[string][]serviceUser
	repeats map[*yaml.Node][]serviceUser
}

// index notes the services by their names, and who uses which.
func (c *Compose) index(services *yaml.Node) {
	c.named = map[string]*yaml.Node{}
	c.users = serviceUsers{map[string][]serviceUser{}, map[*yaml.Node][]serviceUser{}}
	if services == nil {
		return
	}
	for i := 0; i+1 < len(services.Content); i += 2 {
		name, node := services.Content[i].Value, services.Content[i+1]
		if c.named[name] == nil {
			c.named[name] = node
		}
		user := serviceUser{name, i}
		if node.Kind == yaml.AliasNode {
			c.users.repeats[follow(node)] = append(c.users.repeats[follow(node)], user)
		}
		if e := field(node, "extends"); e != nil && field(e, "file") == nil {
			c.users.extends[e.Value] = append(c.users.extends[e.Value], user)
			if n := field(e, "service"); n != nil {
				c.users.extends[n.Value] = append(c.users.extends[n.Value], user)
			}
		}
		for _, m := range mergedInto(node) {
			c.users.repeats[m] = append(c.users.repeats[m], user)
		}
	}
}

// sharedWith names who else changes when a service does, the first in the file's order.
func (c *Compose) sharedWith(name string) string {
	var first []serviceUser
	for _, users := range [][]serviceUser{c.users.extends[name], c.users.repeats[follow(c.named[name])]} {
		if i := slices.IndexFunc(users, func(u serviceUser) bool { return u.name != name }); i >= 0 {
			first = append(first, users[i])
		}
	}
	if len(first) == 0 {
		return ""
	}
	return slices.MinFunc(first, func(a, b serviceUser) int { return cmp.Compare(a.place, b.place) }).name
}
