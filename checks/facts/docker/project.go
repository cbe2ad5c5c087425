package docker

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/source"
)

// Labels by which Compose knows its containers again. They are a claim: whoever builds an image or starts a container
// can write them.
const (
	LabelComposeFiles = "com.docker.compose.project.config_files"
	LabelComposeDir   = "com.docker.compose.project.working_dir"
	LabelComposeEnv   = "com.docker.compose.project.environment_file"
	LabelComposeOnce  = "com.docker.compose.oneoff"
)

// ErrNoSource means that nothing tells which file a container was made from.
var ErrNoSource = errors.New("no Compose file is known for it")

// A Project is one service of a Compose project: how Compose is called for it, and all that Compose then reads. Every
// file is there by root's will alone: rootsAlone says so of each, and of the working directory; and so is the Engine.
type Project struct {
	Name, Service string
	Dir           string            // working directory, which relative paths start from
	Files         []string          // Compose files; the first counts least
	EnvFiles      []string          // environment files that Compose was told of; nil for the .env in Dir
	Sums          map[string]string // of every file that Compose reads: SHA-256 of its bytes; empty where there is none
	Running       int               // how many of its containers run

	service *source.Service
}

// Names as Compose itself takes them, but none that begins with a dash: it would be an option.
// Source: compose-spec.json; project names as docker-compose 1 normalizes them.
var (
	projectName = regexp.MustCompile(`^[a-z0-9_][a-z0-9_-]*$`)
	serviceName = regexp.MustCompile(`^[a-zA-Z0-9._][a-zA-Z0-9._-]*$`)
)

// ComposeService returns the service of a Compose file that a container was made from, as the file is now. It is
// ErrNoSource where Compose did not make it, or its file is not on this host. With ErrNotRoots the service is returned
// too: its file is somebody's to change, but not root's to run.
func ComposeService(h *facts.Host, c *Container) (*source.Service, error) {
	switch {
	case !c.Sourced():
		return nil, ErrNoSource
	case !local(h):
		return nil, fmt.Errorf("%w on this machine", ErrNoSource)
	}
	p, err := ProjectOf(h, c.ComposeUnit())
	if p == nil {
		return nil, err
	}
	return p.service, err
}

// ProjectOf returns a service of a Compose project by "project/service". With ErrNotRoots it is returned too.
func ProjectOf(h *facts.Host, unit string) (*Project, error) {
	return facts.OncePer(h, "project", unit, facts.Anew, readProject)
}

func readProject(h *facts.Host, unit string) (*Project, error) {
	p := &Project{Sums: map[string]string{}}
	p.Name, p.Service, _ = strings.Cut(unit, "/")
	switch {
	case !projectName.MatchString(p.Name):
		return nil, fmt.Errorf("label %s=%q: not a project name; Compose has not set it",
			LabelComposeProject, facts.Clip(p.Name))
	case !serviceName.MatchString(p.Service):
		return nil, fmt.Errorf("label %s=%q: not a service name; Compose has not set it",
			LabelComposeService, facts.Clip(p.Service))
	}
	members, err := members(h, unit)
	if err != nil {
		return nil, err
	}
	for _, c := range members {
		if c.State.Running {
			p.Running++
		}
	}
	if err := labelled(h, p, members); err != nil {
		return nil, err
	}
	doubt, err := provenance(h, p)
	if err != nil {
		return nil, err
	}
	if err := steady(h, members); err != nil {
		return nil, err
	}
	if err := parse(h, p); err != nil {
		return nil, err
	}
	more, err := references(h, p)
	if err != nil {
		return nil, err
	}
	return p, cmp.Or(doubt, more)
}

// ComposeUnit is "project/service" as a container's labels say it.
func (c *Container) ComposeUnit() string {
	return c.Config.Labels[LabelComposeProject] + "/" + c.Config.Labels[LabelComposeService]
}

// members are a service's containers.
func members(h *facts.Host, unit string) ([]*Container, error) {
	units, err := facts.Once(h, "compose units", facts.Anew, readUnits)
	if err != nil {
		return nil, err
	}
	if len(units[unit]) == 0 {
		return nil, fmt.Errorf("no container of %s is left", unit)
	}
	return units[unit], nil
}

// readUnits sorts the containers that Compose has made by "project/service".
func readUnits(h *facts.Host) (map[string][]*Container, error) {
	all, err := Containers(h)
	units := map[string][]*Container{}
	for i := range all {
		if c := &all[i]; c.Sourced() {
			units[c.ComposeUnit()] = append(units[c.ComposeUnit()], c)
		}
	}
	return units, err
}

// labelled takes from the containers' labels what a project is made from. All of them have to agree, and none may have
// it from its image, whose author does not know this host.
func labelled(h *facts.Host, p *Project, members []*Container) error {
	first := members[0].Config.Labels
	for _, c := range members {
		for _, label := range []string{LabelComposeFiles, LabelComposeDir, LabelComposeEnv} {
			if c.Config.Labels[label] != first[label] {
				return fmt.Errorf("the containers of %s/%s were made from different files; recreate them yourself",
					p.Name, p.Service)
			}
		}
		images, err := Images(h)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(images, func(i Image) bool { return i.ID == c.Image })
		if i < 0 {
			continue
		}
		for _, label := range []string{LabelComposeFiles, LabelComposeDir, LabelComposeEnv} {
			if v := images[i].Config.Labels[label]; v != "" && v == c.Config.Labels[label] {
				return fmt.Errorf("label %s comes from the image %s, not from Compose", label, facts.Clip(images[i].ShortName()))
			}
		}
	}
	p.Dir = first[LabelComposeDir]
	if !path.IsAbs(p.Dir) || path.Clean(p.Dir) != p.Dir {
		return fmt.Errorf("label %s=%q: not a clean absolute path", LabelComposeDir, facts.Clip(p.Dir))
	}
	var err error
	if p.Files, err = p.list(LabelComposeFiles, first[LabelComposeFiles]); err != nil {
		return err
	}
	if env := first[LabelComposeEnv]; env != "" {
		p.EnvFiles, err = p.list(LabelComposeEnv, env)
	}
	return err
}

