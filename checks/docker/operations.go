package docker

import (
	"fmt"
	"slices"

	"example.com/harden/checks"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/stride"
)

// operationChecks is section 6. What is not in use may be wanted all the same, so that people judge it.
var operationChecks = []*checks.Check{
	imageSprawl, containerSprawl,
}

var imageSprawl = &checks.Check{
	ID:      "docker/image-sprawl",
	Items:   cis.Docker("6.1", "6.1", "6.1", "6.1"),
	Title:   "there are no images that nothing uses",
	Why:     "one that is kept for nothing is started by mistake, with all that was repaired since",
	Threats: []stride.ID{stride.DockerClientElevation, stride.DockerDaemonDenial},
	Level:   1,
	Review:  checks.ReviewToFail,
	Rule:    checks.Func(unusedImages),
}

func unusedImages(h *facts.Host) ([]checks.Finding, error) {
	all, err := imagesOf(h)
	if err != nil {
		return nil, err
	}
	cs, err := docker.Containers(h)
	if err != nil {
		return nil, err
	}
	var unused []string
	for i := range all {
		if !slices.ContainsFunc(cs, func(c docker.Container) bool { return c.Image == all[i].ID }) {
			unused = append(unused, clip(all[i].ShortName()))
		}
	}
	if len(unused) == 0 {
		return nil, nil
	}
	return nil, fmt.Errorf("%w: %d of %d images are no container's: %s; `docker image prune -a` removes all such",
		checks.ErrManual,
		len(unused), len(all), some(unused))
}

var containerSprawl = &checks.Check{
	ID:      "docker/container-sprawl",
	Items:   cis.Docker("6.2", "6.2", "6.2", "6.2"),
	Title:   "there are no containers that only take up space",
	Why:     "each keeps its files and its environment, with what is secret in them, for whoever starts or copies it",
	Threats: []stride.ID{stride.DockerClientDisclosure, stride.DockerDaemonDenial},
	Level:   1,
	Review:  checks.ReviewToFail,
	Rule:    checks.Func(idleContainers),
}

func idleContainers(h *facts.Host) ([]checks.Finding, error) {
	cs, err := containers(h)
	if err != nil {
		return nil, err
	}
	var idle []string
	for i := range cs {
		if !cs[i].State.Running {
			idle = append(idle, clip(cs[i].ShortName())+" ("+clip(cs[i].State.Status)+")")
		}
	}
	if len(idle) == 0 {
		return nil, nil
	}
	return nil, fmt.Errorf("%w: %d of %d containers do not run: %s; `docker container prune` removes all that have "+
		"ended", checks.ErrManual,
		len(idle), len(cs), some(idle))
}
