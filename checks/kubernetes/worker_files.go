package kubernetes

import (
	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/stride"
)

const upgrades = "an upgrade of the package sets the mode back; on Debian `dpkg-statoverride --add root root 0600 " +
	"PATH` keeps it"

// workerFiles is section 4.1, who may touch what the kubelet and kube-proxy are started with and read.
var workerFiles = []*checks.Check{
	{
		ID:      "kubernetes/kubelet-unit-mode",
		Items:   cis.K8sAlways("4.1.1"),
		Title:   "the kubelet's unit and its drop-ins are readable and writable by root alone",
		Why:     "whoever can write one of them chooses what runs as root at the next start",
		Breaks:  upgrades,
		Threats: []stride.ID{stride.KubernetesNodeRepudiation, stride.KubernetesNodeTampering},
		Level:   1,
		Rule:    mode(kubeletUnit, be.Within(0o600)),
	},
	{
		ID:      "kubernetes/kubelet-unit-owner",
		Items:   cis.K8sAlways("4.1.2"),
		Title:   "the kubelet's unit and its drop-ins belong to root",
		Why:     "whoever owns one of them chooses what runs as root at the next start",
		Threats: []stride.ID{stride.KubernetesNodeRepudiation, stride.KubernetesNodeTampering},
		Level:   1,
		Rule:    owner(kubeletUnit),
	},
	{
		ID:    "kubernetes/proxy-kubeconfig-exposed",
		Items: cis.Items{},
		Own:   true,
		Title: "kube-proxy's kubeconfig is writable by root alone",
		Why: "whoever can rewrite it sends kube-proxy to an API server of their own; the threat model asks for 644, " +
			"the item for 600",
		Threats: []stride.ID{stride.KubernetesNodeDisclosure},
		Level:   1,
		Rule:    checks.Func(func(h *facts.Host) ([]checks.Finding, error) { return proxyMode(h, 0o644) }),
	},
	{
		ID:      "kubernetes/proxy-kubeconfig-mode",
		Items:   cis.K8sAlways("4.1.3"),
		Title:   "kube-proxy's kubeconfig is readable and writable by root alone",
		Why:     "a credential in it lets whoever reads it speak as this node's kube-proxy; kubeadm's has none in it",
		Threats: []stride.ID{stride.KubernetesNodeSpoofing},
		Level:   1,
		Rule:    checks.Func(func(h *facts.Host) ([]checks.Finding, error) { return proxyMode(h, 0o600) }),
	},
	{
		ID:      "kubernetes/proxy-kubeconfig-owner",
		Items:   cis.K8sAlways("4.1.4"),
		Title:   "kube-proxy's kubeconfig belongs to root",
		Why:     "whoever owns it sends kube-proxy to an API server of their own",
		Threats: []stride.ID{stride.KubernetesNodeDisclosure, stride.KubernetesNodeSpoofing},
		Level:   1,
		Rule:    owner(proxyKubeconfig),
	},
	{
		ID:      "kubernetes/kubelet-kubeconfig-mode",
		Items:   cis.K8sAlways("4.1.5"),
		Title:   "the kubelet's kubeconfig and key are readable by root alone",
		Why:     "with the key in it, or in the file that it names, anybody is this node",
		Threats: []stride.ID{stride.KubernetesNodeRepudiation, stride.KubernetesNodeSpoofing},
		Level:   1,
		Rule:    mode(kubeletKubeconfig, be.Within(0o600)),
	},
	{
		ID:      "kubernetes/kubelet-kubeconfig-owner",
		Items:   cis.K8sAlways("4.1.6"),
		Title:   "the kubelet's kubeconfig and key belong to root",
		Why:     "whoever owns the file reads the key in it, and is this node",
		Threats: []stride.ID{stride.KubernetesNodeRepudiation, stride.KubernetesNodeSpoofing},
		Level:   1,
		Rule:    owner(kubeletKubeconfig),
	},
	{
		ID:      "kubernetes/kubelet-client-ca-mode",
		Items:   cis.K8sAlways("4.1.7"),
		Title:   "the authority that the kubelet believes is writable by root alone",
		Why:     "whoever can rewrite it decides whom the kubelet takes for the API server",
		Threats: []stride.ID{stride.KubernetesNodeSpoofing},
		Level:   1,
		Rule:    mode(kubeletCA, be.Within(0o644)),
	},
	{
		ID:      "kubernetes/kubelet-client-ca-owner",
		Items:   cis.K8sAlways("4.1.8"),
		Title:   "the authority that the kubelet believes belongs to root",
		Why:     "whoever owns it decides whom the kubelet takes for the API server",
		Threats: []stride.ID{stride.KubernetesNodeSpoofing},
		Level:   1,
		Rule:    owner(kubeletCA),
	},
	{
		ID:      "kubernetes/kubelet-config-mode",
		Items:   cis.K8sAlways("4.1.9"),
		Title:   "the kubelet's configuration is readable and writable by root alone",
		Why:     "whoever can write it, or a drop-in, opens the kubelet at its next start",
		Threats: []stride.ID{stride.KubernetesNodeRepudiation, stride.KubernetesNodeTampering},
		Level:   1,
		Rule:    mode(kubeletConfig, be.Within(0o600)),
	},
	{
		ID:      "kubernetes/kubelet-config-owner",
		Items:   cis.K8sAlways("4.1.10"),
		Title:   "the kubelet's configuration belongs to root",
		Why:     "whoever owns it, or a drop-in, opens the kubelet at its next start",
		Threats: []stride.ID{stride.KubernetesNodeRepudiation, stride.KubernetesNodeTampering},
		Level:   1,
		Rule:    owner(kubeletConfig),
	},
}
