package kubernetes

import (
	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/stride"
	"example.com/harden/checks/want"
)

// kubelet is section 4.2, how the kubelet is told to run.
var kubelet = []*checks.Check{
	{
		ID:    "kubernetes/kubelet-anonymous",
		Items: cis.K8sAlways("4.2.1"),
		Title: "the kubelet answers nobody who does not say who they are",
		Why: "whoever reaches port 10250 could ask it for logs and have it run commands in containers, without a trace " +
			"in the API server",
		Breaks:  "monitoring that reads the kubelet's metrics without credentials",
		Class:   want.Restart,
		Threats: []stride.ID{stride.KubernetesNodeRepudiation, stride.KubernetesNodeElevation},
		Level:   1,
		Rule: setting[bool]{field: "authentication.anonymous.enabled", flag: "anonymous-auth", legacy: true}.
			unless(noClientCA[bool]).Must(be.False),
	},
	{
		ID:      "kubernetes/kubelet-authorization",
		Items:   cis.K8sAlways("4.2.2"),
		Title:   "the kubelet asks the API server what a caller may do",
		Why:     "with AlwaysAllow every certificate of the cluster runs commands in every container of this node",
		Class:   want.Restart,
		Threats: []stride.ID{stride.KubernetesNodeRepudiation, stride.KubernetesNodeElevation},
		Level:   1,
		Rule: setting[string]{field: "authorization.mode", flag: "authorization-mode", unset: "Webhook",
			legacy: "AlwaysAllow"}.
			unless(noClientCA[string]).Must(be.Equal("Webhook")),
	},
	{
		ID:    "kubernetes/kubelet-client-ca",
		Items: cis.K8sAlways("4.2.3"),
		Title: "the kubelet verifies its callers' certificates",
		Why: "without an authority to verify them by, no certificate proves anything, and the API server itself is " +
			"anonymous",
		Class:   want.Restart,
		Threats: []stride.ID{stride.KubernetesNodeRepudiation},
		Level:   1,
		Manual: "set authentication.x509.clientCAFile to the certificate authority of the cluster's clients, and restart " +
			"the kubelet",
		Rule: checks.Func(clientCA),
	},
	{
		ID:      "kubernetes/kubelet-read-only-port",
		Items:   cis.K8sAlways("4.2.4"),
		Title:   "the kubelet has no port that asks for no credentials",
		Why:     "port 10255 tells everybody who reaches it which pods run here, with their environment and addresses",
		Breaks:  "monitoring that still reads port 10255",
		Class:   want.Restart,
		Threats: []stride.ID{stride.KubernetesNodeRepudiation},
		Level:   1,
		Rule:    setting[int]{field: "readOnlyPort", flag: "read-only-port", legacy: 10255}.Must(be.Equal(0)),
	},
	{
		ID:    "kubernetes/kubelet-streaming-timeout",
		Items: cis.K8sAlways("4.2.5"),
		Title: "idle connections to containers end",
		Why: "connections that never end use up ports and memory; since Kubernetes 1.24 the container runtime holds them " +
			"and has its own " +
			"limit (containerd's stream_idle_timeout), so that this one must only not be switched off",
		Class:   want.Restart,
		Threats: []stride.ID{stride.KubernetesNodeDenial},
		Level:   1,
		Rule: setting[string]{field: "streamingConnectionIdleTimeout", flag: "streaming-connection-idle-timeout",
			unset: "4h", legacy: "4h", blank: "0s"}.Must(someTime),
	},
	{
		ID:    "kubernetes/kubelet-iptables-chains",
		Items: cis.K8s("4.2.7", "4.2.6", "4.2.6", "4.2.6"),
		Title: "the kubelet keeps its chains in the packet filter",
		Why: "add-ons find out by the kubelet's chains which packet filter this node uses: without them they may write " +
			"rules that nothing reads",
		Class:   want.Restart,
		Threats: []stride.ID{stride.KubernetesNodeTampering},
		Level:   1,
		Rule:    same("makeIPTablesUtilChains", "make-iptables-util-chains", true).Must(be.True),
	},
	{
		ID:      "kubernetes/kubelet-hostname",
		Items:   cis.K8s("4.2.8", "4.2.7", "4.2.7", "4.2.7"),
		Title:   "the node's name is its host name",
		Why:     "a node that can call itself anything makes certificates and audit records name the wrong machine",
		Class:   want.Restart,
		Threats: []stride.ID{stride.KubernetesNodeSpoofing},
		Level:   1,
		Rule:    checks.Func(hostname),
	},
	{
		ID:      "kubernetes/kubelet-event-rate",
		Items:   cis.K8s("4.2.9", "4.2.8", "4.2.8", "4.2.8"),
		Title:   "the kubelet does not drop events of what happens on the node",
		Why:     "events are how the cluster learns what a pod went through; 0 does not mean all of them, but five a second",
		Class:   want.Restart,
		Threats: []stride.ID{stride.KubernetesNodeRepudiation},
		Level:   2,
		Rule:    same("eventRecordQPS", "event-qps", 50).Must(be.AtLeast(5, 50)),
	},
	{
		ID:    "kubernetes/kubelet-serving-certificate",
		Items: cis.K8s("4.2.10", "4.2.9", "4.2.9", "4.2.9"),
		Title: "the kubelet serves a certificate that somebody vouches for",
		Why: "nobody can verify a certificate that the kubelet has made for itself, so that anybody in between can " +
			"read and run commands",
		Class:   want.Restart,
		Threats: []stride.ID{stride.KubernetesNodeRepudiation, stride.KubernetesNodeSpoofing},
		Level:   1,
		Rule:    checks.Func(servingCertificate),
	},
	{
		ID:    "kubernetes/kubelet-rotate-certificates",
		Items: cis.K8s("4.2.11", "4.2.10", "4.2.10", "4.2.10"),
		Title: "the kubelet renews its client certificate",
		Why: "a certificate that nobody renews ends, with it the node, and is answered by certificates that live for " +
			"ten years",
		Class:   want.Restart,
		Threats: []stride.ID{stride.KubernetesNodeRepudiation, stride.KubernetesNodeSpoofing},
		Level:   1,
		Rule:    checks.Func(rotateClient),
	},
	{
		ID:    "kubernetes/kubelet-rotate-serving",
		Items: cis.K8s("4.2.12", "4.2.11", "4.2.11", "4.2.11"),
		Title: "the kubelet renews its serving certificate",
		Why: "the feature gate alone renews nothing: only a kubelet that asks the cluster for its certificate " +
			"(serverTLSBootstrap) gets a new one",
		Class:   want.Restart,
		Threats: []stride.ID{stride.KubernetesNodeRepudiation},
		Level:   1,
		Rule:    checks.Func(rotateServing),
	},
	{
		ID:      "kubernetes/kubelet-ciphers",
		Items:   cis.K8s("4.2.13", "4.2.12", "4.2.12", "4.2.12"),
		Title:   "the kubelet speaks only strong ciphers",
		Why:     "by default it still accepts suites whose block mode has been broken before",
		Breaks:  "clients of the kubelet that know neither TLS 1.3 nor AES-GCM or ChaCha20",
		Class:   want.Restart,
		Threats: []stride.ID{stride.KubernetesNodeSpoofing},
		Level:   1,
		Rule:    checks.Func(kubeletCiphers),
	},
	{
		ID:      "kubernetes/kubelet-pod-pids",
		Items:   cis.K8s("", "4.2.13", "4.2.13", "4.2.13"),
		Title:   "a pod cannot use up the node's processes",
		Why:     "one fork bomb takes every process number, and nothing on the node can start any more",
		Breaks:  "pods with more than 4096 processes and threads: compare pids.current of their cgroups first",
		Class:   want.Workload,
		Threats: []stride.ID{stride.KubernetesNodeDenial},
		Level:   1,
		Rule:    same("podPidsLimit", "pod-max-pids", -1).Must(be.AtLeast(1, 4096)),
	},
	{
		ID:    "kubernetes/kubelet-seccomp-default",
		Items: cis.K8s("", "", "4.2.14", "4.2.14"),
		Title: "pods that say nothing get the runtime's seccomp profile",
		Why:   "without a profile every call of the kernel is open to what runs in the pod, its riskiest included",
		Breaks: "containers created from then on that use calls which the runtime's profile refuses, such as nested " +
			"containers and debuggers",
		Class:   want.Workload,
		Threats: []stride.ID{stride.KubernetesNodeElevation},
		Level:   1,
		Rule:    same("seccompDefault", "seccomp-default", false).unless(noSeccompDefault).Must(be.True),
	},
	{
		ID:    "kubernetes/protect-kernel-defaults",
		Items: cis.K8s("4.2.6", "", "", ""),
		Own:   true,
		Title: "the kubelet insists on the kernel's settings instead of changing them",
		Why: "a kernel tuned otherwise stops the node when memory runs out; a kubelet that silently sets it hides that " +
			"nobody configured it",
		Breaks: "the kubelet does not start while a setting differs: at the next boot too, which is why they are written " +
			"first",
		Class:   want.Restart,
		Threats: []stride.ID{stride.KubernetesNodeDenial},
		Level:   1,
		Rule:    checks.Func(kernelDefaults),
	},
}
