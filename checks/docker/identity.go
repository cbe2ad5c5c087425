package docker

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/facts/docker"
)

// generated are the parts of a container's name that are new each time it is recreated: the ID of a Swarm task, the
// UID and the attempt of a pod, the number of a `docker compose run`.
var generated = []struct {
	name *regexp.Regexp
	kept string
}{
	{regexp.MustCompile(`^(.+\.(?:[0-9]+|[a-z0-9]{25}))\.[a-z0-9]{25}$`), "$1"},
	{regexp.MustCompile(`^(k8s_[^_]+_[^_]+_[^_]+)_[0-9a-f-]+_[0-9]+$`), "$1"},
	{regexp.MustCompile(`^(.+-run)-[0-9a-f]{12}$`), "$1"},
}

// containerKey names a container the same whatever its state, and after it was recreated.
func containerKey(name string) string {
	for _, g := range generated {
		if g.name.MatchString(name) {
			name = g.name.ReplaceAllString(name, g.kept)
			break
		}
	}
	return "container " + name
}

// imageKey names an image by its repository: a new tag or a new build is the same image.
func imageKey(ref string) string {
	ref, _, _ = strings.Cut(ref, "@")
	if colon := strings.LastIndexByte(ref, ':'); colon > strings.LastIndexByte(ref, '/') {
		ref = ref[:colon]
	}
	return "image " + ref
}

// ofContainer has findings identified by their container. The service is part of it beside the name and not instead of
// it: an image can bring any label.
func ofContainer(c *docker.Container, findings ...checks.Finding) []checks.Finding {
	if len(findings) == 0 { // as of most of ten thousand containers
		return nil
	}
	service := ""
	if project := c.Config.Labels[docker.LabelComposeProject]; project != "" {
		service = project + "/" + c.Config.Labels[docker.LabelComposeService]
	}
	for i := range findings {
		findings[i].Key, findings[i].Service = containerKey(c.ShortName()), service
	}
	return findings
}

// ofImage is one finding of an image. Of several names the first identifies it, in the order of the alphabet: that of
// the Engine changes.
func ofImage(i *docker.Image, got, must string) checks.Finding {
	names := slices.DeleteFunc(slices.Concat(i.RepoTags, i.RepoDigests),
		func(n string) bool { return strings.HasPrefix(n, "<none>") })
	slices.Sort(names)
	key := "image " + docker.ShortID(i.ID)
	if len(names) > 0 {
		key = imageKey(names[0])
	}
	return checks.Finding{Subject: imageSubject(i), Key: key, Got: got, Must: must}
}

// ofExec identifies a finding by the container that the session is in: its own ID is another each time.
func ofExec(e docker.Exec, f checks.Finding) checks.Finding {
	f.Key = "exec in " + containerKey(cmp.Or(e.Container, docker.ShortID(e.ContainerID)))
	return f
}
