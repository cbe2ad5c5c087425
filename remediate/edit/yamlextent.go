package edit

import "go.yaml.in/yaml/v3"

// An Extent is where a scalar stands in a document's bytes, quotes and the head of a block included, anchor and tag
// not.
type Extent struct{ Start, End int }

// Extents returns where every scalar of a document is, the keys among them. It is an error where that cannot be told
// for certain.
func Extents(data []byte, doc *yaml.Node) (map[*yaml.Node]Extent, error) {
	d := newYAMLDoc(data, nil)
	all := map[*yaml.Node]Extent{}
	return all, d.extents(all, doc, -1, false)
}

func (d *yamlDoc) extents(all map[*yaml.Node]Extent, n *yaml.Node, in int, flow bool) error {
	switch {
	case n.Kind == yaml.AliasNode || isEmpty(n):
		return nil
	case n.Kind == yaml.ScalarNode:
		end, err := d.end(n, in, flow)
		if err != nil {
			return err
		}
		all[n] = Extent{d.skipProperties(n, d.start(n)), end}
		return nil
	case n.Kind == yaml.DocumentNode || len(n.Content) == 0:
	case n.Style&yaml.FlowStyle != 0:
		flow = true
	case n.Kind == yaml.MappingNode:
		in = n.Content[0].Column - 1
	case n.Kind == yaml.SequenceNode:
		if dash, err := d.dash(n, 0); err == nil {
			in = dash - d.lineStart(dash)
		}
	}
	for _, c := range n.Content {
		if err := d.extents(all, c, in, flow); err != nil {
			return err
		}
	}
	return nil
}
