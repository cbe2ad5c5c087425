package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
)

// linked returns the modules that a program contains, sorted by path.
func linked(program string) ([]*debug.Module, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, err
	}
	var modules []*debug.Module
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		modules = append(modules, m)
	}
	slices.SortFunc(modules, func(a, b *debug.Module) int { return strings.Compare(a.Path, b.Path) })
	return modules, nil
}

// licence is how the files are named that go with every copy of a module.
var licence = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)([.-].*)?$`)

// notices returns the licences of all that is linked into a program: its modules, Go's standard library, and the rules
// of gitleaks. A module without one is an error: it may not be passed on.
func (r *release) notices(program string) ([]byte, error) {
	modules, err := linked(program)
	if err != nil {
		return nil, err
	}
	places, err := r.places()
	if err != nil {
		return nil, err
	}
	goroot, err := command(r.root, "scripts/go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString("harden contains work of others. These are their licences and notices.\n" +
		"No licence for harden itself has been chosen yet.\n")
	if err := notice(&b, "the Go standard library", goroot); err != nil {
		return nil, err
	}
	for _, m := range modules {
		if err := notice(&b, m.Path+" "+m.Version, places[m.Path+"@"+m.Version]); err != nil {
			return nil, err
		}
	}
	rules, err := os.ReadFile(filepath.Join(r.root, "checks/secret/gitleaks.toml"))
	if err != nil {
		return nil, err
	}
	text, _, ok := strings.Cut(string(rules), "\n\n") // the comment that the file begins with
	if !ok || !strings.Contains(text, "Permission is hereby granted") {
		return nil, errors.New("checks/secret/gitleaks.toml: does not begin with its licence; put it there as a comment")
	}
	title(&b, "the rules of github.com/gitleaks/gitleaks", "checks/secret/gitleaks.toml")
	for line := range strings.Lines(text + "\n") {
		b.WriteString(strings.TrimPrefix(strings.TrimPrefix(line, "#"), " "))
	}
	return b.Bytes(), nil
}

// places returns where the module cache has each module, by path@version.
func (r *release) places() (map[string]string, error) {
	out, err := command(r.root, "scripts/go", "list", "-m", "-json", "all")
	if err != nil {
		return nil, err
	}
	places := map[string]string{}
	for d := json.NewDecoder(strings.NewReader(out)); ; {
		var m struct{ Path, Version, Dir string }
		if err := d.Decode(&m); errors.Is(err, io.EOF) {
			return places, nil
		} else if err != nil {
			return nil, err
		}
		places[m.Path+"@"+m.Version] = m.Dir
	}
}

func title(b *bytes.Buffer, name, file string) {
	line := strings.Repeat("=", 80)
	fmt.Fprintf(b, "\n%s\n%s (%s)\n%s\n\n", line, name, file, line)
}

// notice adds the licences in a directory.
func notice(b *bytes.Buffer, name, dir string) error {
	if dir == "" {
		return fmt.Errorf("%s: not in the module cache; run go mod download", name)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	found := false
	for _, e := range entries {
		if e.IsDir() || !licence.MatchString(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		title(b, name, e.Name())
		b.Write(bytes.ReplaceAll(bytes.TrimSpace(text), []byte("\r"), nil))
		b.WriteByte('\n')
		found = found || !strings.HasPrefix(strings.ToLower(e.Name()), "notice")
	}
	if !found {
		return fmt.Errorf("%s: there is no licence in %s; find out what its authors allow before it is linked", name, dir)
	}
	return nil
}
