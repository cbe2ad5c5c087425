package docker

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/harden/checks"
	"example.com/harden/checks/archive"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/source"
	"example.com/harden/checks/stride"
	"example.com/harden/checks/want"
)

// imageChecks is the part of section 4 about where images are from, and whom they run as.
var imageChecks = []*checks.Check{
	user, trustedImages, neededPackages, imageAge, contentTrust,
}

var user = &checks.Check{
	ID:    "docker/user",
	Items: cis.Docker("4.1", "4.1", "4.1", "4.1"),
	Title: "images and containers name a user that is not root",
	Why: "root in a container is root for the kernel: one mistake in a mount, a capability or the kernel, " +
		"and it is root outside",
	Threats: []stride.ID{stride.DockerClientElevation},
	Level:   1,
	Rule:    alsoDeep{rule.All(eachImage(rootImage), checks.Func(rootContainers)), eachContents(rootByName)},
	Source:  source.Both(source.User, source.ComposeUser),
	Manual: "end its Dockerfile with USER UID:GID, numbers of an account made for it; files and ports below " +
		"1024 may need a change too",
}

func rootImage(i *docker.Image) (got, must string) {
	switch u := i.Config.User; {
	case u == "":
		return "no USER, so root", notRoot
	case source.IsRoot(u):
		return "USER " + clip(u), notRoot
	}
	return "", ""
}

const notRoot = "another user than root"

// rootContainers judges who each container is made to run as. A name that is no number means what the image's own
// passwd says; one made for the purpose, of uid 0, is root too.
func rootContainers(h *facts.Host) ([]checks.Finding, error) {
	cs, err := containers(h)
	var findings []checks.Finding
	for i := range cs {
		c := &cs[i]
		user := c.Config.User
		name, _, _ := strings.Cut(user, ":")
		options := "--user UID:GID, or from an image whose Dockerfile ends with USER"
		if source.IsRoot(user) {
			findings = append(findings, found(c, "runs as "+clip(cmp.Or(user, "root, since nobody is named")), notRoot,
				options)...)
			continue
		}
		if _, errNumber := strconv.Atoi(name); errNumber == nil {
			continue
		}
		uid, errUser := docker.ContainerUser(h, c.ID, name)
		switch {
		case errUser != nil:
			err = cmp.Or(err, fmt.Errorf("%s runs as %s, and its UID is unknown: %v", subject(c), clip(name),
				errUser))
		case uid == 0:
			findings = append(findings, found(c, "runs as "+clip(user)+", which its passwd makes uid 0", notRoot,
				options)...)
		}
	}
	return findings, err
}

// rootByName knows the user of an image who is root by another name.
func rootByName(i *docker.Image, c *archive.Contents) (got, must string) {
	name, _, _ := strings.Cut(i.Config.User, ":")
	if _, err := strconv.Atoi(name); err == nil || source.IsRoot(i.Config.User) {
		return "", ""
	}
	for line := range strings.Lines(string(c.Passwd)) {
		if f := strings.Split(line, ":"); len(f) > 2 && f[0] == name {
			if uid, err := strconv.ParseUint(f[2], 10, 32); err == nil && uid == 0 {
				return "USER " + clip(i.Config.User) + ", which its passwd makes uid 0", notRoot
			}
			return "", ""
		}
	}
	return "", ""
}

var trustedImages = &checks.Check{
	ID:      "docker/trusted-images",
	Items:   cis.Docker("4.2", "4.2", "4.2", "4.2"),
	Title:   "images come from where the site trusts",
	Why:     "an image is other people's programs, run as root unless it says otherwise",
	Threats: []stride.ID{stride.DockerRegistryRepudiation, stride.DockerClientSpoofing},
	Manual:  "take the image from one of the trusted registries, or add its own to trusted-registries",
	Level:   1,
	Rule:    checks.Func(untrustedImages),
	Source:  source.Both(source.Pinned, source.ComposeImage),
}

// untrustedImages judges by the names that images have: who only builds has none of elsewhere.
func untrustedImages(h *facts.Host) ([]checks.Finding, error) {
	all, err := imagesOf(h)
	if err != nil {
		return nil, err
	}
	var from []string
	var findings []checks.Finding
	for i := range all {
		for _, name := range slices.Concat(all[i].RepoTags, all[i].RepoDigests) {
			r := source.RegistryOf(name)
			if strings.HasPrefix(name, "<none>") {
				continue
			}
			if !slices.Contains(from, r) {
				from = append(from, r)
			}
			trusted := slices.ContainsFunc(h.Choices.TrustedRegistries,
				func(t string) bool { return facts.Within(r, t) })
			if h.Choices.TrustedRegistries != nil && !trusted {
				findings = append(findings, checks.Finding{Subject: "image " + clip(name), Key: imageKey(name),
					Got: "from " + clip(r), Must: "from one of " + some(slices.Clone(h.Choices.TrustedRegistries))})
			}
		}
	}
	if h.Choices.TrustedRegistries == nil {
		for i := range from {
			from[i] = clip(from[i])
		}
		return nil, fmt.Errorf("%w: images are from %s; name those you trust in harden's configuration",
			checks.ErrManual, some(from))
	}
	return findings, nil
}

var neededPackages = &checks.Check{
	ID:      "docker/needed-packages",
	Items:   cis.Docker("4.3", "4.3", "4.3", "4.3"),
	Title:   "images hold no more packages than they need",
	Why:     "every program in an image is one that an intruder finds there",
	Threats: []stride.ID{stride.DockerClientElevation},
	Level:   1,
	Review:  checks.ReviewAlways, // though --deep finds what was left over
	Rule:    alsoDeep{checks.Func(largestImages), eachContents(packageCaches)},
}

