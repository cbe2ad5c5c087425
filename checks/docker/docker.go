// Package docker is the catalogue of checks for a Docker host: one file per section of the CIS Docker Benchmark, the
// literals first, then the rules that no setting can express.
package docker

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/rule"
)

// All is every check of a Docker host, in the order of the benchmark's sections.
var All = withSources(slices.Concat(host, general, daemon, files, images, contents, swarmMode, runtime, operations, swarms, capabilities))

// engine returns what the Docker Engine says of itself. Where Docker is installed but does not run, that is not
// known, and no reason to call a check not applicable.
func engine(h *facts.Host) (*facts.EngineFacts, error) {
	e, err := h.Engine()
	if !errors.Is(err, facts.ErrAbsent) {
		return e, err
	}
	d, err := rule.Dockerd(h)
	switch {
	case err != nil:
		return nil, err
	case d.Unseen:
		return nil, errors.New("no dockerd can be asked of a host that is not the one that runs here")
	}
	return nil, errors.New("dockerd does not run, so it cannot be asked")
}

// unless judges by r unless reason says why the check does not apply.
func unless(reason func(*facts.Host) string, r checks.Rule) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		if why := reason(h); why != "" {
			return nil, rule.Inapplicable("%s", why)
		}
		return r.Judge(h)
	})
}

// some lists names in a sentence, the first few of many.
func some(names []string) string {
	const most = 8
	slices.Sort(names)
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
