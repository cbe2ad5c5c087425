// Newcheck writes the first version of a check: its literal, in the file of its subject, a line for its severity, and
// two recordings that name it, one where it fails and one where it passes.
//
//	go run ./scripts/newcheck docker/ip6tables
//	go run ./scripts/newcheck -kind container docker/publish-all-ports
//
// The words of the ID are the setting: a key of daemon.json, a field of the kubelet's configuration or one of a
// container's HostConfig. The literal is true to a setting that is on or off. Nobody but its author can tell its title,
// its reason, its threats and its severity: those stay empty, and TestCatalogue asks for them.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"golang.org/x/tools/go/ast/astutil"
)

// A kind is what a check is about: the file that such checks are in, and what one begins as.
type kind struct {
	platform string
	file     string
	imports  []string // packages below checks that the literal needs
	rule     string
	recorded string // a host, up to what is found there; Bad says whether the check fails
}

var kinds = map[string]kind{
	"daemon": {
		platform: "docker",
		file:     "checks/docker/daemon.go",
		imports:  []string{"be", "rule"},
		rule:     `rule.Daemon("{{.Words}}", true).Must(be.True)`,
		recorded: `A host whose daemon.json sets {{.Words}} to {{not .Bad}}.

-- like docker/hardened.txtar --
-- /etc/docker/daemon.json 0644 root:root --
{"{{.Words}}": {{not .Bad}}}
-- want findings {{.Short}} --
{{if .Bad}}fail {{.Short}}: daemon {{.Words}}: false in /etc/docker/daemon.json; must be true
	want /etc/docker/daemon.json {{.Words}} = true
{{else}}pass {{.Short}}
{{end}}`,
	},
	"container": {
		platform: "docker",
		file:     "checks/docker/running.go",
		imports:  []string{"facts", "facts/docker"},
		rule: `each(func(_ *facts.Host, c *docker.Container) []checks.Finding {
		if !c.HostConfig.{{.Field}} {
			return nil
		}
		return found(c, "with --{{.Words}}", "without it", "no --{{.Words}}")
	})`,
		recorded: `A host with one container, whose {{.Field}} is {{.Bad}}.

-- like docker/hardened.txtar --
-- engine containers --
[{"Id": "1a", "Name": "/web", "State": {"Status": "exited"}, "HostConfig": {"{{.Field}}": {{.Bad}}}}]
-- want findings {{.Short}} --
{{if .Bad}}fail {{.Short}}: container web (exited): with --{{.Words}}; must be without it
	left: recreate it with no --{{.Words}}
{{else}}pass {{.Short}}
{{end}}`,
	},
	"kubelet": {
		platform: "kubernetes",
		file:     "checks/kubernetes/kubelet.go",
		imports:  []string{"be", "want"},
		rule:     `same("{{.Key}}", "{{.Words}}", true).Must(be.True)`,
		recorded: `A node whose kubelet has {{.Key}} set to {{not .Bad}}.

-- like kubernetes/hardened.txtar --
-- edit /var/lib/kubelet/config.yaml --
-kind: KubeletConfiguration
+kind: KubeletConfiguration
+{{.Key}}: {{not .Bad}}
-- want findings {{.Short}} --
{{if .Bad}}fail {{.Short}}: kubelet {{.Key}}: false by /var/lib/kubelet/config.yaml; must be true
	want /var/lib/kubelet/config.yaml {{.Key}} = true, then kubelet.service
{{else}}pass {{.Short}}
{{end}}`,
	},
}

const literal = `
var {{.Var}} = &checks.Check{
	ID:      "{{.ID}}",
	Own:     true, // or Items, its number in each edition
	Title:   "", // what must hold
	Why:     "", // what an attacker gains where it does not
{{- if eq .Kind "kubelet"}}
	Class:   want.Restart,
{{- end}}
	Threats: nil, // of checks/stride
	Level:   1,
	Rule:    {{.Rule}},
}
`

// A check is what the templates are filled in with.
type check struct {
	ID, Short, Kind string
	Words           string // the setting, as flags and the keys of daemon.json spell it
	Key, Field      string // the same, as the kubelet's configuration and HostConfig spell it
	Var, Rule       string
	Bad             bool
}

func main() {
	name := flag.String("kind", "", "daemon, container or kubelet (default: daemon for docker, kubelet for kubernetes)")
	file := flag.String("file", "", "another file of the catalogue to add the literal to")
	flag.Parse()
	written, err := add(flag.Arg(0), *name, *file)
	if err != nil {
		fmt.Fprintln(os.Stderr, "newcheck:", err)
		os.Exit(1)
	}
	fmt.Println("written:", strings.Join(written, ", "))
	fmt.Println("next: fill in the title, the reason, the threats and the severity, and go on as " +
		".github/CONTRIBUTING.md says")
}

var idPattern = regexp.MustCompile(`^(docker|kubernetes)/[a-z0-9]+(-[a-z0-9]+)*$`)

