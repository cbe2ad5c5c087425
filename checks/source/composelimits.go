package source

import (
	"cmp"
	"fmt"
	"path"
	"strconv"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/facts/source"
)

// ComposeHealthcheck wants a health check that is not switched off. Where the service has none the image may have one.
var ComposeHealthcheck Service = func(_ *facts.Host, s *source.Service) ([]checks.Finding, error) {
	v, ok := s.Get("healthcheck")
	if !ok {
		return nil, manual("%s: %s has no healthcheck of its own: check its image", s.File.At(s.Line), s.Name)
	}
	off := false
	if d, ok := s.Get("healthcheck", "disable"); ok {
		yes, err := truth(d)
		if err != nil {
			return nil, err
		}
		off = yes
	}
	if test, ok := s.Get("healthcheck", "test"); ok && len(test.Items()) > 0 {
		first, err := test.Items()[0].Text()
		if err != nil {
			return nil, err
		}
		off = off || first == "NONE"
	}
	if !off {
		return nil, nil
	}
	return []checks.Finding{about(s, v, "healthcheck", "switched off", "a command that tells whether the service works")},
		nil
}

// Restart wants an end to starting again what fails.
var Restart Service = func(h *facts.Host, s *source.Service) ([]checks.Finding, error) {
	v, ok := s.Get("restart")
	if !ok {
		return deployRestart(s)
	}
	text, err := v.Text()
	if err != nil {
		return nil, err
	}
	name, count, _ := strings.Cut(text, ":")
	n, errCount := strconv.Atoi(count)
	if text == "no" || text == "false" || text == "" || name == "on-failure" && errCount == nil && n >= 1 && n <= 5 {
		return nil, nil
	}
	f := about(s, v, "restart", v.Said(), "no, or on-failure with at most 5 retries")
	wanted := cmp.Or(chosen(h, s, func(k facts.ContainerChoice) string { return k.Restart }), "on-failure:5")
	if _, err := docker.ParseRestart(wanted); err != nil {
		f.Reason = fmt.Sprintf("restart in harden's configuration: %v", err)
		return []checks.Finding{f}, nil
	}
	people := name == "always" || name == "unless-stopped"
	breaks := ""
	if people {
		breaks = s.Name + " no longer comes back by itself after a reboot"
	}
	return []checks.Finding{set(s, f, change{[]string{"restart"}, wanted, people, breaks})}, nil
}

// deployRestart judges the form that a Swarm takes, which Compose takes too where restart is not set.
func deployRestart(s *source.Service) ([]checks.Finding, error) {
	v, ok := s.Get("deploy", "restart_policy")
	if !ok {
		return nil, nil
	}
	condition, attempts, said := "any", 0, [2]string{"any", "0"}
	if c, ok := s.Get("deploy", "restart_policy", "condition"); ok {
		text, err := c.Text()
		if err != nil {
			return nil, err
		}
		condition, said[0] = text, c.Said()
	}
	if a, ok := s.Get("deploy", "restart_policy", "max_attempts"); ok {
		text, err := a.Text()
		if err != nil {
			return nil, err
		}
		attempts, _ = strconv.Atoi(text)
		said[1] = a.Said()
	}
	if condition == "none" || condition == "on-failure" && attempts >= 1 && attempts <= 5 {
		return nil, nil
	}
	return []checks.Finding{about(s, v, "deploy.restart_policy", said[0]+", "+said[1]+" attempts",
		"none, or on-failure with max_attempts of at most 5")}, nil
}

// chosen is what the site has decided for a service, which goes by its own name or by that of its container.
func chosen(h *facts.Host, s *source.Service, of func(facts.ContainerChoice) string) string {
	names := []string{s.Name}
	if v, ok := s.Get("container_name"); ok {
		if name, err := v.Text(); err == nil {
			names = append(names, name)
		}
	}
	for _, k := range h.Choices.Containers {
		value := of(k)
		if value == "" || value == "auto" || k.Label != "" {
			continue
		}
		for _, n := range names {
			if ok, err := path.Match(cmp.Or(k.Name, "*"), n); err == nil && ok {
				return value
			}
		}
	}
	return ""
}

// Limits of what a service may use up.
var (
	Memory = limit("memory", "mem_limit", []string{"memory"}, func(k facts.ContainerChoice) string { return k.Memory })
	CPU    = limit("cpu-shares", "cpu_shares", []string{"cpus"},
		func(k facts.ContainerChoice) string { return k.CPUShares }, "cpus", "cpu_quota", "cpuset")
	PIDs = limit("pids", "pids_limit", []string{"pids"}, func(k facts.ContainerChoice) string { return k.PIDs })
)

// limit wants a limit, in the one place or the other that Compose has for it. Its value is the site's to choose.
func limit(what, key string, deploy []string, of func(facts.ContainerChoice) string, also ...string) Service {
	places := [][]string{{key}, append([]string{"deploy", "resources", "limits"}, deploy...)}
	for _, k := range also {
		places = append(places, []string{k})
	}
	return func(h *facts.Host, s *source.Service) ([]checks.Finding, error) {
		f := absent(s, key, "unset", "set")
		for _, p := range places {
			v, ok := s.Get(p...)
			if !ok {
				continue
			}
			text, err := v.Text()
			if err != nil {
				return nil, err
			}
			if text != "" && text != "0" && text != "-1" {
				return nil, nil
			}
			f = about(s, v, strings.Join(p, "."), v.Said(), "a limit")
		}
		value := chosen(h, s, of)
		if value == "" {
			f.Reason = fmt.Sprintf("choose what %s needs, in harden's configuration (choices, containers, %s) or in the file",
				s.Name, what)
			return []checks.Finding{f}, nil
		}
		if _, ok := s.Get("deploy", "resources", "limits"); ok && key != "cpu_shares" {
			return []checks.Finding{set(s, f, change{places[1], number(value), true, s.Name + " is held to " + value})}, nil
		}
		return []checks.Finding{set(s, f, change{[]string{key}, number(value), true, s.Name + " is held to " + value})}, nil
	}
}

// number is a value as YAML would have it without quotes.
func number(text string) any {
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	return text
}
