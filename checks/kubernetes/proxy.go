package kubernetes

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path"
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

var proxyKubeconfigExposed = &checks.Check{
	ID:    "kubernetes/proxy-kubeconfig-exposed",
	Items: cis.Items{},
	Own:   true,
	Title: "kube-proxy's kubeconfig is writable by root alone",
	Why: "whoever can rewrite it sends kube-proxy to an API server of their own; the threat model asks for " +
		"644, the item for 600",
	Threats: []stride.ID{stride.KubernetesNodeDisclosure},
	Level:   1,
	Rule:    checks.Func(func(h *facts.Host) ([]checks.Finding, error) { return proxyMode(h, 0o644) }),
}

// proxyMode judges the mode of kube-proxy's kubeconfig. That of a ConfigMap's volume is in the DaemonSet.
func proxyMode(h *facts.Host, limit fs.FileMode) ([]checks.Finding, error) {
	findings, err := mode(proxyKubeconfig, be.Within(limit)).Judge(h)
	p, proxyErr := theProxy(h)
	if proxyErr != nil || !p.volume {
		return findings, err
	}
	for i := range findings {
		findings[i].Wants = nil
		findings[i].Reason = fmt.Sprintf("the kubelet writes it from a ConfigMap, as the DaemonSet says: run "+
			"`kubectl -n kube-system patch "+
			`daemonset kube-proxy -p '{"spec":{"template":{"spec":{"volumes":[{"name":"kube-proxy",`+
			`"configMap":{"defaultMode":%d}}]}}}}'`+
			"`, and again after `kubeadm upgrade`", limit)
	}
	return findings, err
}

var proxyKubeconfigMode = &checks.Check{
	ID:      "kubernetes/proxy-kubeconfig-mode",
	Items:   cis.K8sAlways("4.1.3"),
	Title:   "kube-proxy's kubeconfig is readable and writable by root alone",
	Why:     "a credential in it lets whoever reads it speak as this node's kube-proxy; kubeadm's has none in it",
	Threats: []stride.ID{stride.KubernetesNodeSpoofing},
	Level:   1,
	Rule:    checks.Func(func(h *facts.Host) ([]checks.Finding, error) { return proxyMode(h, 0o600) }),
}

var proxyKubeconfigOwner = &checks.Check{
	ID:      "kubernetes/proxy-kubeconfig-owner",
	Items:   cis.K8sAlways("4.1.4"),
	Title:   "kube-proxy's kubeconfig belongs to root",
	Why:     "whoever owns it sends kube-proxy to an API server of their own",
	Threats: []stride.ID{stride.KubernetesNodeDisclosure, stride.KubernetesNodeSpoofing},
	Level:   1,
	Rule:    owner(proxyKubeconfig),
}

func proxyKubeconfig(h *facts.Host) ([]facts.Place, error) {
	p, err := theProxy(h)
	if err != nil {
		return nil, err
	}
	if p.kube == "" {
		return nil, rule.Inapplicable("kube-proxy is given no kubeconfig")
	}
	return rule.Named(p.entitled, p.kube), nil
}

// proxyFiles is where kube-proxy's configuration is on this node. kubeadm's comes from a ConfigMap, which the kubelet
// keeps in the pod's own directory.
type proxyFiles struct {
	component *kube.Component
	config    string // --config; empty where there is none
	conf      *facts.Document
	kube      string       // its kubeconfig; empty where there is none
	entitled  want.Warrant // to kube
	volume    bool         // they are in a ConfigMap's volume
}

// podsDir is where the kubelet keeps what pods mount.
const podsDir = "/var/lib/kubelet/pods"

