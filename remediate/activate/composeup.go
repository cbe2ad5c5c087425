package activate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"

	"example.com/harden/checks/facts"
)

// composePrograms are where distributions and Docker's own packages put Compose; the last is the one of old, which
// takes the same words.
var composePrograms = []string{
	"/usr/local/lib/docker/cli-plugins/docker-compose", "/usr/local/libexec/docker/cli-plugins/docker-compose",
	"/usr/lib/docker/cli-plugins/docker-compose", "/usr/libexec/docker/cli-plugins/docker-compose", "/usr/bin/docker-compose",
}

// serviceOf is what Compose's labels say that a container is of: "project/service", empty where it is of none.
func serviceOf(labels map[string]string) string {
	p, s := labels[facts.LabelComposeProject], labels[facts.LabelComposeService]
	if p == "" || s == "" {
		return ""
	}
	return p + "/" + s
}

// A project is how Compose is called for one service.
type project struct {
	program, name, dir, service string
	files                       []string
	count                       int // of its containers
}

// project finds out how the containers of a service were made, by their labels. All of them have to agree.
func (s *Services) project(ctx context.Context, unit string) (project, error) {
	name, service, ok := strings.Cut(unit, "/")
	if !ok {
		return project{}, fmt.Errorf("%q names no service of a Compose project", unit)
	}
	if err := s.local(); err != nil {
		return project{}, err
	}
	p := project{name: name, service: service}
	var err error
	if p.program, err = program(composePrograms); err != nil {
		return p, fmt.Errorf("`docker compose -p %s up -d %s` stays to be done: %w", name, service, err)
	}
	cs, err := s.members(ctx, unit)
	if err != nil {
		return p, err
	}
	if len(cs) == 0 {
		return p, fmt.Errorf("no container of %s is left", unit)
	}
	for i, c := range cs {
		dir, list := c.Labels[facts.LabelComposeDir], c.Labels[facts.LabelComposeFiles]
		var files []string
		for f := range strings.SplitSeq(list, ",") {
			if !filepath.IsAbs(f) {
				f = filepath.Join(dir, f)
			}
			files = append(files, f)
		}
		if i > 0 && (dir != p.dir || !slices.Equal(files, p.files)) {
			return p, fmt.Errorf("the containers of %s were made from different files: make them again yourself", unit)
		}
		p.dir, p.files = dir, files
	}
	p.count = len(cs)
	if !filepath.IsAbs(p.dir) {
		return p, fmt.Errorf("the containers of %s do not say which directory they were made in", unit)
	}
	for _, f := range p.files {
		if err := rootsAlone(f); err != nil {
			return p, err
		}
	}
	return p, nil
}

// rootsAlone refuses a file that others than root could have written: root would do with the daemon whatever it says.
func rootsAlone(file string) error {
	switch err := trusted(file); {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: no longer there", file)
	case err != nil:
		return err
	}
	fi, err := os.Stat(filepath.Dir(file))
	if err != nil {
		return err
	}
	if st := fi.Sys().(*syscall.Stat_t); st.Uid != 0 || fi.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s is in a directory that others than root can write to (uid %d, mode %04o): its owner has to run `docker compose up -d`",
			file, st.Uid, fi.Mode().Perm())
	}
	return nil
}

// members lists the containers of a service, in any state.
func (s *Services) members(ctx context.Context, unit string) ([]container.Summary, error) {
	cli, err := s.engine()
	if err != nil {
		return nil, err
	}
	defer cli.Close()
	name, service, _ := strings.Cut(unit, "/")
	cs, err := cli.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(
		filters.Arg("label", facts.LabelComposeProject+"="+name), filters.Arg("label", facts.LabelComposeService+"="+service))})
	return slices.DeleteFunc(cs, func(c container.Summary) bool {
		return strings.EqualFold(c.Labels[facts.LabelComposeOnce], "true")
	}), err
}

// settled is how long a container that was made again is looked at: one that cannot start ends within moments.
const settled = 3 * time.Second

// composeUp has Compose make the containers of a service again from its file, and looks whether those that ran run.
func (s *Services) composeUp(ctx context.Context, unit string) error {
	p, err := s.project(ctx, unit)
	if err != nil {
		return err
	}
	before, err := s.members(ctx, unit)
	if err != nil {
		return err
	}
	ran := 0
	for _, c := range before {
		if c.State == container.StateRunning {
			ran++
		}
	}
	s.mu.Lock()
	s.recreated = maps.Clone(s.recreated)
	s.recreated[unit] = true
	s.mu.Unlock()
	args := []string{"-p", p.name, "--project-directory", p.dir}
	for _, f := range p.files {
		args = append(args, "-f", f)
	}
	verb := []string{"up", "-d", "--no-deps", "--no-build", p.service}
	if p.count > 1 { // the file need not say how many there are
		verb = slices.Insert(verb, 4, "--scale", fmt.Sprintf("%s=%d", p.service, p.count))
	}
	if ran == 0 {
		verb = slices.Insert(verb, 4, "--no-start")
		verb = slices.DeleteFunc(verb, func(v string) bool { return v == "-d" })
	}
	s.opts.Progress("docker compose up -d " + p.service)
	if _, err := runAs(ctx, 5*time.Minute, []string{"DOCKER_HOST=" + s.opts.DockerHost, "HOME=/root", "COMPOSE_INTERACTIVE_NO_CLI=1"},
		p.program, append(args, verb...)...); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(settled):
	}
	after, err := s.members(ctx, unit)
	if err != nil {
		return err
	}
	runs := 0
	for _, c := range after {
		if c.State == container.StateRunning {
			runs++
		}
	}
	if runs < ran {
		return fmt.Errorf("%s: of %d containers that ran, %d run after they were made again", unit, ran, runs)
	}
	return nil
}
