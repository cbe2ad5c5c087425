package docker

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/stride"
)

// hostChecks is where Docker's data is, and who may drive it.
var hostChecks = []*checks.Check{
	dataPartition, trustedUsers,
}

// systemChecks is the host's system, and the Docker on it.
var systemChecks = []*checks.Check{
	hostHardened, engineVersion,
}

var dataPartition = &checks.Check{
	ID:      "docker/data-partition",
	Items:   cis.Docker("1.2.1", "1.1.1", "1.1.1", "1.1.1"),
	Title:   "Docker's data is on a file system of its own",
	Why:     "images, layers and logs of containers can fill the disk that the host itself needs to run",
	Threats: []stride.ID{stride.DockerDaemonDenial},
	Level:   1,
	Manual: "make a file system, stop docker.socket and docker.service, move the data with `rsync -aHAX`, and " +
		"mount it in the old place",
	Rule: checks.Func(ownFileSystem),
}

// containerdRoot is where images and layers are since containerd keeps them: by default on new installations of 29.
const containerdRoot = "/var/lib/containerd"

// ownFileSystem compares devices rather than mount points, so that a directory below a mount counts and a bind mount
// of the same file system does not.
func ownFileSystem(h *facts.Host) ([]checks.Finding, error) {
	d, err := rule.Dockerd(h)
	if err != nil {
		return nil, err
	}
	if d.Unseen {
		return nil, errors.New("mounts unknown: --root reads files only")
	}
	mounts := "/proc/self/mountinfo"
	if d.Process != nil {
		mounts = fmt.Sprintf("/proc/%d/mountinfo", d.Process.PID)
	}
	f, err := h.File(mounts)
	if err != nil {
		return nil, err
	}
	roots := []string{d.DataRoot}
	if containerdStore(h) {
		roots = append(roots, containerdRoot)
	}
	root, err := device(f.Data, "/")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", mounts, err)
	}
	return rule.Each(h, rule.At(roots...), func(p facts.Place, i facts.Info) ([]checks.Finding, error) {
		at, err := device(f.Data, i.Path)
		if err != nil || at != root {
			return nil, err
		}
		return []checks.Finding{{Subject: p.Path, Got: "on the same file system as /",
			Must: "on a file system of its own"}}, nil
	})
}

// device returns the device that holds p, by the mount that is nearest above it; of several on one place the last
// covers the others. Source: proc_pid_mountinfo(5).
func device(mountinfo []byte, p string) (string, error) {
	device, nearest := "", ""
	for line := range strings.Lines(string(mountinfo)) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		at := docker.MountPath(fields[4])
		if (p == at || at == "/" || strings.HasPrefix(p, at+"/")) && len(at) >= len(nearest) {
			device, nearest = fields[2], at
		}
	}
	if device == "" {
		return "", fmt.Errorf("no mount holds %s", path.Clean(p))
	}
	return device, nil
}

var trustedUsers = &checks.Check{
	ID:      "docker/trusted-users",
	Items:   cis.Docker("1.2.2", "1.1.2", "1.1.2", "1.1.2"),
	Title:   "only vetted people are in the group that may use the API's socket",
	Why:     "each member can start a container with the host's files mounted, and so is root without a password",
	Breaks:  "whoever is taken out of the group needs sudo for docker from the next login on",
	Threats: []stride.ID{stride.DockerDaemonElevation, stride.DockerClientDisclosure},
	Level:   1,
	Rule:    checks.Func(untrustedUsers),
}

