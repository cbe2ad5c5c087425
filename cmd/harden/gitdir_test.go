package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// git runs the real one, with a configuration of the test's own.
func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.com", "-c",
		"protocol.file.allow=always",
		"-c", "init.defaultBranch=main"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %q: %v\n%s", args, err, out)
	}
}

// gitRepository is one that git has made, with a commit.
func gitRepository(t *testing.T, dir string) repository {
	t.Helper()
	r := repository{t, dir}
	if err := os.MkdirAll(r.at("app"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.write("app/compose.yaml", webService)
	git(t, dir, "init", "-q")
	git(t, dir, "add", ".")
	git(t, dir, "commit", "-qm", "x")
	return r
}

// TestWorktrees writes below a worktree and a submodule, as git makes them, and takes it back. What is remembered is
// where git keeps its own of them, which git status does not see.
func TestWorktrees(t *testing.T) {
	top := t.TempDir()
	main := gitRepository(t, filepath.Join(top, "main"))
	library := gitRepository(t, filepath.Join(top, "library"))
	git(t, main.dir, "worktree", "add", "-q", "../tree")
	git(t, main.dir, "submodule", "--quiet", "add", library.dir, "deps/library")
	for _, test := range []struct{ dir, state string }{
		{filepath.Join(top, "tree"), ".git/worktrees/tree/harden"},
		{main.at("deps/library"), ".git/modules/deps/library/harden"},
		{main.at("deps/library/app"), ".git/modules/deps/library/harden"},
	} {
		r := repository{t, test.dir}
		file := "app/compose.yaml"
		if filepath.Base(r.dir) == "app" {
			file = "compose.yaml"
		}
		r.run(0, "--source", r.dir, "--yes")
		if got := r.read(file); !strings.Contains(got, "restart: on-failure:5") {
			t.Errorf("%s: %s", test.dir, got)
		}
		if _, err := os.Stat(main.at(test.state)); err != nil {
			t.Error(err)
		}
		r.run(0, "rollback", "--source", r.dir, "--yes")
		if got := r.read(file); got != webService {
			t.Errorf("%s: rolled back to %s", test.dir, got)
		}
		out, err := exec.Command("git", "-c", "safe.directory=*", "-C", r.dir, "status", "--porcelain").CombinedOutput()
		if err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", test.dir, err, out)
		}
	}
}

// TestGitDirRefused holds that the text of a repository does not choose where harden writes.
func TestGitDirRefused(t *testing.T) {
	const names = "which does not name it back"
	for name, test := range map[string]struct {
		text string // of .git, with DIR in the place of a directory that is not the repository's
		make func(elsewhere, file string) error
		why  string
	}{
		"any directory": {"gitdir: DIR\n", nil, names},
		"another repository's": {"gitdir: DIR\n", func(dir, _ string) error {
			return os.WriteFile(dir+"/config", []byte("[core]\n\tbare = false\n"), 0o644)
		}, names},
		"another worktree's": {"gitdir: DIR\n", func(dir, _ string) error {
			return os.WriteFile(dir+"/gitdir", []byte(dir+"/tree/.git\n"), 0o644)
		}, names},
		"another submodule's": {"gitdir: DIR\n", func(dir, _ string) error {
			return os.WriteFile(dir+"/config", []byte("[core]\n\tworktree = ../tree\n"), 0o644)
		}, names},
		"of a section": {"gitdir: DIR\n", func(dir, file string) error {
			return os.WriteFile(dir+"/config", []byte("[x]\n\tworktree = "+filepath.Dir(file)+"\n"), 0o644)
		}, names},
		"a link that names it": {"gitdir: DIR\n", func(dir, file string) error { return os.Symlink(file, dir+"/gitdir") },
			names},
		"a way up":              {"gitdir: ../../../../../../../../../../../../../etc\n", nil, "it names /etc, " + names},
		"nothing that is there": {"gitdir: /no/such\n", nil, `it names "/no/such": `},
		"no text of git's":      {"see DIR\n", nil, "not a file of git's"},
		"two lines":             {"gitdir: DIR\nx\n", nil, "not a file of git's"},
		"too much":              {"gitdir: " + strings.Repeat("/", 1<<20) + "DIR\n", nil, "larger than 1048576 bytes"},
		"a FIFO": {"", func(_, file string) error { return syscall.Mkfifo(file, 0o644) },
			"neither a directory nor a regular file"},
		"a link": {"", func(dir, file string) error { return os.Symlink(dir, file) }, "a symbolic link"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRepository(t, map[string]string{"compose.yaml": webService})
			elsewhere := filepath.Join(filepath.Dir(r.dir), "elsewhere")
			if err := cmpErr(os.Remove(r.at(".git")), os.MkdirAll(elsewhere+"/tree/.git", 0o755)); err != nil {
				t.Fatal(err)
			}
			if test.text != "" {
				r.write(".git", strings.ReplaceAll(test.text, "DIR", elsewhere))
			}
			if test.make != nil {
				if err := test.make(elsewhere, r.at(".git")); err != nil {
					t.Fatal(err)
				}
			}
			_, said, code := ran(t, "harden", nil, noFile, "--source", r.dir, "--yes")
			if code == 0 || !strings.Contains(said, test.why) || !strings.Contains(said, "--state DIR") {
				t.Errorf("%d %s", code, said)
			}
			if _, err := os.Stat(elsewhere + "/harden"); err == nil || r.read("compose.yaml") != webService {
				t.Error("something was written")
			}
			state := t.TempDir()
			r.run(0, "--source", r.dir, "--yes", "--state", state)
		})
	}
}
