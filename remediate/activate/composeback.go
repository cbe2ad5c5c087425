package activate

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
)

// temporary is how Compose renames a container for as long as another one takes its place: docker-compose 1 the old
// one, Compose 2 the new one.
var temporary = regexp.MustCompile(`^[0-9a-f]{12}_`)

// summaryName is a container's own name.
func summaryName(c container.Summary) string {
	for _, n := range c.Names {
		if n = strings.TrimPrefix(n, "/"); !strings.Contains(n, "/") { // with one, it is a link's
			return n
		}
	}
	return ""
}

// restoreContainers undoes what a Compose that has failed left half done: what it made is removed, what it stopped and
// renamed has its name again and runs. A container that has taken the place of one that is gone stays. Volumes are left
// alone: the old container's are the new one's.
func (s *Services) restoreContainers(ctx context.Context, unit string, before []container.Summary) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	now, err := s.members(ctx, unit)
	if err != nil {
		return err
	}
	cli, err := s.engine()
	if err != nil {
		return err
	}
	defer cli.Close()
	var gone []string // names of containers that there are no longer
	for _, b := range before {
		if !slices.ContainsFunc(now, func(c container.Summary) bool { return c.ID == b.ID }) {
			gone = append(gone, summaryName(b))
		}
	}
	var errs []error
	for _, c := range now {
		isNew := !slices.ContainsFunc(before, func(b container.Summary) bool { return b.ID == c.ID })
		name := temporary.ReplaceAllString(summaryName(c), "")
		switch {
		case !isNew:
		case !slices.Contains(gone, name):
			errs = append(errs, cli.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true}))
		default:
			errs = append(errs, reinstate(ctx, cli, c, name, false)) // taking the run back makes it again
		}
	}
	for _, b := range before {
		if i := slices.IndexFunc(now, func(c container.Summary) bool { return c.ID == b.ID }); i >= 0 {
			errs = append(errs, reinstate(ctx, cli, now[i], summaryName(b), b.State == container.StateRunning))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%s: what Compose left unfinished could not be undone: %w", unit, err)
	}
	if now, err = s.members(ctx, unit); err == nil && len(gone) == 0 {
		s.mu.Lock()
		s.putback[unit] = state(now)
		s.mu.Unlock()
	}
	return err
}

// reinstate gives a container its name, and starts it if it is to run.
func reinstate(ctx context.Context, cli *client.Client, c container.Summary, name string, run bool) error {
	if summaryName(c) != name {
		if err := cli.ContainerRename(ctx, c.ID, name); err != nil {
			return err
		}
	}
	if run && c.State != container.StateRunning {
		return cli.ContainerStart(ctx, c.ID, container.StartOptions{})
	}
	return nil
}

// state is which containers there are and whether they run.
func state(cs []container.Summary) string {
	var all []string
	for _, c := range cs {
		all = append(all, fmt.Sprintf("%s %s %v", c.ID, summaryName(c), c.State == container.StateRunning))
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// isBack reports whether the containers of a service are those of before a Compose that has failed. Taking the run back
// then needs no other call of Compose, which would fail for the same reason.
func (s *Services) isBack(unit string, now []container.Summary) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, ok := s.putback[unit]
	delete(s.putback, unit)
	return ok && was == state(now)
}
