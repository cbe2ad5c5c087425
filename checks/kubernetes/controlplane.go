package kubernetes

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/kube"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/stride"
	"example.com/harden/checks/want"
)

// controlPlaneChecks is the part of section 1.1 about what the control plane is started with, its network and its data.
var controlPlaneChecks = []*checks.Check{
	manifestMode("kubernetes/apiserver-manifest-mode", "1.1.1", "the API server's", kube.APIServer),
	manifestOwner("kubernetes/apiserver-manifest-owner", "1.1.2", "the API server's", kube.APIServer),
	manifestMode("kubernetes/controller-manager-manifest-mode", "1.1.3", "the controller manager's",
		kube.ControllerManager),
	manifestOwner("kubernetes/controller-manager-manifest-owner", "1.1.4", "the controller manager's",
		kube.ControllerManager),
	manifestMode("kubernetes/scheduler-manifest-mode", "1.1.5", "the scheduler's", kube.Scheduler),
	manifestOwner("kubernetes/scheduler-manifest-owner", "1.1.6", "the scheduler's", kube.Scheduler),
	manifestMode("kubernetes/etcd-manifest-mode", "1.1.7", "etcd's", kube.Etcd),
	manifestOwner("kubernetes/etcd-manifest-owner", "1.1.8", "etcd's", kube.Etcd),
	cniMode, cniOwner, etcdDataMode, etcdDataOwner,
}

func manifestMode(id, number, whose, program string) *checks.Check {
	return &checks.Check{
		ID:    id,
		Items: cis.K8sAlways(number),
		Title: whose + " manifest is readable and writable by root alone",
		Why: "whoever can write the manifest chooses what the kubelet runs as root with the cluster's keys; " +
			"whoever can read it knows where those are",
		Threats: []stride.ID{manifestThreat(program)},
		Level:   1,
		Rule:    mode(manifest(program), be.Within(0o600)),
	}
}

func manifestOwner(id, number, whose, program string) *checks.Check {
	return &checks.Check{
		ID:      id,
		Items:   cis.K8sAlways(number),
		Title:   whose + " manifest belongs to root",
		Why:     "whoever owns the manifest chooses what the kubelet runs as root with the cluster's keys",
		Threats: []stride.ID{manifestThreat(program)},
		Level:   1,
		Rule:    owner(manifest(program)),
	}
}

// manifestThreat is that of the node, but for etcd, which has the cluster's data.
func manifestThreat(program string) stride.ID {
	if program == kube.Etcd {
		return stride.KubernetesControlPlaneTampering
	}
	return stride.KubernetesNodeTampering
}

// manifest is the file that the kubelet starts a program from.
func manifest(program string) rule.Paths {
	return func(h *facts.Host) ([]facts.Place, error) {
		_, c, err := component(h, program)
		if err != nil {
			return nil, err
		}
		if c.Pod == nil {
			return nil, rule.Inapplicable("no manifest starts %s on this node", program)
		}
		return rule.Named(c.Pod.Entitled(), c.Pod.File), nil
	}
}

var cniMode = &checks.Check{
	ID:    "kubernetes/cni-mode",
	Items: cis.K8sAlways("1.1.9"),
	Title: "the network's configuration and state are readable and writable by root alone",
	Why:   "the plugin that the file names runs as root at every start of a pod",
	Breaks: "network add-ons that write these files set the mode back when their pod restarts: set it in their " +
		"chart too",
	Threats: []stride.ID{stride.KubernetesNodeTampering},
	Level:   1,
	Rule:    mode(cniFiles, be.Within(0o600)),
}

// cniFiles are what the container runtime reads of the network, and the addresses that the host-local plugin has given
// away. Its lock files say nothing.
func cniFiles(h *facts.Host) ([]facts.Place, error) {
	n, _, err := theKubelet(h)
	if err != nil {
		return nil, err
	}
	dir, named, err := cniDir(h, n.Flavour)
	if err != nil {
		return nil, err
	}
	conf, err := below(h, dir, 1)
	if err != nil {
		return nil, err
	}
	conf = slices.DeleteFunc(conf, func(p string) bool {
		return !slices.Contains([]string{".conf", ".conflist", ".json"}, path.Ext(p))
	})
	state, err := below(h, "/var/lib/cni/networks", 4)
	if err != nil {
		return nil, err
	}
	state = slices.DeleteFunc(state, func(p string) bool { return path.Base(p) == "lock" })
	files := append(rule.Named(named, conf...), rule.Known(state...)...)
	if len(files) == 0 {
		return nil, rule.Inapplicable("%s has no configuration of a network", dir)
	}
	return files, nil
}

