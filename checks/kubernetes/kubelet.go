package kubernetes

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/kube"
	"example.com/harden/checks/stride"
	"example.com/harden/checks/want"
)

// kubeletChecks is the part of section 4.2 about whom the kubelet answers, and how it is told to run.
var kubeletChecks = []*checks.Check{
	kubeletAnonymous, kubeletAuthorization, kubeletClientCA, kubeletReadOnlyPort, kubeletStreamingTimeout,
	kubeletIptablesChains, kubeletHostname, kubeletEventRate,
}

var kubeletAnonymous = &checks.Check{
	ID:    "kubernetes/kubelet-anonymous",
	Items: cis.K8sAlways("4.2.1"),
	Title: "the kubelet answers nobody who does not say who they are",
	Why: "whoever reaches port 10250 could ask it for logs and have it run commands in containers, without a " +
		"trace in the API server",
	Breaks:  "monitoring that reads the kubelet's metrics without credentials",
	Class:   want.Restart,
	Threats: []stride.ID{stride.KubernetesNodeRepudiation, stride.KubernetesNodeElevation},
	Level:   1,
	Rule: setting[bool]{field: "authentication.anonymous.enabled", flag: "anonymous-auth", legacy: true}.
		unless(noClientCA[bool]).Must(be.False),
}

// noClientCA says why callers must not be asked for credentials yet: without an authority to verify certificates by,
// the API server would be locked out with everybody else.
func noClientCA[T any](h *facts.Host, k *kube.Kubelet, _ T) string {
	r, err := clientCAFile.read(k)
	if err == nil && r.Value != "" {
		return ""
	}
	if err == nil && clusterCA(h) != "" {
		return "" // which another fix of the same run sets
	}
	return "first set authentication.x509.clientCAFile (4.2.3): without it the API server itself is anonymous to " +
		"this kubelet"
}

var kubeletAuthorization = &checks.Check{
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
}

var kubeletClientCA = &checks.Check{
	ID:    "kubernetes/kubelet-client-ca",
	Items: cis.K8sAlways("4.2.3"),
	Title: "the kubelet verifies its callers' certificates",
	Why: "without an authority to verify them by, no certificate proves anything, and the API server itself " +
		"is anonymous",
	Class:   want.Restart,
	Threats: []stride.ID{stride.KubernetesNodeRepudiation},
	Level:   1,
	Manual: "set authentication.x509.clientCAFile to the certificate authority of the cluster's clients, and " +
		"restart the kubelet",
	Rule: checks.Func(clientCA),
}

var clientCAFile = same("authentication.x509.clientCAFile", "client-ca-file", "")

// clientCA proposes the authority of the cluster where that is on this node.
func clientCA(h *facts.Host) ([]checks.Finding, error) {
	return clientCAFile.Must(be.Cond[string]{
		Text:    "set",
		Holds:   func(s string) bool { return s != "" },
		Nearest: func(string) (string, bool) { ca := clusterCA(h); return ca, ca != "" },
	}).Judge(h)
}

// clusterCA is where kubeadm puts the certificate authority on every node; empty where it is not there.
func clusterCA(h *facts.Host) string {
	const file = "/etc/kubernetes/pki/ca.crt"
	if _, err := h.Info(file); err != nil {
		return ""
	}
	return file
}

var kubeletReadOnlyPort = &checks.Check{
	ID:      "kubernetes/kubelet-read-only-port",
	Items:   cis.K8sAlways("4.2.4"),
	Title:   "the kubelet has no port that asks for no credentials",
	Why:     "port 10255 tells everybody who reaches it which pods run here, with their environment and addresses",
	Breaks:  "monitoring that still reads port 10255",
	Class:   want.Restart,
	Threats: []stride.ID{stride.KubernetesNodeRepudiation},
	Level:   1,
	Rule:    setting[int]{field: "readOnlyPort", flag: "read-only-port", legacy: 10255}.Must(be.Equal(0)),
}

var kubeletStreamingTimeout = &checks.Check{
	ID:    "kubernetes/kubelet-streaming-timeout",
	Items: cis.K8sAlways("4.2.5"),
	Title: "idle connections to containers end",
	Why: "connections that never end use up ports and memory; since Kubernetes 1.24 the container runtime holds them " +
		"and has its own limit (containerd's stream_idle_timeout), so that this one must only not be switched off",
	Class:   want.Restart,
	Threats: []stride.ID{stride.KubernetesNodeDenial},
	Level:   1,
	Rule: setting[string]{field: "streamingConnectionIdleTimeout", flag: "streaming-connection-idle-timeout",
		unset: "4h", legacy: "4h", blank: "0s"}.Must(someTime),
}