func theProxy(h *facts.Host) (*proxyFiles, error) {
	n, c, err := component(h, kube.KubeProxy)
	volume, volumeErr := proxyVolume(h)
	if errors.Is(err, facts.ErrAbsent) && volume != "" {
		n, err = kube.NodeOf(h)
		c = &kube.Component{Name: kube.KubeProxy,
			Next: facts.Flags{"config": {Name: "config", Values: []string{"/var/lib/kube-proxy/config.conf"}}}}
	}
	if err != nil {
		return nil, err
	}
	if volumeErr != nil {
		return nil, volumeErr
	}
	p := &proxyFiles{component: c}
	if c.Within == "k3s" {
		p.kube, p.entitled = kube.DataDir(h, kube.K3s)+"/agent/kubeproxy.kubeconfig", want.Mine
		return p, nil
	}
	translate := func(file string) string {
		if on, ok := c.HostPath(file); ok && volume == "" {
			return on
		}
		if dir := path.Dir(file); volume != "" && dir == "/var/lib/kube-proxy" {
			p.volume = true
			return path.Join(volume, path.Base(file))
		}
		return file
	}
	if file, ok := c.Next.Last("config"); ok && file != "" {
		p.config = translate(file)
		if p.conf, err = h.Document(p.config); err == nil {
			err = p.conf.Is("KubeProxyConfiguration")
		}
		if err != nil {
			return nil, err
		}
		p.kube = p.conf.Text("clientConnection", "kubeconfig")
		p.entitled = want.Warrant{By: min(c.Next["config"].By, p.conf.By),
			From: "clientConnection.kubeconfig in " + p.config, Kind: want.Kubeconfig}
	}
	if file, ok := c.Next.Last("kubeconfig"); ok && p.config == "" {
		p.kube = file
		p.entitled = want.Warrant{By: c.Next["kubeconfig"].By, From: "--kubeconfig in " + c.Next["kubeconfig"].Origin,
			Kind: want.Kubeconfig}
	}
	if p.kube != "" {
		p.kube = translate(p.kube)
	} else if n.Flavour == kube.MicroK8s {
		p.kube, p.entitled = "/var/snap/microk8s/current/credentials/proxy.config", want.Mine
	}
	return p, nil
}

// proxyVolume finds the volume of the ConfigMap kube-proxy among those of this node's pods; empty where there is none.
func proxyVolume(h *facts.Host) (string, error) {
	pods, err := h.List(podsDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	for _, uid := range pods {
		dir := path.Join(podsDir, uid, "volumes/kubernetes.io~configmap/kube-proxy")
		if _, err := h.Info(dir); err == nil {
			return dir, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", nil
}

// proxyChecks is section 4.3.
var proxyChecks = []*checks.Check{
	proxyMetricsAddress,
}

var proxyMetricsAddress = &checks.Check{
	ID:    "kubernetes/proxy-metrics-address",
	Items: cis.K8s("", "4.3.1", "4.3.1", "4.3.1"),
	Title: "kube-proxy's metrics are on loopback alone",
	Why: "the endpoint tells everybody who reaches the node which services there are, and lets them change " +
		"how much is logged",
	Breaks:  "monitoring that reads port 10249 from another machine",
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneDisclosure},
	Level:   1,
	Rule:    checks.Func(proxyMetrics),
}

// proxyMetrics judges where kube-proxy's metrics are. With --config the flag does not count.
func proxyMetrics(h *facts.Host) ([]checks.Finding, error) {
	p, err := theProxy(h)
	if err != nil {
		return nil, err
	}
	c := p.component
	f := checks.Finding{Subject: "kube-proxy metricsBindAddress", Must: "unset or a loopback address"}
	address := ""
	switch {
	case p.conf != nil:
		address = p.conf.Text("metricsBindAddress")
		f.Got = address + " by " + p.config
		f.Reason = fmt.Sprintf("set `metricsBindAddress: \"\"` in %s and start kube-proxy again", p.config)
		if p.volume {
			f.Reason = "set `metricsBindAddress: \"\"` in config.conf of the ConfigMap (`kubectl -n kube-system edit " +
				"configmap kube-proxy`), then `kubectl -n kube-system rollout restart daemonset kube-proxy`; kubeadm " +
				"keeps it"
		}
	default:
		var given bool
		if address, given = c.Next.Last("metrics-bind-address"); !given && c.Open {
			return nil, open(c, "metrics-bind-address")
		}
		n, err := kube.NodeOf(h)
		if err != nil {
			return nil, err
		}
		f.Got = address + " by --metrics-bind-address in " + c.Where()
		s, _, err := c.Say("metrics-bind-address")
		if err != nil {
			return nil, err
		}
		f.Wants, f.Reason = change(n, c, "metrics-bind-address", s, "127.0.0.1:10249", nil)
	}
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	if ip := net.ParseIP(strings.Trim(address, "[]")); address == "" || ip != nil && ip.IsLoopback() {
		return nil, nil
	}
	return []checks.Finding{f}, nil
}
