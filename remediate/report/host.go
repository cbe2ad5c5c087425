package report

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"strings"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/checks/facts/kube"
	"example.com/harden/checks/facts/source"
	"example.com/harden/remediate/diff"
)

// A Host is the machine, and what was found of Docker and Kubernetes on it.
type Host struct {
	Name string `json:"name"`
	// SHA-256 of its machine-id, which itself is not for strangers; empty where it has none
	Machine string  `json:"machine,omitempty"`
	OS      string  `json:"os,omitempty"`     // "Debian GNU/Linux 13 (trixie)"
	Kernel  string  `json:"kernel,omitempty"` // "6.12.48"; empty below --root
	Root    string  `json:"root"`             // "/", or the directory of --root
	Engine  *Engine `json:"engine,omitempty"`
	Daemon  *Daemon `json:"daemon,omitempty"`
	Node    *Node   `json:"node,omitempty"`
	// Uncounted are processes with a name that matters which do not count as this host's own.
	Uncounted []Uncounted `json:"uncounted,omitempty"`
	// the directories of --source, which are judged instead of the machine
	Sources []string `json:"sources,omitempty"`
	Notes   []string `json:"notes"` // what a reader must know before believing the rest
}

// An Uncounted is a process that is not believed to be what it is called.
type Uncounted struct {
	Name   string `json:"name"`
	PID    int    `json:"pid"`
	UID    uint32 `json:"uid"`
	Exe    string `json:"exe"`
	Reason string `json:"reason"`
}

// An Engine is the Docker Engine API that was asked.
type Engine struct {
	Version    string `json:"version,omitempty"`
	Containers int    `json:"containers"` // of any state
	Running    int    `json:"running"`
	Endpoint   string `json:"endpoint,omitempty"`
	From       string `json:"from,omitempty"` // who chose the endpoint
	Local      bool   `json:"local"`
	Error      string `json:"error,omitempty"` // why it does not answer
}

// A Daemon is how dockerd runs on this host.
type Daemon struct {
	Flavour  string `json:"flavour"`
	PID      int    `json:"pid,omitempty"` // 0 when none runs
	Unit     string `json:"unit,omitempty"`
	Config   string `json:"config"`
	Exists   bool   `json:"config_exists"`
	DataRoot string `json:"data_root"`
	UID      uint32 `json:"uid,omitempty"` // whose it is, where it is rootless
	// Others are further daemons of this host, which are not judged.
	Others []OtherDaemon `json:"others,omitempty"`
}

// An OtherDaemon is a Docker daemon of this host that is not judged.
type OtherDaemon struct {
	PID       int      `json:"pid,omitempty"` // 0 when none runs
	UID       uint32   `json:"uid"`
	Listeners []string `json:"listeners,omitempty"`
}

// A Node is how Kubernetes runs on this host.
type Node struct {
	// "kubeadm", "k3s", "RKE2", "MicroK8s", "Talos", "EKS", "GKE", "AKS" or "by hand"
	Flavour string `json:"flavour"`
	// what the kubelet's configuration is read from, each file overriding those before
	Config     []string    `json:"config"`
	Manifests  string      `json:"manifests,omitempty"`
	Components []Component `json:"components"`
}

// A Component is one program of Kubernetes on this host.
type Component struct {
	Name  string `json:"name"`
	PID   int    `json:"pid,omitempty"` // 0 when none runs, or it is part of another program
	From  string `json:"from"`          // the manifest, unit or program that it is started by
	Error string `json:"error,omitempty"`
}

// A Look says how a host was looked at.
type Look struct {
	Name        string   // of the host
	Root        string   // "/", or the directory of --root
	Kernel      string   // the release of the kernel that runs there; empty where none does
	Sources     []string // the directories of --source, as they were named, which were looked at instead
	Engine      string   // the Docker Engine that was chosen; empty for the host's own
	EngineFrom  string   // who chose it
	UID         int      // who looked
	Environment []string // what the environment has chosen, to be noted
	Redactor    *diff.Redactor
}

