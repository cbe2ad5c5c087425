package source

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/source"
	"example.com/harden/checks/rule"
)

// Rules of images, by what their Dockerfiles say.
var (
	User        = dockerfiles(user)        // 4.1
	Pinned      = dockerfiles(pinned)      // 4.2
	Healthcheck = dockerfiles(healthcheck) // 4.6
	Update      = dockerfiles(update)      // 4.7
	Setuid      = dockerfiles(setuid)      // 4.8
)

// IsRoot reports whether a user, as USER and --user spell it, is root: by name or number, whatever the group.
func IsRoot(user string) bool {
	name, _, _ := strings.Cut(strings.TrimSpace(user), ":")
	n, err := strconv.Atoi(name)
	return name == "" || name == "root" || err == nil && n == 0
}

func user(_ *facts.Host, d *source.Dockerfile) ([]checks.Finding, error) {
	final := d.Final()
	f := checks.Finding{Subject: d.As + " USER", Must: "a user other than root, by number", Place: d.At(final.Line)}
	found := false
	name, known := "", true
	for _, s := range final.All() {
		if u, ok := s.Command.(*instructions.UserCommand); ok {
			name, found, f.Place = u.User, true, d.At(s.Line)
		}
	}
	if found {
		name, known = d.Expand(name)
	}
	base := final.From()
	switch {
	case !found && base.Base == "scratch":
		f.Got = "unset, so root"
	case ofWindows(base.Base):
		return nil, rule.Inapplicable("an image of Windows, which has no root")
	case !found && namesUser(base.Base) != "":
		return nil, nil
	case !found && strings.Contains(base.Base, "nonroot"):
		return nil, manual("%s: it names no user, and its base image %s says by its name that it does: check with "+
			"`docker image inspect`",
			d.At(base.Line), masked(base.Base))
	case !found:
		f.Got = "unset, so that of " + masked(base.Image) + ", which is root unless that says otherwise"
	case !known:
		return nil, manual("%s: the user depends on what the build is given", f.Place)
	case IsRoot(name):
		f.Got = name
		if name == "" {
			f.Got = "empty, so root"
		}
	default:
		return nil, nil
	}
	return []checks.Finding{f}, nil
}

func healthcheck(_ *facts.Host, d *source.Dockerfile) ([]checks.Finding, error) {
	final := d.Final()
	f := checks.Finding{Subject: d.As + " HEALTHCHECK", Got: "unset",
		Must:  "a command that tells whether the service works",
		Place: d.At(final.Line)}
	for _, s := range final.All() {
		if c, ok := s.Command.(*instructions.HealthCheckCommand); ok && c.Health != nil {
			f.Got, f.Place = "", d.At(s.Line)
			if len(c.Health.Test) == 0 || c.Health.Test[0] == "NONE" {
				f.Got = "NONE"
			}
		}
	}
	if f.Got == "" {
		return nil, nil
	}
	return []checks.Finding{f}, nil
}

// pinned judges every image that a file starts from or copies from: any of them can bring in what nobody has reviewed.
func pinned(h *facts.Host, d *source.Dockerfile) ([]checks.Finding, error) {
	var findings []checks.Finding
	var unknown error
	judge := func(image string, known bool, what string, line int) {
		switch {
		case image == "scratch" || strings.Contains(image, "@sha256:") || strings.Contains(image, "@sha512:"):
		case !known || image == "":
			unknown = manual("%s: the image depends on what the build is given", d.At(line))
		case !trusted(h, image):
			f := unpinned(h, image, image)
			f.Subject, f.Place = d.As+" "+what+" "+masked(image), d.At(line)
			findings = append(findings, f)
		}
	}
	for i := range d.Stages {
		s := &d.Stages[i]
		if s.Parent == nil {
			judge(s.Base, s.Known, "FROM", s.Line)
		}
		for _, step := range s.Steps {
			if c, ok := step.Command.(*instructions.CopyCommand); ok && c.From != "" && !isStage(d, c.From) {
				judge(c.From, !strings.Contains(c.From, "$"), "COPY --from", step.Line)
			}
		}
	}
	return findings, unknown
}

func isStage(d *source.Dockerfile, name string) bool {
	if n, err := strconv.Atoi(name); err == nil {
		return n >= 0 && n < len(d.Stages)
	}
	for _, s := range d.Stages {
		if strings.EqualFold(s.Name, name) {
			return true
		}
	}
	return false
}

// trusted reports whether an image is from where the site trusts.
func trusted(h *facts.Host, image string) bool {
	r := RegistryOf(image)
	return slices.ContainsFunc(h.Choices.TrustedRegistries, func(t string) bool { return facts.Within(r, t) })
}

