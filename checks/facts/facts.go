// Package facts is what harden knows about one machine: its files, processes, units, audit rules and kernel settings,
// and the flags and YAML that programs are told things by. It reads and parses; it never judges and never writes.
//
// What is known of a platform is in a room above: facts/docker, facts/kube, and facts/source for Dockerfiles and
// Compose files. A fact there is a function of a Host, which reads by Once. Package facts knows none of the rooms.
// facts/live is where the bytes of a machine come from.
package facts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

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

// ErrSilent means that the Docker Engine has left a question without an answer: it hangs, or it is very busy.
var ErrSilent = errors.New("no answer")

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

// An API answers as the Docker Engine API does. Every method may be called at once with others.
type API interface {
	// Get hands read the answer to GET path, which begins with a slash; ErrAbsent where there is nothing of that name.
	Get(ctx context.Context, path string, read func(io.Reader) error) error
}

// An Endpoint is where the Docker Engine is reached.
type Endpoint struct {
	Host  string // "unix:///run/docker.sock", "tcp://192.0.2.1:2376"
	From  string // who chose it: docker.Default, "--docker-host", "DOCKER_HOST", "the dockerd with PID 812"
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
	Engine(ctx context.Context) (API, Endpoint, error)
}

// A Counter is a Source that looks at all processes once and then knows those of any name. Where thousands run, one
// look takes longer than all else.
type Counter interface {
	Census(ctx context.Context) (processes func(name string) ([]Process, error), err error)
}

// A Host answers questions about one machine. Each fact is read when it is first asked for and never again, its
// error included, so any number of checks may ask at once and all of them see the same machine. What its methods do not
// tell, functions of it do, which read by Once.
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

	ctx     context.Context
	src     Source
	spent   *budget.Budget // by YAML files together, Compose files that labels name among them
	before  *Host          // the host that a plan would change; nil of one that is as it is
	after   Overlay        // what of it would be changed
	memo    *memo
	instead map[any]any // by factKey, what is otherwise than on the host that this is a view of
}

// New returns the host behind src. Reading stops when ctx is done.
func New(ctx context.Context, src Source, choices Choices) *Host {
	h := &Host{Choices: choices, ctx: ctx, src: src, spent: budget.NewTogether("")}
	h.memo = &memo{host: h}
	return h
}

// Info describes a path without opening it, links followed.
func (h *Host) Info(path string) (Info, error) {
	return OncePer(h, "info", path, Anew, func(h *Host, path string) (Info, error) { return h.src.Stat(h.ctx, path) })
}

// File returns a file with its content.
func (h *Host) File(path string) (File, error) {
	info, err := h.Info(path)
	if err != nil {
		return File{}, err
	}
	data, err := h.read(path)
	return File{info, data}, err
}

func (h *Host) read(path string) ([]byte, error) {
	return OncePer(h, "content", path, Anew, func(h *Host, path string) ([]byte, error) { return h.src.Read(h.ctx, path) })
}

// List returns the names in a directory, sorted.
func (h *Host) List(dir string) ([]string, error) {
	return OncePer(h, "names", dir, Anew, func(h *Host, dir string) ([]string, error) { return h.src.List(h.ctx, dir) })
}

// Listeners returns what a process listens on.
func (h *Host) Listeners(pid int) ([]Listener, error) {
	return OncePer(h, "listeners", pid, Kept, func(h *Host, pid int) ([]Listener, error) {
		return h.src.Listeners(h.ctx, pid)
	})
}

// Processes returns the processes whose executable has that base name and that count as this host's own.
func (h *Host) Processes(name string) ([]Process, error) {
	ps, err := h.AllProcesses(name)
	return Own(ps), err
}

// Contained finds programs of these names that run in containers of this machine: by the container's ID, the name.
func (h *Host) Contained(names ...string) (map[string]string, error) {
	return OncePer(h, "contained", strings.Join(names, " "), Kept, func(h *Host, names string) (map[string]string, error) {
		return h.src.Contained(h.ctx, strings.Fields(names)...)
	})
}

// Context is done when nothing more is to be read.
func (h *Host) Context() context.Context { return h.ctx }

// Source is what the host is read from, as it is before any plan.
func (h *Host) Source() Source {
	for h.before != nil {
		h = h.before
	}
	return h.src
}

// Spent is what YAML files together may take, Compose files that labels name among them.
func (h *Host) Spent() *budget.Budget { return h.spent }

// Absent turns a missing file into a missing component.
func Absent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrAbsent, err)
	}
	return err
}
