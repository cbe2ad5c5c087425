// Package kube is what harden knows of Kubernetes on one machine: how the node was set up, its kubelet, the programs of
// the control plane as they run and as manifests and units would start them next, and the files that these read.
package kube

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"example.com/harden/checks/budget"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
)

// The programs of a node.
const (
	APIServer         = "kube-apiserver"
	ControllerManager = "kube-controller-manager"
	Scheduler         = "kube-scheduler"
	Etcd              = "etcd"
	KubeProxy         = "kube-proxy"
)

// Programs lists them in the benchmark's order; the kubelet is told of by itself.
var Programs = []string{APIServer, ControllerManager, Scheduler, Etcd, KubeProxy}

// A Node is what is known of Kubernetes on this host.
type Node struct {
	Flavour   Flavour
	Kubelet   *Kubelet // nil where there is none: a control plane that systemd starts
	Manifests string   // the kubelet's effective staticPodPath; empty where it runs no static pods

	host    *facts.Host
	pods    []StaticPod // that are looked at
	all     []StaticPod // that there are
	podErrs []error     // manifests that could not be read, so that any program may be in them
}

// A part is something of one node, of which the views of a host have several.
type part struct {
	of   *Node
	name string
}

// A Component is one program of Kubernetes on this node, as it runs and as it would be started next.
type Component struct {
	Name    string
	Pod     *StaticPod     // nil where no manifest starts it
	Process *facts.Process // nil where none runs
	Unseen  bool           // what runs cannot be seen (--root)
	Within  string         // the program that it is part of, "k3s" or "kubelite"; empty where it is its own
	Unit    string         // the service that starts it; empty where none does
	UnitBy  want.Warrant   // what entitles to change how Unit starts it
	Running facts.Flags    // of the process's argv; nil where none runs
	Next    facts.Flags    // as its manifest, unit or flavour has it; Running where nothing that can be seen starts it
	Open    bool           // only some of its arguments can be seen: what is not among them may be passed all the same
	Stale   bool           // Running and Next differ

	host *facts.Host
	anew bool // a plan would have it started again
}

// NodeOf returns what is known of Kubernetes on this host. ErrAbsent where there is none.
func NodeOf(h *facts.Host) (*Node, error) { return facts.Once(h, nodeFact, facts.Anew, readNode) }

const nodeFact = "node"

func readNode(h *facts.Host) (*Node, error) {
	f, err := flavourOf(h)
	if err != nil {
		return nil, err
	}
	n := &Node{Flavour: f, host: h}
	if n.Kubelet, err = readKubelet(h, f); err != nil {
		return nil, err
	}
	if k := n.Kubelet; k != nil && k.Process == nil && !k.joined && f == "" {
		return nil, fmt.Errorf("kubernetes: the kubelet is installed, and has no %s: this host has joined no cluster: %w",
			k.File, facts.ErrAbsent)
	}
	if n.Kubelet != nil {
		n.readPods()
	}
	if n.Kubelet == nil && f == "" {
		if found, err := n.anything(); err != nil || !found {
			return nil, cmp.Or(err, fmt.Errorf("kubernetes: %w", facts.ErrAbsent))
		}
	}
	if f == "" {
		n.Flavour = ByHand
	}
	return n, nil
}

// readPods finds the static pods where the kubelet looks for them.
func (n *Node) readPods() {
	by := want.Root
	switch o := n.Kubelet.Option([]string{"staticPodPath"}, "pod-manifest-path"); {
	case o.Next != nil:
		n.Manifests, by = o.Next.Values[len(o.Next.Values)-1], o.Next.By
	case o.Said:
		n.Manifests, by = o.Value.String(), o.Over.By
	case n.Flavour == RKE2 && n.Kubelet.Open:
		n.Manifests = DataDir(n.host, RKE2) + "/agent/pod-manifests"
	}
	if n.Kubelet.Err != nil { // what is where the kubelet usually looks is found; what is not may be elsewhere
		n.podErrs = append(n.podErrs, n.Kubelet.Err)
		if n.Manifests == "" && n.Flavour == Kubeadm {
			n.Manifests = "/etc/kubernetes/manifests"
		}
	}
	if by := n.Kubelet.podsFrom(); by != "" {
		n.podErrs = append(n.podErrs, fmt.Errorf("the kubelet takes static pods from a URL too (%s), which harden does not "+
			"read", by))
	}
	if n.Manifests != "" {
		pods, errs := staticPods(n.host, n.Manifests, by)
		n.pods, n.all, n.podErrs = pods, pods, append(n.podErrs, errs...)
	}
}

