package source

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"example.com/harden/checks/budget"
)

// A Dockerfile is one as BuildKit reads it.
type Dockerfile struct {
	File
	Escape rune // what continues a line
	Stages []Stage
	Inline *Value            // where it stands in a Compose file; nil of one that is a file
	Err    error             // why it could not be read; there are no stages then
	args   map[string]string // values of ARG before the first FROM
	vars   map[string]string // what ENV and ARG have given by the end of the final stage
	cost   *budget.Budget
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

// perInstruction is how many values an instruction counts for: BuildKit takes two kilobytes for each.
const perInstruction = 8

// parseDockerfile reads a Dockerfile. BuildKit's errors quote the line, in which there may be a secret: only where it
// is wrong is kept.
func parseDockerfile(f *File, all *budget.Budget) (d *Dockerfile) {
	d = &Dockerfile{File: *f, cost: budget.New(f.As, all)}
	defer func() {
		if p := recover(); p != nil { // one file that the parser chokes on shall not take the others with it
			d.Stages, d.Err = nil, fmt.Errorf("%s: not a Dockerfile that BuildKit reads", f.As)
		}
	}()
	if d.Err = d.cost.Lines(f.Data); d.Err != nil {
		return d
	}
	result, err := parser.Parse(bytes.NewReader(f.Data))
	if err != nil {
		d.Err = fmt.Errorf("%s: not a Dockerfile that BuildKit reads%s", f.As, errorLine(err))
		return d
	}
	d.Escape = result.EscapeToken
	if d.Err = d.cost.Spend(budget.Values, perInstruction*len(result.AST.Children), 0); d.Err != nil {
		return d
	}
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
	d.stages(stages)
	d.vars = d.variables()
	if d.Err = d.cost.Err(); d.Err != nil {
		d.Stages = nil
	}
	return d
}

func (d *Dockerfile) stages(parsed []instructions.Stage) {
	d.Stages = make([]Stage, len(parsed))
	named := map[string]*Stage{}
	for i, s := range parsed {
		stage := &d.Stages[i]
		*stage = Stage{Name: s.Name, Image: s.BaseName, Line: firstLine(s.Location)}
		stage.Base, stage.Known = d.expandWord(s.BaseName, d.args, stage.Line)
		stage.Parent = named[strings.ToLower(stage.Base)]
		if s.Name != "" {
			named[strings.ToLower(s.Name)] = stage
		}
		for _, c := range s.Commands {
			stage.Steps = append(stage.Steps, steps(c)...)
		}
	}
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
	var chain []*Stage
	for ; s != nil; s = s.Parent {
		chain = append(chain, s)
	}
	var all []Step
	for _, s := range slices.Backward(chain) {
		all = append(all, s.Steps...)
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
