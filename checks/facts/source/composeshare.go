package source

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

// name notes the services by their names, and who uses which. Services may be merged in.
func (d *composeDoc) name(services *yaml.Node) {
	d.named = map[string]*yaml.Node{}
	d.users = serviceUsers{map[string][]serviceUser{}, map[*yaml.Node][]serviceUser{}}
	var add func(services *yaml.Node, depth int)
	add = func(services *yaml.Node, depth int) {
		if services == nil || services.Kind != yaml.MappingNode || depth > MaxChains {
			return
		}
		for i := 0; i+1 < len(services.Content); i += 2 {
			if name := services.Content[i].Value; name != mergeKey && d.named[name] == nil {
				d.named[name] = services.Content[i+1]
				d.use(serviceUser{name, len(d.order)}, services.Content[i+1])
				d.order = append(d.order, name)
			}
		}
		for _, m := range MergedInto(services) {
			add(m, depth+1)
		}
	}
	add(services, 0)
}

func (d *composeDoc) use(user serviceUser, node *yaml.Node) {
	if node.Kind == yaml.AliasNode {
		d.users.repeats[follow(node)] = append(d.users.repeats[follow(node)], user)
	}
	if e := FieldOf(node, "extends"); e != nil && FieldOf(e, "file") == nil {
		if n := FieldOf(e, "service"); n != nil {
			e = n
		}
		if name, err := d.file.text(e); err == nil {
			d.users.extends[name] = append(d.users.extends[name], user)
		}
	}
	for _, m := range MergedInto(node) {
		d.users.repeats[m] = append(d.users.repeats[m], user)
	}
}

// sharedWith names who else changes when a service does, the first in the file's order.
func (c *Compose) sharedWith(name string) string {
	var shared string
	c.each(func(o *Compose) {
		for _, d := range o.docs {
			shared = cmp.Or(shared, d.sharedWith(name))
		}
	})
	return shared
}

func (d *composeDoc) sharedWith(name string) string {
	var first []serviceUser
	for _, users := range [][]serviceUser{d.users.extends[name], d.users.repeats[follow(d.named[name])]} {
		if i := slices.IndexFunc(users, func(u serviceUser) bool { return u.name != name }); i >= 0 {
			first = append(first, users[i])
		}
	}
	if len(first) == 0 {
		return ""
	}
	return slices.MinFunc(first, func(a, b serviceUser) int { return cmp.Compare(a.place, b.place) }).name
}
