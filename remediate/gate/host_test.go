package gate

import (
	"context"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/system"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
)

// A machine is a host in memory: files by path, a dockerd with its arguments, and what its Engine says.
type machine struct {
	files      map[string]string
	locked     map[string]string
	args       []string
	uid        uint32
	exe        string
	stopped    bool // no dockerd runs
	info       system.Info
	containers []docker.Container
	silent     error // why the Engine does not answer
}

const daemonJSON = "/etc/docker/daemon.json"

const rcScript = "#!/sbin/openrc-run\ncommand=/usr/sbin/dockerd\ncommand_args=\"${DOCKER_OPTS}\"\n"

func (m *machine) host(t *testing.T) *facts.Host { return facts.New(t.Context(), m, facts.Choices{}) }

func (m *machine) Stat(_ context.Context, p string) (facts.Info, error) {
	info := facts.Info{Path: p, User: "root", Group: "root", Links: 1, Mode: 0o644, Locked: m.locked[p]}
	if data, ok := m.files[p]; ok {
		info.Size = int64(len(data))
		return info, nil
	}
	for file := range m.files {
		if strings.HasPrefix(file, p+"/") {
			info.Type, info.Mode = fs.ModeDir, 0o755
			return info, nil
		}
	}
	return facts.Info{}, &fs.PathError{Op: "stat", Path: p, Err: fs.ErrNotExist}
}

func (m *machine) Read(_ context.Context, p string) ([]byte, error) {
	data, ok := m.files[p]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: p, Err: fs.ErrNotExist}
	}
	return []byte(data), nil
}

func (m *machine) List(_ context.Context, dir string) ([]string, error) {
	var names []string
	for file := range m.files {
		if rest, ok := strings.CutPrefix(file, dir+"/"); ok {
			name, _, _ := strings.Cut(rest, "/")
			names = append(names, name)
		}
	}
	if names == nil {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: fs.ErrNotExist}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func (m *machine) Processes(_ context.Context, name string) ([]facts.Process, error) {
	if m.stopped || name != "dockerd" {
		return nil, nil
	}
	exe := m.exe
	if exe == "" {
		exe = "/usr/sbin/dockerd"
	}
	p := facts.Process{PID: 700, Exe: exe, Args: append([]string{exe}, m.args...), UID: m.uid, Started: time.Unix(1e9, 0)}
	return []facts.Process{p}, nil
}

func (m *machine) Listeners(context.Context, int) ([]facts.Listener, error)        { return nil, nil }
func (m *machine) Contained(context.Context, ...string) (map[string]string, error) { return nil, nil }
func (m *machine) Audit(context.Context) (facts.AuditState, error) {
	return facts.AuditState{}, facts.ErrAbsent
}

func (m *machine) Engine(context.Context) (facts.API, facts.Endpoint, error) {
	endpoint := facts.Endpoint{Host: "unix:///run/docker.sock", From: "default", Local: true}
	if m.stopped {
		return nil, endpoint, facts.ErrAbsent
	}
	return engine{m}, endpoint, m.silent
}

type engine struct{ *machine }

func (e engine) Info(context.Context) (system.Info, error) { return e.info, nil }
func (e engine) Containers(context.Context) ([]docker.Container, error) {
	return e.containers, nil
}
func (e engine) Images(context.Context) ([]docker.Image, error) { return nil, nil }
func (e engine) Get(context.Context, string, func(io.Reader) error) error {
	return facts.ErrAbsent
}
func (e engine) Network(context.Context, string) (network.Inspect, error) {
	return network.Inspect{}, fs.ErrNotExist
}

// workloadOf is a container on the default bridge that runs; change makes it another.
func workloadOf(name string, change ...func(*docker.Container)) docker.Container {
	c := docker.Container{ID: name, Name: "/" + name, State: docker.ContainerState{Running: true, Status: "running"},
		HostConfig: docker.HostConfig{NetworkMode: "bridge"}}
	c.NetworkSettings.Networks = map[string]*docker.Attachment{"bridge": {}}
	for _, f := range change {
		f(&c)
	}
	return c
}

// wants is a check that is not met and wants that, whatever the host.
func wants(id string, ws ...want.Want) *checks.Check {
	return &checks.Check{ID: id, Rule: checks.Func(func(*facts.Host) ([]checks.Finding, error) {
		return []checks.Finding{{Subject: id, Wants: ws}}, nil
	})}
}

func keyWant(name string, value any) want.Key {
	return want.Key{Warrant: want.Mine, File: daemonJSON, Key: []string{name}, Value: value}
}

// planOf is a plan that changes daemon.json for all of the checks at once, and then reloads and restarts.
func planOf(t *testing.T, h *facts.Host, cs ...*checks.Check) *remediate.Plan {
	t.Helper()
	change := remediate.Change{Path: daemonJSON, Checks: cs}
	for _, c := range cs {
		findings, err := c.Rule.Judge(h)
		if err != nil {
			t.Fatal(err)
		}
		change.Wants = append(change.Wants, findings[0].Wants...)
	}
	return &remediate.Plan{Changes: []remediate.Change{change},
		Activations: []remediate.Activation{{Kind: remediate.Reload, Checks: cs}}}
}

var _ facts.Source = (*machine)(nil)
