package docker

import (
	"errors"
	"io/fs"

	"example.com/harden/checks"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/stride"
	"example.com/harden/checks/want"
)

// images is section 4, what containers are made of.
var images = []*checks.Check{
	{
		ID:    "docker/content-trust",
		Items: cis.Docker("4.5", "4.5", "4.5", "4.5"),
		Title: "the docker client accepts signed images only",
		Why:   "whoever can push to a registry, or stand in for it, chooses what runs here, and no signature tells who it was",
		Breaks: "Docker is retiring content trust: its signing server closes in December 2026. With a client before version 29 " +
			"every pull, build and run of an unsigned tag is refused from the next login on, and of Docker Hub's signed ones once " +
			"their certificates have lapsed; clients from version 29 on ignore the setting. Pulling by digest keeps working.",
		Class:   want.Behaviour,
		Threats: []stride.ID{stride.DockerRegistryRepudiation, stride.DockerClientSpoofing},
		Level:   2,
		Rule:    checks.Func(contentTrust),
	},
}

const (
	environment = "/etc/environment"
	trust       = "DOCKER_CONTENT_TRUST"
)

// contentTrust judges what every login gets, not the environment of harden itself: sudo strips that.
func contentTrust(h *facts.Host) ([]checks.Finding, error) {
	if _, err := rule.Dockerd(h); err != nil {
		return nil, err
	}
	f, err := h.File(environment)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	got := "unset"
	for _, a := range facts.ParseEnv(f.Data) {
		if a.Name == trust {
			got = a.Value
		}
	}
	if got == "1" {
		return nil, nil
	}
	return []checks.Finding{{
		Subject: environment + " " + trust,
		Got:     got,
		Must:    "1",
		Wants:   []want.Want{want.Env{File: environment, Name: trust, Value: "1"}},
	}}, nil
}