// anything reports whether a control plane runs, or would be started, though there is no kubelet. Its API server tells:
// an etcd alone is none, since other things use it too.
func (n *Node) anything() (bool, error) {
	_, err := n.Component(APIServer)
	if errors.Is(err, facts.ErrAbsent) {
		return false, nil
	}
	return err == nil, err
}

// Component returns one of Programs. ErrAbsent where it is not on this node.
func (n *Node) Component(name string) (*Component, error) {
	return facts.OncePer(n.host, "component", part{n, name}, facts.Anew, func(_ *facts.Host, p part) (*Component, error) {
		return n.readComponent(p.name)
	})
}

func (n *Node) readComponent(name string) (*Component, error) {
	c := &Component{Name: name, host: n.host}
	sure := n.manifest(c)
	if err := facts.OneLine(n.podErrs...); errors.Is(err, budget.Err) {
		return nil, err // any program may be in what was not read
	}
	ps, err := running(n.host, name)
	c.Unseen = errors.Is(err, facts.ErrAbsent)
	if err != nil && !c.Unseen {
		return nil, err
	}
	c.Process = n.pick(ps, c, sure)
	if c.Process != nil {
		c.Running = facts.ParseKubeFlags(facts.TokensOf(c.Process))
	}
	switch {
	case c.Pod == nil || sure == surely:
	case c.Process == nil:
		return nil, fmt.Errorf("%s: %s is started by a shell, another program or its image alone, so its arguments are "+
			"unknown", c.Pod.File, name)
	default:
		c.Next = c.Running
	}
	if err := n.startedBy(c); err != nil {
		return nil, err
	}
	if err := n.unnamed(c, ps); err != nil {
		return nil, err
	}
	// a plan that changes a manifest waits for the pod
	c.anew = c.Pod != nil && n.host.Plan().Files[c.Pod.File].Data != nil || c.Unit != "" && n.host.Restarted(c.Unit)
	if c.Process != nil && c.anew {
		c.Running = c.Next
	}
	c.Stale = c.Process != nil && !c.anew && (!c.Running.Alike(c.Next) || !c.sameEnvironment())
	return c, nil
}

// manifest finds the static pod that starts a component, and what it is passed. One that surely does counts before
// one that may; of several the last.
func (n *Node) manifest(c *Component) surety {
	best := not
	for i := range n.pods {
		if args, sure := n.pods[i].starts(c.Name); sure != not && sure >= best {
			c.Pod, c.Next, best = &n.pods[i], facts.ParseKubeFlags(args), sure
		}
	}
	if best == surely && c.Next == nil {
		c.Next = facts.Flags{}
	}
	return best
}

// running returns the processes of a program, those among them that hyperkube has been told to be.
func running(h *facts.Host, name string) ([]facts.Process, error) {
	ps, err := h.AllProcesses(name)
	if err != nil || len(ps) > 0 {
		return ps, err
	}
	all, err := h.AllProcesses("hyperkube")
	return slices.DeleteFunc(slices.Clone(all), func(p facts.Process) bool {
		return len(p.Args) < 2 || !slices.Contains(applets[name], strings.TrimPrefix(p.Args[1], "--"))
	}), err
}

// unnamed is an error where a component is not found, or not to be told from another: something that could not be
// read may start it, or one runs that nothing names. To take it for absent would be to pass over it.
func (n *Node) unnamed(c *Component, ps []facts.Process) error {
	if c.Process == nil {
		if err := facts.Uncertain(ps); err != nil {
			return err
		}
	}
	if c.Next != nil || c.Process != nil || c.Within != "" {
		return nil
	}
	if len(n.podErrs) > 0 {
		return facts.OneLine(n.podErrs...)
	}
	for _, p := range ps {
		if p.Doubted != "" && facts.SystemService(p.Cgroup) != "" { // k0s runs its API server as a user of its own
			return fmt.Errorf("%s (PID %d) is ignored: %s", c.Name, p.PID, p.Doubted)
		}
		if p.Contained && !p.OtherUsers && c.Name != KubeProxy && InStaticPod(p.Cgroup, n.Kubelet.CgroupRoot()) {
			return fmt.Errorf("%s (PID %d) runs in a static pod, and no manifest is found that starts it, so its "+
				"configuration is unknown", c.Name, p.PID)
		}
	}
	return fmt.Errorf("%s: %w", c.Name, facts.ErrAbsent)
}

