package rule

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
)

// Paths finds the files that a rule is about. A path where nothing is counts as not there; an error means that it
// could not be told which files these are.
type Paths func(*facts.Host) ([]facts.Place, error)

// At is files whose place never differs.
func At(paths ...string) Paths {
	return func(h *facts.Host) ([]facts.Place, error) { return Known(paths...), Here(h) }
}

// Known are paths that harden itself names.
func Known(paths ...string) []facts.Place { return Named(want.Mine, paths...) }

// Named are paths that somebody else names.
func Named(w want.Warrant, paths ...string) []facts.Place {
	places := make([]facts.Place, len(paths))
	for i, p := range paths {
		places[i] = facts.Place{Path: p, Warrant: w}
	}
	return places
}

// An Attribute is something that a file has besides its content.
type Attribute[T any] struct {
	paths Paths
	get   func(facts.Info) T
	text  string // how fmt spells a value
	ask   func(file string, v T, w want.Warrant) want.Want
	extra func(path string, i facts.Info) []checks.Finding
}

// Owner is whom files belong to, as "user:group". A path that leads through somebody else's link is a finding of its
// own, whoever owns the file at its end: its target can be changed at any time.
func Owner(paths Paths) Attribute[string] {
	return Attribute[string]{
		paths: paths,
		get:   facts.Info.Owner,
		text:  "%s",
		ask: func(file string, v string, w want.Warrant) want.Want {
			return want.Owner{File: file, Owner: v, Warrant: w}
		},
		extra: func(path string, i facts.Info) []checks.Finding {
			if !strings.HasPrefix(i.Locked, facts.ByLink) {
				return nil
			}
			return []checks.Finding{{
				Subject: path + " (link)", Got: i.Locked, Must: "reached as root alone decides",
				Reason: "put the file itself there, or give the link and the directory it is in to root",
			}}
		},
	}
}

// Mode is the twelve permission bits of files. An access control list that grants more than they say is a finding
// of its own: it can only be read by a person, who knows for whom it was made.
func Mode(paths Paths) Attribute[fs.FileMode] {
	return Attribute[fs.FileMode]{
		paths: paths,
		get:   func(i facts.Info) fs.FileMode { return i.Mode },
		text:  "%04o",
		ask: func(file string, v fs.FileMode, w want.Warrant) want.Want {
			return want.Mode{File: file, Mode: v, Warrant: w}
		},
		extra: func(path string, i facts.Info) []checks.Finding {
			if !i.ACL {
				return nil
			}
			return []checks.Finding{{
				Subject: path + " (ACL)",
				Got:     "an access control list grants more than the mode says",
				Must:    "without one",
				Reason:  fmt.Sprintf("read it with `getfacl %s`; `setfacl -b %[1]s` removes it", i.Path),
			}}
		},
	}
}

// Must is the rule that the attribute of every file meets cond.
func (a Attribute[T]) Must(cond be.Cond[T]) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		return Each(h, a.paths, func(place facts.Place, i facts.Info) ([]checks.Finding, error) {
			path := place.Path
			var findings []checks.Finding
			if v := a.get(i); !cond.Holds(v) {
				f := checks.Finding{Subject: path, Got: fmt.Sprintf(a.text, v), Must: cond.Text}
				if i.Path != path {
					f.Got += " (at " + i.Path + ", where it leads)"
				}
				n, ok := cond.Nearest(v)
				switch {
				case i.Locked != "":
					f.Reason = fmt.Sprintf("%s cannot be changed: %s", i.Path, i.Locked)
				case ok:
					f.Wants = []want.Want{a.ask(i.Path, n, place.Warrant)}
				}
				findings = append(findings, f)
			}
			if a.extra != nil {
				findings = append(findings, a.extra(path, i)...)
			}
			return findings, nil
		})
	})
}

// Each judges each file of paths that exists, once however many names lead to it. It fails with ErrAbsent where none
// does; what could not be read is an error beside the findings.
func Each(h *facts.Host, paths Paths,
	judge func(place facts.Place, i facts.Info) ([]checks.Finding, error)) ([]checks.Finding, error) {
	places, err := paths(h)
	if err != nil {
		return nil, err
	}
	var findings []checks.Finding
	seen := map[string]bool{}
	var errs []error
	for _, p := range places {
		i, err := h.Info(p.Path)
		if errors.Is(err, fs.ErrNotExist) || seen[i.Path] {
			continue
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		seen[i.Path] = true
		fs, err := judge(p, i)
		findings = append(findings, fs...)
		if err != nil {
			errs = append(errs, err)
		}
	}
	if len(seen) == 0 && len(errs) == 0 {
		names := make([]string, len(places))
		for n, p := range places {
			names[n] = p.Path
		}
		return nil, fmt.Errorf("%s: %w", strings.Join(names, ", "), facts.ErrAbsent)
	}
	return findings, facts.OneLine(errs...)
}
