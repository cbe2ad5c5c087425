package docker

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/go-units"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
)

// A limit is one that the Engine can set on a container while it runs.
type limit struct {
	option    string                                                // of `docker update`
	supported func(*facts.EngineFacts) bool                         // whether the kernel under the Engine has it
	chosen    func(facts.ContainerChoice) string                    // what the site says of it
	offered   bool                                                  // whether what the site says nothing of is offered only, and held back
	parse     func(string) (int64, error)                           // of what the site says, unless that is auto
	observed  func(*facts.EngineFacts, facts.Usage) (int64, string) // with head room, and of what; 0 where that is not known
	wants     func(*facts.EngineFacts, int64) want.Limits
}

// ask adds to a finding what would settle it, or why nothing can.
func (l limit) ask(h *facts.Host, c *facts.Container, f checks.Finding) []checks.Finding {
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
func unchangeable(h *facts.Host, c *facts.Container) string {
	e, err := h.Engine()
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

func (l limit) value(h *facts.Host, c *facts.Container) (limits want.Limits, because, why string) {
	e, err := h.Engine()
	if err != nil {
		return limits, "", err.Error()
	}
	if !l.supported(e) {
		return limits, "", fmt.Sprintf("the Engine cannot set --%s here: its kernel lacks what it takes", l.option)
	}
	text := cmp.Or(choice(h, c, l.chosen), facts.Auto)
	unasked := l.offered && choice(h, c, l.chosen) == ""
	if unasked && owner(c) != "" {
		return limits, "", "" // what makes the container again would not know of it: a person changes that
	}
	if text != facts.Auto {
		n, err := l.parse(text)
		if err != nil {
			return limits, "", fmt.Sprintf("%s in harden's configuration: %v", l.option, err)
		}
		return l.wants(e, n), "chosen in harden's configuration", ""
	}
	var u facts.Usage
	if c.State.Running {
		if u, err = h.Usage(c.ID); err != nil && !unasked {
			return limits, "", fmt.Sprintf("what it uses cannot be told: %v", err)
		}
	}
	n, because := l.observed(e, u)
	if n == 0 && unasked {
		return limits, "", "" // a person chooses
	}
	if n == 0 {
		return limits, "", fmt.Sprintf("it does not run, so that what it uses is not known: choose its %s in harden's configuration", l.option)
	}
	return l.wants(e, n), because, ""
}

// choice is what the first of the site's choices that matches and says anything says of a container.
func choice(h *facts.Host, c *facts.Container, of func(facts.ContainerChoice) string) string {
	for _, k := range h.Choices.Containers {
		if v := of(k); v != "" && matches(k, c) {
			return v
		}
	}
	return ""
}

func matches(k facts.ContainerChoice, c *facts.Container) bool {
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

const mebi = 1 << 20

// memoryLimit takes half as much again as the peak, and no less than would let a container start something small.
var memoryLimit = limit{
	option:    "memory",
	offered:   true,
	supported: func(e *facts.EngineFacts) bool { return e.MemoryLimit },
	chosen:    func(k facts.ContainerChoice) string { return k.Memory },
	parse: func(s string) (int64, error) {
		n, err := units.RAMInBytes(s)
		if err == nil && n < facts.LeastMemory {
			err = fmt.Errorf("%q is less than 6 MiB, which the Engine refuses", s)
		}
		return n, err
	},
	observed: func(_ *facts.EngineFacts, u facts.Usage) (int64, string) {
		if u.Memory == 0 {
			return 0, ""
		}
		n := max(64*mebi, (u.Memory*3/2+32*mebi-1)/(32*mebi)*(32*mebi))
		return n, fmt.Sprintf("with head room over the %s that it used %s", size(u.Memory), u.Of)
	},
	wants: func(e *facts.EngineFacts, n int64) want.Limits {
		l := want.Limits{Memory: n, MemorySwap: 2 * n} // as `docker run --memory` has it
		if !e.SwapLimit {
			l.MemorySwap = -1
		}
		return l
	},
}

func size(n int64) string {
	return units.CustomSize("%.4g %s", float64(n), 1024, []string{"B", "KiB", "MiB", "GiB", "TiB"})
}

// memory: a limit above what the host has limits nothing.
func memory(h *facts.Host, c *facts.Container) []checks.Finding {
	f := checks.Finding{Subject: subject(c), Got: "no memory limit", Must: "limited"}
	if m := c.HostConfig.Memory; m > 0 {
		e, err := h.Engine()
		if err != nil || e.MemTotal == 0 || m <= e.MemTotal {
			return nil
		}
		f.Got, f.Must = fmt.Sprintf("%s, of a host with %s", size(m), size(e.MemTotal)), "less than the host has"
	}
	return memoryLimit.ask(h, c, f)
}

var cpuShares = limit{
	option:    "cpu-shares",
	offered:   true,
	supported: func(e *facts.EngineFacts) bool { return e.CPUShares },
	chosen:    func(k facts.ContainerChoice) string { return k.CPUShares },
	parse:     between(2, 262144),
	observed: func(e *facts.EngineFacts, _ facts.Usage) (int64, string) {
		return facts.Shares(e.Info) / 2, "half of what a container has that was given none"
	},
	wants: func(_ *facts.EngineFacts, n int64) want.Limits { return want.Limits{CPUShares: n} },
}

func between(low, high int64) func(string) (int64, error) {
	return func(s string) (int64, error) {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < low || n > high {
			return 0, fmt.Errorf("%q is no number from %d to %d", s, low, high)
		}
		return n, nil
	}
}

// processors: a share that everybody has is none.
func processors(h *facts.Host, c *facts.Container) []checks.Finding {
	hc := &c.HostConfig
	if hc.NanoCPUs > 0 || hc.CPUQuota > 0 || hc.CPUSetCPUs != "" {
		return nil
	}
	got := "no share or limit of the processors"
	if hc.CPUShares != 0 {
		e, err := h.Engine()
		if err != nil || hc.CPUShares != facts.Shares(e.Info) {
			return nil
		}
		got = fmt.Sprintf("%d shares, which is what a container has that was given none", hc.CPUShares)
	}
	return cpuShares.ask(h, c, checks.Finding{Subject: subject(c), Got: got, Must: "given a share, a limit or processors of its own"})
}

// enoughPIDs is what harden gives at least, and Podman gives by itself: programs with a thread for each connection are still
// content with it, and a fork bomb is not.
const enoughPIDs = 2048

var pidsLimit = limit{
	option:    "pids-limit",
	supported: func(e *facts.EngineFacts) bool { return e.PidsLimit },
	chosen:    func(k facts.ContainerChoice) string { return k.PIDs },
	parse:     between(1, 4194304),
	observed: func(_ *facts.EngineFacts, u facts.Usage) (int64, string) {
		n := max(enoughPIDs, (4*u.PIDs+127)/128*128)
		if u.PIDs == 0 {
			return n, "enough for most programs"
		}
		return n, fmt.Sprintf("with head room over the %d that it had %s", u.PIDs, u.Of)
	},
	wants: func(_ *facts.EngineFacts, n int64) want.Limits { return want.Limits{PIDs: n} },
}

// processes: a limit at or above the host's own limits nothing.
func processes(h *facts.Host, c *facts.Container) []checks.Finding {
	f := checks.Finding{Subject: subject(c), Got: "no limit on its processes", Must: "limited"}
	if p := c.HostConfig.PidsLimit; p != nil && *p > 0 {
		most := int64(4194304) // as high as the kernel goes. Source: proc_sys_kernel(5)
		if e, err := h.Engine(); err == nil && e.Local {
			if file, err := h.File("/proc/sys/kernel/pid_max"); err == nil {
				if n, err := strconv.ParseInt(strings.TrimSpace(string(file.Data)), 10, 64); err == nil {
					most = n
				}
			}
		}
		if *p < most {
			return nil
		}
		f.Got, f.Must = fmt.Sprintf("%d processes, of a host that has %d at most", *p, most), "less than the host has"
	}
	return pidsLimit.ask(h, c, f)
}

// bounded is the policy that harden asks for.
const bounded = "on-failure:5"

// restartPolicy: a Swarm task's is its service's, which only a manager tells.
func restartPolicy(h *facts.Host) ([]checks.Finding, error) {
	cs, err := containers(h)
	var findings []checks.Finding
	tasks := false
	for i := range cs {
		if cs[i].Config.Labels[facts.LabelSwarmService] != "" {
			tasks = true
			continue
		}
		findings = append(findings, restart(h, &cs[i])...)
	}
	if !tasks {
		return findings, err
	}
	more, errServices := services(h)
	return append(findings, more...), cmp.Or(err, errServices)
}

func restart(h *facts.Host, c *facts.Container) []checks.Finding {
	p := c.HostConfig.RestartPolicy
	text := p.String()
	if text == "no" || p.Name == container.RestartPolicyOnFailure && p.MaximumRetryCount >= 1 && p.MaximumRetryCount <= 5 {
		return nil
	}
	f := checks.Finding{Subject: subject(c), Got: clip(text), Must: "no, or on-failure with at most 5 retries"}
	wanted := cmp.Or(choice(h, c, func(k facts.ContainerChoice) string { return k.Restart }), bounded)
	q, err := facts.ParseRestart(wanted)
	if why := unchangeable(h, c); why != "" {
		f.Reason = why
		return []checks.Finding{f}
	}
	if _, errNow := facts.ParseRestart(text); errNow != nil { // so that it could not be given back
		f.Reason = "the Engine's policy is none that is known"
		return []checks.Finding{f}
	}
	if err != nil {
		f.Reason = fmt.Sprintf("restart in harden's configuration: %v", err)
		return []checks.Finding{f}
	}
	w := want.Container{ID: c.ID, Name: clip(c.ShortName()), Limits: want.Limits{Restart: q.String()}}
	// Only these two bring a container back that was not told to stop, after a reboot or a restart of the daemon.
	w.Reboot = p.Name == container.RestartPolicyAlways || p.Name == container.RestartPolicyUnlessStopped
	if w.Reboot {
		w.Because = "it no longer comes back by itself after a reboot, nor after a restart of dockerd without live-restore"
	}
	f.Wants, f.Breaks = []want.Want{w}, owner(c)
	return []checks.Finding{f}
}

// services judges what restarts the tasks of a swarm.
func services(h *facts.Host) ([]checks.Finding, error) {
	s, err := manager(h)
	if errors.Is(err, facts.ErrAbsent) {
		return nil, errors.New("some containers are tasks of a swarm, and how those are restarted only a manager tells")
	}
	if err != nil {
		return nil, err
	}
	var findings []checks.Finding
	for _, service := range s.Services {
		p := service.Spec.TaskTemplate.RestartPolicy
		switch {
		case p != nil && p.Condition == swarm.RestartPolicyConditionNone:
			continue
		case p != nil && p.Condition == swarm.RestartPolicyConditionOnFailure && p.MaxAttempts != nil && *p.MaxAttempts >= 1 && *p.MaxAttempts <= 5:
			continue
		}
		got := "any, without an end"
		if p != nil {
			got = string(cmp.Or(p.Condition, swarm.RestartPolicyConditionAny)) + ", without an end"
			if p.MaxAttempts != nil && *p.MaxAttempts > 0 {
				got = fmt.Sprintf("%s, %d times", cmp.Or(p.Condition, swarm.RestartPolicyConditionAny), *p.MaxAttempts)
			}
		}
		findings = append(findings, checks.Finding{Subject: "service " + clip(service.Spec.Name), Got: got, Must: "none, or on-failure at most 5 times",
			Reason: fmt.Sprintf("`docker service update --restart-condition on-failure --restart-max-attempts 5 %s`; its tasks are made again",
				clip(service.Spec.Name))})
	}
	return findings, nil
}