// HostOf says what was found of Docker and Kubernetes, and what a reader must know before believing the rest.
func HostOf(h *facts.Host, l Look) Host {
	d := describer{Host: Host{Name: l.Name, Root: l.Root, Notes: []string{}}, facts: h, look: l}
	if len(l.Sources) > 0 {
		d.sources()
	} else {
		d.machine()
	}
	return d.Host
}

// A describer describes one host.
type describer struct {
	Host
	facts *facts.Host
	look  Look
}

func (d *describer) note(format string, args ...any) {
	d.Notes = append(d.Notes, fmt.Sprintf(format, args...))
}

func (d *describer) hide(text string) string { return d.look.Redactor.RedactText(text) }

func (d *describer) sources() {
	d.Sources = d.look.Sources
	found, err := source.Of(d.facts)
	if err != nil {
		d.note("%v", err)
		return
	}
	d.note("Dockerfiles: %d, Compose files: %d; running containers are not checked", len(found.Dockerfiles),
		len(found.Composes))
	if n := len(found.Outside); n > 0 {
		d.note("links that lead out of --source are not followed: %s", strings.Join(found.Outside[:min(n, 10)], ", "))
	}
	if n := len(found.Left); n > 0 {
		d.note("not checked: %s%s", strings.Join(found.Left[:min(n, 10)], "; "), more(n-10))
	}
}

// more says that a list goes on.
func more(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf("; and %d more", n)
}

func (d *describer) machine() {
	d.Machine, d.OS, d.Kernel = MachineID(d.facts), osName(d.facts), d.look.Kernel
	d.engine()
	d.Notes = append(d.Notes, d.look.Environment...)
	daemon := d.daemon()
	d.node()
	d.uncounted(daemon)
	if d.Root != "/" {
		if _, err := docker.EngineSays(d.facts); err == nil {
			d.note("only files are checked, and what the Docker Engine answers, not what else runs here")
		} else {
			d.note("only files are checked, not what runs here")
		}
		return
	}
	if d.look.UID != 0 {
		d.note("not root: files that user %d cannot read are unknown", d.look.UID)
	}
	if _, err := d.facts.Info("/.dockerenv"); err == nil {
		d.note("harden runs inside a container: it checks the container's files, not the host's")
	}
}

func (d *describer) engine() {
	engine, err := docker.EngineSays(d.facts)
	switch {
	case err == nil:
		d.Engine = &Engine{Version: engine.ServerVersion, Endpoint: d.hide(engine.Host), From: engine.From,
			Local: engine.Local, Containers: engine.Containers, Running: engine.ContainersRunning}
		if !engine.Local {
			d.note("the Docker Engine is on another machine: it says nothing about this host's files")
		}
	case !errors.Is(err, facts.ErrAbsent):
		d.Engine = &Engine{Error: d.hide(err.Error()), Endpoint: d.hide(d.look.Engine), From: d.look.EngineFrom}
	}
}

// daemon describes the Docker daemon that is judged and returns it; nil where there is none.
func (d *describer) daemon() *docker.Daemon {
	daemon, err := docker.DaemonOf(d.facts)
	switch {
	case err == nil:
		d.Daemon = &Daemon{Flavour: daemon.Flavour, Unit: daemon.Unit, Config: daemon.File, DataRoot: daemon.DataRoot,
			Exists: daemon.Keys != nil || daemon.KeysErr != nil}
		if daemon.Process != nil {
			d.Daemon.PID = daemon.Process.PID
		}
		d.others(daemon)
		if daemon.Stale {
			d.note("the daemon's configuration is newer than its process: the running values may differ")
		}
	case errors.Is(err, facts.ErrAbsent):
		d.note("Docker is not installed")
	case !errors.Is(err, facts.ErrElsewhere):
		d.note("dockerd: %s", d.hide(err.Error()))
	}
	return daemon
}