// someTime requires a duration that is not zero. In a file 0s means unset, which the kubelet makes four hours of; only
// the flag can say a zero that counts.
var someTime = be.Cond[string]{
	Text:  "longer than nothing",
	Holds: func(s string) bool { return !noTime(s) },
	Nearest: func(s string) (string, bool) {
		if noTime(s) {
			s = "4h0m0s"
		}
		return s, true
	},
}

func noTime(s string) bool {
	d, err := time.ParseDuration(s)
	return err == nil && d <= 0
}

var kubeletIptablesChains = &checks.Check{
	ID:    "kubernetes/kubelet-iptables-chains",
	Items: cis.K8s("4.2.7", "4.2.6", "4.2.6", "4.2.6"),
	Title: "the kubelet keeps its chains in the packet filter",
	Why: "add-ons find out by the kubelet's chains which packet filter this node uses: without them they may " +
		"write rules that nothing reads",
	Class:   want.Restart,
	Threats: []stride.ID{stride.KubernetesNodeTampering},
	Level:   1,
	Rule:    same("makeIPTablesUtilChains", "make-iptables-util-chains", true).Must(be.True),
}

var kubeletHostname = &checks.Check{
	ID:      "kubernetes/kubelet-hostname",
	Items:   cis.K8s("4.2.8", "4.2.7", "4.2.7", "4.2.7"),
	Title:   "the node's name is its host name",
	Why:     "a node that can call itself anything makes certificates and audit records name the wrong machine",
	Class:   want.Restart,
	Threats: []stride.ID{stride.KubernetesNodeSpoofing},
	Level:   1,
	Rule:    checks.Func(hostname),
}

// hostname judges --hostname-override, which has no field. To take it away renames a node that was registered by
// another name: its pods are lost, so that only a person can.
func hostname(h *facts.Host) ([]checks.Finding, error) {
	n, k, err := theKubelet(h)
	if err != nil {
		return nil, err
	}
	o := k.Option(nil, "hostname-override")
	name, given := k.Next.Last("hostname-override")
	switch {
	case k.Err != nil && !given:
		return nil, k.Err
	case !given && (k.Open || k.Within == "k3s"): // which passes flags of its own
		return nil, fmt.Errorf("nothing that can be seen sets --hostname-override: what is passed to the kubelet is " +
			"not known")
	case !given && (o.Running == nil || h.Restarted(k.Unit)):
		return nil, nil
	}
	f := checks.Finding{Subject: "kubelet --hostname-override", Must: "left out"}
	if !given {
		f.Got, f.Pending = "passed to the running kubelet: pending restart", true
		f.Wants, f.Reason = restart(k, "hostname-override")
		return []checks.Finding{f}, nil
	}
	f.Got = fmt.Sprintf("%s in %s", name, origin(o.Next))
	host, err := kernelHostname(h)
	switch {
	case err != nil:
		f.Reason = fmt.Sprintf("whether the host is called %s too is not known (%v); where it is not, without the "+
			"flag the node would join again by another name and its pods would be lost", name, err)
	case !strings.EqualFold(host, name):
		f.Reason = fmt.Sprintf("the host is called %s: without the flag the node would join again by that name, and "+
			"the pods of %s would be lost. Rename the host, or drain the node and join it again", host, name)
	case n.Flavour.Generated():
		f.Reason = instead(n.Flavour, "kubelet", "hostname-override")
	case k.Unit == "":
		f.Reason = "take --hostname-override away where the kubelet is started: no systemd unit of its own does"
	default:
		f.Wants = []want.Want{want.Flag{Unit: k.Unit, Name: o.Next.Name, Gone: true, Warrant: k.UnitBy}}
	}
	return []checks.Finding{f}, nil
}

// kernelHostname is what the kubelet would call the node.
func kernelHostname(h *facts.Host) (string, error) {
	f, err := h.File("/proc/sys/kernel/hostname")
	if errors.Is(err, fs.ErrNotExist) {
		f, err = h.File("/etc/hostname")
	}
	return strings.TrimSpace(string(f.Data)), err
}

var kubeletEventRate = &checks.Check{
	ID:    "kubernetes/kubelet-event-rate",
	Items: cis.K8s("4.2.9", "4.2.8", "4.2.8", "4.2.8"),
	Title: "the kubelet does not drop events of what happens on the node",
	Why: "events are how the cluster learns what a pod went through; 0 does not mean all of them, but five a " +
		"second",
	Class:   want.Restart,
	Threats: []stride.ID{stride.KubernetesNodeRepudiation},
	Level:   2,
	Rule:    same("eventRecordQPS", "event-qps", 50).Must(be.AtLeast(5, 50)),
}
