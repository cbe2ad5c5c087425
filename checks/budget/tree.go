package budget

import (
	"bytes"
	"errors"
	"io"

	"go.yaml.in/yaml/v3"
)

// Documents reads every document of a YAML text, at most so many, each as its tree. The error is the parser's own, or
// an Exceeded. A tree that it returns is small also where each alias counts as all that it stands for, and has no
// circle.
func (b *Budget) Documents(data []byte, most int) ([]*Tree, error) {
	if err := b.YAML(data); err != nil {
		return nil, err
	}
	var all []*Tree
	for d := yaml.NewDecoder(bytes.NewReader(data)); len(all) < most; {
		doc := new(yaml.Node)
		if err := d.Decode(doc); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return all, err
		}
		tree, err := b.tree(doc)
		if err != nil {
			return nil, err
		}
		all = append(all, tree)
	}
	return all, nil
}

// Unmarshal is yaml.Unmarshal within the budget of one file.
func Unmarshal(data []byte, into any) error {
	if _, err := New("", nil).Documents(data, 1); err != nil {
		return err
	}
	return yaml.Unmarshal(data, into)
}

// A Tree tells of each node of a document how many values it stands for, aliases followed.
type Tree struct {
	Root   *yaml.Node // the document
	budget *Budget
	sizes  map[*yaml.Node]int // of mappings, lists and what aliases name; -1 while it is being counted
}

// tree counts a document's values and levels, and spends them. What an alias names counts each time.
func (b *Budget) tree(root *yaml.Node) (*Tree, error) {
	t := &Tree{Root: root, budget: b, sizes: map[*yaml.Node]int{}}
	size, err := t.count(root, 0)
	if err != nil {
		return nil, err
	}
	return t, b.Spend(Expanded, size, root.Line)
}

// Size is how many values a node of the tree stands for.
func (t *Tree) Size(n *yaml.Node) int {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return max(1, t.sizes[n])
}

func (t *Tree) count(n *yaml.Node, depth int) (int, error) {
	if n.Kind == yaml.AliasNode {
		size, known := t.sizes[n.Alias]
		switch {
		case size < 0: // it stands for what it is in: there is no end to it
			return 0, t.budget.cycle(n.Line)
		case known:
			return size + 1, nil
		}
		return 1, nil // a scalar
	}
	if err := t.budget.Deep(depth, n.Line); err != nil {
		return 0, err
	}
	if err := t.budget.Spend(Values, 1, n.Line); err != nil {
		return 0, err
	}
	size := 1
	if len(n.Content) > 0 {
		t.sizes[n] = -1
	}
	for _, c := range n.Content {
		more, err := t.count(c, depth+1)
		if err != nil {
			return 0, err
		}
		if size += more; size > t.budget.limits[Expanded] {
			return 0, t.budget.exceed(Expanded, c.Line)
		}
	}
	if len(n.Content) > 0 {
		t.sizes[n] = size
	}
	return size, nil
}