// others says whose daemon is judged, and which others are not. The rule: the one at --docker-host or DOCKER_HOST;
// else the one that serves the usual socket; else the eldest of root's own; else a user's.
func (d *describer) others(daemon *docker.Daemon) {
	if daemon.Flavour == "rootless" {
		d.Daemon.UID = daemon.UID
		d.note("the Docker of this host is rootless: it is uid %d's own, so its fixes are for that user to run", daemon.UID)
	}
	for n, o := range daemon.Others {
		listeners := make([]string, len(o.Sockets))
		for i, at := range o.Sockets {
			listeners[i] = d.hide(Clean(at))
		}
		d.Daemon.Others = append(d.Daemon.Others, OtherDaemon{PID: o.PID, UID: o.UID, Listeners: listeners})
		if n >= maxUncounted {
			continue
		}
		which := fmt.Sprintf("the dockerd with PID %d (uid %d)", o.PID, o.UID)
		if o.PID == 0 {
			which = fmt.Sprintf("the rootless Docker of uid %d, which does not run,", o.UID)
		}
		how := ""
		if len(listeners) > 0 {
			how = "; to check it, use --docker-host " + listeners[0]
		}
		d.note("not checked: %s%s", which, how)
	}
	if more := len(daemon.Others) - maxUncounted; more > 0 {
		d.note("%d more Docker daemons are not checked; the JSON lists them", more)
	}
}

// maxUncounted is how many processes that do not count are told of in words: any user can start thousands.
const maxUncounted = 5

// uncounted tells of processes that bear the name of a program which is judged, and do not count.
func (d *describer) uncounted(daemon *docker.Daemon) {
	names := append([]string{"dockerd", "containerd", "kubelet"}, kube.Programs...)
	for _, p := range facts.Uncounted(d.facts, names...) {
		if daemon != nil && daemon.Process != nil && daemon.Process.PID == p.PID {
			continue // a rootless daemon is judged, as its user's
		}
		u := Uncounted{Name: path.Base(p.Exe), PID: p.PID, UID: p.UID, Exe: p.Exe, Reason: p.Doubted}
		d.Uncounted = append(d.Uncounted, u)
		if len(d.Uncounted) <= maxUncounted {
			d.note("a process called %s (PID %d, uid %d) is ignored: %s", Clean(u.Name), u.PID, u.UID, Clean(u.Reason))
		}
	}
	if more := len(d.Uncounted) - maxUncounted; more > 0 {
		d.note("%d more processes are ignored; the JSON lists them", more)
	}
}

// node says what was found of Kubernetes.
func (d *describer) node() {
	n, err := kube.NodeOf(d.facts)
	if errors.Is(err, facts.ErrAbsent) {
		return
	}
	if err != nil {
		d.note("kubernetes: %s", d.hide(err.Error()))
		return
	}
	d.Node = &Node{Flavour: string(n.Flavour), Manifests: n.Manifests, Config: []string{}, Components: []Component{}}
	stale := false
	if k := n.Kubelet; k != nil {
		c := Component{Name: "kubelet", From: cmp.Or(k.Unit, k.Within, "no unit of its own")}
		if k.Unit == "" && k.Process == nil && n.Flavour == kube.Kubeadm {
			c.From = "kubeadm's unit, which is not here"
		}
		if k.Process != nil {
			c.PID = k.Process.PID
		}
		if k.Err != nil {
			c.Error = d.hide(k.Err.Error())
		}
		d.Node.Components = append(d.Node.Components, c)
		for _, doc := range k.Documents {
			d.Node.Config = append(d.Node.Config, doc.File)
		}
		stale = k.Stale
	}
	for _, name := range kube.Programs {
		c, err := n.Component(name)
		switch {
		case err == nil:
			out := Component{Name: name, From: c.Where()}
			if c.Process != nil {
				out.PID = c.Process.PID
			}
			d.Node.Components = append(d.Node.Components, out)
			stale = stale || c.Stale
		case !errors.Is(err, facts.ErrAbsent):
			d.Node.Components = append(d.Node.Components, Component{Name: name, Error: d.hide(err.Error())})
		}
	}
	if stale {
		d.note("the Kubernetes configuration is newer than the running processes, or differs from them")
	}
	if n.Flavour.Generated() {
		d.note("%s makes the files of Kubernetes itself: fixes are shown for the file that it reads; apply them yourself",
			n.Flavour)
	}
}