// pick finds the component among processes of its name: others of that name belong to clusters in the cluster or to
// add-ons with an etcd of their own. A static pod's is the one whose arguments are most like the manifest's; else a
// service's, else the eldest outside containers.
func (n *Node) pick(ps []facts.Process, c *Component, sure surety) *facts.Process {
	ps = n.counting(ps, c)
	if c.Pod != nil && sure == maybe {
		if len(ps) == 1 {
			return &ps[0]
		}
		return nil
	}
	if c.Pod != nil {
		best, most := -1, 0
		for i, p := range ps {
			same := alike(p.Args, c.Pod.Argv)
			if same > most && 2*same >= len(c.Pod.Argv) {
				best, most = i, same
			}
		}
		if best < 0 {
			return nil
		}
		return &ps[best]
	}
	if c.Name == KubeProxy && len(ps) > 0 {
		return &ps[0] // its DaemonSet's
	}
	if i := slices.IndexFunc(ps, func(p facts.Process) bool { return p.Unit != "" }); i >= 0 {
		return &ps[i]
	}
	if len(ps) > 0 {
		return &ps[0]
	}
	return nil
}

// alike counts the words that are in both.
func alike(args, argv []string) (same int) {
	for _, a := range args {
		if slices.Contains(argv, a) {
			same++
		}
	}
	return same
}

// counting leaves those processes that may be the component: this host's own, for a static pod those too that the
// kubelet started from a manifest, and for kube-proxy those of any pod in the host's network. Of a pod that is no
// static one the kubelet knows only what the API server told it, so that its arguments count for what runs and entitle
// to nothing.
func (n *Node) counting(ps []facts.Process, c *Component) []facts.Process {
	root := n.Kubelet.CgroupRoot()
	return slices.DeleteFunc(slices.Clone(ps), func(p facts.Process) bool {
		switch {
		case !p.Contained:
			return p.Doubted != ""
		case p.OtherUsers:
			return true
		case c.Pod != nil:
			return !InStaticPod(p.Cgroup, root, c.Pod.UID)
		case c.Name == KubeProxy:
			_, ok := belowKubepods(p.Cgroup, root)
			return !ok || p.OtherNetwork
		}
		return true
	})
}

// Where says which file or command line the component's arguments are in.
func (c *Component) Where() string {
	switch {
	case c.Pod != nil:
		return c.Pod.File
	case c.Unit != "":
		return c.Unit
	case c.Process != nil:
		return fmt.Sprintf("the command line of process %d", c.Process.PID)
	}
	return c.Within
}

// HostPath translates a path among the component's arguments to where it is on the node. It reports false for what is
// in its container alone.
func (c *Component) HostPath(p string) (string, bool) {
	if c.Pod != nil {
		return c.Pod.Host(p)
	}
	if c.Unit != "" || c.Process != nil {
		p = facts.From(facts.StartDir(c.host, c.Unit, c.Process), p)
	}
	return p, c.Process == nil || !c.Process.Contained
}

// Path returns the node's path of the file that a flag names; ok tells whether the flag is passed and names one that
// the component can see.
func (c *Component) Path(flag string, kind want.Kind) (facts.Place, bool) {
	p, ok := c.Next.Last(flag)
	if !ok || p == "" || !path.IsAbs(p) && c.Unit == "" && c.Process == nil {
		return facts.Place{}, false
	}
	p, ok = c.HostPath(p)
	f := c.Next[flag]
	return facts.Place{Path: p, Warrant: want.Warrant{By: f.By, From: "--" + f.Name + " in " + f.Origin, Kind: kind}}, ok
}

// Document reads the file that a flag names. It fails where the component cannot see that file, or it does not exist:
// the component cannot start then.
func (c *Component) Document(flag string) (*facts.Document, error) {
	p, _ := c.Next.Last(flag)
	file, ok := c.HostPath(p)
	if !ok {
		return nil, fmt.Errorf("--%s=%s is in no volume of %s", flag, p, c.Where())
	}
	return facts.DocumentBy(c.host, file, c.Next[flag].By)
}

// Loaded reports whether the file that a flag names was there in its present form when the component was started.
func (c *Component) Loaded(d *facts.Document) bool {
	return c.Process == nil || c.anew || !d.Changed.After(c.Process.Started.Add(facts.Tick)) &&
		c.host.Plan().Files[d.File].Data == nil
}
