package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const manualFile = "MANUAL.md"

// manualSection returns the text of one section of the manual.
func manualSection(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(manualFile)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "\n## "+name+"\n")
	if !ok {
		t.Fatalf("%s has no section %q", manualFile, name)
	}
	section, _, _ := strings.Cut(rest, "\n## ")
	return section
}

// TestManualCodes holds the tables of exit codes, in the manual and in the README, to the program's.
func TestManualCodes(t *testing.T) {
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	_, short, _ := strings.Cut(string(text), "\n## Exit codes\n")
	short, _, _ = strings.Cut(short, "\n## ")
	for page, section := range map[string]string{"README.md": short, manualFile: manualSection(t, "Exit status")} {
		var told []string
		for line := range strings.Lines(section) {
			if cell, ok := strings.CutPrefix(line, "| "); ok {
				cell, _, _ = strings.Cut(cell, " |")
				told = append(told, strings.Split(cell, ", ")...)
			}
		}
		for _, code := range []int{exitOK, exitError, exitFindings, exitFailed, exitFindings | exitFailed, exitOpen,
			exitUsage,
			exitInternal, exitLocked, exitConfig, exitUnheard, 129, 130, 143} {
			if !slices.Contains(told, strconv.Itoa(code)) {
				t.Errorf("%s: exit code %d is not in the table %q", page, code, told)
			}
		}
	}
}

// TestManualSettings holds the manual to naming each setting, its variable, and each key of the configuration file.
func TestManualSettings(t *testing.T) {
	environment, configuration := manualSection(t, "Environment"), manualSection(t, "Configuration")
	for _, d := range defaults {
		if !strings.Contains(environment, "`"+variable(d.key)+"`") {
			t.Errorf("%s: Environment does not name %s", manualFile, variable(d.key))
		}
		if !strings.Contains(configuration, "`"+d.key+"`") {
			t.Errorf("%s: Configuration does not name %s", manualFile, d.key)
		}
	}
	for _, of := range []any{choices{}, containerChoice{}, fileWaiver{}, limits{}, keeping{}} {
		for _, key := range keys(reflect.TypeOf(of)) {
			if !strings.Contains(configuration, "`"+key) {
				t.Errorf("%s: Configuration does not name %s", manualFile, key)
			}
		}
	}
}

// keys returns the YAML keys of a struct and of the structs in it.
func keys(of reflect.Type) (names []string) {
	for i := range of.NumField() {
		f := of.Field(i)
		names = append(names, f.Tag.Get("yaml"))
		if f.Type.Kind() == reflect.Struct {
			names = append(names, keys(f.Type)...)
		}
	}
	return names
}

// TestManualExample holds the configuration that the manual shows to being one.
func TestManualExample(t *testing.T) {
	_, text, _ := strings.Cut(manualSection(t, "Configuration"), "```yaml\n")
	text, _, ok := strings.Cut(text, "```\n")
	if !ok {
		t.Fatal("no example")
	}
	file, err := parseConfig(manualFile, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(file.waivers) != 1 || len(file.Choices.Containers) != 3 || len(file.settings) != 2 {
		t.Errorf("%d waivers, %d containers, %d settings", len(file.waivers), len(file.Choices.Containers),
			len(file.settings))
	}
}

// TestMan writes the man pages as `make man` does: one for each command that people see, the manual in harden(8), and
// harden.yaml(5).
func TestMan(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("go", "run", "-tags", "docs", ".", "docs", "man", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, c := range newRoot().Commands() {
		page := "harden-" + c.Name() + ".8"
		_, err := os.Stat(filepath.Join(dir, page))
		if got, want := err == nil, c.IsAvailableCommand(); got != want {
			t.Errorf("%s is there: %v, want %v", page, got, want)
		}
	}
	for page, sections := range map[string][]string{
		"harden.8":      {"NAME", "SYNOPSIS", "OPTIONS", "DRIFT", "EXIT STATUS", "FILES", "ENVIRONMENT", "SEE ALSO"},
		"harden.yaml.5": {"NAME", "DESCRIPTION", "SEE ALSO"},
	} {
		text, err := os.ReadFile(filepath.Join(dir, page))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, s := range sections {
			if n := strings.Count(string(text), "\n.SH "+s+"\n"); n != 1 {
				t.Errorf("%s has %d sections %s", page, n, s)
			}
		}
		for _, trace := range []string{"](", "| ", "\n.TS\n"} {
			if strings.Contains(string(text), trace) {
				t.Errorf("%s: there is Markdown or a table left: %q", page, trace)
			}
		}
	}
}