func largestImages(h *facts.Host) ([]checks.Finding, error) {
	all, err := imagesOf(h)
	if err != nil {
		return nil, err
	}
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b docker.Image) int { return cmp.Compare(layers(&b), layers(&a)) })
	var largest []string
	for i := range all[:min(3, len(all))] {
		largest = append(largest, fmt.Sprintf("%s (%s)", clip(all[i].ShortName()), size(layers(&all[i]))))
	}
	return nil, fmt.Errorf("%w: see what the images hold, the largest first: %s", checks.ErrManual,
		strings.Join(largest, ", "))
}

func layers(i *docker.Image) (sum int64) {
	for _, l := range i.History {
		sum += l.Size
	}
	return sum
}

func packageCaches(_ *docker.Image, c *archive.Contents) (got, must string) {
	if c.Cache < 1<<20 {
		return "", ""
	}
	return size(c.Cache) + " of package managers' indexes and archives",
		"without them: `rm -rf` them in the RUN that made them"
}

var imageAge = &checks.Check{
	ID:      "docker/image-age",
	Items:   cis.Docker("4.4", "4.4", "4.4", "4.4"),
	Title:   "images are rebuilt, with what has been repaired since",
	Why:     "what an image holds is repaired elsewhere, with word of how to attack what was not",
	Threats: []stride.ID{stride.DockerClientElevation},
	Manual:  "build it again with `--pull --no-cache`, or pull it again, and make its containers anew",
	Level:   1,
	Review:  checks.ReviewToPass,
	Rule:    checks.Func(oldImages),
}

// maxAge is after how long an image counts as not rebuilt, where the site has not chosen.
const maxAge = 90 * 24 * time.Hour

// oldImages decides what a date can: an old image has not been rebuilt. Whether a new one was scanned it does not tell.
func oldImages(h *facts.Host) ([]checks.Finding, error) {
	all, err := imagesOf(h)
	if err != nil && len(all) == 0 {
		return nil, err
	}
	now := engineTime(h)
	limit := cmp.Or(h.Choices.ImageMaxAge, maxAge)
	var findings []checks.Finding
	for i := range all {
		if built := all[i].Built(); !built.IsZero() && now.Sub(built) > limit {
			findings = append(findings, ofImage(&all[i], "of "+built.UTC().Format(time.DateOnly),
				fmt.Sprintf("made within %d days", int(limit.Hours()/24))))
		}
	}
	if len(findings) == 0 && err == nil {
		err = fmt.Errorf("%w: no image is older than %d days, as far as they say; whether they were scanned they do "+
			"not", checks.ErrManual, int(limit.Hours()/24))
	}
	return findings, err
}

// engineTime is the Engine's own idea of now.
func engineTime(h *facts.Host) time.Time {
	if e, err := docker.EngineSays(h); err == nil {
		if t, err := time.Parse(time.RFC3339Nano, e.SystemTime); err == nil {
			return t
		}
	}
	return time.Now()
}

var contentTrust = &checks.Check{
	ID:    "docker/content-trust",
	Items: cis.Docker("4.5", "4.5", "4.5", "4.5"),
	Title: "the docker client accepts signed images only",
	Why: "whoever can push to a registry, or stand in for it, chooses what runs here, and no signature tells " +
		"who it was",
	Breaks: "Docker is retiring content trust: its signing server closes in December 2026. With a client before " +
		"version 29 every pull, build and run of an unsigned tag is refused from the next login on, and of Docker " +
		"Hub's signed ones once their certificates have lapsed; clients from version 29 on ignore the setting. " +
		"Pulling by digest keeps working.",
	Class:   want.Behaviour,
	Threats: []stride.ID{stride.DockerRegistryRepudiation, stride.DockerClientSpoofing},
	Level:   2,
	Rule:    checks.Func(contentTrustOff),
	Manual:  verifySignatures,
}

// verifySignatures is what does the work of content trust now. containerd's image verifiers are asked by its transfer
// service, which Kubernetes pulls by and dockerd does not. Sources: containerd docs/image-verification.md and
// core/transfer/local/pull.go; moby daemon/containerd/image_pull.go.
const verifySignatures = "verify signatures where images are deployed, with `cosign verify` or with `notation " +
	"verify` " +
	"and a trust policy, and deploy the digest that was verified; on Kubernetes an admission policy does it for each " +
	"pod; containerd's image verifier plugins check what is pulled for Kubernetes, but not what dockerd pulls"

// noTrust is the first version of the docker command without content trust: no command of it reads
// DOCKER_CONTENT_TRUST, and `docker trust` is not part of it. Source: docker/cli v29.0.0, pull requests 6195 and 6603.
const noTrust = 29

const (
	environment = "/etc/environment"
	trust       = "DOCKER_CONTENT_TRUST"
)

// contentTrustOff judges what every login gets, not the environment of harden itself: sudo strips that.
func contentTrustOff(h *facts.Host) ([]checks.Finding, error) {
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
	client, unknown := docker.ClientOf(h)
	without := unknown == nil && client.Major() >= noTrust
	said := fmt.Sprintf("the docker command here, %s by %s, has no content trust and ignores %s (removed in version %d)",
		client.Version, client.From, trust, noTrust)
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
			finding.Breaks = fmt.Sprintf("the docker command here, %s by %s, obeys it until it is updated to version %d",
				client.Version, client.From, noTrust)
		}
	}
	return []checks.Finding{finding}, nil
}