// untrustedUsers judges the members of the groups that own the API's sockets, against the site's list where there is
// one. Nothing here takes anybody out of a group: that is a decision about a person.
func untrustedUsers(h *facts.Host) ([]checks.Finding, error) {
	sockets, err := apiSockets(h)
	if err != nil {
		return nil, err
	}
	groups := map[string]bool{}
	for _, s := range sockets {
		if i, err := h.Info(s.Path); err == nil {
			groups[i.Group] = true
		}
	}
	if len(groups) == 0 {
		groups["docker"] = true // no socket is open now; docker is whose the next one will be
	}
	var findings []checks.Finding
	var unvetted []string
	for group := range groups {
		_, members, err := h.Group(group)
		if err != nil && !errors.Is(err, facts.ErrAbsent) {
			return nil, err
		}
		for _, m := range members {
			switch {
			case m == "root":
			case h.Choices.TrustedUsers == nil:
				unvetted = append(unvetted, m)
			case !slices.Contains(h.Choices.TrustedUsers, m):
				findings = append(findings, checks.Finding{
					Subject: "user " + m, Got: "member of " + group, Must: "one of the trusted users, or no member",
					Reason: fmt.Sprintf("`gpasswd -d %s %s`, or `usermod -g` where it is the user's primary group; "+
						"it counts from the next login on", m, group),
				})
			}
		}
	}
	if len(unvetted) > 0 {
		return nil, fmt.Errorf("%w: %s can be root through docker; name those you trust in harden's configuration",
			checks.ErrManual, some(unvetted))
	}
	return findings, nil
}

var hostHardened = &checks.Check{
	ID:      "docker/host-hardened",
	Items:   cis.Docker("1.1.1", "1.2.1", "1.2.1", "1.2.1"),
	Title:   "the host itself has been hardened",
	Why:     "containers share the host's kernel and accounts: what is weak there is weak everywhere",
	Threats: []stride.ID{stride.DockerHostTampering, stride.DockerDaemonElevation},
	Level:   1,
	Review:  checks.ReviewAlways,
	Rule:    checks.Func(askOfHost),
}

func askOfHost(h *facts.Host) ([]checks.Finding, error) {
	if _, err := rule.Dockerd(h); err != nil {
		return nil, err
	}
	system := "this system"
	if f, err := h.File("/etc/os-release"); err == nil {
		for _, a := range facts.ParseEnv(f.Data) {
			if a.Name == "PRETTY_NAME" && a.Value != "" {
				system = a.Value
			}
		}
	}
	return nil, fmt.Errorf("%w: run the benchmark of %s itself; harden checks Docker only", checks.ErrManual,
		system)
}

var engineVersion = &checks.Check{
	ID:      "docker/engine-version",
	Items:   cis.Docker("1.1.2", "1.2.2", "1.2.2", "1.2.2"),
	Title:   "the Docker Engine is of a line that still gets security fixes",
	Why:     "what breaks out of a container is published, with how to do it; only maintained lines are repaired",
	Threats: []stride.ID{stride.DockerDaemonElevation},
	Level:   1,
	Rule:    checks.Func(unmaintainedEngine),
}

// The lines of the Docker Engine that the Moby project maintains. Source: moby project/BRANCHES-AND-TAGS.md.
var (
	maintained   = []int{25, 28, 29}
	maintainedIn = "2026"
)

// unmaintainedEngine decides by the major version alone, which is what is maintained or not. Distributions repair old
// versions on their own, and of versions newer than the table nothing is known: those are a person's to look up.
func unmaintainedEngine(h *facts.Host) ([]checks.Finding, error) {
	e, err := engine(h)
	if err != nil {
		return nil, err
	}
	v := e.ServerVersion
	number, _, _ := strings.Cut(v, ".")
	major, err := strconv.Atoi(number)
	newest := maintained[len(maintained)-1]
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: the engine calls its version %q", checks.ErrManual, v)
	case slices.Contains(maintained, major):
		return nil, nil
	case strings.ContainsAny(v, "+~"):
		return nil, fmt.Errorf("%w: version %s is a distribution's own build; see whether it still gets security fixes",
			checks.ErrManual, v)
	case major > newest:
		return nil, fmt.Errorf("%w: version %s is newer than this harden; see moby's list of maintained branches",
			checks.ErrManual, v)
	}
	return []checks.Finding{{
		Subject: "engine version",
		Got:     v,
		Must: fmt.Sprintf("of a line maintained in %s: %s", maintainedIn,
			strings.Trim(fmt.Sprint(maintained), "[]")),
		Reason: "upgrade the packages, for example `apt-get install --only-upgrade docker-ce docker-ce-cli " +
			"containerd.io`; dockerd restarts",
	}}, nil
}
