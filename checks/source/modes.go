package source

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

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
			if mode, ok := strings.CutPrefix(w, "--mode"); ok {
				mode, is := strings.CutPrefix(mode, "=")
				if is && idMode(mode) || mode == "" && i+1 < len(command) && idMode(command[i+1]) {
					return true
				}
				continue
			}
			if mode, ok := strings.CutPrefix(w, "-m"); ok &&
				(idMode(mode) || mode == "" && i+1 < len(command) && idMode(command[i+1])) {
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

// groupOnly reports whether a mode sets the set-group-ID bit and not the other: of a directory it only says whose group
// new files are.
func groupOnly(mode string) bool {
	if n, err := strconv.ParseUint(strings.TrimLeft(mode, "+="), 8, 32); err == nil {
		return n&0o6000 == 0o2000
	}
	for clause := range strings.SplitSeq(mode, ",") {
		who, what := clause, ""
		if i := strings.IndexAny(clause, "+="); i >= 0 {
			who, what = clause[:i], clause[i:]
		}
		if strings.Contains(what, "s") && strings.Trim(who, "go") != "" || strings.Contains(what, "s") && who == "" {
			return false
		}
	}
	return true
}

// knownDirs are directories wherever they are named.
var knownDirs = []string{"/tmp", "/var/tmp", "/opt", "/srv", "/home", "/root", "/run", "/var/log", "/var/lib",
	"/var/cache", "/var/run", "/var/spool", "/var/mail", "/etc", "/usr/local", "/usr/share", "/usr/src", "/mnt", "/media"}

// A tree is what the steps so far have told of directories.
type tree map[string]bool

// learn notes what a step makes a directory.
func (t tree) learn(c instructions.Command) {
	switch c := c.(type) {
	case *instructions.WorkdirCommand:
		t[path.Clean(c.Path)] = true
	case *instructions.VolumeCommand:
		for _, v := range c.Volumes {
			t[path.Clean(v)] = true
		}
	case *instructions.CopyCommand:
		if strings.HasSuffix(c.DestPath, "/") {
			t[path.Clean(c.DestPath)] = true
		}
	case *instructions.AddCommand:
		if strings.HasSuffix(c.DestPath, "/") {
			t[path.Clean(c.DestPath)] = true
		}
	}
}

// made notes the directories that a command makes.
func (t tree) made(command []string) {
	if len(command) == 0 {
		return
	}
	name := path.Base(command[0])
	if name != "mkdir" && !(name == "install" && directories(command)) {
		return
	}
	for _, w := range command[1:] {
		if !strings.HasPrefix(w, "-") {
			t[path.Clean(w)] = true
		}
	}
}

// directories reports whether a call of install or find is about directories alone.
func directories(command []string) bool {
	for i, w := range command {
		if w == "-d" || w == "--directory" || w == "-type" && i+1 < len(command) && command[i+1] == "d" ||
			strings.HasPrefix(w, "-") && !strings.HasPrefix(w, "--") && strings.HasSuffix(w, "d") &&
				path.Base(command[0]) == "install" {
			return true
		}
	}
	return false
}

// shares reports whether a command sets the set-group-ID bit of directories, and nothing else.
func (t tree) shares(command []string) bool {
	switch path.Base(command[0]) {
	case "install":
		return directories(command) && !slices.ContainsFunc(command, func(w string) bool {
			mode := strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(w, "--mode"), "="), "-m")
			return idMode(mode) && !groupOnly(mode)
		})
	case "chmod":
		var targets []string
		mode, recursive := "", false
		for _, w := range command[1:] {
			switch {
			case strings.HasPrefix(w, "--") || strings.Trim(w, "-RrcfvhHLP") == "" && strings.HasPrefix(w, "-"):
				recursive = recursive || strings.Contains(w, "R") || w == "--recursive"
			case mode == "":
				mode = w
			default:
				targets = append(targets, w)
			}
		}
		isDir := func(w string) bool {
			return strings.HasSuffix(w, "/") || t[path.Clean(w)] || slices.Contains(knownDirs, path.Clean(w)) ||
				strings.HasPrefix(w, "/home/") && strings.Count(w, "/") == 2
		}
		return groupOnly(mode) && !recursive && len(targets) > 0 &&
			!slices.ContainsFunc(targets, func(w string) bool { return !isDir(w) })
	}
	return false
}
