package source

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A Value is what a service, or a part of it, says under one key.
type Value struct {
	Node *yaml.Node // aliases followed
	File *Compose
	Path []string // in File, for an editor; nil where a change there would reach others
	Line int
}

// ErrVariable means that a value depends on a variable that only whoever starts the project sets.
var ErrVariable = errors.New("it depends on a variable")

// Text is a scalar with the values of variables that are known put in: those of the .env file, and defaults.
func (v Value) Text() (string, error) { return v.File.text(v.Node) }

// Said is a scalar as it is written, its variables by their names: what people are shown, who may not be meant to know
// what the .env file holds.
func (v Value) Said() string { return v.Node.Value }

// Told is a scalar with the defaults that stand in it put in, and variables that the .env file sets by their names:
// what can be split into parts and shown. Said cannot be split: a default may hold what it would be split at.
func (v Value) Told() string { return v.File.told(v.Node.Value) }

// Items are the elements of a list, or the one value that stands for a list, with the place of each.
func (v Value) Items() []Value {
	if v.Node.Kind != yaml.SequenceNode {
		return []Value{v}
	}
	var all []Value
	for i, n := range v.Node.Content {
		if tagged(n, tagReset) {
			continue
		}
		item := Value{Node: follow(n), File: v.File, Line: n.Line}
		if v.Path != nil && n.Kind != yaml.AliasNode {
			item.Path = append(slices.Clone(v.Path), fmt.Sprint(i))
		}
		all = append(all, item)
	}
	return all
}

// Field is what a mapping says under a key.
func (v Value) Field(key string) (Value, bool) {
	next, own := lookup(v.Node, key, 0)
	if next == nil {
		return Value{}, false
	}
	f := Value{Node: follow(next), File: v.File, Line: next.Line}
	if v.Path != nil && own && next.Kind != yaml.AliasNode {
		f.Path = append(slices.Clone(v.Path), key)
	}
	return f, true
}

// Assignments are the names and values of an environment, in either of the forms that Compose has for it. In a list the
// value is the whole element, NAME=VALUE.
func (v Value) Assignments() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		v.assignments(yield, 0)
	}
}

func (v Value) assignments(yield func(string, Value) bool, depth int) bool {
	switch {
	case depth > MaxChains: // gather has told of it
	case v.Node.Kind == yaml.SequenceNode:
		for _, item := range v.Items() {
			if name, _, _ := strings.Cut(item.Node.Value, "="); strings.Contains(name, "$") {
				told := *item.Node // Compose puts variables in before it looks for the "="
				told.Value = item.Told()
				item.Node = &told
			}
			if name, _, ok := strings.Cut(item.Node.Value, "="); ok && !yield(name, item) {
				return false
			}
		}
	case v.Node.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(v.Node.Content); i += 2 {
			name := v.Node.Content[i].Value
			if name == mergeKey {
				for _, m := range MergedInto(v.Node) {
					if !(Value{Node: m, File: v.File, Line: m.Line}).assignments(yield, depth+1) {
						return false
					}
				}
				continue
			}
			value := follow(v.Node.Content[i+1])
			if value.Kind == yaml.ScalarNode && !yield(name, Value{Node: value, File: v.File, Line: value.Line}) {
				return false
			}
		}
	}
	return true
}
