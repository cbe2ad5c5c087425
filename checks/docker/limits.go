package docker

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/go-units"

	"example.com/harden/checks"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/source"
	"example.com/harden/checks/stride"
	"example.com/harden/checks/want"
)

// limitChecks is the part of section 5 about what containers may use up.
var limitChecks = []*checks.Check{
	memory, cpu, restartPolicy, ulimits, pids,
}

var memory = &checks.Check{
	ID:    "docker/memory",
	Items: cis.Docker("5.10", "5.10", "5.11", "5.11"),
	Title: "containers have a memory limit",
	Why: "one that leaks or is attacked takes all memory, and the kernel then kills whatever it likes, on " +
		"the host too",
	Breaks:  "what needs more memory than its limit is killed",
	Class:   want.Behaviour,
	Threats: []stride.ID{stride.DockerDaemonDenial},
	Manual:  "choose a limit for it, or `auto`, in harden's configuration (choices, containers, memory)",
	Level:   1,
	Rule: inCompose{rule: each(unlimitedMemory), service: source.Memory,
		live: func(l want.Limits) want.Limits { return want.Limits{Memory: l.Memory, MemorySwap: l.MemorySwap} }},
	Source: source.Memory,
	Live:   true,
}

// memoryLimit takes half as much again as the peak, and no less than would let a container start something small.
var memoryLimit = limit{
	option:    "memory",
	offered:   true,
	supported: func(e *docker.EngineFacts) bool { return e.MemoryLimit },
	chosen:    func(k facts.ContainerChoice) string { return k.Memory },
	parse: func(s string) (int64, error) {
		n, err := units.RAMInBytes(s)
		if err == nil && n < docker.LeastMemory {
			err = fmt.Errorf("%q is less than 6 MiB, which the Engine refuses", s)
		}
		return n, err
	},
	observed: func(_ *docker.EngineFacts, u docker.Usage) (int64, string) {
		if u.Memory == 0 {
			return 0, ""
		}
		n := max(64*mebi, (u.Memory*3/2+32*mebi-1)/(32*mebi)*(32*mebi))
		return n, fmt.Sprintf("with head room over the %s that it used %s", size(u.Memory), u.Of)
	},
	wants: func(e *docker.EngineFacts, n int64) want.Limits {
		l := want.Limits{Memory: n, MemorySwap: 2 * n} // as `docker run --memory` has it
		if !e.SwapLimit {
			l.MemorySwap = -1
		}
		return l
	},
}

const mebi = 1 << 20

// unlimitedMemory: a limit above what the host has limits nothing.
func unlimitedMemory(h *facts.Host, c *docker.Container) []checks.Finding {
	f := checks.Finding{Subject: subject(c), Got: "no memory limit", Must: "limited"}
	if m := c.HostConfig.Memory; m > 0 {
		e, err := docker.EngineSays(h)
		if err != nil || e.MemTotal == 0 || m <= e.MemTotal {
			return nil
		}
		f.Got, f.Must = fmt.Sprintf("%s, of a host with %s", size(m), size(e.MemTotal)), "less than the host has"
	}
	return memoryLimit.ask(h, c, f)
}

var cpu = &checks.Check{
	ID:      "docker/cpu",
	Items:   cis.Docker("5.11", "5.11", "5.12", "5.12"),
	Title:   "containers have a share or a limit of the processors",
	Class:   want.Reload,
	Why:     "one busy container slows down all others, and the host",
	Threats: []stride.ID{stride.DockerDaemonDenial},
	Manual:  "choose its shares, or `auto`, in harden's configuration (choices, containers, cpu-shares)",
	Level:   1,
	Rule: inCompose{rule: each(processors), service: source.CPU,
		live: func(l want.Limits) want.Limits { return want.Limits{CPUShares: l.CPUShares} }},
	Source: source.CPU,
	Live:   true,
}

