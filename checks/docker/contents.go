package docker

import (
	"example.com/harden/checks"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/stride"
)

// contents is the part of section 4 about what is in the images' files and history.
var contents = []*checks.Check{
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
		ID:      "docker/image-secrets",
		Items:   cis.Docker("4.10", "4.10", "4.10", "4.10"),
		Title:   "no secret is built into an image",
		Why:     "whoever can pull the image or reads its history has it, later layers and deleted files notwithstanding",
		Threats: []stride.ID{stride.DockerClientDisclosure},
		Level:   1,
		Manual:  "take it out, give it when it is needed, and change it: whoever had the image has it",
	},
}
