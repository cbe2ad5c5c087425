package activate

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/facts/live"
	"example.com/harden/remediate"
	"example.com/harden/remediate/program"
)

// composePrograms are where distributions and Docker's own packages put Compose; the last is the one of old, which
// takes the same words.
var composePrograms = []string{
	"/usr/local/lib/docker/cli-plugins/docker-compose", "/usr/local/libexec/docker/cli-plugins/docker-compose",
	"/usr/lib/docker/cli-plugins/docker-compose", "/usr/libexec/docker/cli-plugins/docker-compose",
	"/usr/bin/docker-compose",
}

// serviceOf is what Compose's labels say that a container is of: "project/service", empty where it is of none.
func serviceOf(labels map[string]string) string {
	p, s := labels[docker.LabelComposeProject], labels[docker.LabelComposeService]
	if p == "" || s == "" {
		return ""
	}
	return p + "/" + s
}

// project finds out how Compose made the containers of a service, and that what it read then is what was judged: reads
// are the sums that its files may have, one of which each of them must have.
func (s *Services) project(ctx context.Context, unit string, reads ...map[string]string) (*docker.Project, error) {
	if err := s.local(); err != nil {
		return nil, err
	}
	h := facts.New(ctx, live.New("/", live.DockerOptions{Host: s.opts.DockerHost}), facts.Choices{})
	p, err := docker.ProjectOf(h, unit)
	if err != nil {
		return nil, err
	}
	return p, unchanged(p, reads)
}

// unchanged refuses a service of which Compose would read something else than was judged.
func unchanged(p *docker.Project, reads []map[string]string) error {
	if len(reads) == 0 {
		return nil // a journal of an older harden does not say
	}
	for _, file := range slices.Sorted(maps.Keys(p.Sums)) {
		known := func(r map[string]string) bool { sum, ok := r[file]; return ok && sum == p.Sums[file] }
		if !slices.ContainsFunc(reads, known) {
			return fmt.Errorf("%s: changed since it was checked; check it and run `docker compose -p %s up -d %s` yourself",
				file, p.Name, p.Service)
		}
	}
	return nil
}

// readyCompose looks whether a service can be made again. It is asked before files are written, or put back.
func (s *Services) readyCompose(ctx context.Context, a remediate.Activation) error {
	var reads []map[string]string
	if a.Reads != nil {
		reads = []map[string]string{a.Reads.Before, a.Reads.After}
	}
	p, err := s.project(ctx, a.Unit, reads...)
	if err != nil {
		return err
	}
	if _, err := program.Find(composePrograms); err != nil {
		return fmt.Errorf("`docker compose -p %s up -d %s` still to do: %w", p.Name, p.Service, err)
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
		filters.Arg("label", docker.LabelComposeProject+"="+name), filters.Arg("label",
			docker.LabelComposeService+"="+service))})
	return slices.DeleteFunc(cs, func(c container.Summary) bool {
		return strings.EqualFold(c.Labels[docker.LabelComposeOnce], "true")
	}), err
}

// settled is how long a container that was made again is looked at: one that cannot start ends within moments.
const settled = 3 * time.Second

// composeUp has Compose make the containers of a service again from its file, and looks whether those that ran run.
// Where Compose fails, what was before is put back.
func (s *Services) composeUp(ctx context.Context, a remediate.Activation) error {
	var reads []map[string]string
	if a.Reads != nil {
		reads = []map[string]string{a.Reads.After}
	}
	p, err := s.project(ctx, a.Unit, reads...)
	if err != nil {
		return err
	}
	before, err := s.members(ctx, a.Unit)
	if err != nil {
		return err
	}
	if s.isBack(a.Unit, before) {
		return nil
	}
	s.mu.Lock()
	s.recreated = maps.Clone(s.recreated)
	s.recreated[a.Unit] = true
	s.mu.Unlock()
	s.opts.Progress("docker compose up -d " + p.Service)
	ran, count := running(before), len(before)
	if a.Reads != nil {
		ran, count = max(ran, a.Reads.Ran), max(count, a.Reads.Ran)
	}
	if err := s.compose(ctx, p, count, ran > 0); err != nil {
		if back := s.restoreContainers(ctx, a.Unit, before); back != nil {
			err = fmt.Errorf("%w; %w", err, back)
		}
		return err
	}
	if _, err := s.project(ctx, a.Unit, p.Sums); err != nil { // Compose has read by path
		return fmt.Errorf("while Compose read it: %w", err)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(settled):
	}
	after, err := s.members(ctx, a.Unit)
	if err != nil {
		return err
	}
	if runs := running(after); runs < ran {
		return fmt.Errorf("%s: of %d containers that ran, %d run after they were recreated", a.Unit, ran, runs)
	}
	return nil
}

func running(cs []container.Summary) int {
	n := 0
	for _, c := range cs {
		if c.State == container.StateRunning {
			n++
		}
	}
	return n
}

// compose calls Compose for a service. Each word that comes from a label is the value of an option, or comes after
// "--".
func (s *Services) compose(ctx context.Context, p *docker.Project, count int, start bool) error {
	exe, err := program.Find(composePrograms)
	if err != nil {
		return err
	}
	args := []string{"--project-name=" + p.Name, "--project-directory=" + p.Dir}
	for _, f := range p.Files {
		args = append(args, "--file="+f)
	}
	for _, f := range p.EnvFiles {
		args = append(args, "--env-file="+f)
	}
	// What docker-compose 1 compares to tell whether a service has changed leaves out its pid, ipc and other namespaces.
	args = append(args, "up", "--no-deps", "--no-build", "--force-recreate")
	if count > 1 { // the file need not say how many there are
		args = append(args, fmt.Sprintf("--scale=%s=%d", p.Service, count))
	}
	if start {
		args = append(args, "--detach")
	} else {
		args = append(args, "--no-start")
	}
	if args, err = program.Operands(args, p.Service); err != nil {
		return err
	}
	// What is set here counts more than the .env file.
	env := []string{"DOCKER_HOST=" + s.opts.DockerHost, "DOCKER_CONTEXT=", "DOCKER_TLS_VERIFY=", "DOCKER_CERT_PATH=",
		"COMPOSE_PROJECT_NAME=" + p.Name, "COMPOSE_FILE=", "COMPOSE_ENV_FILES=", "COMPOSE_IGNORE_ORPHANS=1",
		"COMPOSE_REMOVE_ORPHANS=0", "COMPOSE_INTERACTIVE_NO_CLI=1", "HOME=/root"}
	out, err := program.RunAs(ctx, 5*time.Minute, env, exe, args...)
	for line := range strings.Lines(out) { // the last one says only that there have been errors
		if strings.HasPrefix(line, "ERROR: for ") && err != nil {
			return fmt.Errorf("%w (%s)", err, strings.TrimSpace(line))
		}
	}
	return err
}
