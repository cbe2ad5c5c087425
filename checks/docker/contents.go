package docker

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/archive"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/secret"
	"example.com/harden/checks/stride"
)

// contents is the part of section 4 about what is in images: their files, which --deep looks at, environment and history.
var contents = []*checks.Check{
	{
		ID:      "docker/image-setuid",
		Items:   cis.Docker("4.8", "4.8", "4.8", "4.8"),
		Title:   "images hold no set-user-ID or set-group-ID programs that they do not need",
		Why:     "such a program makes an ordinary user of the container its root",
		Threats: []stride.ID{stride.DockerClientElevation},
		Level:   2,
		Manual:  "take the bits away at the end of the Dockerfile (`find / -xdev -perm /6000 -type f -exec chmod a-s {} +`), or waive what is needed",
		Rule:    eachContents(setIDFiles),
	},
	{
		ID:      "docker/image-secrets",
		Items:   cis.Docker("4.10", "4.10", "4.10", "4.10"),
		Title:   "no secret is built into an image",
		Why:     "whoever can pull the image or reads its history has it, later layers and deleted files notwithstanding",
		Threats: []stride.ID{stride.DockerClientDisclosure},
		Level:   1,
		Manual:  "take it out, give it when it is needed, and change it: whoever had the image has it",
		Rule:    checks.Func(imageSecrets),
	},
}

// deeper are rules that add to a check what the files in images tell.
var deeper = map[string]checks.Rule{
	"docker/user":            eachContents(rootByName),
	"docker/needed-packages": eachContents(packageCaches),
}

// alsoDeep is a rule, and another one that is asked where --deep is.
type alsoDeep struct{ rule, files checks.Rule }

// Judge adds up what both say. What the files decide no person has to look for.
func (r alsoDeep) Judge(h *facts.Host) ([]checks.Finding, error) {
	findings, err := r.rule.Judge(h)
	if h.Deep == nil || errors.Is(err, facts.ErrAbsent) {
		return findings, err
	}
	more, errFiles := r.files.Judge(h)
	if errFiles != nil && (err == nil || errors.Is(err, checks.ErrManual)) {
		err = errFiles
	}
	return append(findings, more...), err
}

// eachContents judges the files of every image; an empty got means that they are good.
func eachContents(judge func(*facts.Image, *archive.Contents) (got, must string)) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		all, err := imagesOf(h)
		if err == nil && h.Deep == nil {
			return nil, fmt.Errorf("%w: %w", checks.ErrManual, facts.ErrShallow)
		}
		var findings []checks.Finding
		for i := range all {
			c, errRead := h.Contents(all[i].ID)
			switch {
			case errors.Is(errRead, facts.ErrAbsent): // it is gone
			case errRead != nil:
				err = errors.Join(err, fmt.Errorf("%s: %w", imageSubject(&all[i]), errRead))
			default:
				if got, must := judge(&all[i], c); got != "" {
					findings = append(findings, checks.Finding{Subject: imageSubject(&all[i]), Got: got, Must: must})
				}
			}
		}
		return findings, err
	})
}

// names lists files of an image, the first few of many.
func names(files []archive.File) string {
	var all []string
	for _, f := range files {
		all = append(all, "/"+clip(f.Path))
	}
	return some(all)
}

func setIDFiles(_ *facts.Image, c *archive.Contents) (got, must string) {
	if len(c.SetID) == 0 {
		return "", ""
	}
	return names(c.SetID), "without the set-user-ID and set-group-ID bits"
}

func packageCaches(_ *facts.Image, c *archive.Contents) (got, must string) {
	if c.Cache < 1<<20 {
		return "", ""
	}
	return size(c.Cache) + " of package managers' indexes and archives", "without them: `rm -rf` them in the RUN that made them"
}

// rootByName knows the user of an image who is root by another name.
func rootByName(i *facts.Image, c *archive.Contents) (got, must string) {
	name, _, _ := strings.Cut(i.Config.User, ":")
	if _, err := strconv.Atoi(name); err == nil || rootSpelled(i.Config.User) {
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

// imageSecrets looks at what everybody sees who may ask for an image: its environment and its history; and at keys in its
// files, where --deep is asked for. What is found is never told.
func imageSecrets(h *facts.Host) ([]checks.Finding, error) {
	all, err := imagesOf(h)
	var findings []checks.Finding
	for i := range all {
		found := func(got string) {
			if len(got) > 0 {
				findings = append(findings, checks.Finding{Subject: imageSubject(&all[i]), Got: got, Must: "without secrets"})
			}
		}
		for _, got := range inEnvironment(all[i].Config.Env) {
			found(got)
		}
		for n, l := range all[i].History {
			text := l.CreatedBy
			for _, hit := range secret.Find([]byte(text)) {
				found(fmt.Sprintf("a secret of %d bytes in step %d of its history, of the kind %s", hit.End-hit.Start, len(all[i].History)-n, hit.Rule))
			}
		}
		if h.Deep == nil {
			continue
		}
		c, errRead := h.Contents(all[i].ID)
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
			all = append(all, fmt.Sprintf("%s in its environment, a secret of %d bytes of the kind %s", clip(name), hit.End-hit.Start, hit.Rule))
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
