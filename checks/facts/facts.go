// Package facts is what harden knows about one machine. It reads and parses; it never judges and never writes.
package facts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/system"

	"example.com/harden/checks/archive"
	"example.com/harden/checks/budget"
)

// ErrAbsent means that the thing asked about is no part of this host: no Docker, no auditd. A check that meets it
// does not apply.
var ErrAbsent = errors.New("not present on this host")

// ErrElsewhere means that the Docker Engine which answers runs on another machine, so that nothing of this host's
// files may be judged by it, nor the other way round.
var ErrElsewhere = errors.New("the Docker Engine is on another machine")

// ErrUnanswered means that the Docker Engine that somebody named does not answer, so that it is not known whether it is
// any of this host's.
var ErrUnanswered = errors.New("the Docker Engine that was asked for does not answer")

// ErrOutside means that a path leads out of the directories that may be looked at.
var ErrOutside = errors.New("it leads out of the directory of --source")

// MaxFile is how much of a file is ever read, in bytes. A longer file is an error, never a truncated read.
const MaxFile = 4 << 20

// Info is what a host says of a path without opening it.
type Info struct {
	Path        string      // where the file really is, links followed
	Type        fs.FileMode // type bits alone: 0 for a regular file, fs.ModeDir, fs.ModeSocket …
	Mode        fs.FileMode // the twelve permission bits as chmod takes them (04000 is setuid), no type bits
	UID, GID    uint32
	User, Group string // as the host's own passwd and group name them; decimal where they do not
	Size        int64
	Links       uint64 // names of the file; more than 1 makes a regular file unsafe to change
	Modified    time.Time
	Capable     bool // it has file capabilities, so that it runs with more than who starts it has
	ACL         bool // a POSIX ACL grants more than the mode says
	// Locked is why nothing can change it: "immutable", "append-only", "read-only file system", "mount point", "reached
	// through a link that uid 1000 can change"; else empty.
	Locked string
}

// Owner is "user:group".
func (i Info) Owner() string { return i.User + ":" + i.Group }

// A File is a file and its content.
type File struct {
	Info
	Data []byte
}

// A Version is what a file held until a run of harden replaced it.
type Version struct {
	Data     []byte    // nil where there was no file
	Modified time.Time // when that had been written; zero where there was no file
	Replaced time.Time
}

// A Listener is one socket that a process accepts connections on.
type Listener struct {
	Network string // "tcp", "tcp6" or "unix"
	Address string // "127.0.0.1:2375", "[::]:2376", "/run/docker.sock"
}

// AuditState is what the kernel's audit system says of itself.
type AuditState struct {
	Enabled int      // 0 off, 1 on, 2 on and locked until reboot
	Rules   []string // each loaded rule as auditctl -l spells it
}

// An Engine answers as the Docker Engine API does. Every method may be called at once with others.
type Engine interface {
	Info(ctx context.Context) (system.Info, error)
	// Containers and Images return all of them, sorted by ID. One that goes meanwhile is left out; where others cannot be
	// looked at, those that could come with the error.
	Containers(ctx context.Context) ([]Container, error)
	Images(ctx context.Context) ([]Image, error)
	Network(ctx context.Context, name string) (network.Inspect, error)
	// Get hands read the answer to GET path, which begins with a slash; ErrAbsent where there is nothing of that name.
	Get(ctx context.Context, path string, read func(io.Reader) error) error
}

// A Saver is an Engine that can be asked for images whole.
type Saver interface {
	// Save hands read an image, by its ID, as an archive that may be gigabytes long; ErrAbsent where there is none.
	Save(ctx context.Context, id string, read func(io.Reader) error) error
}

// An Endpoint is where the Docker Engine is reached.
type Endpoint struct {
	Host  string // "unix:///run/docker.sock", "tcp://192.0.2.1:2376"
	From  string // who chose it: Default, "--docker-host", "DOCKER_HOST", "the dockerd with PID 812"
	Local bool   // whether it is this machine
	PID   int    // who answers there, as the kernel tells; 0 where it does not, 1 where systemd listens for a service
	// Asleep tells that systemd listens there for a service that does not run.
	Asleep bool
}

