package facts

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"example.com/harden/checks/budget"
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

	host      *Host
	pods      []StaticPod
	podErrs   []error // manifests that could not be read, so that any program may be in them
	component func(name string) (*Component, error)
}

// A Component is one program of Kubernetes on this node, as it runs and as it would be started next.
type Component struct {
	Name    string
	Pod     *StaticPod   // nil where no manifest starts it
	Process *Process     // nil where none runs
	Unseen  bool         // what runs cannot be seen (--root)
	Within  string       // the program that it is part of, "k3s" or "kubelite"; empty where it is its own
	Unit    string       // the service that starts it; empty where none does
	UnitBy  want.Warrant // what entitles to change how Unit starts it
	Running Flags        // of the process's argv; nil where none runs
	Next    Flags        // as its manifest, unit or flavour has it; Running where nothing that can be seen starts it
	Open    bool         // only some of its arguments can be seen: what is not among them may be passed all the same
	Stale   bool         // Running and Next differ

	host *Host
	anew bool // a plan would have it started again
}

// Node returns what is known of Kubernetes on this host. ErrAbsent where there is none.
func (h *Host) Node() (*Node, error) { return h.node() }

func (h *Host) readNode() (*Node, error) {
	f, err := h.flavour()
	if err != nil {
		return nil, err
	}
	n := &Node{Flavour: f, host: h}
	n.component = perKey(n.readComponent)
	if n.Kubelet, err = h.readKubelet(f); err != nil {
		return nil, err
	}
	if k := n.Kubelet; k != nil && k.Process == nil && !k.joined && f == "" {
		return nil, fmt.Errorf("kubernetes: the kubelet is installed, and has no %s: this host has joined no cluster: %w", k.File, ErrAbsent)
	}
	if n.Kubelet != nil {
		n.readPods()
	}
	if n.Kubelet == nil && f == "" {
		if found, err := n.anything(); err != nil || !found {
			return nil, cmp.Or(err, fmt.Errorf("kubernetes: %w", ErrAbsent))
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
		n.Manifests = "/var/lib/rancher/rke2/agent/pod-manifests"
	}
	if n.Kubelet.Err != nil { // what is where the kubelet usually looks is found; what is not may be elsewhere
		n.podErrs = append(n.podErrs, n.Kubelet.Err)
		if n.Manifests == "" && n.Flavour == Kubeadm {
			n.Manifests = "/etc/kubernetes/manifests"
		}
	}
	if n.Manifests != "" {
		pods, errs := n.host.staticPods(n.Manifests, by)
		n.pods, n.podErrs = pods, append(n.podErrs, errs...)
	}
}

// anything reports whether a control plane runs, or would be started, though there is no kubelet. Its API server tells:
// an etcd alone is none, since other things use it too.
func (n *Node) anything() (bool, error) {
	_, err := n.component(APIServer)
	if errors.Is(err, ErrAbsent) {
		return false, nil
	}
	return err == nil, err
}

// Component returns one of Programs. ErrAbsent where it is not on this node.
func (n *Node) Component(name string) (*Component, error) { return n.component(name) }

func (n *Node) readComponent(name string) (*Component, error) {
	c := &Component{Name: name, host: n.host}
	for i := range n.pods { // of two with one name the kubelet takes the last
		if p := &n.pods[i]; p.program() == name || p.program() == "" && p.Container == name {
			c.Pod = p
		}
	}
	if err := oneOf(n.podErrs); errors.Is(err, budget.Err) {
		return nil, err // any program may be in what was not read, and the last of a name counts
	}
	ps, err := n.host.processes(name)
	c.Unseen = errors.Is(err, ErrAbsent)
	if err != nil && !c.Unseen {
		return nil, err
	}
	if c.Pod != nil {
		if c.Pod.program() == "" {
			return nil, fmt.Errorf("%s: %s is started by a shell or its image alone, so its arguments cannot be told", c.Pod.File, name)
		}
		c.Next = parseKubeFlags(tokensOf(c.Pod.Argv[1:], c.Pod))
	}
	c.Process = n.pick(ps, c)
	if c.Process != nil {
		c.Running = parseKubeFlags(processTokens(c.Process))
	}
	if err := n.startedBy(c); err != nil {
		return nil, err
	}
	if c.Process == nil {
		if err := uncertain(ps); err != nil {
			return nil, err
		}
	}
	if c.Next == nil && c.Process == nil && c.Within == "" {
		if len(n.podErrs) > 0 {
			return nil, oneOf(n.podErrs)
		}
		return nil, fmt.Errorf("%s: %w", name, ErrAbsent)
	}
	// a plan that changes a manifest waits for the pod
	c.anew = c.Pod != nil && n.host.after.Files[c.Pod.File].Data != nil || c.Unit != "" && n.host.Restarted(c.Unit)
	if c.Process != nil && c.anew {
		c.Running = c.Next
	}
	c.Stale = c.Process != nil && !c.Running.alike(c.Next)
	return c, nil
}

func tokensOf(args []string, pod *StaticPod) []Token {
	var tokens []Token
	for _, a := range args {
		tokens = append(tokens, Token{Text: a, File: pod.File, By: pod.By})
	}
	return tokens
}

func oneOf(errs []error) error {
	m := &multierror.Error{Errors: errs, ErrorFormat: func(all []error) string {
		var texts []string
		for _, err := range all {
			texts = append(texts, err.Error())
		}
		return strings.Join(texts, "; ")
	}}
	return m
}

// pick finds the component among processes of its name: others of that name belong to clusters in the cluster or to
// add-ons with an etcd of their own. A static pod's is the one whose arguments are most like the manifest's; else a
// service's, else the eldest outside containers.
func (n *Node) pick(ps []Process, c *Component) *Process {
	ps = n.counting(ps, c)
	if c.Pod != nil {
		best, most := -1, 0
		for i, p := range ps {
			same := 0
			for _, a := range p.Args {
				if slices.Contains(c.Pod.Argv, a) {
					same++
				}
			}
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
	if i := slices.IndexFunc(ps, func(p Process) bool { return p.Unit != "" }); i >= 0 {
		return &ps[i]
	}
	if len(ps) > 0 {
		return &ps[0]
	}
	return nil
}

// counting leaves those processes that may be the component: this host's own, for a static pod those too that the
// kubelet started from a manifest, and for kube-proxy those of any pod in the host's network. Of a pod that is no
// static one the kubelet knows only what the API server told it, so that its arguments count for what runs and entitle
// to nothing.
func (n *Node) counting(ps []Process, c *Component) []Process {
	root := n.Kubelet.CgroupRoot()
	return slices.DeleteFunc(slices.Clone(ps), func(p Process) bool {
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

// startedBy finds what starts a component that no manifest does.
func (n *Node) startedBy(c *Component) error {
	if c.Pod != nil {
		return nil
	}
	switch n.Flavour {
	case K3s, MicroK8s:
		return n.builtIn(c)
	}
	if c.Process != nil {
		c.Next = c.Running
	}
	unit := c.Name + ".service"
	if c.Process != nil && c.Process.Unit != unit || n.Flavour != "" && n.Flavour != ByHand && n.Flavour != Kubeadm {
		return nil
	}
	if c.Name == Etcd && c.Process == nil && n.Kubelet == nil {
		return nil
	}
	u, err := n.host.Unit(unit)
	if errors.Is(err, ErrAbsent) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(u.Argv) > 0 && path.Base(u.Argv[0].Text) == c.Name {
		c.Unit, c.UnitBy, c.Next = unit, u.Entitled(), parseKubeFlags(u.Argv[1:])
	}
	return nil
}

// k3sServer is what a server of k3s has and an agent has not.
const k3sServer = "/var/lib/rancher/k3s/server/tls"

// builtIn is for flavours that run the programs of Kubernetes in one process.
func (n *Node) builtIn(c *Component) error {
	args, err := n.host.flavourArgs(n.Flavour, c.Name)
	if err != nil {
		return err
	}
	if n.Flavour == MicroK8s {
		if args != nil {
			c.Within, c.Next = "kubelite", parseKubeFlags(args)
		}
		return nil
	}
	present := c.Name == KubeProxy
	if !present {
		place := k3sServer
		if c.Name == Etcd {
			place = "/var/lib/rancher/k3s/server/db/etcd"
		}
		_, err := n.host.Info(place)
		if present = err == nil; !present && !errors.Is(Absent(err), ErrAbsent) {
			return err
		}
	}
	if present {
		c.Within, c.Next, c.Open = "k3s", parseKubeFlags(args), true
	}
	return nil
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
	return p, c.Process == nil || !c.Process.Contained
}

// Path returns the node's path of the file that a flag names; ok tells whether the flag is passed and names one that the
// component can see.
func (c *Component) Path(flag string, kind want.Kind) (Place, bool) {
	p, ok := c.Next.Last(flag)
	if !ok || !path.IsAbs(p) {
		return Place{}, false
	}
	p, ok = c.HostPath(p)
	f := c.Next[flag]
	return Place{p, want.Warrant{By: f.By, From: "--" + f.Name + " in " + f.Origin, Kind: kind}}, ok
}

// Document reads the file that a flag names. It fails where the component cannot see that file, or it does not exist:
// the component cannot start then.
func (c *Component) Document(flag string) (*Document, error) {
	p, _ := c.Next.Last(flag)
	file, ok := c.HostPath(p)
	if !ok {
		return nil, fmt.Errorf("--%s=%s is in no volume of %s", flag, p, c.Where())
	}
	return c.host.documentBy(file, c.Next[flag].By)
}

// Loaded reports whether the file that a flag names was there in its present form when the component was started.
func (c *Component) Loaded(d *Document) bool {
	return c.Process == nil || c.anew || !d.Changed.After(c.Process.Started.Add(tick)) && c.host.after.Files[d.File].Data == nil
}
