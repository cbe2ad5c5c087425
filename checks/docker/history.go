package docker

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"example.com/harden/checks"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/source"
	"example.com/harden/checks/stride"
)

// historyChecks is the part of section 4 about how images are made.
var historyChecks = []*checks.Check{
	imageHealthcheck, packageIndex, noAdd, verifiedPackages, signedArtifacts,
}

var imageHealthcheck = &checks.Check{
	ID:      "docker/image-healthcheck",
	Items:   cis.Docker("4.6", "4.6", "4.6", "4.6"),
	Title:   "images say how their health is checked",
	Why:     "nobody notices a container that runs and does nothing, and an intruder in it may count on that",
	Threats: []stride.ID{stride.DockerDaemonDenial},
	Manual:  "HEALTHCHECK CMD with a probe that only what is in the image can say, or --health-cmd for its containers",
	Level:   1,
	Rule: eachImage(func(i *docker.Image) (got, must string) {
		return noHealthcheck(i.Config.Healthcheck), "with a HEALTHCHECK that can fail"
	}),
	Source: source.Healthcheck,
}

var packageIndex = &checks.Check{
	ID:    "docker/package-index",
	Items: cis.Docker("4.7", "4.7", "4.7", "4.7"),
	Title: "no layer of an image updates the package index alone",
	Why: "the builder keeps that layer for ever, and what is installed after it stays as old as it is, " +
		"repairs missing",
	Threats: []stride.ID{stride.DockerClientElevation},
	Manual: "one RUN for both: `apt-get update && apt-get install -y --no-install-recommends … && rm -rf " +
		"/var/lib/apt/lists/*`",
	Level: 1,
	Rule: eachImage(func(i *docker.Image) (got, must string) {
		return steps(i, updatesAlone), "updated and installed from in one step"
	}),
	Source: source.Update,
}

// steps tells what find finds in the commands of an image's history; empty where that is nothing. It is never a command
// whole: those have passwords among their words.
func steps(i *docker.Image, find func(command string) string) string {
	var found []string
	for _, l := range slices.Backward(i.History) {
		if command, ok := ran(l.CreatedBy); ok {
			if what := find(command); what != "" && !slices.Contains(found, what) {
				found = append(found, what)
			}
		}
	}
	return some(found)
}

// ran is the command of a RUN step: the classic builder begins it with the shell, BuildKit with RUN and the shell, each
// after the build's arguments.
func ran(step string) (command string, ok bool) {
	step = strings.TrimSuffix(strings.TrimSpace(step), "# buildkit")
	step, isRun := strings.CutPrefix(step, "RUN ")
	if rest, isArgs := strings.CutPrefix(step, "|"); isArgs { // |2 A=1 B=2 /bin/sh -c …
		if i := strings.Index(rest, "/bin/sh -c "); i >= 0 {
			step = rest[i:]
		}
	}
	rest, isShell := strings.CutPrefix(step, "/bin/sh -c ")
	if !isRun && !isShell || strings.HasPrefix(rest, "#(nop)") {
		return "", false
	}
	return strings.TrimSpace(rest), true
}

// Package managers, how each is told to read its index, and how to install.
var packageManagers = map[string]struct{ update, install []string }{
	"apt-get":  {[]string{"update"}, []string{"install", "upgrade", "dist-upgrade", "build-dep", "full-upgrade"}},
	"apt":      {[]string{"update"}, []string{"install", "upgrade", "full-upgrade"}},
	"aptitude": {[]string{"update"}, []string{"install", "upgrade", "safe-upgrade", "full-upgrade"}},
	"apk":      {[]string{"update"}, []string{"add", "upgrade"}},
	"dnf":      {[]string{"makecache", "check-update"}, []string{"install", "upgrade", "update", "groupinstall"}},
	"yum":      {[]string{"makecache", "check-update"}, []string{"install", "upgrade", "update", "groupinstall"}},
	"zypper":   {[]string{"refresh", "ref"}, []string{"install", "in", "update", "up", "dup", "patch"}},
	"pacman":   {[]string{"-Sy"}, []string{"-S", "-Syu", "-Su"}},
}

// updatesAlone finds what in a command reads the index of a package manager and installs nothing with it: "apt-get
// update".
func updatesAlone(command string) string {
	updated, installed := "", false
	for _, words := range commands(command) {
		for n, w := range words {
			name := w[strings.LastIndexByte(w, '/')+1:]
			m, ok := packageManagers[name]
			if !ok {
				continue
			}
			for _, verb := range words[n+1:] {
				if slices.Contains(m.update, verb) {
					updated = name + " " + verb
				}
				installed = installed || slices.Contains(m.install, verb)
			}
			break
		}
	}
	if installed {
		return ""
	}
	return updated
}

// commands splits a shell's command line into its simple commands, as words. Quoting is not looked at: a step that
// hides its package manager in quotes hides it from the builder's cache no more than from us.
func commands(line string) (all [][]string) {
	for part := range strings.FieldsFuncSeq(line, func(r rune) bool { return strings.ContainsRune(";&|\n(){}", r) }) {
		if words := strings.Fields(part); len(words) > 0 {
			all = append(all, words)
		}
	}
	return all
}

var noAdd = &checks.Check{
	ID:      "docker/no-add",
	Items:   cis.Docker("4.9", "4.9", "4.9", "4.9"),
	Title:   "images are made with COPY and not with ADD",
	Why:     "ADD fetches from the network and unpacks archives: what arrives is whatever is there that day",
	Threats: []stride.ID{stride.DockerRegistryRepudiation},
	Manual:  "COPY for files; for what is fetched, a RUN that compares its hash",
	Level:   1,
	Rule:    checks.Func(addSteps),
	Source:  source.Copy,
}

