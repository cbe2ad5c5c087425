package source

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/compose-spec/compose-go/v2/template"
	"go.yaml.in/yaml/v3"

	"example.com/harden/checks/budget"
)

// variables spends what it can cost to put the values of variables in. The template's parser looks at the rest of a
// line again behind each brace, and a short text may name a long value often.
func (c *Compose) variables(top *yaml.Node) error {
	longest := 0
	for _, v := range c.env {
		longest = max(longest, len(v))
	}
	var walk func(n *yaml.Node) error
	walk = func(n *yaml.Node) error {
		if n.Kind == yaml.ScalarNode && strings.Contains(n.Value, "$") {
			for line := range strings.Lines(n.Value) {
				braces := strings.Count(line, "${")
				if err := c.cost.Spend(budget.Steps, len(line)*braces, n.Line); err != nil {
					return err
				}
			}
			if err := c.cost.Spend(budget.Text, strings.Count(n.Value, "$")*longest, n.Line); err != nil {
				return err
			}
		}
		for _, child := range n.Content {
			if err := walk(child); err != nil {
				return err
			}
		}
		return nil
	}
	return walk(top)
}

// Text puts the values of variables that are known into a scalar of this file.
func (c *Compose) text(n *yaml.Node) (string, error) {
	if !strings.Contains(n.Value, "$") {
		return n.Value, nil
	}
	unknown := false
	out, err := substituted(n.Value, func(name string, hasDefault bool) (string, bool) {
		v, ok := c.env[name]
		if !ok && !hasDefault {
			unknown = true
			return "", true // or else the library writes a warning of its own to the terminal
		}
		return v, ok
	})
	if err != nil || unknown {
		return "", fmt.Errorf("%s: %w", c.At(n.Line), ErrVariable)
	}
	return out, nil
}

// told puts only the defaults in, of variables that nothing else gives a value.
func (c *Compose) told(text string) string {
	out, err := substituted(text, func(name string, hasDefault bool) (string, bool) {
		if _, ok := c.env[name]; ok || !hasDefault {
			return "${" + name + "}", true
		}
		return "", false
	})
	if err != nil {
		return text
	}
	return out
}

// substituted puts values in for variables. A name that value does not know gets the default that it has in the text.
func substituted(text string, value func(name string, hasDefault bool) (string, bool)) (string, error) {
	var defaults map[string]bool
	return template.Substitute(text, func(name string) (string, bool) {
		if defaults == nil {
			defaults = WithDefaults(text)
		}
		return value(name, defaults[name])
	})
}

var defaultExpr = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\$\{([^${}:-]*):?-`) })

// WithDefaults are the names that have a default somewhere in a text: "${NAME:-default}".
func WithDefaults(text string) map[string]bool {
	names := map[string]bool{}
	for _, m := range defaultExpr().FindAllStringSubmatch(text, -1) {
		names[m[1]] = true
	}
	return names
}

// Unset reports whether the file depends on a variable that neither it nor the .env file beside it gives a value: one
// that only the shell had in which it was started.
func (c *Compose) Unset() bool {
	unset := false
	var walk func(f *Compose, n *yaml.Node)
	walk = func(f *Compose, n *yaml.Node) {
		if n.Kind == yaml.ScalarNode && strings.Contains(n.Value, "$") {
			if _, err := f.text(n); err != nil {
				unset = true
			}
		}
		for _, child := range n.Content {
			walk(f, child)
		}
	}
	c.each(func(f *Compose) {
		for _, d := range f.docs {
			walk(f, d.top)
		}
	})
	return unset
}