// cniDir is where containerd looks for the network's configuration.
func cniDir(h *facts.Host, f kube.Flavour) (string, want.Warrant, error) {
	own := want.Warrant{By: want.Root, Kind: want.CNIConfig}
	switch f {
	case kube.K3s, kube.RKE2:
		return kube.DataDir(h, f) + "/agent/etc/cni/net.d", own, nil
	case kube.MicroK8s:
		return "/var/snap/microk8s/current/args/cni-network", own, nil
	}
	const containerd = "/etc/containerd/config.toml"
	config, err := h.File(containerd)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", own, err
	}
	for line := range strings.Lines(string(config.Data)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if dir := strings.Trim(strings.TrimSpace(value), `"'`); strings.TrimSpace(name) == "conf_dir" &&
			path.IsAbs(dir) {
			return dir, own.Naming(h.Vouch(containerd, want.Root), "conf_dir in "+containerd, want.CNIConfig), nil
		}
	}
	return "/etc/cni/net.d", own, nil
}

var cniOwner = &checks.Check{
	ID:      "kubernetes/cni-owner",
	Items:   cis.K8sAlways("1.1.10"),
	Title:   "the network's configuration and state belong to root",
	Why:     "whoever owns the file chooses the program that runs as root at every start of a pod",
	Threats: []stride.ID{stride.KubernetesNodeTampering},
	Level:   1,
	Rule:    owner(cniFiles),
}

var etcdDataMode = &checks.Check{
	ID:      "kubernetes/etcd-data-mode",
	Items:   cis.K8sAlways("1.1.11"),
	Title:   "etcd's data is for its own user alone",
	Why:     "the directory holds every object of the cluster, Secrets included",
	Threats: []stride.ID{stride.KubernetesControlPlaneTampering, stride.KubernetesControlPlaneDisclosure},
	Level:   1,
	Rule:    mode(etcdData, be.WithinDir(0o700)),
}

// etcdData is etcd's data directory; what is in it is never touched.
func etcdData(h *facts.Host) ([]facts.Place, error) {
	n, c, err := component(h, kube.Etcd)
	if err != nil {
		return nil, err
	}
	if c.Within == "k3s" {
		return rule.Known(kube.DataDir(h, kube.K3s) + "/server/db/etcd"), nil
	}
	s, ok, err := c.Say("data-dir")
	if err != nil {
		return nil, err
	}
	if !ok || !path.IsAbs(s.Value) {
		return nil, fmt.Errorf("where etcd keeps its data is not known: --data-dir is %q in %s", s.Value, c.Where())
	}
	dir, ok := c.HostPath(s.Value)
	if !ok && n.Flavour == kube.RKE2 {
		dir, ok = s.Value, true // its manifest mounts what is above
	}
	if !ok {
		return nil, fmt.Errorf("--data-dir=%s is in no volume of %s", s.Value, c.Where())
	}
	return rule.Named(want.Warrant{By: s.By, From: flagName(s) + " in " + s.Where, Kind: want.EtcdData}, dir), nil
}

var etcdDataOwner = &checks.Check{
	ID:      "kubernetes/etcd-data-owner",
	Items:   cis.K8sAlways("1.1.12"),
	Title:   "etcd's data belongs to the user that etcd runs as",
	Why:     "whoever else owns the directory reads and replaces every object of the cluster",
	Threats: []stride.ID{stride.KubernetesControlPlaneTampering},
	Level:   1,
	Manual: "stop this member, run `chown -R USER:GROUP` on the directory for the user that etcd runs as, and " +
		"start it again",
	Rule: checks.Func(etcdOwner),
}

// etcdOwner compares whom etcd runs as with whose its data is. kubeadm runs it as root, and a user of its own would
// help nothing there: that is no reason to ask for one.
func etcdOwner(h *facts.Host) ([]checks.Finding, error) {
	n, c, err := component(h, kube.Etcd)
	if err != nil {
		return nil, err
	}
	dirs, err := etcdData(h)
	if err != nil {
		return nil, err
	}
	i, err := h.Info(dirs[0].Path)
	if err != nil {
		return nil, facts.Absent(err)
	}
	runs := c.Identity().UID
	switch {
	case c.Process != nil:
		runs = c.Process.UID
	case i.UID == 0 || !c.Identity().Root() && !c.Identity().Unsure:
	case c.Unseen:
		return nil, fmt.Errorf("whom etcd runs as cannot be seen, so that whom %s must belong to is not known", i.Path)
	default:
		return nil, fmt.Errorf("etcd does not run, so that whom %s must belong to is not known", i.Path)
	}
	switch {
	case runs == 0 && i.UID == 0:
		return nil, rule.Inapplicable("etcd runs as root here, so that its data belongs to root (%s)", n.Flavour)
	case runs == i.UID:
		return nil, nil
	}
	return []checks.Finding{{Subject: i.Path, Got: i.Owner(),
		Must: fmt.Sprintf("uid %d, whom etcd runs as", runs)}}, nil
}
