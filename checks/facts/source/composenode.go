package source

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// Tags of Compose: what has one takes away what files that count less say there.
const (
	tagReset    = "!reset"
	tagOverride = "!override"
)

// follow is what an alias stands for.
func follow(n *yaml.Node) *yaml.Node {
	for range MaxChains {
		if n == nil || n.Kind != yaml.AliasNode {
			return n
		}
		n = n.Alias
	}
	return n
}

// tagged reports whether a value, or what it is an alias of, has a tag.
func tagged(n *yaml.Node, tag string) bool {
	n = follow(n)
	return n != nil && n.Tag == tag
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// FieldOf is the value of a key that a mapping has, itself or merged in, aliases followed; nil where it has none.
func FieldOf(n *yaml.Node, key string) *yaml.Node {
	n, _ = lookup(follow(n), key, 0)
	return follow(n)
}

// raw is the value of a mapping's own key, an alias as such. One that is reset is not there.
func raw(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key && !tagged(n.Content[i+1], tagReset) {
			return n.Content[i+1]
		}
	}
	return nil
}

// lookup is the value of a mapping's key, its own or one that is merged in.
func lookup(n *yaml.Node, key string, depth int) (value *yaml.Node, own bool) {
	if value = raw(n, key); value != nil || n == nil || key == mergeKey || depth > MaxChains {
		return value, true
	}
	for _, m := range MergedInto(n) {
		if value, _ = lookup(m, key, depth+1); value != nil {
			return value, false
		}
	}
	return nil, false
}

// MergedInto are the mappings that a mapping's merge key names.
func MergedInto(node *yaml.Node) []*yaml.Node {
	m := follow(raw(follow(node), mergeKey))
	switch {
	case m == nil:
		return nil
	case m.Kind == yaml.SequenceNode:
		var all []*yaml.Node
		for _, n := range m.Content {
			all = append(all, follow(n))
		}
		return all
	}
	return []*yaml.Node{m}
}

// A composeMask takes away what layers of later groups say at a path below the service.
type composeMask struct {
	path  []string
	group int
}

// masksOf are the paths below a mapping at which something has one of Compose's tags.
func masksOf(n *yaml.Node, path []string, depth int, add func([]string)) {
	if depth > MaxChains {
		return
	}
	switch {
	case n.Tag == tagReset, n.Tag == tagOverride:
		add(append([]string(nil), path...))
	case n.Kind == yaml.AliasNode:
		masksOf(follow(n), path, depth+1, add)
	case n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if key := n.Content[i].Value; key != mergeKey {
				masksOf(n.Content[i+1], append(path, key), depth, add)
			}
		}
	}
}

// without is a mapping without what is at a path in it; what is not on the way stays the same.
func without(n *yaml.Node, path []string) *yaml.Node {
	n = follow(n)
	copied := *n
	copied.Content = nil
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			switch {
			case key.Value == mergeKey && follow(value).Kind == yaml.SequenceNode:
				list := *follow(value)
				list.Content = nil
				for _, m := range follow(value).Content {
					list.Content = append(list.Content, without(m, path))
				}
				value = &list
			case key.Value == mergeKey:
				value = without(value, path)
			case key.Value == path[0] && len(path) == 1:
				continue
			case key.Value == path[0]:
				value = without(value, path[1:])
			}
			copied.Content = append(copied.Content, key, value)
		}
	case yaml.SequenceNode: // NAME=VALUE
		for _, item := range n.Content {
			if name, _, _ := strings.Cut(follow(item).Value, "="); len(path) > 1 || name != path[0] {
				copied.Content = append(copied.Content, item)
			}
		}
	default:
		return n
	}
	return &copied
}
