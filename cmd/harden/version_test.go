package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"
)

// TestBuilt: only a build from the tagged source is called a release.
func TestBuilt(t *testing.T) {
	set := func(pairs ...string) (settings []debug.BuildSetting) {
		for i := 0; i < len(pairs); i += 2 {
			settings = append(settings, debug.BuildSetting{Key: pairs[i], Value: pairs[i+1]})
		}
		return settings
	}
	if got := built("v0.2.0", nil); got != "v0.2.0+devel" {
		t.Errorf("without any information: %s", got)
	}
	for want, info := range map[string]*debug.BuildInfo{
		"v0.2.0":                    {Main: debug.Module{Version: "v0.2.0"}},
		"v0.2.0+devel":              {Main: debug.Module{Version: "(devel)"}},
		"v0.2.0+23382eb0d1c2":       {Settings: set("vcs.revision", "23382eb0d1c2e3f4a5b6", "vcs.modified", "false")},
		"v0.2.0+23382eb0d1c2.dirty": {Settings: set("vcs.revision", "23382eb0d1c2e3f4a5b6", "vcs.modified", "true")},
	} {
		if got := built("v0.2.0", info); got != want {
			t.Errorf("%+v: %s, want %s", info, got, want)
		}
	}
}

// TestChangelog holds VERSION to the form of a version, and the changelog to beginning with it.
func TestChangelog(t *testing.T) {
	v := strings.TrimSuffix(next, "\n")
	if !regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+$`).MatchString(v) {
		t.Errorf("VERSION: %q", next)
	}
	text, err := os.ReadFile("../../.github/CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	_, first, _ := strings.Cut(string(text), "\n## ")
	if first, _, _ = strings.Cut(first, "\n"); first != v {
		t.Errorf("CHANGELOG.md begins with %q, VERSION is %q", first, v)
	}
}

// TestVersionOfTree builds nothing: it asks scripts/version of a repository, tagged and not, and of a release's
// archive.
func TestVersionOfTree(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"scripts/version", "cmd/harden/VERSION"} {
		text, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	v := strings.TrimSpace(next)
	for _, step := range []struct{ do, want string }{
		{"true", regexp.QuoteMeta(v)},
		{"git init -q && git add . && git commit -qm one", regexp.QuoteMeta(v) + `\+[0-9a-f]{12}`},
		{"git tag other && git tag " + v, regexp.QuoteMeta(v)},
		{"echo >>scripts/version", regexp.QuoteMeta(v) + `\+[0-9a-f]{12}\.dirty`},
		{"git commit -qam two", regexp.QuoteMeta(v) + `\+[0-9a-f]{12}`},
	} {
		cmd := exec.Command("bash", "-c", step.do+" && scripts/version")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a",
			"GIT_COMMITTER_EMAIL=a@b",
			"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
		out, err := cmd.CombinedOutput()
		if !regexp.MustCompile("^"+step.want+"\n$").Match(out) || err != nil {
			t.Errorf("after %q: %q, %v; want %s", step.do, out, err, step.want)
		}
	}
}