// A Source reads a machine, or a recording that stands in for one. Errors wrap fs.ErrNotExist, fs.ErrPermission and
// ErrAbsent where they mean that; anything else is "could not tell".
type Source interface {
	// Stat follows links, though only such as root alone could have made; Info.Locked tells of any other.
	Stat(ctx context.Context, path string) (Info, error)
	// Read returns a regular file's content; never blocks on a FIFO or device, never returns part of a file.
	Read(ctx context.Context, path string) ([]byte, error)
	// List returns the names in a directory, sorted.
	List(ctx context.Context, dir string) ([]string, error)
	// Processes returns the processes whose executable has that base name, those in containers among them.
	Processes(ctx context.Context, name string) ([]Process, error)
	// Contained finds programs of these names that run in containers of this machine: by the container's ID, the name.
	// It goes by the kernel's own name of a process, and finds those too that share the host's process namespace.
	Contained(ctx context.Context, names ...string) (map[string]string, error)
	// Listeners returns what a process listens on.
	Listeners(ctx context.Context, pid int) ([]Listener, error)
	// Audit asks the kernel, ErrAbsent where it has no audit system (or --root names a host that does not run).
	Audit(ctx context.Context) (AuditState, error)
	// Engine returns the Docker Engine and where it is reached. The error is ErrAbsent where no engine is to be
	// expected (no socket), and otherwise why it does not answer.
	Engine(ctx context.Context) (Engine, Endpoint, error)
}

// A Counter is a Source that looks at all processes once and then knows those of any name. Where thousands run, one
// look takes longer than all else.
type Counter interface {
	Census(ctx context.Context) (processes func(name string) ([]Process, error), err error)
}

// A Host answers questions about one machine. Each fact is read when it is first asked for and never again, its
// error included, so any number of checks may ask at once and all of them see the same machine.
type Host struct {
	Choices Choices
	// Earlier tells what a file held before each of harden's own runs that replaced it, oldest first, so that it is
	// known what a program has read that started before them. It may be nil.
	Earlier func(path string) []Version
	// Deep is called while an image is read, with how many bytes of it have been; nil where the files in images are not
	// to be looked at.
	Deep func(image string, read int64)
	// SourceDirs are the directories of --source. Where there are any, the files below them are all that is judged.
	SourceDirs []SourceDir

	ctx        context.Context
	src        Source
	spent      *budget.Budget // by YAML files together, Compose files that labels name among them
	after      Overlay
	stat       func(path string) (Info, error)
	read       func(path string) ([]byte, error)
	list       func(dir string) ([]string, error)
	listeners  func(pid int) ([]Listener, error)
	unit       func(name string) (*Unit, error)
	processes  func(name string) ([]Process, error)
	contained  func(names string) (map[string]string, error) // separated by blanks
	engine     func() (*EngineFacts, error)
	containers func() ([]Container, error)
	images     func() ([]Image, error)
	networks   func() ([]network.Inspect, error)
	volumes    func() ([]Volume, error)
	swarm      func() (*Swarm, error)
	execs      func() ([]Exec, error)
	usage      func(id string) (Usage, error)
	inside     func(containerUser) (uint32, error)
	daemon     func() (*Daemon, error)
	audit      func() (*Audit, error)
	network    func(name string) (network.Inspect, error)
	document   func(path string) (*Document, error)
	node       func() (*Node, error)
	contents   func(id string) (*archive.Contents, error)
	sources    func() (*Sources, error)
	projects   func(unit string) (*Project, error)     // of Compose, by "project/service"
	units      func() (map[string][]*Container, error) // by "project/service"
	spans      func() (*spans, error)
	added      func(file string) (File, error)
}

// New returns the host behind src. Reading stops when ctx is done.
func New(ctx context.Context, src Source, choices Choices) *Host {
	h := &Host{Choices: choices, ctx: ctx, src: src, spent: budget.NewTogether("")}
	h.stat = perKey(func(path string) (Info, error) { return src.Stat(ctx, path) })
	h.read = perKey(func(path string) ([]byte, error) { return src.Read(ctx, path) })
	h.list = perKey(func(dir string) ([]string, error) { return src.List(ctx, dir) })
	h.listeners = perKey(func(pid int) ([]Listener, error) { return src.Listeners(ctx, pid) })
	h.processes = perKey(h.believed(processes(ctx, src)))
	h.contained = perKey(func(names string) (map[string]string, error) {
		return src.Contained(ctx, strings.Fields(names)...)
	})
	h.unit = perKey(h.readUnit)
	h.engine = sync.OnceValues(h.readEngine)
	h.containers = sync.OnceValues(h.readContainers)
	h.images = sync.OnceValues(h.readImages)
	h.networks = sync.OnceValues(h.readNetworks)
	h.volumes = sync.OnceValues(h.readVolumes)
	h.swarm = sync.OnceValues(h.readSwarm)
	h.execs = sync.OnceValues(h.readExecs)
	h.usage = perKey(h.readUsage)
	h.inside = perKey(h.readContainerUser)
	h.daemon = sync.OnceValues(h.readDaemon)
	h.audit = sync.OnceValues(h.readAudit)
	h.network = perKey(h.readNetwork)
	h.document = perKey(h.readDocument)
	h.node = sync.OnceValues(h.readNode)
	h.contents = perKey(h.readContents)
	h.sources = sync.OnceValues(h.readSources)
	h.projects = perKey(h.readProject)
	h.units = sync.OnceValues(h.readUnits)
	h.spans = sync.OnceValues(h.readSpans)
	h.added = perKey(h.readAdded)
	return h
}

