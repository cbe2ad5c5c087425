package gate

import (
	"encoding/json"

	"github.com/docker/docker/api/types/container"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/remediate"
)

// userns-remap moves the daemon to another directory, where it sees nothing of what it had: containers that run go on
// without an Engine, and those that do not are gone from `docker ps -a` until it moves back.

// remap refuses where something would go on unmanaged, and else says what is hidden.
func (p *precheck) remap(s setting) {
	if len(s.list()) == 0 {
		return
	}
	var host []string
	for _, c := range p.containers {
		if docker.NeedsHostUsers(&c) {
			host = append(host, nameOf(c))
		}
	}
	run := namesOf(p.running())
	switch {
	case p.daemon.Flavour == "rootless":
		p.refuse(s.checks, "a rootless dockerd already maps its users")
	case p.blind != nil:
		p.refuse(s.checks, "running containers would continue unmanaged, and harden cannot list them: %v", p.blind)
	case len(run) > 0:
		p.refuse(s.checks, "these running containers would continue unmanaged, invisible to the daemon: %s; stop them first",
			Join(run))
	case len(host) > 0 && !p.moved:
		p.refuse(s.checks, "these containers are privileged or share the host's namespaces, which needs --userns=host with "+
			"userns-remap: %s", Join(host))
	case !p.moved:
		if what := hides(p.engine, p.containers); what != "" {
			p.warn(s.checks, "until userns-remap is rolled back the daemon no longer sees %s; they stay in %s", what,
				p.engine.DockerRootDir)
		}
	}
}

// hides says in words what moving the daemon's data hides; empty where it has nothing.
func hides(engine *docker.EngineFacts, containers []docker.Container) string {
	if engine == nil || engine.Images+engine.Containers == 0 {
		return ""
	}
	text := remediate.Count(engine.Images, "image") + ", all volumes"
	var names []string
	for _, c := range containers {
		name := nameOf(c)
		if p := c.HostConfig.RestartPolicy.Name; p == container.RestartPolicyAlways ||
			p == container.RestartPolicyUnlessStopped {
			name += " (restart " + string(p) + "; a reboot does not start them either)"
		}
		names = append(names, name)
	}
	if len(names) > 0 {
		text += " and " + remediate.Count(len(names), "stopped container") + ": " + Join(names)
	}
	return text
}

// Hides says what a plan hides of what the Docker Engine has; empty where it hides nothing. Who is asked whether to
// apply it has to know, since no container shows it any more.
func Hides(plan *remediate.Plan, h *facts.Host) string {
	engine, err := docker.EngineSays(h)
	if err != nil || !moves(engine, h.With(plan.After())) {
		return ""
	}
	containers, _ := docker.Containers(h)
	return hides(engine, containers)
}

// Orphans are the names of the containers that run and that the daemon of a host as it would be, after, would not see:
// it keeps its data elsewhere then. They would go on without an Engine.
func Orphans(now, after *facts.Host) ([]string, error) {
	engine, err := docker.EngineSays(now)
	if err != nil || !moves(engine, after) {
		return nil, nil // nothing answers, so nothing is known to run
	}
	containers, err := docker.Containers(now)
	return namesOf(running(containers)), err
}

// moves reports whether an Engine would keep its data elsewhere, were it started as it is configured on h.
func moves(engine *docker.EngineFacts, h *facts.Host) bool {
	if !engine.Local {
		return false
	}
	d, err := docker.DaemonOf(h)
	return err == nil && d.KeysErr == nil && Remaps(d) != docker.Remapped(engine.SecurityOptions)
}

// Remaps reports whether a dockerd is configured with userns-remap.
func Remaps(d *docker.Daemon) bool {
	o := d.Option("userns-remap")
	var value string
	return o.Next != nil || json.Unmarshal(o.File, &value) == nil && value != ""
}
