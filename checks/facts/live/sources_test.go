//go:build linux && !portable

package live_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/live"
	"example.com/harden/checks/facts/source"
)

// sources fills a directory with what TestSources looks for, and with what it must not open.
func sources(t *testing.T) string {
	t.Helper()
	dir, other := t.TempDir(), t.TempDir()
	write := func(name, data string) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("Dockerfile", "FROM a\n")
	write("sub/web.Dockerfile", "FROM b\n")
	write("sub/deep/compose.yml", "services: {a: {image: x}}\n")
	write("sub/deep/compose.override.yml", "services: {a: {read_only: true}}\n")
	write("large/Dockerfile", "FROM c\n#"+strings.Repeat("x", 2<<20))
	write("node_modules/x/Dockerfile", "FROM d\n")
	write("odd\x1b[31m\n/Dockerfile", "FROM e\n")
	write("fine/docker-compose.prod.yaml", "{")
	for link, to := range map[string]string{"ring": "sub", "sub/up": "..", "elsewhere": other,
		"sub/Dockerfile": filepath.Join(other, "Dockerfile"), "again.Dockerfile": "Dockerfile", "gone.Dockerfile": "nowhere",
		"round.Dockerfile": "round.Dockerfile", "absolute.Dockerfile": filepath.Join(dir, "Dockerfile"),
		"sub/deep/.env": "/proc/self/environ", "fine/.env": "../../" + filepath.Base(other) + "/env"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(other, "Dockerfile"), []byte("FROM f\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"fifo/Dockerfile", "fifo/.env"} {
		write("fifo/compose.yaml", "services: {a: {image: x}}\n")
		if err := unix.Mkfifo(filepath.Join(dir, kind), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("hard/Dockerfile", "FROM h\n")
	if err := os.Link(filepath.Join(dir, "hard/Dockerfile"), filepath.Join(other, "linked")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestSources walks real directories: links in a ring and to elsewhere, a file as large as no Dockerfile, one that
// nobody may read, a name that terminals would obey.
func TestSources(t *testing.T) {
	dir := sources(t)
	dirs := []facts.SourceDir{{Path: dir, As: "src"}}
	h := facts.New(t.Context(), live.Beneath(dirs), facts.Choices{})
	h.SourceDirs = dirs
	s, err := source.Of(h)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range s.Dockerfiles {
		got = append(got, d.At(d.Final().Line))
	}
	for _, c := range s.Composes {
		what := "broken"
		if c.Err == nil {
			_, ok := c.Services[0].Get("read_only")
			what = map[bool]string{true: "overridden", false: "alone"}[ok]
		}
		got = append(got, c.As+" "+what)
	}
	want := []string{"src/Dockerfile:1", "src/odd\x1b[31m\n/Dockerfile:1", "src/sub/web.Dockerfile:1",
		"src/fifo/compose.yaml alone",
		"src/fine/docker-compose.prod.yaml broken", "src/sub/deep/compose.yml overridden"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("found (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{
		"src/absolute.Dockerfile: a link that leads out of src",
		"src/fifo/Dockerfile: not a regular file",
		"src/hard/Dockerfile: it has 2 names (hard links), of which one may be outside",
		"src/large/Dockerfile: 2097160 bytes are more than any of its kind has: the limit is 1048576",
		"src/sub/Dockerfile: a link that leads out of src",
		"src/round.Dockerfile: too many levels of symbolic links",
		"src/fifo/.env: a FIFO, not a file",
		"src/fine/.env: it leads out of the directory of --source",
		"src/sub/deep/.env: it leads out of the directory of --source",
	}, s.Skipped); diff != "" {
		t.Errorf("skipped (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"src/elsewhere"}, s.Outside); diff != "" {
		t.Errorf("not followed (-want +got)\n%s", diff)
	}
	for _, file := range []string{"/etc/passwd", "/proc/self/environ", filepath.Join(dir, "sub/../../x"),
		dir + "x", filepath.Join(dir, "elsewhere/Dockerfile")} {
		if _, err := h.File(file); !errors.Is(err, facts.ErrOutside) {
			t.Errorf("%s: %v", file, err)
		}
	}
	h.SourceDirs = []facts.SourceDir{{Path: filepath.Join(dir, "none"), As: "none"}}
	if _, err := source.Of(facts.New(t.Context(), live.Beneath(h.SourceDirs), facts.Choices{})); err == nil {
		t.Error("no directory, and no error")
	}
}