// unpinned is the finding of an image that neither its digest nor where it is from vouches for. What settles it is
// said. told is the image as people are shown it, with the names of variables whose values they are not shown.
func unpinned(h *facts.Host, image, told string) checks.Finding {
	f := checks.Finding{Got: tagOf(image, told), Must: "pinned by its digest (name:tag@sha256:…)",
		Reason: "pin it by the digest that you reviewed, or name the registries that you trust (trusted-registries in " +
			"harden's configuration)"}
	if from := h.Choices.TrustedRegistries; from != nil {
		f.Got += ", from " + masked(registryTold(told))
		f.Must = "pinned by its digest, or from one of " + strings.Join(from, ", ")
		f.Reason = "take it from there, pin it by its digest, or add its registry to trusted-registries"
	}
	return f
}

// tagOf says what an image that has no digest goes by.
func tagOf(image, told string) string {
	_, tag := nameAndTag(image)
	_, shown := nameAndTag(told)
	switch {
	case tag == "":
		return "no tag, so latest"
	case shown == "":
		return "a tag from a variable, which can be moved"
	}
	return "tag " + shown + ", which can be moved"
}

func update(_ *facts.Host, d *source.Dockerfile) ([]checks.Finding, error) {
	var findings []checks.Finding
	for i := range d.Stages {
		for _, s := range d.Stages[i].Steps {
			run, ok := s.Command.(*instructions.RunCommand)
			if !ok || cached(run) {
				continue
			}
			if command := updateAlone(words(run)); command != "" {
				findings = append(findings, checks.Finding{Subject: d.As + " RUN " + command, Got: "alone in its layer",
					Must: "in the RUN of the packages that it is for", Place: d.At(s.Line)})
			}
		}
	}
	return findings, nil
}

// cached reports whether the package index is kept in a cache of the build, in which no layer grows old.
func cached(run *instructions.RunCommand) bool {
	for _, m := range instructions.GetMounts(run) {
		if m.Type == instructions.MountTypeCache &&
			(strings.HasPrefix(m.Target, "/var/lib/apt") || strings.HasPrefix(m.Target, "/var/cache")) {
			return true
		}
	}
	return false
}

var (
	updates = map[string]string{"apt-get": "update", "apt": "update", "aptitude": "update", "apk": "update",
		"yum": "makecache", "dnf": "makecache", "microdnf": "makecache", "zypper": "refresh", "pacman": "-Sy"}
	installs = map[string]bool{"install": true, "upgrade": true, "dist-upgrade": true, "full-upgrade": true,
		"build-dep": true, "add": true, "satisfy": true, "reinstall": true, "in": true, "dup": true, "up": true}
)

// updateAlone returns the command that fetches a package index where nothing in the same layer uses it.
func updateAlone(commands [][]string) string {
	alone := ""
	for _, c := range commands {
		if len(c) == 0 {
			continue
		}
		name := c[0][strings.LastIndexByte(c[0], '/')+1:]
		verb, ok := updates[name]
		if !ok {
			if strings.HasSuffix(name, ".sh") || strings.Contains(name, "install") {
				return "" // a program that may well install
			}
			continue
		}
		for _, w := range c[1:] {
			if w == verb && alone == "" {
				alone = name + " " + verb
			}
			if installs[w] || name == "pacman" && strings.HasPrefix(w, "-S") && w != verb {
				return ""
			}
		}
	}
	return alone
}

func setuid(_ *facts.Host, d *source.Dockerfile) ([]checks.Finding, error) {
	var findings []checks.Finding
	found := func(what string, line int) {
		findings = append(findings, checks.Finding{Subject: d.As + " " + masked(what),
			Got:  "sets the set-user-ID or set-group-ID bit",
			Must: "without it", Place: d.At(line)})
	}
	// What an earlier stage sets comes along with COPY --from: every stage counts.
	for i := range d.Stages {
		dirs := tree{}
		for _, s := range d.Stages[i].Steps {
			dirs.learn(s.Command)
			switch c := s.Command.(type) {
			case *instructions.RunCommand:
				for _, w := range words(c) {
					dirs.made(w)
					if setsID(w) && !dirs.shares(w) {
						found("RUN "+strings.Join(w, " "), s.Line)
					}
				}
			case *instructions.CopyCommand:
				if idMode(c.Chmod) {
					found(fmt.Sprintf("COPY --chmod=%s %s", c.Chmod, c.DestPath), s.Line)
				}
			case *instructions.AddCommand:
				if idMode(c.Chmod) {
					found(fmt.Sprintf("ADD --chmod=%s %s", c.Chmod, c.DestPath), s.Line)
				}
			}
		}
	}
	return findings, nil
}
