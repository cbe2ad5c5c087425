package source

import (
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"example.com/harden/checks/budget"
)

type variables map[string]string

func (v variables) Get(name string) (string, bool) { s, ok := v[name]; return s, ok }

func (v variables) Keys() []string { return slices.Sorted(maps.Keys(v)) }

// expandWord puts variables into a word. known tells whether each of them has a value, or a default. A word that would
// grow beyond the file's budget is left as it is.
func (d *Dockerfile) expandWord(word string, vars map[string]string, line int) (value string, known bool) {
	if strings.Contains(word, "$") && d.spend(word, vars, line) != nil {
		return word, false
	}
	return d.expanded(word, vars)
}

func (d *Dockerfile) expanded(word string, vars map[string]string) (value string, known bool) {
	result, err := shell.NewLex(d.Escape).ProcessWordWithMatches(word, variables(vars))
	if err != nil {
		return word, false
	}
	return result.Result, len(result.Unmatched) == 0
}

var (
	referenceExpr = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\$\{?([A-Za-z_][A-Za-z0-9_]*)`) })
	patternExpr   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\$\{[A-Za-z_][A-Za-z0-9_]*[#%/]`) })
)

// spend takes from the budget what a word can grow to at most, and what it takes to find that out. Each variable adds
// its value. A replacement, as in "${A//a/$B}", multiplies it, and replacements can be nested.
func (d *Dockerfile) spend(word string, vars map[string]string, line int) error {
	sum, product := len(word), 1.0
	for _, m := range referenceExpr().FindAllStringSubmatch(word, -1) {
		n := len(vars[m[1]])
		sum += n
		product *= float64(n + 1)
	}
	braces, patterns := strings.Count(word, "${"), len(patternExpr().FindAllStringIndex(word, -1))
	if err := d.cost.Spend(budget.Steps, len(word)*braces+patterns*sum, line); err != nil {
		return err
	}
	if patterns > 0 && strings.Contains(word, "/") {
		sum = int(min(product*float64(len(word)), math.MaxInt32))
	}
	return d.cost.Spend(budget.Text, sum, line)
}

// assign takes the defaults of an ARG up, which has nothing to say where there is a value. One without a default gets
// what outer has of that name.
func (d *Dockerfile) assign(vars map[string]string, arg instructions.ArgCommand, outer map[string]string) {
	for _, kv := range arg.Args {
		value, ok := outer[kv.Key]
		if kv.Value != nil {
			value, ok = d.expandWord(*kv.Value, vars, firstLine(arg.Location()))
		}
		if _, set := vars[kv.Key]; ok && !set {
			vars[kv.Key] = value
		}
	}
}

// variables are the values that ARG and ENV have given by the end of the final stage. It spends what Expand will for
// the words of its USER.
func (d *Dockerfile) variables() map[string]string {
	vars := map[string]string{}
	steps := d.Final().All()
	for _, step := range steps {
		switch c := step.Command.(type) {
		case *instructions.EnvCommand:
			for _, kv := range c.Env {
				if v, ok := d.expandWord(kv.Value, vars, step.Line); ok {
					vars[kv.Key] = v
				}
			}
		case *instructions.ArgCommand:
			d.assign(vars, *c, d.args)
		}
	}
	for _, step := range steps {
		if c, ok := step.Command.(*instructions.UserCommand); ok && d.spend(c.User, vars, step.Line) != nil {
			break
		}
	}
	return vars
}

// Expand puts the values into the word of a USER of the final stage that ARG and ENV have given by its end.
func (d *Dockerfile) Expand(word string) (value string, known bool) { return d.expanded(word, d.vars) }

// Names spends the names that are compared with the sources of an ADD.
func (d *Dockerfile) Names(n, line int) error { return d.cost.Spend(budget.Names, n, line) }