// addSteps blames an image for its own steps, and not for those of an image here that it is made from. A whole file
// system unpacked on nothing is how a first image is made: COPY cannot do that.
func addSteps(h *facts.Host) ([]checks.Finding, error) {
	all, err := imagesOf(h)
	var findings []checks.Finding
	for i := range all {
		img := &all[i]
		own := img.History[:len(img.History)-inherited(img, all)]
		var found []string
		for n, l := range own {
			name, rest := instruction(l.CreatedBy)
			rootfs := n == len(img.History)-1 && (strings.HasSuffix(rest, " in /") || strings.HasSuffix(rest, " /"))
			if name == "ADD" && !rootfs {
				source, _, _ := strings.Cut(rest, "?") // what follows may be a token
				found = append(found, "ADD "+clip(source))
			}
		}
		if len(found) > 0 {
			findings = append(findings, ofImage(img, some(found), "made with COPY"))
		}
	}
	return findings, err
}

// instruction is what a step of a history other than RUN says: "ADD", "COPY", …
func instruction(step string) (name, rest string) {
	step = strings.TrimSpace(step)
	if after, ok := strings.CutPrefix(step, "/bin/sh -c #(nop)"); ok {
		step = strings.TrimSpace(after)
	}
	name, rest, _ = strings.Cut(step, " ")
	return name, strings.TrimSpace(strings.TrimSuffix(rest, "# buildkit"))
}

// inherited counts the steps at the beginning of an image's history that are the whole of another's.
func inherited(img *docker.Image, all []docker.Image) (most int) {
	for i := range all {
		base := &all[i]
		n, m := len(base.RootFS.Layers), len(base.History)
		if base.ID == img.ID || n == 0 || n >= len(img.RootFS.Layers) || m >= len(img.History) || m <= most ||
			!slices.Equal(base.RootFS.Layers, img.RootFS.Layers[:n]) {
			continue
		}
		if slices.EqualFunc(base.History, img.History[len(img.History)-m:],
			func(a, b docker.Layer) bool { return a.CreatedBy == b.CreatedBy }) {
			most = m
		}
	}
	return most
}

var verifiedPackages = &checks.Check{
	ID:      "docker/verified-packages",
	Items:   cis.Docker("4.11", "4.11", "4.11", "4.11"),
	Title:   "only packages whose origin was verified are in images",
	Why:     "a package that nobody signed is whatever somebody in between made of it",
	Threats: []stride.ID{stride.DockerRegistryRepudiation, stride.DockerClientSpoofing},
	Manual:  "leave the package manager's checks on, and compare the hash of what is fetched by hand",
	Level:   2,
	Review:  checks.ReviewToPass,
	Rule:    checks.Func(unverifiedSteps),
}

// unverified is how a step takes what nobody vouches for.
var unverified = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`--allow-unauthenticated|--force-yes|--allow-insecure-repositories|` +
		`Acquire::AllowInsecureRepositories=(1|true)|\[trusted=yes\]|` +
		`--no-?gpg-?check|--allow-untrusted|--trusted-host|--no-check-certificate|gpgcheck=0|` +
		`\b(curl|wget)\b[^|;&]*\|\s*(sudo\s+)?(ba|da|z)?sh\b|\bcurl\b[^|;&]*\s(-[a-zA-Z]*k[a-zA-Z]*|--insecure)\s`)
})

// skips finds how a command skips a verification, in words.
func skips(command string) string {
	switch found := unverified().FindString(command); {
	case found == "":
		return ""
	case strings.Contains(found, "|"):
		return "a download that a shell is fed with"
	case strings.HasPrefix(found, "curl"):
		return "curl --insecure"
	default:
		return found
	}
}

func unverifiedSteps(h *facts.Host) ([]checks.Finding, error) {
	all, err := imagesOf(h)
	var findings []checks.Finding
	for i := range all {
		if got := steps(&all[i], skips); got != "" {
			findings = append(findings, ofImage(&all[i], "made with "+got, "made of what was verified"))
		}
	}
	if len(findings) == 0 && err == nil {
		err = fmt.Errorf("%w: no step of an image's history skips a verification; what files were copied in, it does "+
			"not tell", checks.ErrManual)
	}
	return findings, err
}

var signedArtifacts = &checks.Check{
	ID:      "docker/signed-artifacts",
	Items:   cis.Docker("", "4.12", "4.12", "4.12"),
	Title:   "the signatures of what is pulled are validated",
	Why:     "without it nobody can be held to what an image holds",
	Threats: []stride.ID{stride.DockerRegistryRepudiation},
	Level:   2,
	Review:  checks.ReviewAlways,
	Rule:    checks.Func(unsignedImages),
}

// unsignedImages shows what pinning there is: a digest holds the image to what it was, though nobody to it.
func unsignedImages(h *facts.Host) ([]checks.Finding, error) {
	all, err := imagesOf(h)
	if err != nil {
		return nil, err
	}
	digests := 0
	for i := range all {
		if len(all[i].RepoDigests) > 0 {
			digests++
		}
	}
	if containerdStore(h) { // which gives an image that was built or loaded here a digest too
		return nil, fmt.Errorf("%w: which of %d images are from a registry is not recorded; verify those by cosign "+
			"or notation before they are run, and pin them by digest", checks.ErrManual, len(all))
	}
	return nil, fmt.Errorf("%w: %d of %d images are from a registry; verify those by cosign or notation before they "+
		"are run, and pin them by digest", checks.ErrManual, digests, len(all))
}
