package docker

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"example.com/harden/checks/budget"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
)

// openrcFiles are what OpenRC reads before a service's script, in order: each can overrule those before.
// Source: OpenRC sh/openrc-run.sh.
var openrcFiles = []string{"/etc/conf.d/docker", "/etc/rc.conf"}

// openrc reads how OpenRC starts dockerd: Alpine's /etc/init.d/docker passes DOCKER_OPTS of /etc/conf.d/docker.
func openrc(h *facts.Host, d *Daemon, starts facts.File) error {
	s, by, err := scripts(h)
	if err != nil {
		return err
	}
	d.Unit, d.UnitBy = starts.Path, want.Warrant{By: by, From: "the command of " + sysvScript}
	tokens, err := s.arguments()
	switch {
	case err == nil:
		d.Next = facts.ParseFlags(tokens)
	case d.Process == nil:
		return fmt.Errorf("%s: the arguments of dockerd are not known: %w", sysvScript, err)
	}
	return nil
}

// scripts reads the script that starts dockerd and what OpenRC reads before it, and tells whose word that is.
func scripts(h *facts.Host) (*script, want.Authority, error) {
	s := &script{host: h, cost: budget.New(sysvScript, h.Spent()),
		vars: map[string]shellValue{"RC_SVCNAME": {parts: []shellPart{{text: "docker"}}}}}
	by := want.Root
	for _, name := range append(slices.Clone(openrcFiles), sysvScript) {
		f, err := facts.FileWithin(h, s.cost, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, by, err
		}
		its := h.Vouch(name, want.Root)
		by = min(by, its)
		if err := s.run(f, its); err != nil {
			return nil, by, err
		}
	}
	return s, by, nil
}

// OpenRC reports whether it is OpenRC that starts the daemon: Unit is its script.
func (d *Daemon) OpenRC() bool { return OpenRC(d.Unit) }

// OpenRC reports whether a service is one of OpenRC's, which are named by their scripts.
func OpenRC(service string) bool { return strings.HasPrefix(service, "/etc/init.d/") }

// arguments are what the script's command is passed. OpenRC hands them to the shell once more.
func (s *script) arguments() ([]facts.Token, error) {
	if name := path.Base(s.vars["command"].text()); name != "dockerd" && s.vars["command"].unknown == "" {
		return nil, fmt.Errorf("command is %q, not dockerd", s.vars["command"].text())
	}
	more := "command_args_background"
	if s.vars["supervisor"].text() != "" {
		more = "command_args_foreground"
	}
	var all []shellPart
	for _, name := range []string{"command", "supervisor", "command_args", more} {
		v, _ := s.get(name)
		if v.unknown != "" {
			return nil, fmt.Errorf("%s: %s", name, v.unknown)
		}
		if strings.HasPrefix(name, "command_args") {
			all = append(append(all, v.parts...), shellPart{text: " "})
		}
	}
	return splitParts(all)
}

// splitParts splits text that is put together from several places, and says of each word where its end is written.
func splitParts(parts []shellPart) ([]facts.Token, error) {
	var text strings.Builder
	var ends []int
	for _, p := range parts {
		text.WriteString(p.text)
		ends = append(ends, text.Len())
	}
	all := text.String()
	if strings.ContainsAny(all, "$`;&|<>()*?[\n") {
		return nil, fmt.Errorf("the shell would take some of %q for more than words", all)
	}
	var tokens []facts.Token
	for start := 0; start < len(all); {
		end, quote := start, byte(0)
		for ; end < len(all) && (quote != 0 || all[end] != ' ' && all[end] != '\t'); end++ {
			switch c := all[end]; {
			case quote != 0 && c == quote:
				quote = 0
			case quote == 0 && (c == '"' || c == '\''):
				quote = c
			case c == '\\' && quote != '\'':
				end++
			}
		}
		for _, w := range facts.SplitWords(all[start:min(end, len(all))], false) {
			t := facts.Token{Text: w}
			for i, at := range ends {
				if at >= end {
					t.File, t.Variable, t.By = parts[i].file, parts[i].variable, parts[i].by
					break
				}
			}
			tokens = append(tokens, t)
		}
		start = end + 1
	}
	return tokens, nil
}
