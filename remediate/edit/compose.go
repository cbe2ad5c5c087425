package edit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"example.com/harden/checks/want"
)

// Compose brings a service of a Compose file to hold what is wanted. An element of a list is found by what it holds and
// not by its index, which an earlier edit may have changed.
func Compose(data []byte, w want.Compose) ([]byte, error) {
	key := slices.Clone(w.Key)
	if w.Was != "" {
		i, err := element(data, append([]string{"services", w.Service}, key[:len(key)-1]...), w.Was)
		if err != nil {
			return nil, err
		}
		key[len(key)-1] = strconv.Itoa(i)
		if w.Value == nil && i == 0 && lone(data, append([]string{"services", w.Service}, key[:len(key)-1]...)) {
			key = key[:len(key)-1] // an empty list says nothing that none does not say
		}
	}
	return YAML(data, append([]string{"services", w.Service}, key...), w.Value)
}

// sequence is the list at a path.
func sequence(data []byte, path []string) (*yaml.Node, error) {
	top, err := parseYAML(data)
	if err != nil {
		return nil, err
	}
	for _, name := range path {
		if top == nil {
			break
		}
		i := child(top, name)
		if i < 0 {
			top = nil
			break
		}
		top = top.Content[i]
	}
	if top == nil || top.Kind != yaml.SequenceNode {
		return nil, fmt.Errorf("%s: no list", strings.Join(path, "."))
	}
	return top, nil
}

func element(data []byte, path []string, was string) (int, error) {
	list, err := sequence(data, path)
	if err != nil {
		return 0, err
	}
	i := slices.IndexFunc(list.Content, func(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Value == was })
	if i < 0 {
		return 0, fmt.Errorf("%s: the element to change is not there", strings.Join(path, "."))
	}
	return i, nil
}

func lone(data []byte, path []string) bool {
	list, err := sequence(data, path)
	return err == nil && len(list.Content) == 1
}