var cpuShares = limit{
	option:    "cpu-shares",
	offered:   true,
	supported: func(e *docker.EngineFacts) bool { return e.CPUShares },
	chosen:    func(k facts.ContainerChoice) string { return k.CPUShares },
	parse:     between(2, 262144),
	observed: func(e *docker.EngineFacts, _ docker.Usage) (int64, string) {
		return docker.Shares(e.Info) / 2, "half of what a container has that was given none"
	},
	wants: func(_ *docker.EngineFacts, n int64) want.Limits { return want.Limits{CPUShares: n} },
}

func between(low, high int64) func(string) (int64, error) {
	return func(s string) (int64, error) {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < low || n > high {
			return 0, fmt.Errorf("%q is not a number from %d to %d", s, low, high)
		}
		return n, nil
	}
}

// processors: a share that everybody has is none.
func processors(h *facts.Host, c *docker.Container) []checks.Finding {
	hc := &c.HostConfig
	if hc.NanoCPUs > 0 || hc.CPUQuota > 0 || hc.CPUSetCPUs != "" {
		return nil
	}
	got := "no share or limit of the processors"
	if hc.CPUShares != 0 {
		e, err := docker.EngineSays(h)
		if err != nil || hc.CPUShares != docker.Shares(e.Info) {
			return nil
		}
		got = fmt.Sprintf("%d shares, which is what a container has that was given none", hc.CPUShares)
	}
	return cpuShares.ask(h, c, checks.Finding{Subject: subject(c), Got: got,
		Must: "given a share, a limit or processors of its own"})
}

var restartPolicy = &checks.Check{
	ID:      "docker/restart-policy",
	Items:   cis.Docker("5.14", "5.14", "5.15", "5.15"),
	Title:   "a container that fails is started again five times at most",
	Class:   want.Reload,
	Why:     "one that is started for ever hides what fails, and keeps the host busy with starting it",
	Threats: []stride.ID{stride.DockerDaemonDenial},
	Level:   1,
	Rule: inCompose{rule: checks.Func(endlessRestarts), service: source.Restart,
		live: func(l want.Limits) want.Limits { return want.Limits{Restart: l.Restart} }},
	Source: source.Restart,
	Live:   true,
}

// bounded is the policy that harden asks for.
const bounded = "on-failure:5"

// endlessRestarts: a Swarm task's is its service's, which only a manager tells.
func endlessRestarts(h *facts.Host) ([]checks.Finding, error) {
	cs, err := containers(h)
	var findings []checks.Finding
	tasks := false
	for i := range cs {
		if cs[i].Config.Labels[docker.LabelSwarmService] != "" {
			tasks = true
			continue
		}
		findings = append(findings, ofContainer(&cs[i], restart(h, &cs[i])...)...)
	}
	if !tasks {
		return findings, err
	}
	more, errServices := services(h)
	return append(findings, more...), cmp.Or(err, errServices)
}

func restart(h *facts.Host, c *docker.Container) []checks.Finding {
	p := c.HostConfig.RestartPolicy
	text := p.String()
	if text == "no" ||
		p.Name == container.RestartPolicyOnFailure && p.MaximumRetryCount >= 1 && p.MaximumRetryCount <= 5 {
		return nil
	}
	f := checks.Finding{Subject: subject(c), Got: clip(text), Must: "no, or on-failure with at most 5 retries"}
	wanted := cmp.Or(choice(h, c, func(k facts.ContainerChoice) string { return k.Restart }), bounded)
	q, err := docker.ParseRestart(wanted)
	if why := unchangeable(h, c); why != "" {
		f.Reason = why
		return []checks.Finding{f}
	}
	if _, errNow := docker.ParseRestart(text); errNow != nil { // so that it could not be given back
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
		w.Because = "it no longer comes back by itself after a reboot, nor after a restart of dockerd without " +
			"live-restore"
	}
	f.Wants, f.Breaks = []want.Want{w}, owner(c)
	return []checks.Finding{f}
}

