package edit

import (
	"go.yaml.in/yaml/v3"
)

// field is the value of a key of a mapping, nil where there is none. An alias is what it stands for.
func field(n *yaml.Node, name string) *yaml.Node {
	n = resolve(n)
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	if i := child(n, name); i >= 0 {
		return resolve(n.Content[i])
	}
	return nil
}

func resolve(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func elements(n *yaml.Node) []*yaml.Node {
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	all := make([]*yaml.Node, len(n.Content))
	for i, c := range n.Content {
		all[i] = resolve(c)
	}
	return all
}

// textAt is the scalar at a path of keys, empty where there is none.
func textAt(n *yaml.Node, path ...string) string {
	for _, name := range path {
		n = field(n, name)
	}
	if n == nil || n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}
