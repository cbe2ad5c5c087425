package facts

import (
	"slices"
	"time"

	"example.com/harden/checks/want"
)

// A Process is one running program.
type Process struct {
	PID  int
	Exe  string   // what the kernel runs: /proc/PID/exe resolved, " (deleted)" cut off
	Args []string // argv, argv[0] included
	// the options among its environment, which etcd reads: ETCD_*; nil where that was not looked at
	Env     map[string]string
	UID     uint32 // whom it runs as
	Unit    string // the systemd service that started it, by its cgroup: "docker.service"; empty where none did
	Started time.Time
	Dir     string // where its relative paths start from; empty where that is not known
	// Contained tells that it lives in a process namespace of its own, below the host's: in a container.
	Contained bool
	Origin

	By want.Authority // whose word its arguments are; the Host settles it
	// why it does not count as one of this host's; empty where it does, and of what is in a container
	Doubted string
}

// Own leaves out the processes that run in containers, and those that do not count.
func Own(ps []Process) []Process {
	return slices.DeleteFunc(slices.Clone(ps), func(p Process) bool { return p.Contained || p.Doubted != "" })
}

// AllProcesses returns the processes whose executable has that base name, those too that do not count, with what is
// believed of each.
func (h *Host) AllProcesses(name string) ([]Process, error) {
	return OncePer(h, "processes", name, Kept, readProcesses) // a plan starts none
}

func readProcesses(h *Host, name string) ([]Process, error) {
	ps, err := findProcesses(h, name)
	ps = slices.Clone(ps)
	for i := range ps {
		believe(h, &ps[i], name)
	}
	return ps, err
}

// findProcesses finds those of a name, in one look for all names where the source can.
func findProcesses(h *Host, name string) ([]Process, error) {
	c, ok := h.src.(Counter)
	if !ok {
		return h.src.Processes(h.ctx, name)
	}
	find, err := Once(h, "census", Kept, func(h *Host) (func(string) ([]Process, error), error) { return c.Census(h.ctx) })
	if err != nil {
		return nil, err
	}
	return find(name)
}

// TokensOf are the arguments of a process, without its name.
func TokensOf(p *Process) []Token {
	var tokens []Token
	for _, a := range p.Args[min(1, len(p.Args)):] {
		tokens = append(tokens, Token{Text: a, File: "process", By: p.By})
	}
	return tokens
}

// Tick bounds how much earlier than the truth the start of a process is told: the kernel counts it in hundredths of a
// second, and cuts off.
const Tick = 20 * time.Millisecond
