package source

import (
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"example.com/harden/checks/secret"
)

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
		if run.PrependShell && toShell().MatchString(texts[0]) { // else it is data for another program
			texts = append(texts, f.Data)
		}
	}
	return shellWords(withoutData(strings.Join(texts, "\n")))
}

var (
	// toShell is a command line whose here-documents a shell executes.
	toShell = secret.Pattern(`^\s*(?:(?:/usr)?(?:/bin/)?(?:ba|da|z|k|a)?sh\b[^;&|]*)?<<`)
	heredoc = secret.Pattern(`<<-?\s*["']?([A-Za-z_][A-Za-z0-9_]*)["']?`)
)

// withoutData leaves out the here-documents of a script: what they hold is no command.
func withoutData(script string) string {
	lines := strings.SplitAfter(script, "\n")
	var kept []string
	for i := 0; i < len(lines); i++ {
		kept = append(kept, lines[i])
		m := heredoc().FindStringSubmatch(strings.ReplaceAll(lines[i], "<<<", ""))
		if i == 0 || m == nil || toShell().MatchString(lines[i]) { // the first line is the Dockerfile's own
			continue
		}
		is := func(line string) bool { return strings.TrimSpace(line) == m[1] }
		if end := slices.IndexFunc(lines[i+1:], is); end >= 0 {
			i += end + 1
		}
	}
	return strings.Join(kept, "")
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

// starters are programs that start another, behind options and numbers of their own.
var starters = []string{"sudo", "doas", "exec", "env", "time", "eatmydata", "timeout", "nice", "ionice", "nohup",
	"xargs", "retry", "stdbuf", "setarch",
	"command", "then", "do", "else", "if", "elif", "while", "until", "!"}

// ownWord is what a starter has behind it before the program: an option, a number, a time, a placeholder.
var ownWord = secret.Pattern(`^(?:-.*|[0-9][0-9.]*[smhd]?|\{\}|[A-Za-z_][A-Za-z0-9_]*=.*)$`)

// valued are options of starters that have a word of their own behind them.
var valued = map[string]bool{"-a": true, "-I": true, "-d": true, "-E": true, "-k": true, "-s": true, "-u": true,
	"-g": true}

// program takes away what may stand before a program: keywords, assignments, and programs that start others.
func program(command []string) []string {
	started := false
	for len(command) > 0 {
		w := command[0]
		switch {
		case slices.Contains(starters, path.Base(w)):
			started = true
		case started && valued[w] && len(command) > 2:
			command = command[1:] // its value follows
		case started && ownWord().MatchString(w), strings.Contains(w, "=") && !strings.HasPrefix(w, "-"):
		default:
			return command
		}
		command = command[1:]
	}
	return command
}
