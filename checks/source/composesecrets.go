package source

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"example.com/harden/checks"
	"example.com/harden/checks/budget"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/source"
	"example.com/harden/checks/secret"
)

// A composeLeaks gathers the secrets of one Compose file and of all that are read with it, at most one for each line.
type composeLeaks struct {
	lines    map[string]bool // by their places
	findings []checks.Finding
}

func (l *composeLeaks) add(c *source.Compose, line int, what, got string) {
	if place := c.At(line); !l.lines[place] {
		l.lines[place] = true
		l.findings = append(l.findings, checks.Finding{Subject: c.As + " " + what, Got: got, Must: mustFile, Place: place})
	}
}

// bytesOf says how long a secret is, and nothing else of it.
func bytesOf(value string) string { return fmt.Sprintf("a value of %d bytes", len(value)) }

func composeSecrets(c *source.Compose, env *environments) ([]checks.Finding, error) {
	l := &composeLeaks{lines: map[string]bool{}}
	var inFiles []checks.Finding
	for _, s := range c.Services {
		l.variables(s)
		l.commands(s)
		inFiles = append(inFiles, env.of(s)...)
	}
	var unknown error
	for _, c := range c.Files() {
		hits, err := secret.FindWithin(c.Data, budget.New(c.As, nil))
		unknown = errors.Join(unknown, err)
		for _, hit := range secret.Alarms(c.Data, hits) {
			l.add(c, hit.Line, "line", fmt.Sprintf("a secret of %d bytes in column %d, of the kind %s", hit.End-hit.Start,
				hit.Column, hit.Rule))
		}
	}
	slices.SortStableFunc(l.findings, func(a, b checks.Finding) int {
		return cmp.Or(cmp.Compare(fileOf(a.Place), fileOf(b.Place)), cmp.Compare(lineOf(a.Place), lineOf(b.Place)))
	})
	return append(l.findings, inFiles...), unknown
}

func fileOf(place string) string { return place[:strings.LastIndexByte(place, ':')] }

// variables finds what a service, or the build of its image, is given by its environment.
func (l *composeLeaks) variables(s *source.Service) {
	for _, key := range [][]string{{"environment"}, {"build", "args"}} {
		for _, v := range s.All(key...) {
			for name, value := range v.Assignments() {
				literal := value.Node.Value
				if _, after, ok := strings.Cut(literal, name+"="); ok {
					literal = after
				}
				if given := secret.Given(name, literal); given != "" {
					l.add(value.File, value.Line, s.Name+" "+strings.Join(key, ".")+" "+masked(name), bytesOf(given))
				}
			}
		}
	}
}

// commands finds what a service's programs are given as arguments.
func (l *composeLeaks) commands(s *source.Service) {
	for _, key := range [][]string{{"command"}, {"entrypoint"}, {"healthcheck", "test"}} {
		v, ok := s.Get(key...)
		if !ok {
			continue
		}
		items := v.Items()
		for _, a := range secret.InCommand(joined(items)) {
			line := v.Line
			for _, item := range items {
				if strings.Contains(item.Node.Value, a.Value) {
					line = item.Line
				}
			}
			l.add(v.File, line, s.Name+" "+strings.Join(key, ".")+" "+masked(a.Name), bytesOf(a.Value))
		}
	}
}

// joined is a command as a shell would take it.
func joined(items []source.Value) string {
	var words []string
	for _, item := range items {
		w := item.Node.Value
		if item.Node.Kind != yaml.ScalarNode {
			continue
		}
		if len(items) > 1 && strings.ContainsAny(w, " \t;|&()") && !strings.ContainsAny(w, "'") {
			w = "'" + w + "'"
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

// environments gathers the secrets of the environment files that services name and that are in the tree, where git
// does not pass them over: kept elsewhere is where they belong.
type environments struct {
	host *facts.Host
	seen map[string]bool
}

func (e *environments) of(s *source.Service) (findings []checks.Finding) {
	names := []string{".env"}
	for _, v := range s.All("env_file") {
		for _, item := range v.Items() {
			if p, ok := item.Field("path"); ok {
				item = p
			}
			if text, err := item.Text(); err == nil && text != "" && item.Node.Kind == yaml.ScalarNode {
				names = append(names, text)
			}
		}
	}
	for _, name := range names {
		if !path.IsAbs(name) {
			name = path.Join(path.Dir(s.File.Path), name)
		}
		if !e.seen[name] && facts.Within(name, s.File.Root) {
			e.seen[name] = true
			findings = append(findings, e.file(&s.File.File, name)...)
		}
	}
	return findings
}

func (e *environments) file(c *source.File, name string) (findings []checks.Finding) {
	f, err := e.host.File(name)
	if err != nil || source.Ignored(e.host, c.Root, f.Path) { // what Compose reads and cannot be read is told elsewhere
		return nil
	}
	as := path.Join(path.Dir(c.As), strings.TrimPrefix(strings.TrimPrefix(f.Path, path.Dir(c.Path)), "/"))
	n := 0
	for line := range strings.Lines(string(f.Data)) {
		n++
		key, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		if key = strings.TrimSpace(key); !ok || strings.HasPrefix(key, "#") {
			continue
		}
		if given := secret.Given(key, strings.TrimSpace(value)); given != "" {
			findings = append(findings, checks.Finding{Subject: as + " " + masked(key), Got: bytesOf(given),
				Must: "kept out of the repository (.gitignore)", Place: as + ":" + strconv.Itoa(n)})
		}
	}
	return findings
}
