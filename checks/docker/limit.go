package docker

import (
	"cmp"
	"fmt"
	"path"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/want"
)

// A limit is one that the Engine can set on a container while it runs.
type limit struct {
	option    string                             // of `docker update`
	supported func(*docker.EngineFacts) bool     // whether the kernel under the Engine has it
	chosen    func(facts.ContainerChoice) string // what the site says of it
	offered   bool                               // whether what the site says nothing of is offered only, and held back
	parse     func(string) (int64, error)        // of what the site says, unless that is auto
	// observed is with head room, and of what; 0 where that is not known.
	observed func(*docker.EngineFacts, docker.Usage) (int64, string)
	wants    func(*docker.EngineFacts, int64) want.Limits
}

// ask adds to a finding what would settle it, or why nothing can.
func (l limit) ask(h *facts.Host, c *docker.Container, f checks.Finding) []checks.Finding {
	w := want.Container{ID: c.ID, Name: clip(c.ShortName())}
	var why string
	if why = unchangeable(h, c); why == "" {
		w.Limits, w.Because, why = l.value(h, c)
		w.Offered = l.offered && choice(h, c, l.chosen) == ""
	}
	switch {
	case why != "":
		f.Reason = why
	case w.Limits != want.Limits{}:
		f.Wants, f.Breaks = []want.Want{w}, owner(c)
	}
	return []checks.Finding{f}
}

// unchangeable says why harden does not change a container in place.
func unchangeable(h *facts.Host, c *docker.Container) string {
	e, err := docker.EngineSays(h)
	switch {
	case err != nil:
		return err.Error()
	case !e.Local:
		return "run harden on the machine of the Docker Engine"
	case c.State.Status == "removing" || c.State.Status == "dead":
		return "it is being removed"
	}
	return ""
}

// owner says who would make a container again without what was changed of it in place; empty where nobody is known to.
func owner(c *docker.Container) string {
	l := c.Config.Labels
	if s := l[docker.LabelSwarmService]; s != "" {
		return fmt.Sprintf("not durable: the Swarm service %s recreates %s without it",
			clip(cmp.Or(l[docker.LabelSwarmName], s)), clip(c.ShortName()))
	}
	if p := l[docker.LabelComposeProject]; p != "" {
		return fmt.Sprintf("not durable: the Compose project %s, service %s, recreates %s without it unless its file has "+
			"it too",
			clip(p), clip(l[docker.LabelComposeService]), clip(c.ShortName()))
	}
	return ""
}

func (l limit) value(h *facts.Host, c *docker.Container) (limits want.Limits, because, why string) {
	e, err := docker.EngineSays(h)
	if err != nil {
		return limits, "", err.Error()
	}
	if !l.supported(e) {
		return limits, "", fmt.Sprintf("the Engine cannot set --%s here: its kernel lacks what it takes", l.option)
	}
	text := cmp.Or(choice(h, c, l.chosen), docker.Auto)
	unasked := l.offered && choice(h, c, l.chosen) == ""
	if unasked && owner(c) != "" {
		return limits, "", "" // what makes the container again would not know of it: a person changes that
	}
	if text != docker.Auto {
		n, err := l.parse(text)
		if err != nil {
			return limits, "", fmt.Sprintf("%s in harden's configuration: %v", l.option, err)
		}
		return l.wants(e, n), "chosen in harden's configuration", ""
	}
	var u docker.Usage
	if c.State.Running {
		if u, err = docker.UsageOf(h, c.ID); err != nil && !unasked {
			return limits, "", fmt.Sprintf("its usage is unknown: %v", err)
		}
	}
	n, because := l.observed(e, u)
	if n == 0 && unasked {
		return limits, "", "" // a person chooses
	}
	if n == 0 {
		return limits, "", fmt.Sprintf("it is not running, so its usage is unknown: choose its %s in "+
			"harden's configuration", l.option)
	}
	return l.wants(e, n), because, ""
}

// choice is what the first of the site's choices that matches and says anything says of a container.
func choice(h *facts.Host, c *docker.Container, of func(facts.ContainerChoice) string) string {
	for _, k := range h.Choices.Containers {
		if v := of(k); v != "" && matches(k, c) {
			return v
		}
	}
	return ""
}

func matches(k facts.ContainerChoice, c *docker.Container) bool {
	if ok, err := path.Match(cmp.Or(k.Name, "*"), c.ShortName()); err != nil || !ok {
		return false
	}
	if k.Label == "" {
		return true
	}
	for key, v := range c.Config.Labels {
		for _, text := range []string{key, key + "=" + v} {
			if ok, err := path.Match(k.Label, text); err == nil && ok {
				return true
			}
		}
	}
	return false
}
