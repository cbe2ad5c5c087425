package source

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
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
	n, err := strconv.ParseUint(name, 10, 32)
	return name == "" || name == "root" || err == nil && n == 0
}

func user(_ *facts.Host, d *facts.Dockerfile) ([]checks.Finding, error) {
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
	case !found && strings.Contains(base.Base, "nonroot"):
		return nil, manual("%s: it names no user, and its base image %s says by its name that it does: `docker image inspect` tells",
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

func healthcheck(_ *facts.Host, d *facts.Dockerfile) ([]checks.Finding, error) {
	final := d.Final()
	f := checks.Finding{Subject: d.As + " HEALTHCHECK", Got: "unset", Must: "a command that tells whether the service works",
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
func pinned(_ *facts.Host, d *facts.Dockerfile) ([]checks.Finding, error) {
	var findings []checks.Finding
	var unknown error
	judge := func(image string, known bool, what string, line int) {
		switch {
		case image == "scratch" || strings.Contains(image, "@sha256:") || strings.Contains(image, "@sha512:"):
		case !known || image == "":
			unknown = manual("%s: the image depends on what the build is given", d.At(line))
		default:
			findings = append(findings, checks.Finding{Subject: d.As + " " + what + " " + masked(image), Got: tagOf(image),
				Must: "pinned by its digest (name:tag@sha256:…)", Place: d.At(line)})
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

func isStage(d *facts.Dockerfile, name string) bool {
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

// tagOf says what an image that has no digest goes by.
func tagOf(image string) string {
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		return "tag " + image[i+1:] + ", which can be moved"
	}
	return "no tag, so latest"
}

func update(_ *facts.Host, d *facts.Dockerfile) ([]checks.Finding, error) {
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
		if m.Type == instructions.MountTypeCache && (strings.HasPrefix(m.Target, "/var/lib/apt") || strings.HasPrefix(m.Target, "/var/cache")) {
			return true
		}
	}
	return false
}

// words gives the simple commands of a RUN as lists of words: an approximation of what a shell would make of it, good
// enough to know programs and their options by.
func words(run *instructions.RunCommand) [][]string {
	if !run.PrependShell && len(run.Files) == 0 {
		if len(run.CmdLine) > 2 && strings.HasSuffix(run.CmdLine[0], "sh") && strings.HasPrefix(run.CmdLine[1], "-") {
			return shellWords(strings.Join(run.CmdLine[2:], " "))
		}
		return [][]string{run.CmdLine}
	}
	texts := []string{strings.Join(run.CmdLine, " ")}
	for _, f := range run.Files {
		texts = append(texts, f.Data)
	}
	return shellWords(strings.Join(texts, "\n"))
}

func shellWords(text string) [][]string {
	var all [][]string
	var command []string
	var word strings.Builder
	inWord := false
	endWord := func() {
		if inWord {
			command = append(command, word.String())
		}
		word.Reset()
		inWord = false
	}
	endCommand := func() {
		endWord()
		if len(command) > 0 {
			all = append(all, command)
		}
		command = nil
	}
	var quote rune
	escaped := false
	for _, c := range text {
		switch {
		case escaped:
			escaped = false
			if c != '\n' {
				word.WriteRune(c)
				inWord = true
			}
		case c == '\\' && quote != '\'':
			escaped = true
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '"' || c == '\'':
			quote, inWord = c, true
		case strings.ContainsRune("\n;|&(){}`", c):
			endCommand()
		case c == ' ' || c == '\t' || c == '\r':
			endWord()
		default:
			word.WriteRune(c)
			inWord = true
		}
	}
	endCommand()
	for i := range all {
		all[i] = program(all[i])
	}
	return all
}

// program takes away what may stand before a program: keywords, assignments, and programs that start others.
func program(command []string) []string {
	for len(command) > 0 {
		switch w := command[0]; {
		case w == "then" || w == "do" || w == "else" || w == "if" || w == "!" || w == "sudo" || w == "exec" || w == "env" || w == "time" ||
			w == "eatmydata" || strings.Contains(w, "=") && !strings.HasPrefix(w, "-"):
			command = command[1:]
		default:
			return command
		}
	}
	return command
}

var (
	updates  = map[string]string{"apt-get": "update", "apt": "update", "aptitude": "update", "apk": "update", "yum": "makecache", "dnf": "makecache", "microdnf": "makecache", "zypper": "refresh", "pacman": "-Sy"}
	installs = map[string]bool{"install": true, "upgrade": true, "dist-upgrade": true, "full-upgrade": true, "build-dep": true, "add": true, "satisfy": true, "reinstall": true, "in": true, "dup": true, "up": true}
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

func setuid(_ *facts.Host, d *facts.Dockerfile) ([]checks.Finding, error) {
	var findings []checks.Finding
	found := func(what string, line int) {
		findings = append(findings, checks.Finding{Subject: d.As + " " + masked(what), Got: "sets the set-user-ID or set-group-ID bit",
			Must: "without it", Place: d.At(line)})
	}
	// What an earlier stage sets comes along with COPY --from: every stage counts.
	for i := range d.Stages {
		for _, s := range d.Stages[i].Steps {
			switch c := s.Command.(type) {
			case *instructions.RunCommand:
				for _, w := range words(c) {
					if setsID(w) {
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

// setsID reports whether a command sets a set-user-ID or set-group-ID bit by chmod or install.
func setsID(command []string) bool {
	if len(command) < 2 {
		return false
	}
	switch command[0][strings.LastIndexByte(command[0], '/')+1:] {
	case "chmod":
		for _, w := range command[1:] {
			if strings.HasPrefix(w, "--") || strings.Trim(w, "-RrcfvhHLP") == "" && strings.HasPrefix(w, "-") {
				continue
			}
			return idMode(w) // the first word that is no option is the mode
		}
	case "install":
		for i, w := range command {
			if mode, ok := strings.CutPrefix(w, "--mode="); ok && idMode(mode) {
				return true
			}
			if mode, ok := strings.CutPrefix(w, "-m"); ok && (idMode(mode) || mode == "" && i+1 < len(command) && idMode(command[i+1])) {
				return true
			}
		}
	}
	return false
}

// idMode reports whether a mode, octal or symbolic, sets one of the two bits.
func idMode(mode string) bool {
	if n, err := strconv.ParseUint(strings.TrimLeft(mode, "+="), 8, 32); err == nil {
		return n&0o6000 != 0
	}
	for clause := range strings.SplitSeq(mode, ",") {
		i := strings.IndexAny(clause, "+=")
		if i < 0 || strings.Trim(clause[:i], "ugoa") != "" {
			continue
		}
		if who := clause[:i]; strings.Contains(clause[i:], "s") && who != "o" {
			return true
		}
	}
	return false
}
