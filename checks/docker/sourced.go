package docker

import (
	"example.com/harden/checks"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/stride"
)

// dockerfiles are the items of section 4 that a Dockerfile tells of.
var dockerfiles = []*checks.Check{
	{
		ID:      "docker/image-user",
		Items:   cis.Docker("4.1", "4.1", "4.1", "4.1"),
		Title:   "images name a user who is not root",
		Why:     "root in a container is root for the kernel: one mistake in a mount or a capability and it is root outside too",
		Threats: []stride.ID{stride.DockerClientElevation},
		Level:   1,
		Manual:  "make a user in the Dockerfile, give it what it must write, and end with USER and its number",
	},
	{
		ID:      "docker/image-base",
		Items:   cis.Docker("4.2", "4.2", "4.2", "4.2"),
		Title:   "images start from others that are trusted, and pinned",
		Why:     "a tag is whatever its owner, or whoever took over the account, makes of it at the next build",
		Threats: []stride.ID{stride.DockerRegistryRepudiation},
		Level:   1,
		Manual:  "look at the image, and name it by its digest too: `docker buildx imagetools inspect` tells it",
	},
	{
		ID:      "docker/image-healthcheck",
		Items:   cis.Docker("4.6", "4.6", "4.6", "4.6"),
		Title:   "images say how their health is checked",
		Why:     "a service that runs and does nothing goes unnoticed",
		Threats: []stride.ID{stride.DockerDaemonDenial},
		Level:   1,
		Manual:  "give the Dockerfile a HEALTHCHECK whose command asks the service itself",
	},
	{
		ID:      "docker/image-update",
		Items:   cis.Docker("4.7", "4.7", "4.7", "4.7"),
		Title:   "no image's layer holds a package index alone",
		Why:     "the layer is cached, and what is installed later comes from an index of long ago, without the repairs since",
		Threats: []stride.ID{stride.DockerClientElevation},
		Level:   1,
		Manual:  "fetch the index and install in one RUN",
	},
	{
		ID:      "docker/image-setuid",
		Items:   cis.Docker("4.8", "4.8", "4.8", "4.8"),
		Title:   "images hold no set-user-ID or set-group-ID programs that they do not need",
		Why:     "such a program makes an ordinary user of the container its root",
		Threats: []stride.ID{stride.DockerClientElevation},
		Level:   2,
		Manual:  "take the bits away in the Dockerfile, of the base image's programs too",
	},
	{
		ID:      "docker/image-copy",
		Items:   cis.Docker("4.9", "4.9", "4.9", "4.9"),
		Title:   "images are filled by COPY, and by ADD only where it is needed",
		Why:     "ADD fetches from the network without looking at what comes, and unpacks archives that nobody meant it to",
		Threats: []stride.ID{stride.DockerRegistryRepudiation},
		Level:   1,
		Manual:  "copy what is local, and fetch in a RUN that verifies what it got",
	},
	{
		ID:      "docker/image-secrets",
		Items:   cis.Docker("4.10", "4.10", "4.10", "4.10"),
		Title:   "no secret is built into an image",
		Why:     "whoever can pull the image or reads its history has it, later layers and deleted files notwithstanding",
		Threats: []stride.ID{stride.DockerClientDisclosure},
		Level:   1,
		Manual:  "take it out, give it when it is needed, and change it: whoever had the image has it",
	},
}
