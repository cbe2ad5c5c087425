package docker

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/source"
	"example.com/harden/checks/want"
)

// inCompose is a rule of containers, and the rule of Compose's services that knows how to settle what it finds.
type inCompose struct {
	rule    checks.Rule
	service source.Service

	// decided: a container is as its Compose file says, whatever the host and the image are like. One that differs is
	// older than its file, and making it again settles it.
	decided bool

	// live gives, of a container's limits, those that the rule is about: a live update gives it them. nil where the
	// rule is about none.
	live func(want.Limits) want.Limits
}

// Judge gives a finding that nothing else settles the change of the file that the container was made from.
func (r inCompose) Judge(h *facts.Host) ([]checks.Finding, error) {
	findings, err := r.rule.Judge(h)
	if len(findings) == 0 && r.live == nil {
		return findings, err
	}
	cs, _ := docker.Containers(h)
	bySubject := map[string]*docker.Container{}
	for i := range cs {
		if cs[i].Sourced() {
			bySubject[subject(&cs[i])] = &cs[i]
		}
	}
	if len(bySubject) == 0 {
		return findings, err
	}
	shared := asked(findings, bySubject)
	open := findings[:0]
	for _, f := range findings {
		c := bySubject[f.Subject]
		switch {
		case c == nil:
		case len(f.Wants) == 0:
			var settled bool
			if f, settled = r.settle(h, c, f); settled {
				continue
			}
		case r.live != nil && docker.Recreated(h, c):
			if _, settled := r.settle(h, c, f); settled {
				continue
			}
		case r.live != nil:
			f.Remade = remade(h, c, shared[c.ComposeUnit()])
		}
		open = append(open, f)
	}
	return append(open, r.lost(h, findings, bySubject)...), err
}

// composeFile is the warrant of a Compose file. A container's labels only say where to look: what entitles to it is
// that nobody but root can have written what is there.
func composeFile(h *facts.Host, file string) want.Warrant {
	return want.Warrant{By: h.Vouch(file, want.Root), From: "a container's labels", Kind: want.ComposeFile}
}

// settle reports whether a plan would have made the container again from a file that is as it must be; else it gives
// the finding what makes it so.
func (r inCompose) settle(h *facts.Host, c *docker.Container, f checks.Finding) (checks.Finding, bool) {
	s, doubt := docker.ComposeService(h, c)
	if s == nil {
		if !errors.Is(doubt, docker.ErrNoSource) {
			f.Reason = strings.TrimSpace(fmt.Sprintf("%s (%v)", f.Reason, doubt))
		}
		return f, false
	}
	inFile, err := r.service.One(h, s)
	switch {
	case err != nil:
		return f, false
	case len(inFile) == 0 && docker.Recreated(h, c):
		return f, true
	case len(inFile) == 0 && !r.decided:
		return f, false
	case s.Whole.Unset():
		f.Reason += "; harden does not do it, since the file needs variables that only whoever started it has set"
		return f, false
	}
	project := c.Config.Labels[docker.LabelComposeProject]
	fixed := f
	for _, g := range inFile {
		if len(g.Wants) == 0 {
			return f, false
		}
		for _, w := range g.Wants {
			if w, ok := w.(want.Compose); ok {
				w.Project, w.Warrant = project, composeFile(h, w.File)
				fixed.Wants = append(fixed.Wants, w)
			}
		}
		fixed.Place, fixed.Breaks = g.Place, g.Breaks
	}
	if len(inFile) == 0 { // the file has been put right since the container was made
		fixed.Wants = []want.Want{want.Compose{File: s.File.Path, Service: s.Name, Project: project,
			Warrant: composeFile(h, s.File.Path)}}
		fixed.Place = s.File.At(s.Line)
	}
	if doubt != nil {
		f.Reason = fmt.Sprintf("%v; harden does not run it as root: %s", doubt, byOwner(project, s.Name, fixed.Wants))
		return f, false
	}
	fixed.Reason = ""
	fixed.Breaks = strings.TrimPrefix(fixed.Breaks+"; the containers of "+s.Name+" are recreated", "; ")
	return fixed, false
}

