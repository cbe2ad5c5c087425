package docker

import (
	"errors"
	"fmt"
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
		ID:      "docker/user",
		Items:   cis.Docker("4.1", "4.1", "4.1", "4.1"),
		Title:   "images and containers name a user that is not root",
		Why:     "root in a container is root for the kernel: one mistake in a mount, a capability or the kernel, and it is root outside",
		Threats: []stride.ID{stride.DockerClientElevation},
		Level:   1,
		Rule:    rule.All(eachImage(rootImage), checks.Func(rootContainers)),
		Manual:  "end its Dockerfile with USER UID:GID, numbers of an account made for it; files and ports below 1024 may need a change too",
	},
	{
		ID:      "docker/trusted-images",
		Items:   cis.Docker("4.2", "4.2", "4.2", "4.2"),
		Title:   "images come from where the site trusts",
		Why:     "an image is other people's programs, run as root unless it says otherwise",
		Threats: []stride.ID{stride.DockerRegistryRepudiation, stride.DockerClientSpoofing},
		Manual:  "take the image from one of the trusted registries, or add its own to trusted-registries",
		Level:   1,
		Rule:    checks.Func(trustedImages),
	},
	{
		ID:      "docker/needed-packages",
		Items:   cis.Docker("4.3", "4.3", "4.3", "4.3"),
		Title:   "images hold no more packages than they need",
		Why:     "every program in an image is one that an intruder finds there",
		Threats: []stride.ID{stride.DockerClientElevation},
		Level:   1,
		Rule:    checks.Func(neededPackages),
	},
	{
		ID:      "docker/image-age",
		Items:   cis.Docker("4.4", "4.4", "4.4", "4.4"),
		Title:   "images are rebuilt, with what has been repaired since",
		Why:     "what an image holds is repaired elsewhere, with word of how to attack what was not",
		Threats: []stride.ID{stride.DockerClientElevation},
		Manual:  "build it again with `--pull --no-cache`, or pull it again, and make its containers anew",
		Level:   1,
		Rule:    checks.Func(imageAge),
	},
	{
		ID:    "docker/content-trust",
		Items: cis.Docker("4.5", "4.5", "4.5", "4.5"),
		Title: "the docker client accepts signed images only",
		Why:   "whoever can push to a registry, or stand in for it, chooses what runs here, and no signature tells who it was",
		Breaks: "Docker is retiring content trust: its signing server closes in December 2026. With a client before version 29 " +
			"every pull, build and run of an unsigned tag is refused from the next login on, and of Docker Hub's signed ones once " +
			"their certificates have lapsed; clients from version 29 on ignore the setting. Pulling by digest keeps working.",
		Manual:  verifySignatures,
		Class:   want.Behaviour,
		Threats: []stride.ID{stride.DockerRegistryRepudiation, stride.DockerClientSpoofing},
		Level:   2,
		Rule:    checks.Func(contentTrust),
	},
	{
		ID:      "docker/image-healthcheck",
		Items:   cis.Docker("4.6", "4.6", "4.6", "4.6"),
		Title:   "images say how their health is checked",
		Why:     "nobody notices a container that runs and does nothing, and an intruder in it may count on that",
		Threats: []stride.ID{stride.DockerDaemonDenial},
		Manual:  "HEALTHCHECK CMD with a probe that only what is in the image can say, or --health-cmd for its containers",
		Level:   1,
		Rule: eachImage(func(i *facts.Image) (got, must string) {
			return noHealthcheck(i.Config.Healthcheck), "with a HEALTHCHECK that can fail"
		}),
	},
	{
		ID:      "docker/package-index",
		Items:   cis.Docker("4.7", "4.7", "4.7", "4.7"),
		Title:   "no layer of an image updates the package index alone",
		Why:     "the builder keeps that layer for ever, and what is installed after it stays as old as it is, repairs missing",
		Threats: []stride.ID{stride.DockerClientElevation},
		Manual:  "one RUN for both: `apt-get update && apt-get install -y --no-install-recommends … && rm -rf /var/lib/apt/lists/*`",
		Level:   1,
		Rule: eachImage(func(i *facts.Image) (got, must string) {
			return steps(i, updatesAlone), "updated and installed from in one step"
		}),
	},
	{
		ID:      "docker/no-add",
		Items:   cis.Docker("4.9", "4.9", "4.9", "4.9"),
		Title:   "images are made with COPY and not with ADD",
		Why:     "ADD fetches from the network and unpacks archives: what arrives is whatever is there that day",
		Threats: []stride.ID{stride.DockerRegistryRepudiation},
		Manual:  "COPY for files; for what is fetched, a RUN that compares its hash",
		Level:   1,
		Rule:    checks.Func(noAdd),
	},
	{
		ID:      "docker/verified-packages",
		Items:   cis.Docker("4.11", "4.11", "4.11", "4.11"),
		Title:   "only packages whose origin was verified are in images",
		Why:     "a package that nobody signed is whatever somebody in between made of it",
		Threats: []stride.ID{stride.DockerRegistryRepudiation, stride.DockerClientSpoofing},
		Manual:  "leave the package manager's checks on, and compare the hash of what is fetched by hand",
		Level:   2,
		Rule:    checks.Func(verifiedPackages),
	},
	{
		ID:      "docker/signed-artifacts",
		Items:   cis.Docker("", "4.12", "4.12", "4.12"),
		Title:   "the signatures of what is pulled are validated",
		Why:     "without it nobody can be held to what an image holds",
		Threats: []stride.ID{stride.DockerRegistryRepudiation},
		Level:   2,
		Rule:    checks.Func(signedArtifacts),
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
	client, unknown := h.DockerClient()
	without := unknown == nil && client.Major() >= noTrust
	said := fmt.Sprintf("the docker command here, %s by %s, has no content trust and ignores %s (removed in version 29)", client.Version, client.From, trust)
	finding := checks.Finding{Subject: environment + " " + trust, Got: got, Must: "1"}
	switch {
	case got == "1" && without:
		return nil, fmt.Errorf("%w: %s is 1, but %s; %s", checks.ErrManual, trust, said, verifySignatures)
	case got == "1":
		return nil, nil
	case without: // to set it would be a false assurance
		finding.Reason = said + "; " + verifySignatures
	default:
		finding.Wants = []want.Want{want.Env{File: environment, Name: trust, Value: "1", Warrant: want.Mine}}
		if unknown == nil {
			finding.Breaks = fmt.Sprintf("the docker command here, %s by %s, obeys it until it is updated to version 29",
				client.Version, client.From)
		}
	}
	return []checks.Finding{finding}, nil
}

// noTrust is the first version of the docker command without content trust: no command of it reads DOCKER_CONTENT_TRUST,
// and `docker trust` is not part of it. Source: docker/cli v29.0.0, pull requests 6195 and 6603.
const noTrust = 29

// verifySignatures is what does the work of content trust now. containerd's image verifiers are asked by its transfer
// service, which Kubernetes pulls by and dockerd does not. Sources: containerd docs/image-verification.md and
// core/transfer/local/pull.go; moby daemon/containerd/image_pull.go.
const verifySignatures = "verify signatures where images are deployed, with `cosign verify` or with `notation verify` and a trust policy, and " +
	"deploy the digest that was verified; on Kubernetes an admission policy does it for each pod; containerd's image verifier plugins " +
	"check what is pulled for Kubernetes, but not what dockerd pulls"
