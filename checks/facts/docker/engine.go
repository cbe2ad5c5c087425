package docker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"

	"example.com/harden/checks/facts"
)

// An Engine answers as the Docker Engine API does. Every method may be called at once with
// others.
type Engine interface {
	Info(ctx context.Context) (system.Info, error)
	// Containers and Images return all of them, sorted by ID. One that goes meanwhile is left out; where others cannot be
	// looked at, those that could come with the error.
	Containers(ctx context.Context) ([]Container, error)
	Images(ctx context.Context) ([]Image, error)
	Network(ctx context.Context, name string) (network.Inspect, error)
	facts.API
}

// A Saver is an Engine that can be asked for images whole.
type Saver interface {
	// Save hands read an image, by its ID, as an archive that may be gigabytes long; ErrAbsent where there is none.
	Save(ctx context.Context, id string, read func(io.Reader) error) error
}

// EngineFacts is what the Docker Engine says of itself.
type EngineFacts struct {
	facts.Endpoint
	system.Info
}

// AtLeast reports whether the Engine is of that version or a later one. One that does not tell is taken for old.
func (e *EngineFacts) AtLeast(major, minor int) bool {
	var x, y int
	if n, _ := fmt.Sscanf(strings.TrimPrefix(e.ServerVersion, "v"), "%d.%d", &x, &y); n < 2 {
		return false
	}
	return x > major || x == major && y >= minor
}

// EngineSays returns what the Docker Engine says of itself, wherever it is: EngineFacts.Local says whether that is this
// machine. Checks of the engine and its containers hold for a remote one too; those of host files go through DaemonOf,
// which is ErrElsewhere then.
func EngineSays(h *facts.Host) (*EngineFacts, error) {
	return facts.Once(h, "engine", facts.Kept, readEngine)
}

func readEngine(h *facts.Host) (*EngineFacts, error) {
	engine, endpoint, err := reached(h)
	if err != nil {
		return nil, err
	}
	info, err := engine.Info(h.Context())
	if err != nil {
		return nil, err
	}
	return &EngineFacts{endpoint, info}, nil
}

// reached is the engine and where it is.
func reached(h *facts.Host) (Engine, facts.Endpoint, error) {
	api, at, err := h.Source().Engine(h.Context())
	if err != nil {
		return nil, at, err
	}
	engine, ok := api.(Engine)
	if !ok {
		return nil, at, errors.New("this engine cannot be asked for containers and images")
	}
	return engine, at, nil
}

// asked calls f with the engine.
func asked[T any](h *facts.Host, f func(Engine) (T, error)) (T, error) {
	engine, _, err := reached(h)
	if err != nil {
		var none T
		return none, err
	}
	return f(engine)
}

// get asks the engine for one answer and decodes it.
func get[T any](h *facts.Host, path string) (T, error) {
	return asked(h, func(e Engine) (v T, err error) {
		return v, e.Get(h.Context(), path, func(r io.Reader) error { return json.NewDecoder(r).Decode(&v) })
	})
}

// Containers returns every container, running or not, sorted by ID; with an error, those that could be looked at.
func Containers(h *facts.Host) ([]Container, error) {
	return facts.Once(h, "containers", afterUpdates, readContainers)
}

func readContainers(h *facts.Host) ([]Container, error) {
	return asked(h, func(e Engine) ([]Container, error) { return e.Containers(h.Context()) })
}

// Images returns every image, sorted by ID; with an error, those that could be looked at.
func Images(h *facts.Host) ([]Image, error) { return facts.Once(h, "images", facts.Kept, readImages) }

func readImages(h *facts.Host) ([]Image, error) {
	return asked(h, func(e Engine) ([]Image, error) { return e.Images(h.Context()) })
}

// Network returns one of the Docker Engine's networks. ErrAbsent when it has none of that name.
func Network(h *facts.Host, name string) (network.Inspect, error) {
	return facts.OncePer(h, "network", name, facts.Kept, readNetwork)
}

func readNetwork(h *facts.Host, name string) (network.Inspect, error) {
	return asked(h, func(e Engine) (network.Inspect, error) { return e.Network(h.Context(), name) })
}

// Networks returns the Docker Engine's networks, without what is attached to them.
func Networks(h *facts.Host) ([]network.Inspect, error) {
	return facts.Once(h, "networks", facts.Kept, readNetworks)
}

func readNetworks(h *facts.Host) ([]network.Inspect, error) {
	return get[[]network.Inspect](h, "/networks")
}