// add writes a check's literal and recordings, and returns the files. Where it fails it has written nothing.
func add(id, name, file string) ([]string, error) {
	if !idPattern.MatchString(id) {
		return nil, fmt.Errorf("ID %q: it must be docker/WORDS or kubernetes/WORDS; "+
			"separate lower-case words by hyphens", id)
	}
	platform, short, _ := strings.Cut(id, "/")
	if name == "" {
		name = map[string]string{"docker": "daemon", "kubernetes": "kubelet"}[platform]
	}
	k, ok := kinds[name]
	if !ok || k.platform != platform {
		return nil, fmt.Errorf("kind %q: %s has no such checks; choose daemon or container for docker, "+
			"kubelet for kubernetes", name, platform)
	}
	if file != "" {
		k.file = filepath.Clean(file)
	}
	c := check{ID: id, Short: short, Kind: name, Words: strings.TrimPrefix(short, "kubelet-"), Var: camel(short)}
	c.Key = camel(c.Words)
	c.Field = strings.ToUpper(c.Key[:1]) + c.Key[1:]
	files := map[string][]byte{}
	if err := literalOf(k, c, files); err != nil {
		return nil, err
	}
	if err := rowsOf(c, platform, files); err != nil {
		return nil, err
	}
	for path, bad := range map[string]bool{short: true, short + "-passes": false} {
		c.Bad = bad
		path = filepath.Join("fixtures", platform, path+".txtar")
		if _, err := os.Lstat(path); err == nil {
			return nil, fmt.Errorf("%s: it exists already; choose another ID", path)
		}
		files[path] = []byte(fill(k.recorded, c))
	}
	var written []string
	for path, data := range files {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return written, err
		}
		written = append(written, path)
	}
	slices.Sort(written)
	return written, nil
}

// list is where the checks of a file are listed, up to the end of the list.
var list = regexp.MustCompile(`(?s)\nvar \w+Checks = \[\]\*checks\.Check\{\n.*?\n\}\n`)

// literalOf adds the literal to the file of its subject and to the list there.
func literalOf(k kind, c check, files map[string][]byte) error {
	others, err := filepath.Glob(filepath.Join(filepath.Dir(k.file), "*.go"))
	if err != nil {
		return err
	}
	declared, taken := regexp.MustCompile(`(?m)^(var |func |type |const |\t)`+c.Var+`\b`), false
	for _, other := range others {
		text, err := os.ReadFile(other)
		switch {
		case err != nil:
			return err
		case bytes.Contains(text, []byte(`"`+c.ID+`"`)):
			return fmt.Errorf("%s: %s has this check already; choose another ID", c.ID, other)
		}
		taken = taken || declared.Match(text)
	}
	if taken {
		c.Var += "Check"
	}
	text, err := os.ReadFile(k.file)
	if err != nil {
		return err
	}
	at := list.FindIndex(text)
	if at == nil {
		return fmt.Errorf("%s: it has no list of checks; name a file of the catalogue that has one", k.file)
	}
	c.Rule = fill(k.rule, c)
	end := at[1] - len("}\n")
	whole := string(text[:end]) + "\t" + c.Var + ",\n" + string(text[end:]) + fill(literal, c)
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, k.file, whole, parser.ParseComments)
	if err != nil {
		return err
	}
	for _, p := range k.imports {
		astutil.AddImport(set, parsed, "example.com/harden/checks/"+p)
	}
	var out bytes.Buffer
	if err := format.Node(&out, set, parsed); err != nil {
		return err
	}
	files[k.file] = out.Bytes()
	return nil
}

// rowsOf adds a check to the end of the table of severities, and to that of other frameworks, mapped to none of them.
func rowsOf(c check, platform string, files map[string][]byte) error {
	path := filepath.Join("checks", "severity", platform+".go")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, ok := strings.CutSuffix(string(text), "}\n")
	if !ok {
		return fmt.Errorf("%s: it does not end with its table; put the table at its end", path)
	}
	if files[path], err = format.Source([]byte(head + "\n\t\"" + c.ID + "\": {None, \"\"},\n}\n")); err != nil {
		return err
	}
	path = filepath.Join("checks", "mapping", "mappings.tsv")
	text, err = os.ReadFile(path)
	files[path] = append(text, c.ID+"\tnone\t\tnobody has looked for one yet\n"...)
	return err
}

// fill fills a template in; all of them are in this file.
func fill(text string, c check) string {
	var out strings.Builder
	if err := template.Must(template.New("").Parse(text)).Execute(&out, c); err != nil {
		panic(err)
	}
	return out.String()
}

// camel makes publishAllPorts of publish-all-ports.
func camel(words string) string {
	parts := strings.Split(words, "-")
	for i := range parts[1:] {
		parts[i+1] = strings.ToUpper(parts[i+1][:1]) + parts[i+1][1:]
	}
	return strings.Join(parts, "")
}