// services judges what restarts the tasks of a swarm.
func services(h *facts.Host) ([]checks.Finding, error) {
	s, err := manager(h)
	if errors.Is(err, facts.ErrAbsent) {
		return nil, errors.New("some containers are tasks of a swarm, and only a manager knows their restart policy")
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
		case p != nil && p.Condition == swarm.RestartPolicyConditionOnFailure && p.MaxAttempts != nil &&
			*p.MaxAttempts >= 1 && *p.MaxAttempts <= 5:
			continue
		}
		got := "any, without an end"
		if p != nil {
			got = string(cmp.Or(p.Condition, swarm.RestartPolicyConditionAny)) + ", without an end"
			if p.MaxAttempts != nil && *p.MaxAttempts > 0 {
				got = fmt.Sprintf("%s, %d times", cmp.Or(p.Condition, swarm.RestartPolicyConditionAny), *p.MaxAttempts)
			}
		}
		findings = append(findings, checks.Finding{Subject: "service " + clip(service.Spec.Name), Got: got,
			Must: "none, or on-failure at most 5 times",
			Reason: fmt.Sprintf("`docker service update --restart-condition on-failure --restart-max-attempts 5 %s`; "+
				"its tasks are recreated",
				clip(service.Spec.Name))})
	}
	return findings, nil
}

var ulimits = &checks.Check{
	ID:      "docker/ulimits",
	Items:   cis.Docker("5.18", "5.18", "5.19", "5.19"),
	Title:   "no container lifts the limits that all are given",
	Why:     "limits on files and processes are what keeps one container from using up the host's",
	Threats: []stride.ID{stride.DockerDaemonDenial},
	Level:   1,
	Rule:    each(ownUlimits),
}

func ownUlimits(_ *facts.Host, c *docker.Container) []checks.Finding {
	var lifted []string
	for _, l := range c.HostConfig.Ulimits {
		if l.Soft < 0 || l.Hard < 0 {
			lifted = append(lifted, clip(l.Name)+" unlimited")
		}
	}
	if len(lifted) == 0 {
		return nil
	}
	return found(c, some(lifted), "limited", "--ulimit NAME=SOFT:HARD, or none, for the daemon's default")
}

var pids = &checks.Check{
	ID:      "docker/pids",
	Items:   cis.Docker("5.28", "5.28", "5.29", "5.29"),
	Title:   "containers have a limit on their processes",
	Class:   want.Reload,
	Why:     "a fork bomb in one container otherwise takes every process number of the host",
	Threats: []stride.ID{stride.DockerDaemonDenial},
	Level:   1,
	Rule: inCompose{rule: each(processes), service: source.PIDs,
		live: func(l want.Limits) want.Limits { return want.Limits{PIDs: l.PIDs} }},
	Source: source.PIDs,
	Live:   true,
}

// enoughPIDs is what harden gives at least, and Podman gives by itself: programs with a thread for each connection
// are still content with it, and a fork bomb is not.
const enoughPIDs = 2048

var pidsLimit = limit{
	option:    "pids-limit",
	supported: func(e *docker.EngineFacts) bool { return e.PidsLimit },
	chosen:    func(k facts.ContainerChoice) string { return k.PIDs },
	parse:     between(1, 4194304),
	observed: func(_ *docker.EngineFacts, u docker.Usage) (int64, string) {
		n := max(enoughPIDs, (4*u.PIDs+127)/128*128)
		if u.PIDs == 0 {
			return n, "enough for most programs"
		}
		return n, fmt.Sprintf("with head room over the %d that it had %s", u.PIDs, u.Of)
	},
	wants: func(_ *docker.EngineFacts, n int64) want.Limits { return want.Limits{PIDs: n} },
}

// processes: a limit at or above the host's own limits nothing.
func processes(h *facts.Host, c *docker.Container) []checks.Finding {
	f := checks.Finding{Subject: subject(c), Got: "no limit on its processes", Must: "limited"}
	if p := c.HostConfig.PidsLimit; p != nil && *p > 0 {
		most := int64(4194304) // as high as the kernel goes. Source: proc_sys_kernel(5)
		if e, err := docker.EngineSays(h); err == nil && e.Local {
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