// byOwner says in words what a plan would do to a service, for the owner of a file that is not root's.
func byOwner(project, service string, wants []want.Want) string {
	var steps []string
	for _, w := range wants {
		w, ok := w.(want.Compose)
		if !ok || len(w.Key) == 0 {
			continue
		}
		key := "services." + w.Service + "." + strings.Join(w.Key, ".")
		value, err := json.Marshal(w.Value) // JSON is YAML too
		switch {
		case w.Value == nil:
			steps = append(steps, "remove "+key)
		case err == nil:
			steps = append(steps, fmt.Sprintf("set %s to %s", strings.TrimSuffix(key, ".-"), value))
		}
	}
	steps = append(steps, fmt.Sprintf("run `docker compose -p %s up -d %s`", project, service))
	return "its owner must " + strings.Join(steps, ", then ")
}

// asked is what findings want for the containers of each Compose service: the most for any, since all of them are made
// from one text.
func asked(findings []checks.Finding, containers map[string]*docker.Container) map[string]want.Limits {
	all := map[string]want.Limits{}
	for _, f := range findings {
		c := containers[f.Subject]
		if c == nil {
			continue
		}
		for _, w := range f.Wants {
			if w, ok := w.(want.Container); ok {
				unit := c.ComposeUnit()
				all[unit] = most(all[unit], w.Limits)
			}
		}
	}
	return all
}

// most is what neither of two containers has less of. Of policies the first counts.
func most(a, b want.Limits) want.Limits {
	l := b.With(a)
	l.Memory, l.CPUShares, l.PIDs = max(a.Memory, b.Memory), max(a.CPUShares, b.CPUShares), max(a.PIDs, b.PIDs)
	if a.Memory < b.Memory {
		l.MemorySwap = b.MemorySwap
	}
	return l
}

// remade is what gives the Compose file of a container limits; nil where the file cannot be given them, so that they
// can only be given to the container itself.
func remade(h *facts.Host, c *docker.Container, l want.Limits) []want.Want {
	if (l == want.Limits{}) {
		return nil
	}
	s, doubt := docker.ComposeService(h, c)
	if s == nil || doubt != nil || s.File.Unset() {
		return nil
	}
	wants, err := source.Limited(s, l)
	if err != nil {
		return nil
	}
	for i, w := range wants {
		if w, ok := w.(want.Compose); ok {
			w.Project, w.Warrant = c.Config.Labels[docker.LabelComposeProject], composeFile(h, w.File)
			wants[i] = w
		}
	}
	return wants
}

// lost finds the containers that satisfy the rule by a limit of their own, and that a plan would make again from a file
// that does not have it.
func (r inCompose) lost(h *facts.Host, findings []checks.Finding,
	containers map[string]*docker.Container) (all []checks.Finding) {
	if r.live == nil {
		return nil
	}
	known := map[string]bool{}
	for _, f := range findings {
		known[f.Subject] = true
	}
	kept := map[string]want.Limits{}
	e, err := docker.EngineSays(h)
	if err != nil {
		return nil
	}
	for subject, c := range containers {
		if docker.Recreated(h, c) && !known[subject] {
			kept[c.ComposeUnit()] = most(kept[c.ComposeUnit()], r.live(c.Limits(docker.Shares(e.Info))))
		}
	}
	for _, subject := range slices.Sorted(maps.Keys(containers)) {
		c := containers[subject]
		if known[subject] || !docker.Recreated(h, c) {
			continue
		}
		s, doubt := docker.ComposeService(h, c)
		if s == nil || doubt != nil {
			continue
		}
		if in, err := r.service.One(h, s); err != nil || len(in) == 0 {
			continue
		}
		wants := remade(h, c, kept[c.ComposeUnit()])
		all = append(all, ofContainer(c, checks.Finding{Subject: subject,
			Got:  "limited, but not by its Compose file: recreating it would lose that",
			Must: "limited by its Compose file too", Wants: wants, Remade: wants})...)
	}
	return all
}