// A Volume is a named volume and what its driver was told.
type Volume struct {
	Name       string
	Mountpoint string // on the host
	Options    map[string]string
}

// Volumes returns the Docker Engine's named volumes.
func Volumes(h *facts.Host) ([]Volume, error) {
	return facts.Once(h, "volumes", facts.Kept, readVolumes)
}

func readVolumes(h *facts.Host) ([]Volume, error) {
	answer, err := get[struct{ Volumes []Volume }](h, "/volumes")
	return answer.Volumes, err
}

// A Swarm is what a manager tells of its swarm.
type Swarm struct {
	Cluster  swarm.Swarm // without its join tokens
	Nodes    []swarm.Node
	Services []swarm.Service
}

// SwarmOf returns what only a manager knows of its swarm.
func SwarmOf(h *facts.Host) (*Swarm, error) { return facts.Once(h, "swarm", facts.Kept, readSwarm) }

func readSwarm(h *facts.Host) (*Swarm, error) {
	s := new(Swarm)
	var errCluster, errNodes, errServices error
	s.Cluster, errCluster = get[swarm.Swarm](h, "/swarm")
	s.Cluster.JoinTokens = swarm.JoinTokens{}
	s.Nodes, errNodes = get[[]swarm.Node](h, "/nodes")
	s.Services, errServices = get[[]swarm.Service](h, "/services")
	if err := cmp.Or(errCluster, errNodes, errServices); err != nil {
		return nil, err
	}
	return s, nil
}

// An Exec is a program that somebody had the Engine start in a container that ran already.
type Exec struct {
	ID          string
	ContainerID string
	Container   string // its name, where the Engine told that
	Running     bool
	Privileged  bool
	User        string // as it was asked for; empty is the container's own
	Program     string
	Gone        bool // the Engine has forgotten all but that it was
}

// Execs returns the exec sessions that the Docker Engine knows of; with an error, those that could be looked at.
func Execs(h *facts.Host) ([]Exec, error) { return facts.Once(h, "execs", facts.Kept, readExecs) }

// readExecs finds exec sessions in the events that the Engine remembers, and those that are at work.
func readExecs(h *facts.Host) ([]Exec, error) {
	var order []string
	byID := map[string]*Exec{}
	note := func(id, container, name string) {
		if id != "" && byID[id] == nil {
			byID[id] = &Exec{ID: id, ContainerID: container, Container: name, Gone: true}
			order = append(order, id)
		}
	}
	containers, errContainers := Containers(h)
	own := map[string]string{}
	for _, c := range containers {
		own[c.ID] = c.Config.User
		for _, id := range c.ExecIDs {
			note(id, c.ID, c.ShortName())
		}
	}
	errEvents := execEvents(h, note)
	var execs []Exec
	for _, id := range order {
		e := byID[id]
		switch err := readExec(h, e); {
		case errors.Is(err, facts.ErrAbsent): // it ended a while ago
		case err != nil:
			return execs, err
		case e.User == own[e.ContainerID]: // which the Engine fills in, where none was asked for and for health checks
			e.User = ""
		}
		execs = append(execs, *e)
	}
	return execs, cmp.Or(errEvents, errContainers)
}

// execEvents reads the exec sessions among the events so far. An engine keeps its last 256.
func execEvents(h *facts.Host, note func(id, container, name string)) error {
	e, err := EngineSays(h)
	if err != nil {
		return err
	}
	until := "1" // of an engine that does not tell the time nothing is known to have happened
	if e.SystemTime != "" {
		now, err := time.Parse(time.RFC3339Nano, e.SystemTime)
		if err != nil {
			return fmt.Errorf("the engine's time: %w", err)
		}
		until = fmt.Sprintf("%d.%09d", now.Unix(), now.Nanosecond()) // what it answers to in no other form
	}
	path := "/events?" + url.Values{"since": {"0"}, "until": {until},
		"filters": {`{"type":["container"],"event":["exec_create"]}`}}.Encode()
	_, err = asked(h, func(engine Engine) (struct{}, error) {
		return struct{}{}, engine.Get(h.Context(), path, func(r io.Reader) error {
			for d := json.NewDecoder(r); ; {
				var event struct {
					Actor struct {
						ID         string
						Attributes struct {
							Name   string `json:"name"`
							ExecID string `json:"execID"`
						}
					}
				}
				switch err := d.Decode(&event); {
				case errors.Is(err, io.EOF):
					return nil
				case err != nil:
					return err
				}
				note(event.Actor.Attributes.ExecID, event.Actor.ID, event.Actor.Attributes.Name)
			}
		})
	})
	return err
}

