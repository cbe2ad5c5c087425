package docker

import (
	"archive/tar"
	"context"
	"errors"
	"example.com/harden/checks/facts"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// An Insider is a Source that can read what a process of this machine sees below its root directory. Nothing there
// leads out of it.
type Insider interface {
	Inside(ctx context.Context, pid int, path string) ([]byte, error)
}

// A containerUser is a name in one container.
type containerUser struct{ id, name string }

// ContainerUser returns the uid of a name in a container's own passwd.
func ContainerUser(h *facts.Host, id, name string) (uint32, error) {
	return facts.OncePer(h, "container user", containerUser{id, name}, facts.Kept, readContainerUser)
}

// readContainerUser looks a name up in a container's own passwd, which may be a link within the container and no other
// file.
func readContainerUser(h *facts.Host, u containerUser) (uint32, error) {
	containers, _ := Containers(h)
	i := slices.IndexFunc(containers, func(c Container) bool { return c.ID == u.id })
	if i < 0 {
		return 0, fmt.Errorf("container %s: %w", facts.Clip(u.id), facts.ErrAbsent)
	}
	e, err := EngineSays(h)
	if err != nil {
		return 0, err
	}
	var data []byte
	switch c := &containers[i]; {
	case opensSafely(e.ServerVersion) || !c.State.Running && len(c.Mounts) == 0: // else nothing runs that could race it
		data, err = archived(h, c)
	case c.State.Running && e.Local && c.State.Pid > 1:
		data, err = seenInside(h, c)
	default:
		err = fmt.Errorf("Engine %s is not asked for the files of a container that others can change meanwhile: "+
			"before %s that can change files of the host (CVE-2026-41568, CVE-2026-42306); update it",
			facts.Clip(e.ServerVersion), safeEngine)
	}
	if err != nil {
		return 0, err
	}
	for _, a := range facts.Accounts(data) {
		if a.Fields[0] == u.name {
			return a.ID, nil
		}
	}
	return 0, fmt.Errorf("/etc/passwd in it names no %q", u.name)
}

// safeEngine is the first version that opens a container's files without being led out of it.
const safeEngine = "29.5.1"

func opensSafely(version string) bool {
	number, _, _ := strings.Cut(version, "-") // of a candidate, which comes before its version
	parts, safe := strings.Split(number, "."), strings.Split(safeEngine, ".")
	if len(parts) != len(safe) || number != version {
		return false
	}
	for i := range parts {
		is, err := strconv.Atoi(parts[i])
		must, _ := strconv.Atoi(safe[i])
		switch {
		case err != nil || is < must:
			return false
		case is > must:
			return true
		}
	}
	return true
}

// archived has the Engine open a container's passwd.
func archived(h *facts.Host, c *Container) ([]byte, error) {
	return asked(h, func(e Engine) (data []byte, err error) {
		err = e.Get(h.Context(), "/containers/"+c.ID+"/archive?path=/etc/passwd", func(r io.Reader) error {
			archive := tar.NewReader(io.LimitReader(r, facts.MaxFile))
			head, err := archive.Next()
			if err != nil {
				return err
			}
			if head.Typeflag != tar.TypeReg {
				return errors.New("/etc/passwd in it is not a regular file")
			}
			data, err = io.ReadAll(archive)
			return err
		})
		return data, err
	})
}

// seenInside reads the passwd that a running container's first process sees. Before and after, the process has to be in
// the container's own control group: its number can be another's by then.
func seenInside(h *facts.Host, c *Container) ([]byte, error) {
	insider, ok := h.Source().(Insider)
	if !ok {
		return nil, errors.New("its files cannot be seen from here")
	}
	own := func() error {
		data, err := h.Source().Read(h.Context(), fmt.Sprintf("/proc/%d/cgroup", c.State.Pid))
		if err == nil && !strings.Contains(string(data), c.ID) {
			err = fmt.Errorf("process %d is not in its control group", c.State.Pid)
		}
		return err
	}
	if err := own(); err != nil {
		return nil, err
	}
	data, err := insider.Inside(h.Context(), c.State.Pid, "/etc/passwd")
	if err != nil {
		return nil, err
	}
	return data, own()
}
