package docker

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/archive"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/secret"
	"example.com/harden/checks/source"
	"example.com/harden/checks/stride"
)

// contentChecks is the part of section 4 about what is in images: their files, which --deep looks at, environment and
// history.
var contentChecks = []*checks.Check{
	imageSetuid, imageSecrets,
}

var imageSetuid = &checks.Check{
	ID:      "docker/image-setuid",
	Items:   cis.Docker("4.8", "4.8", "4.8", "4.8"),
	Title:   "images hold no set-user-ID or set-group-ID programs that they do not need",
	Why:     "such a program makes an ordinary user of the container its root",
	Threats: []stride.ID{stride.DockerClientElevation},
	Level:   2,
	Manual: "take the bits away at the end of the Dockerfile (`find / -xdev -perm /6000 -type f -exec chmod a-s " +
		"{} +`), or waive what is needed",
	Rule:   eachContents(setIDFiles),
	Source: source.Setuid,
}

func setIDFiles(_ *docker.Image, c *archive.Contents) (got, must string) {
	if len(c.SetID) == 0 {
		return "", ""
	}
	return names(c.SetID), "without the set-user-ID and set-group-ID bits"
}

// names lists files of an image, the first few of many.
func names(files []archive.File) string {
	var all []string
	for _, f := range files {
		all = append(all, "/"+clip(f.Path))
	}
	return some(all)
}

var imageSecrets = &checks.Check{
	ID:      "docker/image-secrets",
	Items:   cis.Docker("4.10", "4.10", "4.10", "4.10"),
	Title:   "no secret is built into an image",
	Why:     "whoever can pull the image or reads its history has it, later layers and deleted files notwithstanding",
	Threats: []stride.ID{stride.DockerClientDisclosure},
	Level:   1,
	Manual:  "take it out, give it when it is needed, and change it: whoever had the image has it",
	Rule:    checks.Func(secretsInImages),
	Source:  source.Both(source.Secrets, source.ComposeSecrets),
}

// secretsInImages looks at what everybody sees who may ask for an image: its environment and its history; and at keys
// in its files, where --deep is asked for. What is found is never told.
func secretsInImages(h *facts.Host) ([]checks.Finding, error) {
	all, err := imagesOf(h)
	var findings []checks.Finding
	for i := range all {
		found := func(got string) {
			if len(got) > 0 {
				findings = append(findings, ofImage(&all[i], got, "without secrets"))
			}
		}
		for _, got := range inEnvironment(all[i].Config.Env) {
			found(got)
		}
		for n, l := range all[i].History {
			text := l.CreatedBy
			for _, hit := range secret.Find([]byte(text)) {
				found(fmt.Sprintf("a secret of %d bytes in step %d of its history, of the kind %s", hit.End-hit.Start,
					len(all[i].History)-n, hit.Rule))
			}
		}
		if h.Deep == nil {
			continue
		}
		c, errRead := docker.Contents(h, all[i].ID)
		switch {
		case errors.Is(errRead, facts.ErrAbsent):
		case errRead != nil:
			err = errors.Join(err, fmt.Errorf("%s: %w", imageSubject(&all[i]), errRead))
		default:
			for _, k := range c.Keys {
				got := "a private key, /" + clip(k.Path)
				if k.Hidden {
					got += ", which a later layer hides and an earlier one still has"
				}
				found(got)
			}
		}
	}
	return unique(findings), err
}

// inEnvironment tells which variables hold secrets, by name or by form.
func inEnvironment(env []string) []string {
	var all []string
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		if given := secret.Given(name, value); given != "" {
			all = append(all, fmt.Sprintf("%s in its environment, a value of %d bytes", clip(name), len(given)))
			continue
		}
		for _, hit := range secret.Alarms([]byte(e), secret.Find([]byte(e))) {
			all = append(all, fmt.Sprintf("%s in its environment, a secret of %d bytes of the kind %s", clip(name),
				hit.End-hit.Start, hit.Rule))
		}
	}
	return all
}

// unique gives findings of one subject different subjects, by which reports know them.
func unique(findings []checks.Finding) []checks.Finding {
	times := map[string]int{}
	out := slices.Clone(findings)
	for i, f := range out {
		if times[f.Subject]++; times[f.Subject] > 1 {
			out[i].Subject = fmt.Sprintf("%s (%d)", f.Subject, times[f.Subject])
		}
	}
	return out
}
