package kube

import (
	"path"
	"slices"
	"strings"

	"example.com/harden/checks/facts"
)

// How sure it is that a command line starts a program.
type surety int

const (
	not    surety = iota // it does not name the program
	maybe                // it may, with arguments that cannot be told
	surely               // it does, with these arguments
)

// applets are the names by which hyperkube is told which program to be.
var applets = map[string][]string{
	APIServer: {"kube-apiserver", "apiserver"}, ControllerManager: {"kube-controller-manager", "controller-manager"},
	Scheduler: {"kube-scheduler", "scheduler"}, KubeProxy: {"kube-proxy", "proxy"}, "kubelet": {"kubelet"},
}

// A wrapper is a program that starts the one that its arguments name.
type wrapper struct {
	takes string // options that have their value in the next word, separated by blanks
	words int    // arguments of its own before the command
}

var wrappers = map[string]wrapper{
	"go-runner": {takes: "-log-file --log-file"},
	"tini":      {takes: "-p -e"}, "tini-static": {takes: "-p -e"}, "docker-init": {takes: "-p -e"}, "catatonit": {},
	"dumb-init": {takes: "-r --rewrite"},
	"env":       {takes: "-u --unset -C --chdir"},
	"nice":      {takes: "-n --adjustment"}, "ionice": {takes: "-c --class -n --classdata"},
	"chrt":    {takes: "-T -P -D", words: 1},
	"taskset": {words: 1},
	"numactl": {takes: "-i --interleave -p --preferred -N --cpunodebind -m --membind -C --physcpubind"},
	"timeout": {takes: "-s --signal -k --kill-after", words: 1},
	"stdbuf":  {takes: "-i -o -e --input --output --error"},
	"setpriv": {takes: "--reuid --regid --ruid --rgid --euid --egid --groups --bounding-set --inh-caps --ambient-caps " +
		"--securebits"},
	"gosu": {words: 1}, "su-exec": {words: 1}, "chroot": {words: 1},
	"nohup": {}, "setsid": {}, "exec": {},
	"systemd-cat": {takes: "-t --identifier -p --priority"}, "prlimit": {},
}

// launch finds the arguments that a command line starts a program with, below what wraps it.
func launch(argv []facts.Token, name string) ([]facts.Token, surety) {
	for i, depth := 0, 0; i < len(argv) && depth < 8; depth++ {
		base := path.Base(argv[i].Text)
		rest := argv[i+1:]
		w, known := wrappers[base]
		switch {
		case base == name:
			return rest, surely
		case base == "hyperkube":
			if len(rest) > 0 && slices.Contains(applets[name], strings.TrimPrefix(rest[0].Text, "--")) {
				return rest[1:], surely
			}
			return nil, not
		case facts.IsShell(base):
			return shellLine(rest, name)
		case !known:
			return nil, mention(rest, name)
		}
		i += 1 + w.skip(rest, base)
	}
	return nil, not
}

// skip is how many words of a wrapper's own come before the command.
func (w wrapper) skip(words []facts.Token, base string) int {
	i := 0
	for ; i < len(words); i++ {
		text := words[i].Text
		switch {
		case text == "--":
			return min(i+1+w.words, len(words))
		case slices.Contains(strings.Fields(w.takes), text):
			i++
		case strings.HasPrefix(text, "-"), base == "env" && strings.Contains(text, "="):
		default:
			return min(i+w.words, len(words))
		}
	}
	return i
}

// shellLine reads the one command that a shell is given, as far as that is plain words.
func shellLine(words []facts.Token, name string) ([]facts.Token, surety) {
	i := slices.IndexFunc(words, func(t facts.Token) bool { return !strings.HasPrefix(t.Text, "-") })
	if i < 0 {
		return nil, not
	}
	line := words[i]
	plain := i > 0 && strings.HasSuffix(words[i-1].Text, "c") && !strings.ContainsAny(line.Text, "$`;|&<>(){}*?[]~#!\\\n")
	if !plain {
		return nil, mention(words[i:], name)
	}
	var argv []facts.Token
	for _, w := range facts.SplitWords(line.Text, false) {
		if key, _, assigns := strings.Cut(w, "="); len(argv) == 0 && assigns && facts.ValidVariable(key) {
			continue
		}
		argv = append(argv, facts.Token{Text: w, File: line.File, By: line.By})
	}
	return launch(argv, name)
}

// mention reports whether any of the words names a program.
func mention(words []facts.Token, name string) surety {
	for _, w := range words {
		for _, part := range strings.FieldsFunc(w.Text,
			func(r rune) bool { return strings.ContainsRune(" \t\n'\"`;|&<>(){}", r) }) {
			if path.Base(part) == name || part == "hyperkube" || strings.HasSuffix(part, "/hyperkube") {
				return maybe
			}
		}
	}
	return not
}

// Before is how many words of a command line come before a program's own arguments; ok tells whether it is known to
// start it, and not by a shell.
func Before(argv []string, name string) (n int, ok bool) {
	tokens := make([]facts.Token, len(argv))
	for i, a := range argv {
		tokens[i].Text = a
	}
	args, sure := launch(tokens, name)
	inShell := slices.ContainsFunc(argv[:len(argv)-len(args)], facts.IsShell)
	return len(argv) - len(args), sure == surely && !inShell
}
