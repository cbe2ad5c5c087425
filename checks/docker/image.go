package docker

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/source"
)

// imagesOf returns every image. Where there is none nothing is to be judged.
func imagesOf(h *facts.Host) ([]facts.Image, error) {
	if _, err := engine(h); err != nil {
		return nil, err
	}
	all, err := h.Images()
	if len(all) == 0 && err == nil {
		return nil, rule.Inapplicable("there is no image")
	}
	return all, err
}

// eachImage judges every image by itself; an empty got means that it is good.
func eachImage(judge func(*facts.Image) (got, must string)) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		all, err := imagesOf(h)
		var findings []checks.Finding
		for i := range all {
			if got, must := judge(&all[i]); got != "" {
				findings = append(findings, checks.Finding{Subject: imageSubject(&all[i]), Got: got, Must: must})
			}
		}
		return findings, err
	})
}

func imageSubject(i *facts.Image) string { return "image " + clip(i.ShortName()) }

func rootImage(i *facts.Image) (got, must string) {
	switch u := i.Config.User; {
	case u == "":
		return "no USER, so root", notRoot
	case rootSpelled(u):
		return "USER " + clip(u), notRoot
	}
	return "", ""
}

const notRoot = "another user than root"

// rootContainers judges who each container is made to run as. A name that is no number means what the image's own passwd
// says; one made for the purpose, of uid 0, is root too.
func rootContainers(h *facts.Host) ([]checks.Finding, error) {
	cs, err := containers(h)
	var findings []checks.Finding
	for i := range cs {
		c := &cs[i]
		user := c.Config.User
		name, _, _ := strings.Cut(user, ":")
		options := "--user UID:GID, or from an image whose Dockerfile ends with USER"
		if rootSpelled(user) {
			findings = append(findings, found(c, "runs as "+clip(cmp.Or(user, "root, since nobody is named")), notRoot, options)...)
			continue
		}
		if _, errNumber := strconv.Atoi(name); errNumber == nil {
			continue
		}
		uid, errUser := h.ContainerUser(c.ID, name)
		switch {
		case errUser != nil:
			err = cmp.Or(err, fmt.Errorf("%s runs as %s, and who that is cannot be told: %v", subject(c), clip(name), errUser))
		case uid == 0:
			findings = append(findings, found(c, "runs as "+clip(user)+", which its passwd makes uid 0", notRoot, options)...)
		}
	}
	return findings, err
}

// trustedImages judges by the names that images have: who only builds has none of elsewhere.
func trustedImages(h *facts.Host) ([]checks.Finding, error) {
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
			trusted := slices.ContainsFunc(h.Choices.TrustedRegistries, func(t string) bool { return facts.Within(r, t) })
			if h.Choices.TrustedRegistries != nil && !trusted {
				findings = append(findings, checks.Finding{Subject: "image " + clip(name), Got: "from " + clip(r),
					Must: "from one of " + some(slices.Clone(h.Choices.TrustedRegistries))})
			}
		}
	}
	if h.Choices.TrustedRegistries == nil {
		for i := range from {
			from[i] = clip(from[i])
		}
		return nil, fmt.Errorf("%w: images are from %s; name those you trust in harden's configuration", checks.ErrManual, some(from))
	}
	return findings, nil
}

func neededPackages(h *facts.Host) ([]checks.Finding, error) {
	all, err := imagesOf(h)
	if err != nil {
		return nil, err
	}
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b facts.Image) int { return cmp.Compare(layers(&b), layers(&a)) })
	var largest []string
	for i := range all[:min(3, len(all))] {
		largest = append(largest, fmt.Sprintf("%s (%s)", clip(all[i].ShortName()), size(layers(&all[i]))))
	}
	return nil, fmt.Errorf("%w: see what the images hold, the largest first: %s", checks.ErrManual, strings.Join(largest, ", "))
}

func layers(i *facts.Image) (sum int64) {
	for _, l := range i.History {
		sum += l.Size
	}
	return sum
}

// maxAge is after how long an image counts as not rebuilt, where the site has not chosen.
const maxAge = 90 * 24 * time.Hour

// imageAge decides what a date can: an old image has not been rebuilt. Whether a new one was scanned it does not tell.
func imageAge(h *facts.Host) ([]checks.Finding, error) {
	all, err := imagesOf(h)
	if err != nil && len(all) == 0 {
		return nil, err
	}
	now := engineTime(h)
	limit := cmp.Or(h.Choices.ImageMaxAge, maxAge)
	var findings []checks.Finding
	for i := range all {
		if built := all[i].Built(); !built.IsZero() && now.Sub(built) > limit {
			findings = append(findings, checks.Finding{Subject: imageSubject(&all[i]), Got: "of " + built.UTC().Format(time.DateOnly),
				Must: fmt.Sprintf("made within %d days", int(limit.Hours()/24))})
		}
	}
	if len(findings) == 0 && err == nil {
		err = fmt.Errorf("%w: no image is older than %d days, as far as they say; whether they were scanned they do not", checks.ErrManual, int(limit.Hours()/24))
	}
	return findings, err
}

// engineTime is the Engine's own idea of now.
func engineTime(h *facts.Host) time.Time {
	if e, err := h.Engine(); err == nil {
		if t, err := time.Parse(time.RFC3339Nano, e.SystemTime); err == nil {
			return t
		}
	}
	return time.Now()
}