// list reads the paths of a label; old versions of Compose wrote them as they were given.
func (p *Project) list(label, value string) ([]string, error) {
	if strings.Count(value, ",") >= source.MaxChains {
		return nil, fmt.Errorf("label %s: names more than %d files, the limit", label, source.MaxChains)
	}
	var all []string
	for file := range strings.SplitSeq(value, ",") {
		if !path.IsAbs(file) {
			file = path.Join(p.Dir, file)
		}
		if path.Clean(file) != file || strings.ContainsFunc(file, func(r rune) bool { return r < ' ' }) {
			return nil, fmt.Errorf("label %s=%q: not a clean absolute path", label, facts.Clip(value))
		}
		all = append(all, file)
	}
	return all, nil
}

// env are the environment files that Compose puts the values of variables in from.
func (p *Project) env() []string {
	if p.EnvFiles != nil {
		return p.EnvFiles
	}
	return []string{path.Join(p.Dir, ".env")}
}

// provenance checks that root alone could have written what the labels name. Nothing of it is opened before.
func provenance(h *facts.Host, p *Project) (doubt, err error) {
	note := func(file string, optional bool) error {
		why := reads(h, p, file, optional)
		if errors.Is(why, ErrNotRoots) {
			doubt = cmp.Or(doubt, why)
			return nil
		}
		return why
	}
	doubt = EngineDoubt(h)
	switch err := rootsAlone(h, p.Dir); {
	case errors.Is(err, ErrNotRoots):
		doubt = cmp.Or(doubt, err)
	case err != nil:
		return nil, err
	}
	for _, file := range p.Files {
		if err := note(file, false); err != nil {
			return nil, err
		}
	}
	for _, file := range p.env() {
		if err := note(file, p.EnvFiles == nil); err != nil {
			return nil, err
		}
	}
	if dir := path.Dir(p.Files[0]); dir != p.Dir && !within(dir, p.Dir) && !within(p.Dir, dir) {
		return nil, fmt.Errorf("label %s=%q: neither above nor below %s; Compose was not called with both",
			LabelComposeDir, facts.Clip(p.Dir), facts.Clip(p.Files[0]))
	}
	return doubt, nil
}

// steady refuses a service that mounts what a container can replace by a link: recreated, it would be given where the
// link leads.
func steady(h *facts.Host, members []*Container) error {
	s, err := allSpans(h)
	if err != nil {
		return err
	}
	for _, c := range members {
		for _, m := range c.Mounts {
			if m.Type != "bind" {
				continue
			}
			if r := s.reach(s.shared, m.Source); r.Hold == HoldName && !r.System {
				return fmt.Errorf("%s, which it mounts, is inside what a container can write (%s)", facts.Clip(m.Source), r.By)
			}
		}
	}
	return nil
}

// parse reads the files that provenance has looked at, and finds the service.
func parse(h *facts.Host, p *Project) error {
	var all []*source.Compose
	for _, file := range p.Files {
		f, err := h.File(file)
		if err != nil {
			return err
		}
		c := source.ComposeOf(h, &source.File{Path: file, As: file, Root: path.Dir(file), Data: f.Data}, p.Dir, p.env()...)
		if c.Err != nil {
			return c.Err
		}
		all = append(all, c)
	}
	base := all[0]
	if len(all) > 1 {
		over := slices.Clone(all[1:])
		slices.Reverse(over)
		base = base.With(over)
	}
	i := slices.IndexFunc(base.Services, func(s *source.Service) bool { return s.Name == p.Service })
	if i < 0 {
		return fmt.Errorf("%s: it no longer has a service %s", base.As, p.Service)
	}
	p.service = base.Services[i]
	return nil
}

// Sourced reports whether Compose has made the container, and tells from which files.
func (c *Container) Sourced() bool {
	l := c.Config.Labels
	return l[LabelComposeFiles] != "" && l[LabelComposeProject] != "" && l[LabelComposeService] != "" &&
		!strings.EqualFold(l[LabelComposeOnce], "true")
}

func local(h *facts.Host) bool {
	e, err := EngineSays(h)
	return err == nil && e.Local
}

// EngineDoubt is ErrNotRoots where the Engine is a user's own: its word is then no reason to change a file of root's,
// nor may what root's files hold be handed to it.
func EngineDoubt(h *facts.Host) error {
	e, err := EngineSays(h)
	if err != nil || e.PID <= 1 { // systemd listens for a service of its own
		return err
	}
	ps, err := h.AllProcesses("dockerd")
	if err != nil {
		return err
	}
	for _, p := range ps {
		if p.PID != e.PID {
			continue
		}
		if why := h.Foreign(p); why != "" {
			return fmt.Errorf("the Docker Engine at %s, which names the files: %w (PID %d: %s)", e.Host, ErrNotRoots, p.PID, why)
		}
		return nil
	}
	return fmt.Errorf("the Docker Engine at %s: %w (no dockerd has PID %d)", e.Host, ErrNotRoots, e.PID)
}

// Recreated reports whether a plan would have had a container made again from its Compose file.
func Recreated(h *facts.Host, c *Container) bool { return h.Plan().Recreated[c.ComposeUnit()] }
