package facts

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// A Dockerfile is one as BuildKit reads it.
type Dockerfile struct {
	SourceFile
	Escape rune // what continues a line
	Stages []Stage
	Err    error             // why it could not be read; there are no stages then
	args   map[string]string // values of ARG before the first FROM
}

// A Stage is one FROM and what follows it.
type Stage struct {
	Name   string
	Image  string // as written
	Base   string // Image with the values of ARG put in
	Known  bool   // all variables of Image have values
	Parent *Stage // the stage that it starts from; nil where that is an image
	Line   int
	Steps  []Step
}

// A Step is one instruction, those behind ONBUILD included.
type Step struct {
	instructions.Command
	Line, End int  // its first and last line
	OnBuild   bool // it is done in images made from this one, and not in this
}

// parseDockerfile reads a Dockerfile. BuildKit's errors quote the line, in which there may be a secret: only where it
// is wrong is kept.
func parseDockerfile(f *SourceFile) (d *Dockerfile) {
	d = &Dockerfile{SourceFile: *f}
	defer func() {
		if p := recover(); p != nil { // one file that the parser chokes on shall not take the others with it
			d.Stages, d.Err = nil, fmt.Errorf("%s: not a Dockerfile that BuildKit reads", f.As)
		}
	}()
	result, err := parser.Parse(bytes.NewReader(f.Data))
	if err != nil {
		d.Err = fmt.Errorf("%s: not a Dockerfile that BuildKit reads%s", f.As, errorLine(err))
		return d
	}
	d.Escape = result.EscapeToken
	stages, args, err := instructions.Parse(result.AST, nil)
	if err == nil && len(stages) == 0 {
		err = errors.New("no FROM")
	}
	if err != nil {
		d.Err = fmt.Errorf("%s: not a Dockerfile that BuildKit reads%s", f.As, errorLine(err))
		return d
	}
	d.args = map[string]string{}
	for _, a := range args {
		d.assign(d.args, a, nil)
	}
	d.Stages = make([]Stage, len(stages))
	for i, s := range stages {
		stage := Stage{Name: s.Name, Image: s.BaseName, Line: firstLine(s.Location)}
		stage.Base, stage.Known = expandWord(s.BaseName, d.args, d.Escape)
		for j := range i {
			if d.Stages[j].Name != "" && strings.EqualFold(d.Stages[j].Name, stage.Base) {
				stage.Parent = &d.Stages[j]
			}
		}
		for _, c := range s.Commands {
			stage.Steps = append(stage.Steps, steps(c)...)
		}
		d.Stages[i] = stage
	}
	return d
}

// errorLine tells where BuildKit's parser stopped.
func errorLine(err error) string {
	if e, ok := errors.AsType[*parser.LocationError](err); ok && len(e.Locations) > 0 {
		return fmt.Sprintf(": line %d", firstLine(e.Locations[0]))
	}
	return ""
}

func firstLine(rs []parser.Range) int {
	if len(rs) == 0 {
		return 0
	}
	return rs[0].Start.Line
}

func steps(c instructions.Command) []Step {
	step := Step{Command: c, Line: firstLine(c.Location())}
	for _, r := range c.Location() {
		step.End = max(step.End, r.End.Line)
	}
	on, ok := c.(*instructions.OnbuildCommand)
	if !ok {
		return []Step{step}
	}
	inner, err := parser.Parse(strings.NewReader(on.Expression))
	if err != nil {
		return []Step{step}
	}
	var out []Step
	for _, node := range inner.AST.Children {
		cmd, err := instructions.ParseCommand(node)
		if err != nil {
			return []Step{step}
		}
		out = append(out, Step{Command: cmd, Line: step.Line, End: step.End, OnBuild: true})
	}
	return out
}

// Final is the stage that the image is made of; nil where the file could not be read.
func (d *Dockerfile) Final() *Stage {
	if len(d.Stages) == 0 {
		return nil
	}
	return &d.Stages[len(d.Stages)-1]
}

// All gives the steps that make the stage's image, those of the stages that it starts from first.
func (s *Stage) All() []Step {
	var all []Step
	for ; s != nil; s = s.Parent {
		all = append(slices.Clone(s.Steps), all...)
	}
	return slices.DeleteFunc(all, func(x Step) bool { return x.OnBuild })
}

// From is the image that the stage starts from, through the stages between.
func (s *Stage) From() *Stage {
	for s.Parent != nil {
		s = s.Parent
	}
	return s
}

// expandWord puts variables into a word. known tells whether each of them has a value, or a default.
func expandWord(word string, vars map[string]string, escape rune) (value string, known bool) {
	lex := shell.NewLex(escape)
	result, err := lex.ProcessWordWithMatches(word, variables(vars))
	if err != nil {
		return word, false
	}
	return result.Result, len(result.Unmatched) == 0
}

// assign takes the defaults of an ARG up, which has nothing to say where there is a value. One without a default gets
// what outer has of that name.
func (d *Dockerfile) assign(vars map[string]string, arg instructions.ArgCommand, outer map[string]string) {
	for _, kv := range arg.Args {
		value, ok := outer[kv.Key]
		if kv.Value != nil {
			value, ok = expandWord(*kv.Value, vars, d.Escape)
		}
		if _, set := vars[kv.Key]; ok && !set {
			vars[kv.Key] = value
		}
	}
}

// Expand puts the values into a word that ARG and ENV have given by this step of the stage.
func (d *Dockerfile) Expand(s *Stage, word string) (value string, known bool) {
	vars := map[string]string{}
	for _, step := range s.All() {
		switch c := step.Command.(type) {
		case *instructions.EnvCommand:
			for _, kv := range c.Env {
				if v, ok := expandWord(kv.Value, vars, d.Escape); ok {
					vars[kv.Key] = v
				}
			}
		case *instructions.ArgCommand:
			d.assign(vars, *c, d.args)
		}
	}
	return expandWord(word, vars, d.Escape)
}

type variables map[string]string

func (v variables) Get(name string) (string, bool) { s, ok := v[name]; return s, ok }

func (v variables) Keys() []string { return slices.Sorted(maps.Keys(v)) }