func readExec(h *facts.Host, e *Exec) error {
	answer, err := get[struct {
		Running       bool
		ProcessConfig struct {
			Privileged bool   `json:"privileged"`
			User       string `json:"user"`
			Entrypoint string `json:"entrypoint"`
		}
	}](h, "/exec/"+e.ID+"/json")
	if err != nil {
		return err
	}
	e.Gone, e.Running, e.Privileged, e.User, e.Program = false, answer.Running, answer.ProcessConfig.Privileged,
		answer.ProcessConfig.User, answer.ProcessConfig.Entrypoint
	return nil
}

// A Usage is the most that a container is known to have used.
type Usage struct {
	Memory int64  // bytes; 0 where it is not known
	PIDs   int64  // 0 where it is not known
	Of     string // "at its peak", or "now" where no peak is kept
}

// UsageOf returns the most that a running container, by its ID, is known to have used.
func UsageOf(h *facts.Host, id string) (Usage, error) {
	return facts.OncePer(h, "usage", id, facts.Kept, readUsage)
}

// readUsage asks the kernel, or where this machine's kernel does not run the container the Engine, which takes a second
// for each.
func readUsage(h *facts.Host, id string) (Usage, error) {
	if u, ok := kernelUsage(h, id); ok {
		return u, nil
	}
	stats, err := get[struct {
		MemoryStats struct {
			Usage    int64 `json:"usage"`
			MaxUsage int64 `json:"max_usage"`
		} `json:"memory_stats"`
		PIDsStats struct {
			Current int64 `json:"current"`
		} `json:"pids_stats"`
	}](h, "/containers/"+id+"/stats?stream=false&one-shot=true")
	if err != nil {
		return Usage{}, err
	}
	u := Usage{Memory: max(stats.MemoryStats.MaxUsage, stats.MemoryStats.Usage), PIDs: stats.PIDsStats.Current, Of: "now"}
	if stats.MemoryStats.MaxUsage > 0 {
		u.Of = "at its peak"
	}
	return u, nil
}

// kernelUsage reads a container's cgroups; false where they do not tell both. A peak of PIDs only newer kernels keep.
func kernelUsage(h *facts.Host, id string) (u Usage, ok bool) {
	memory, pids := cgroup(h, id, "memory"), cgroup(h, id, "pids")
	if memory == "" || pids == "" {
		return u, false
	}
	for _, f := range []struct{ name, of string }{
		{"/memory.peak", "at its peak"}, {"/memory.max_usage_in_bytes", "at its peak"}, {"/memory.current", "now"},
	} {
		if u.Memory, ok = readNumber(h, memory+f.name); ok {
			u.Of = f.of
			break
		}
	}
	if !ok {
		return u, false
	}
	if u.PIDs, ok = readNumber(h, pids+"/pids.peak"); !ok {
		u.PIDs, ok = readNumber(h, pids+"/pids.current")
	}
	return u, ok
}

// cgroup is the directory that a controller has for a running container of this machine: its own, as in the first
// version of cgroups, or that of all controllers.
func cgroup(h *facts.Host, id, controller string) string {
	if e, err := EngineSays(h); err != nil || !e.Local {
		return ""
	}
	containers, _ := Containers(h)
	i := slices.IndexFunc(containers, func(c Container) bool { return c.ID == id })
	if i < 0 || containers[i].State.Pid == 0 {
		return ""
	}
	f, err := h.File(fmt.Sprintf("/proc/%d/cgroup", containers[i].State.Pid))
	if err != nil {
		return ""
	}
	all := ""
	for line := range strings.Lines(string(f.Data)) { // "4:memory:/docker/ID", "0::/system.slice/docker-ID.scope"
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		names, dir, ok := strings.Cut(rest, ":")
		switch {
		case !ok || dir == "/":
		case names == "":
			all = "/sys/fs/cgroup" + dir
		case slices.Contains(strings.Split(names, ","), controller):
			return "/sys/fs/cgroup/" + controller + dir
		}
	}
	return all
}

// readNumber reads a file of the kernel's that holds one.
func readNumber(h *facts.Host, path string) (int64, bool) {
	f, err := h.File(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(f.Data)), 10, 64)
	return n, err == nil
}
