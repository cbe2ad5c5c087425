package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// TestSourceChoices holds choices.sources: read from the configuration, applied to what is judged and written, and
// refused where they are not what the site has agreed to.
func TestSourceChoices(t *testing.T) {
	const ours, vendored, modules, ignored = "compose.yaml", "vendor/x/compose.yaml", "node_modules/y/compose.yaml",
		"local/compose.yaml"
	for name, test := range map[string]struct {
		config  string // none where it is empty
		mode    os.FileMode
		written []string
		code    int
		says    []string
	}{
		"no configuration": {"", 0, []string{ours, ignored}, 0, []string{"vendor: other people's sources",
			"node_modules: other people's sources"}},
		"vendor": {"choices: {sources: {vendor: true}}\n", 0o600, []string{ours, vendored, modules, ignored}, 0, nil},
		"not vendor": {"choices: {sources: {vendor: false}}\n", 0o600, []string{ours, ignored}, 0,
			[]string{"vendor: other people's sources"}},
		"skip-ignored": {"choices: {sources: {skip-ignored: true}}\n", 0o600, []string{ours}, 0,
			[]string{"local: a .gitignore names it"}},
		"both": {"choices: {sources: {vendor: true, skip-ignored: true}}\n", 0o600,
			[]string{ours, vendored, modules}, 0, nil},
		"a key that is none": {"choices:\n  sources:\n    vender: true\n", 0o600, nil, 78, []string{
			"harden.yaml:3", "vender"}},
		"a value that is none": {"choices:\n  sources:\n    vendor: perhaps\n", 0o600, nil, 78, []string{"harden.yaml:3"}},
		"not under choices":    {"sources: {vendor: true}\n", 0o600, nil, 78, []string{"sources"}},
		"what others could have said": {"choices: {sources: {vendor: true}}\n", 0o666, nil, 78,
			[]string{"only its owner may have write permission"}},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"harden.yaml": "choices: {sources: {vendor: true}}\n", ".gitignore": "/local/\n"}
			for _, f := range []string{ours, vendored, modules, ignored} {
				files[f] = webService
			}
			r := newRepository(t, files)
			config := "none" // and not the one that the repository brings along
			if test.config != "" {
				config = filepath.Join(t.TempDir(), "harden.yaml")
				if err := cmpErr(os.WriteFile(config, []byte(test.config), 0o600), os.Chmod(config, test.mode)); err != nil {
					t.Fatal(err)
				}
			}
			out, said, code := ran(t, "harden", nil, noFile, "--source", r.dir, "--yes", "--config", config)
			if code != test.code {
				t.Fatalf("%d, want %d\n%s%s", code, test.code, out, said)
			}
			for _, want := range test.says {
				if !strings.Contains(strings.Join(strings.Fields(out+said), " "), want) {
					t.Errorf("it does not say %q:\n%s%s", want, out, said)
				}
			}
			for _, f := range []string{ours, vendored, modules, ignored} {
				if got := r.read(f) != webService; got != slices.Contains(test.written, f) {
					t.Errorf("%s is written: %v", f, got)
				}
			}
		})
	}
}

// TestLibrariesAreSilent holds that what libraries have to say of sources reaches nobody: of every construct of the
// corpus, harden's own words are all there is, as text and for programs, looked at and planned.
func TestLibrariesAreSilent(t *testing.T) {
	data, err := os.ReadFile("../../fixtures/source/corpus/constructs.txtar")
	if err != nil {
		t.Fatal(err)
	}
	dir, cases := filepath.Join(t.TempDir(), "repo"), 0
	for _, f := range txtar.Parse(data).Files {
		switch kind, name, _ := strings.Cut(f.Name, " "); kind {
		case "case":
			cases++
		case "file":
			p := filepath.Join(dir, fmt.Sprint(cases), name)
			if err := cmpErr(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, f.Data, 0o644)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, args := range [][]string{{"check"}, {"check", "--format", "json"}, {"--dry-run"},
		{"--dry-run", "--format", "json"}} {
		out, said, code := ran(t, "harden", nil, noFile, append(args, "--source", dir)...)
		if said != "" || code != 2 || strings.Contains(out, "level=warning") {
			t.Errorf("%q of %d constructs: %d, on stderr:\n%s", args, cases, code, said)
		}
	}
}
