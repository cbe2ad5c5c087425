package kubernetes

import (
	"errors"
	"fmt"
	"path"
	"slices"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/kube"
	"example.com/harden/checks/want"
)

// everyPod judges a rule for each static pod of a program that has several, and names those beside the first.
func everyPod(r checks.Rule) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		views := kube.Views(h)
		if len(views) == 0 {
			return r.Judge(h)
		}
		findings, err := r.Judge(views[0].Host)
		errs := []error{err}
		for _, v := range views[1:] {
			more, extraErr := r.Judge(v.Host)
			for _, f := range more {
				if !slices.ContainsFunc(findings,
					func(g checks.Finding) bool { return g.Subject == f.Subject && g.Got == f.Got }) {
					f.Subject = inFile(f.Subject, v.Extra)
					findings = append(findings, f)
				}
			}
			if extraErr != nil && !errors.Is(extraErr, facts.ErrAbsent) &&
				(err == nil || err.Error() != extraErr.Error()) {
				errs = append(errs, extraErr)
			}
		}
		n, nodeErr := kube.NodeOf(h)
		if nodeErr == nil {
			for i := range findings {
				leaveTwin(n, &findings[i])
			}
		}
		return findings, facts.OneLine(errs...)
	})
}

func inFile(subject, file string) string {
	if path.IsAbs(subject) {
		return subject
	}
	return subject + " in " + file
}

// leaveTwin leaves to people what would have the kubelet start one of two pods with one name: it may start the other.
func leaveTwin(n *kube.Node, f *checks.Finding) {
	for _, w := range f.Wants {
		if p, ok := w.(want.PodFlag); ok {
			if twin := n.Twin(p.Manifest); twin != "" {
				f.Wants = nil
				f.Reason = fmt.Sprintf("%s and %s define one pod, and the kubelet runs either: move the copy out of "+
					"%s first", p.Manifest, twin, path.Dir(twin))
				return
			}
		}
	}
}

// forEveryPod has each check judge every static pod that it is about.
func forEveryPod(all []*checks.Check) []*checks.Check {
	for _, c := range all {
		c.Rule = everyPod(c.Rule)
	}
	return all
}