// steps tells what find finds in the commands of an image's history; empty where that is nothing. It is never a command
// whole: those have passwords among their words.
func steps(i *facts.Image, find func(command string) string) string {
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

// instruction is what a step of a history other than RUN says: "ADD", "COPY", …
func instruction(step string) (name, rest string) {
	step = strings.TrimSpace(step)
	if after, ok := strings.CutPrefix(step, "/bin/sh -c #(nop)"); ok {
		step = strings.TrimSpace(after)
	}
	name, rest, _ = strings.Cut(step, " ")
	return name, strings.TrimSpace(strings.TrimSuffix(rest, "# buildkit"))
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

// updatesAlone finds what in a command reads the index of a package manager and installs nothing with it: "apt-get update".
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

// commands splits a shell's command line into its simple commands, as words. Quoting is not looked at: a step that hides
// its package manager in quotes hides it from the builder's cache no more than from us.
func commands(line string) (all [][]string) {
	for part := range strings.FieldsFuncSeq(line, func(r rune) bool { return strings.ContainsRune(";&|\n(){}", r) }) {
		if words := strings.Fields(part); len(words) > 0 {
			all = append(all, words)
		}
	}
	return all
}

// unverified is how a step takes what nobody vouches for.
var unverified = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`--allow-unauthenticated|--force-yes|--allow-insecure-repositories|Acquire::AllowInsecureRepositories=(1|true)|\[trusted=yes\]|` +
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

func verifiedPackages(h *facts.Host) ([]checks.Finding, error) {
	all, err := imagesOf(h)
	var findings []checks.Finding
	for i := range all {
		if got := steps(&all[i], skips); got != "" {
			findings = append(findings, checks.Finding{Subject: imageSubject(&all[i]), Got: "made with " + got, Must: "made of what was verified"})
		}
	}
	if len(findings) == 0 && err == nil {
		err = fmt.Errorf("%w: no step of an image's history skips a verification; what files were copied in, it does not tell", checks.ErrManual)
	}
	return findings, err
}

// noAdd blames an image for its own steps, and not for those of an image here that it is made from. A whole file system
// unpacked on nothing is how a first image is made: COPY cannot do that.
func noAdd(h *facts.Host) ([]checks.Finding, error) {
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
			findings = append(findings, checks.Finding{Subject: imageSubject(img), Got: some(found), Must: "made with COPY"})
		}
	}
	return findings, err
}

// inherited counts the steps at the beginning of an image's history that are the whole of another's.
func inherited(img *facts.Image, all []facts.Image) (most int) {
	for i := range all {
		base := &all[i]
		n, m := len(base.RootFS.Layers), len(base.History)
		if base.ID == img.ID || n == 0 || n >= len(img.RootFS.Layers) || m >= len(img.History) || m <= most ||
			!slices.Equal(base.RootFS.Layers, img.RootFS.Layers[:n]) {
			continue
		}
		if slices.EqualFunc(base.History, img.History[len(img.History)-m:], func(a, b facts.Layer) bool { return a.CreatedBy == b.CreatedBy }) {
			most = m
		}
	}
	return most
}

// containerdStore reports whether containerd keeps the Engine's images.
func containerdStore(h *facts.Host) bool {
	e, err := h.Engine()
	return err == nil && slices.ContainsFunc(e.DriverStatus, snapshotter)
}

// signedArtifacts shows what pinning there is: a digest holds the image to what it was, though nobody to it.
func signedArtifacts(h *facts.Host) ([]checks.Finding, error) {
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
		return nil, fmt.Errorf("%w: which of %d images are from a registry is not recorded; verify those by cosign or notation before they are run, and pin them by digest",
			checks.ErrManual, len(all))
	}
	return nil, fmt.Errorf("%w: %d of %d images are from a registry; verify those by cosign or notation before they are run, and pin them by digest",
		checks.ErrManual, digests, len(all))
}

// currentImages finds containers whose image's name stands for another image by now. A digest stands for one for ever;
// whether a tag's image here is the registry's newest, only the registry knows.
func currentImages(h *facts.Host) ([]checks.Finding, error) {
	cs, err := containers(h)
	if len(cs) == 0 {
		return nil, err
	}
	images, errImages := h.Images()
	tags := map[string]string{}
	for _, i := range images {
		for _, t := range i.RepoTags {
			tags[t] = i.ID
		}
	}
	var findings []checks.Finding
	var loose []string
	for i := range cs {
		c := &cs[i]
		name := c.Config.Image
		if strings.Contains(name, "@sha256:") || strings.HasPrefix(c.Image, "sha256:"+name) || name == c.Image {
			continue
		}
		switch now := tags[tagged(name)]; {
		case now != "" && now != c.Image && c.Image != "":
			findings = append(findings, checks.Finding{Subject: subject(c), Got: fmt.Sprintf("runs an image that is no longer %s", clip(name)),
				Must: "made of what the name stands for", Reason: again(c, "the image as it is now, best by its digest")})
		default:
			loose = append(loose, clip(c.ShortName())+" "+clip(name))
		}
	}
	err = cmp.Or(err, errImages)
	if len(findings) == 0 && err == nil && len(loose) > 0 {
		return nil, fmt.Errorf("%w: not pinned by digest, so that whether it is the newest only its registry tells: %s", checks.ErrManual, some(loose))
	}
	return findings, err
}

// tagged adds the tag that a name without one means.
func tagged(name string) string {
	if strings.LastIndexByte(name, ':') > strings.LastIndexByte(name, '/') {
		return name
	}
	return name + ":latest"
}
