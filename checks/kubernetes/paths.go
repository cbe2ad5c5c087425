package kubernetes

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/budget"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/kube"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/want"
)

// mode is the rule that files have no bits beyond what cond allows.
func mode(paths rule.Paths, cond be.Cond[fs.FileMode]) checks.Rule {
	return kept(rule.Mode(paths).Must(cond))
}

// owner is the rule that files belong to root, by number where the host has no name for it.
func owner(paths rule.Paths) checks.Rule {
	return kept(rule.Owner(paths).Must(be.OneOf("root:root", "0:0")))
}

// kept leaves to people what a flavour would set back, a file that it writes anew, and what would keep a program from
// its files.
func kept(r checks.Rule) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		findings, err := r.Judge(h)
		n, nodeErr := kube.NodeOf(h)
		if nodeErr != nil {
			return findings, err
		}
		for i := range findings {
			f := &findings[i]
			for _, w := range f.Wants {
				why := locksOut(h, n, w)
				if n.Flavour.Generated() {
					why = setBack(n.Flavour, w)
				}
				if why != "" {
					f.Wants, f.Reason = nil, why
					break
				}
			}
		}
		return findings, err
	})
}

// setBack says of a flavour that writes a file anew what a person can try.
func setBack(f kube.Flavour, w want.Want) string {
	switch w := w.(type) {
	case want.Mode:
		return fmt.Sprintf("%s makes this file: run `chmod %04o %s`, and see whether it stays so when %[1]s is "+
			"started again", f, w.Mode, w.File)
	case want.Owner:
		return fmt.Sprintf("%s makes this file: run `chown %s %s`, and see whether it stays so when %[1]s is started "+
			"again", f, w.Owner, w.File)
	}
	return ""
}

// flagFiles are the files that a component's flags name, each once.
func flagFiles(c *kube.Component, kind want.Kind, flags ...string) (files []facts.Place) {
	for _, flag := range flags {
		p, ok := c.Path(flag, kind)
		if ok && !slices.ContainsFunc(files, func(f facts.Place) bool { return f.Path == p.Path }) {
			files = append(files, p)
		}
	}
	return files
}

// below lists the files below a directory, down to a depth; none where it does not exist.
func below(h *facts.Host, dir string, depth int) ([]string, error) {
	var files []string
	err := walk(h, dir, depth, func(p string, i facts.Info) {
		if i.Type == 0 {
			files = append(files, p)
		}
	})
	return files, err
}

// walk visits what is below a directory, down to a depth. More than a budget's names are an error, never a part of
// them.
func walk(h *facts.Host, dir string, depth int, visit func(string, facts.Info)) error {
	return walkWithin(budget.New(dir, nil), h, dir, depth, visit)
}

func walkWithin(b *budget.Budget, h *facts.Host, dir string, depth int, visit func(string, facts.Info)) error {
	names, err := h.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = b.Spend(budget.Names, len(names), 0)
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		p := path.Join(dir, name)
		i, err := h.Info(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		visit(p, i)
		if i.Type == fs.ModeDir && depth > 1 {
			if err := walkWithin(b, h, p, depth-1, visit); err != nil {
				return err
			}
		}
	}
	return nil
}
