package docker

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/rule"
)

// containers returns every container, whatever its state. Where there is none nothing is to be judged; where some could
// not be looked at, the others come with the error.
func containers(h *facts.Host) ([]facts.Container, error) {
	if _, err := engine(h); err != nil {
		return nil, err
	}
	cs, err := h.Containers()
	if len(cs) == 0 && err == nil {
		return nil, rule.Inapplicable("there is no container")
	}
	return cs, err
}

// each judges every container by itself.
func each(judge func(*facts.Host, *facts.Container) []checks.Finding) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		cs, err := containers(h)
		var findings []checks.Finding
		for i := range cs {
			more := judge(h, &cs[i])
			if len(findings)+len(more) > cap(findings) { // by twice, since append's own growth copies five times as much
				findings = slices.Grow(findings, len(findings)+len(more))
			}
			findings = append(findings, more...)
		}
		return findings, err
	})
}

// subject names a container, and its state where it does not run.
func subject(c *facts.Container) string {
	s := "container " + clip(c.ShortName())
	if !c.State.Running {
		s += " (" + clip(cmp.Or(c.State.Status, "of unknown state")) + ")"
	}
	return s
}

// clip shortens what others have chosen.
func clip(s string) string { return facts.Clip(s) }

// found is one finding of a container; options says what to make it with instead.
func found(c *facts.Container, got, must, options string) []checks.Finding {
	return []checks.Finding{{Subject: subject(c), Got: got, Must: must, Reason: again(c, options)}}
}

// again says how a person changes what only making the container again changes.
func again(c *facts.Container, options string) string {
	l := c.Config.Labels
	if s := l[facts.LabelSwarmService]; s != "" {
		return "a Swarm service makes it, " + clip(cmp.Or(l[facts.LabelSwarmName], s)) + ": update the service, with " + options
	}
	if p := l[facts.LabelComposeProject]; p != "" {
		return "service " + clip(l[facts.LabelComposeService]) + " of the Compose project " + clip(p) +
			" makes it: say there what `docker run` takes as " + options + "; then `docker compose up -d`"
	}
	return "make it again with " + options
}

// owner says who would make a container again without what was changed of it in place; empty where nobody is known to.
func owner(c *facts.Container) string {
	l := c.Config.Labels
	if s := l[facts.LabelSwarmService]; s != "" {
		return fmt.Sprintf("not durable: the Swarm service %s makes %s again without it", clip(cmp.Or(l[facts.LabelSwarmName], s)), clip(c.ShortName()))
	}
	if p := l[facts.LabelComposeProject]; p != "" {
		return fmt.Sprintf("not durable: the Compose project %s, service %s, makes %s again without it unless its file says it too",
			clip(p), clip(l[facts.LabelComposeService]), clip(c.ShortName()))
	}
	return ""
}

// shares reports whether a container is in the host's own namespace of a kind, by itself or through the container whose
// namespace it joins; via is that one's name.
func shares(h *facts.Host, c *facts.Container, mode func(*facts.HostConfig) string) (host bool, via string) {
	cs, _ := h.Containers()
	at := c
	for range 8 { // as far as chains go; a ring, which the Engine refuses, ends too
		m := mode(&at.HostConfig)
		other, joins := strings.CutPrefix(m, "container:")
		if !joins {
			if at != c {
				via = at.ShortName()
			}
			return m == "host", via
		}
		i := slices.IndexFunc(cs, func(o facts.Container) bool { return o.ID == other || o.ShortName() == other })
		if i < 0 {
			return false, ""
		}
		at = &cs[i]
	}
	return false, ""
}

// private is the rule that no container shares one of the host's namespaces. flag is `docker run`'s.
func private(what, flag string, mode func(*facts.HostConfig) string) checks.Rule {
	return each(func(h *facts.Host, c *facts.Container) []checks.Finding {
		host, via := shares(h, c, mode)
		if !host {
			return nil
		}
		got := "in the host's " + what
		if via != "" {
			got += ", which it joins through the container " + clip(via)
		}
		return found(c, got, "in one of its own", "neither --"+flag+"=host nor that of a container that has it")
	})
}

// value gives a security option of a container: "unconfined" of seccomp=unconfined. The old spelling has a colon.
func securityOption(c *facts.Container, name string) (value string, ok bool) {
	for _, o := range c.HostConfig.SecurityOpt {
		if o == name {
			return "", true
		}
		for _, sep := range []string{"=", ":"} {
			if v, has := strings.CutPrefix(o, name+sep); has {
				return v, true
			}
		}
	}
	return "", false
}