// Prefetch begins to read what takes longest, the Docker Engine's answers above all, so that they are on their way
// while files are read, its objects only where all of them will be judged. It returns at once; what is read is
// remembered as if a check had asked.
func (h *Host) Prefetch(objects bool) {
	reads := []func(){func() { h.engine() }, func() { h.audit() }, func() { h.processes("dockerd") }, func() { h.node() }}
	if objects {
		reads = append(reads, func() { h.containers() }, func() { h.images() }, func() { h.network("bridge") },
			func() { h.networks() })
	}
	for _, read := range reads {
		go func() {
			defer func() { _ = recover() }() // whoever asks for the fact meets the panic again, and is guarded
			read()
		}()
	}
}

// Info describes a path without opening it, links followed.
func (h *Host) Info(path string) (Info, error) { return h.stat(path) }

// File returns a file with its content.
func (h *Host) File(path string) (File, error) {
	info, err := h.stat(path)
	if err != nil {
		return File{}, err
	}
	data, err := h.read(path)
	return File{info, data}, err
}

// List returns the names in a directory, sorted.
func (h *Host) List(dir string) ([]string, error) { return h.list(dir) }

// Listeners returns what a process listens on.
func (h *Host) Listeners(pid int) ([]Listener, error) { return h.listeners(pid) }

// Processes returns the processes whose executable has that base name and that count as this host's own.
func (h *Host) Processes(name string) ([]Process, error) {
	ps, err := h.processes(name)
	return Own(ps), err
}

// Contained finds programs of these names that run in containers of this machine: by the container's ID, the name.
func (h *Host) Contained(names ...string) (map[string]string, error) {
	return h.contained(strings.Join(names, " "))
}

// Unit returns a systemd unit as systemd would load it next: vendor file, overrides, drop-ins and environment files.
// ErrAbsent when there is none of that name.
func (h *Host) Unit(name string) (*Unit, error) { return h.unit(name) }

// Engine returns what the Docker Engine says of itself.
func (h *Host) Engine() (*EngineFacts, error) { return h.engine() }

// Containers returns every container, running or not, sorted by ID; with an error, those that could be looked at.
func (h *Host) Containers() ([]Container, error) { return h.containers() }

// Images returns every image, sorted by ID; with an error, those that could be looked at.
func (h *Host) Images() ([]Image, error) { return h.images() }

// Networks returns the Docker Engine's networks, without what is attached to them.
func (h *Host) Networks() ([]network.Inspect, error) { return h.networks() }

// Volumes returns the Docker Engine's named volumes.
func (h *Host) Volumes() ([]Volume, error) { return h.volumes() }

// Swarm returns what only a manager knows of its swarm.
func (h *Host) Swarm() (*Swarm, error) { return h.swarm() }

// Execs returns the exec sessions that the Docker Engine knows of; with an error, those that could be looked at.
func (h *Host) Execs() ([]Exec, error) { return h.execs() }

// ContainerUser returns the uid of a name in a container's own passwd.
func (h *Host) ContainerUser(id, name string) (uint32, error) {
	return h.inside(containerUser{id, name})
}

// Usage returns the most that a running container, by its ID, is known to have used.
func (h *Host) Usage(id string) (Usage, error) { return h.usage(id) }

// Network returns one of the Docker Engine's networks. ErrAbsent when it has none of that name.
func (h *Host) Network(name string) (network.Inspect, error) { return h.network(name) }

// Daemon returns how dockerd runs and how it would run after a restart. ErrAbsent on a host without Docker.
func (h *Host) Daemon() (*Daemon, error) { return h.daemon() }

// Audit returns the audit rules as loaded and as on disk. ErrAbsent on a host without an audit system.
func (h *Host) Audit() (*Audit, error) { return h.audit() }

// Absent turns a missing file into a missing component.
func Absent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrAbsent, err)
	}
	return err
}

// perKey makes f run once per key and remember its answer.
func perKey[K comparable, V any](f func(K) (V, error)) func(K) (V, error) {
	var m sync.Map
	return func(k K) (V, error) {
		once, _ := m.LoadOrStore(k, sync.OnceValues(func() (V, error) { return f(k) }))
		return once.(func() (V, error))()
	}
}
