package docker

import (
	"cmp"
	"fmt"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/source"
	"example.com/harden/checks/stride"
)

// runningChecks is the part of section 5 about what runs in containers.
var runningChecks = []*checks.Check{
	noSSHD, execPrivileged, execRoot, containerHealthcheck, imageCurrent,
}

var noSSHD = &checks.Check{
	ID:      "docker/no-sshd",
	Items:   cis.Docker("5.6", "5.6", "5.7", "5.7"),
	Title:   "no SSH server runs in a container",
	Why:     "it is a second way in, with keys and passwords of its own that nobody looks after",
	Threats: []stride.ID{stride.DockerClientSpoofing},
	Manual:  "take the SSH server out of the image; `docker exec` does what it was for",
	Level:   1,
	Rule:    checks.Func(sshServers),
}

// sshServers looks for the servers among the processes of this machine: asking a container to list its own would run
// what it brings along.
func sshServers(h *facts.Host) ([]checks.Finding, error) {
	cs, err := containers(h)
	if len(cs) == 0 {
		return nil, err
	}
	e, errEngine := engine(h)
	switch {
	case errEngine != nil:
		return nil, errEngine
	case !e.Local:
		return nil, fmt.Errorf("%w: run harden there, to see what its containers run", docker.ErrElsewhere)
	}
	var findings []checks.Finding
	programs, errProcesses := h.Contained("sshd", "dropbear")
	for i := range cs {
		if name := programs[cs[i].ID]; name != "" {
			findings = append(findings, ofContainer(&cs[i], checks.Finding{Subject: subject(&cs[i]),
				Got: "runs " + name, Must: "without an SSH server"})...)
		}
	}
	return findings, cmp.Or(err, errProcesses)
}

var execPrivileged = &checks.Check{
	ID:      "docker/exec-privileged",
	Items:   cis.Docker("5.22", "5.22", "5.23", "5.23"),
	Title:   "no exec session that the Engine remembers was privileged",
	Why:     "it has every capability, whatever the container was given",
	Threats: []stride.ID{stride.DockerClientElevation, stride.DockerRegistryRepudiation},
	Level:   2,
	Rule:    execs(func(e docker.Exec) bool { return e.Privileged }, "privileged", "not privileged"),
}

// execs judges the exec sessions that the Engine knows of. One that it has forgotten all but the name of is not known
// to be good.
func execs(bad func(docker.Exec) bool, got, must string) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		if _, err := engine(h); err != nil {
			return nil, err
		}
		all, err := docker.Execs(h)
		var findings []checks.Finding
		gone := 0
		for _, e := range all {
			if e.Gone {
				gone++
			}
			if !bad(e) {
				continue
			}
			state := "ended"
			if e.Running {
				state = "runs"
			}
			findings = append(findings, ofExec(e, checks.Finding{
				Subject: "exec " + docker.ShortID(e.ID) + " in container " +
					clip(cmp.Or(e.Container, docker.ShortID(e.ContainerID))),
				Got: got + ": " + clip(e.Program) + ", " + state, Must: must,
				Reason: "find out who did it, and why: `ausearch -k docker` where the API's socket or docker is " +
					"audited; an authorization plugin can refuse it",
			}))
		}
		if len(findings) == 0 && err == nil && gone > 0 {
			return nil, fmt.Errorf("%w: %d exec sessions have ended, and the Engine no longer has their options "+
				"made; `ausearch -k docker` may",
				checks.ErrManual, gone)
		}
		return findings, err
	})
}

var execRoot = &checks.Check{
	ID:      "docker/exec-root",
	Items:   cis.Docker("5.23", "5.23", "5.24", "5.24"),
	Title:   "no exec session that the Engine remembers asked to be root",
	Why:     "it undoes what the container's own user was for",
	Threats: []stride.ID{stride.DockerClientElevation, stride.DockerRegistryRepudiation},
	Level:   2,
	Rule: execs(func(e docker.Exec) bool { return e.User != "" && source.IsRoot(e.User) }, "as root",
		"as the container's own user"),
}

var containerHealthcheck = &checks.Check{
	ID:      "docker/container-healthcheck",
	Items:   cis.Docker("5.26", "5.26", "5.27", "5.27"),
	Title:   "each container's health is checked, and good",
	Why:     "one that runs and does nothing goes unnoticed",
	Threats: []stride.ID{stride.DockerDaemonDenial},
	Level:   1,
	Rule:    inCompose{rule: each(containerHealth), service: source.ComposeHealthcheck},
	Source:  source.ComposeHealthcheck,
}

// containerHealth: NONE switches the image's check off, and one that always succeeds checks nothing.
func containerHealth(_ *facts.Host, c *docker.Container) []checks.Finding {
	const must = "checked by a command that can fail, and healthy"
	if why := noHealthcheck(c.Config.Healthcheck); why != "" {
		return found(c, why, must, "--health-cmd, or a HEALTHCHECK in the image")
	}
	if s := c.State.Health; s != nil && s.Status == "unhealthy" {
		return []checks.Finding{{Subject: subject(c), Got: "unhealthy", Must: must,
			Reason: "see `docker inspect` of it, State.Health.Log, for what its check says"}}
	}
	return nil
}

var imageCurrent = &checks.Check{
	ID:      "docker/image-current",
	Items:   cis.Docker("5.27", "5.27", "5.28", "5.28"),
	Title:   "containers run the image that their name stands for now",
	Why:     "an image that was pulled again, with its repairs, helps no container that still runs the old one",
	Threats: []stride.ID{stride.DockerRegistryRepudiation},
	Level:   1,
	Rule:    checks.Func(currentImages),
}

// currentImages finds containers whose image's name stands for another image by now. A digest stands for one for ever;
// whether a tag's image here is the registry's newest, only the registry knows.
func currentImages(h *facts.Host) ([]checks.Finding, error) {
	cs, err := containers(h)
	if len(cs) == 0 {
		return nil, err
	}
	images, errImages := docker.Images(h)
	tags := map[string]string{}
	for _, i := range images {
		for _, t := range i.RepoTags {
			tags[t] = i.ID
		}
	}
	var findings []checks.Finding
	var loose []string
	for i := range cs {
		c := &cs[i]
		name := c.Config.Image
		if strings.Contains(name, "@sha256:") || strings.HasPrefix(c.Image, "sha256:"+name) || name == c.Image {
			continue
		}
		switch now := tags[tagged(name)]; {
		case now != "" && now != c.Image && c.Image != "":
			findings = append(findings, ofContainer(c, checks.Finding{Subject: subject(c),
				Got:  fmt.Sprintf("runs an image that is no longer %s", clip(name)),
				Must: "made of what the name stands for", Reason: again(c,
					"the image as it is now, best by its digest")})...)
		default:
			loose = append(loose, clip(c.ShortName())+" "+clip(name))
		}
	}
	err = cmp.Or(err, errImages)
	if len(findings) == 0 && err == nil && len(loose) > 0 {
		return nil, fmt.Errorf("%w: not pinned by digest, so only the registry knows whether it is the newest: %s",
			checks.ErrManual, some(loose))
	}
	return findings, err
}

// tagged adds the tag that a name without one means.
func tagged(name string) string {
	if strings.LastIndexByte(name, ':') > strings.LastIndexByte(name, '/') {
		return name
	}
	return name + ":latest"
}
