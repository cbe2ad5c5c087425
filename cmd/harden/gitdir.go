package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// gitDir is where git keeps its own of a worktree or a submodule, by the file .git there. That file came with the
// repository, whose text must not choose where harden writes: the directory has to name the file back, as git has it
// do, and nobody who could not write there makes it.
func gitDir(file string) (string, error) {
	text, err := gitText(file)
	if err != nil {
		return "", err
	}
	named, ok := strings.CutPrefix(text, "gitdir: ")
	named = strings.TrimRight(named, "\r\n")
	if !ok || named == "" || strings.ContainsAny(named, "\x00\n") {
		return "", fmt.Errorf("%s: not a directory, and not a file of git's that names one; use --state DIR", file)
	}
	dir, err := filepath.EvalSymlinks(beside(filepath.Dir(file), named))
	if err != nil {
		return "", fmt.Errorf("%s: it names %q: %w; use --state DIR", file, named, err)
	}
	for _, back := range gitBack(dir) {
		if real, err := filepath.EvalSymlinks(back); err == nil && real == file {
			return dir, nil
		}
	}
	return "", fmt.Errorf("%s: it names %s, which does not name it back (by gitdir, or core.worktree in config), so "+
		"the repository may have "+
		"chosen where harden writes; use --state DIR", file, dir)
}

// gitBack are the files .git that a directory of git's says it is of: git worktree writes a file gitdir, git submodule
// core.worktree.
func gitBack(dir string) (files []string) {
	if text, err := gitText(filepath.Join(dir, "gitdir")); err == nil {
		files = append(files, beside(dir, strings.TrimRight(text, "\r\n")))
	}
	text, err := gitText(filepath.Join(dir, "config"))
	if err != nil {
		return files
	}
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = strings.ToLower(line)
		}
		if key, value, ok := strings.Cut(line, "="); ok && section == "[core]" &&
			strings.EqualFold(strings.TrimSpace(key), "worktree") {
			files = append(files, filepath.Join(beside(dir, strings.Trim(strings.TrimSpace(value), `"`)), ".git"))
		}
	}
	return files
}

// beside is a path as it is meant in a file of a directory.
func beside(dir, p string) string {
	if filepath.IsAbs(p) {
		return filepath.Clean(p)
	}
	return filepath.Join(dir, p)
}

// maxGitText is how much is read of a file of git's that names directories: git takes no more of a file .git.
const maxGitText = 1 << 20

// gitText reads a regular file, and nothing through a link: a FIFO would wait for ever.
func gitText(file string) (string, error) {
	fd, err := unix.Open(file, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err == unix.ELOOP {
		return "", fmt.Errorf("%s: a symbolic link; use --state DIR", file)
	}
	if err != nil {
		return "", &os.PathError{Op: "open", Path: file, Err: err}
	}
	f := os.NewFile(uintptr(fd), file)
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", errors.Join(err, fmt.Errorf("%s: neither a directory nor a regular file; use --state DIR", file))
	}
	data, err := io.ReadAll(io.LimitReader(f, maxGitText+1))
	if err == nil && len(data) > maxGitText {
		err = fmt.Errorf("%s: larger than %d bytes, the limit; use --state DIR", file, maxGitText)
	}
	return string(data), err
}
