// Package source judges the files that images and containers are made from, Dockerfiles and Compose files, by the items
// that the benchmark has for images and containers. It needs no Docker Engine.
package source

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/source"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/secret"
)

// mark stands for a secret wherever a finding has to name what is around it.
const mark = "‹secret›"

// masked is a piece of a source, on one line, short, and without its secrets.
func masked(text string) string {
	text = strings.Join(strings.Fields(secret.Mask(text, mark)), " ")
	const most = 120
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// dockerfiles judges each Dockerfile by itself. What could not be read makes the verdict unknown, unless something was
// found elsewhere; what only a person can tell is manual.
func dockerfiles(judge func(*facts.Host, *source.Dockerfile) ([]checks.Finding, error)) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		s, err := source.Of(h)
		if err != nil {
			return nil, err
		}
		if len(s.Dockerfiles) == 0 {
			return nil, unseen(s, rule.Inapplicable("no Dockerfile here"))
		}
		var all verdicts
		for _, d := range s.Dockerfiles {
			if d.Err != nil {
				all.add(nil, d.Err)
				continue
			}
			all.add(judge(h, d))
		}
		all.add(nil, unseen(s, nil))
		return all.settle()
	})
}

// unseen is an error where files were left out of the walk: what they hold is not known.
func unseen(s *source.Files, otherwise error) error {
	if len(s.Skipped) == 0 {
		return otherwise
	}
	return fmt.Errorf("not everything was checked: %s", strings.Join(s.Skipped, "; "))
}

// verdicts gathers what is said of several files.
type verdicts struct {
	findings []checks.Finding
	manual   []string
	errs     []error
	fits     bool // at least one file is such that the check is about it
}

func (v *verdicts) add(fs []checks.Finding, err error) {
	v.findings = append(v.findings, fs...)
	switch {
	case errors.Is(err, facts.ErrAbsent):
		return
	case errors.Is(err, checks.ErrManual):
		v.manual = append(v.manual, strings.TrimSuffix(err.Error(), ": "+checks.ErrManual.Error()))
	case err != nil:
		v.errs = append(v.errs, err)
	}
	v.fits = true
}

// once keeps one of findings that are the same in all: a file that two projects include is judged with both.
func (v *verdicts) once() {
	type what struct{ subject, got, must, place string }
	seen := map[what]bool{}
	v.findings = slices.DeleteFunc(v.findings, func(f checks.Finding) bool {
		key := what{f.Subject, f.Got, f.Must, f.Place}
		again := seen[key]
		seen[key] = true
		return again
	})
}

// settle is the verdict on all files. What a person is to look at is told also where something else is not known.
func (v *verdicts) settle() ([]checks.Finding, error) {
	times := map[string]int{} // reports know findings by their subjects
	for i, f := range v.findings {
		if times[f.Subject]++; times[f.Subject] > 1 {
			v.findings[i].Subject += fmt.Sprintf(" (%d)", times[f.Subject])
		}
	}
	if len(v.errs) > 0 {
		if len(v.manual) > 0 {
			v.errs = append(v.errs, errors.New("manual review: "+strings.Join(v.manual, "; ")))
		}
		return v.findings, facts.OneLine(v.errs...)
	}
	switch {
	case len(v.manual) > 0:
		return v.findings, manual("%s", strings.Join(v.manual, "; "))
	case !v.fits:
		return nil, rule.Inapplicable("no file here that it is about")
	}
	return v.findings, nil
}

// manual is an error that means checks.ErrManual and says what there is to look at.
func manual(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, checks.ErrManual)...)
}

// Both judges by two rules, of which one may be about nothing that is here.
func Both(a, b checks.Rule) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		if _, err := source.Of(h); err != nil {
			return nil, err
		}
		var all verdicts
		all.add(a.Judge(h))
		all.add(b.Judge(h))
		return all.settle()
	})
}

// contexts are the directories that a build of a Dockerfile may be given: its own and those above it, up to the
// directory of --source.
func contexts(f *source.File) []string {
	var dirs []string
	for dir := path.Dir(f.Path); ; dir = path.Dir(dir) {
		dirs = append(dirs, dir)
		if dir == f.Root || dir == "/" || len(dir) < len(f.Root) {
			return dirs
		}
	}
}
