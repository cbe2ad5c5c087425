// Package program starts the few programs of the host that harden calls: by their fixed paths, where root alone could
// have put them there, with an environment of their own and a deadline. Nothing else starts any.
package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/live"
)

// Find returns the first of the paths that exists, if nobody but root could have put it there.
func Find(paths []string) (string, error) {
	for _, p := range paths {
		err := Trusted(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return p, err
	}
	return "", fmt.Errorf("%s is not installed", filepath.Base(paths[0]))
}

// Trusted refuses to run as root what another user could have written.
func Trusted(path string) error {
	fi, err := os.Stat(path)
	if err != nil {
		return err
	}
	st := fi.Sys().(*syscall.Stat_t)
	switch {
	case !fi.Mode().IsRegular():
		return fmt.Errorf("%s is not a program", path)
	case st.Uid != 0 || fi.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("%s is not run: its owner is uid %d and its mode %04o, so not only root can write it", path,
			st.Uid, fi.Mode().Perm())
	}
	return nil
}

// alone refuses a program that root alone can write, below a directory that another can.
func alone(path string) error {
	why, err := facts.New(context.Background(), live.New("/", live.DockerOptions{}), facts.Choices{}).Exposed(path)
	if err != nil {
		return err
	}
	if why != "" {
		return fmt.Errorf("%s is not run: %s, so not only root can replace it", path, why)
	}
	return nil
}

// maxOutput is how much of a program's output is kept, in bytes.
const maxOutput = 64 << 10

// Run runs a program by its path with nothing of our environment, ends it and its children at the deadline, and
// returns what it printed. The error quotes its last line.
func Run(ctx context.Context, timeout time.Duration, path string, args ...string) (string, error) {
	return RunAs(ctx, timeout, nil, path, args...)
}

// RunAs is Run with more environment.
func RunAs(ctx context.Context, timeout time.Duration, env []string, path string, args ...string) (string, error) {
	if err := errors.Join(Trusted(path), alone(path)); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var out capped
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = "/"
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}, env...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	text := out.String()
	if err == nil {
		return text, nil
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("no answer within %v", timeout)
	}
	name := strings.Join(append([]string{path}, args...), " ")
	if last := LastLine(text); last != "" {
		return text, fmt.Errorf("%s: %w: %s", name, err, last)
	}
	return text, fmt.Errorf("%s: %w", name, err)
}

// Operands ends a program's options and adds words that others have chosen, such as the names of containers, networks
// and volumes. None of them may be an option, or more than one word to whoever reads it.
func Operands(args []string, words ...string) ([]string, error) {
	for _, w := range words {
		if w == "" || w[0] == '-' || strings.ContainsFunc(w, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
			return nil, fmt.Errorf("%q: not a name", w)
		}
	}
	return append(append(slices.Clip(args), "--"), words...), nil
}

// LastLine is the last line that a program has printed.
func LastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// capped keeps the first maxOutput bytes and takes the rest without a word, so that the program does not stop.
type capped struct{ bytes.Buffer }

func (c *capped) Write(p []byte) (int, error) {
	c.Buffer.Write(p[:min(len(p), maxOutput-c.Len())])
	return len(p), nil
}
