package kubernetes

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"

	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/kube"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/stride"
	"example.com/harden/checks/want"
)

// etcdChecks is section 2.
var etcdChecks = []*checks.Check{
	etcdTLS, etcdClientCertificates, etcdAutoTLS, etcdPeerTLS, etcdPeerCertificates, etcdPeerAutoTLS, etcdOwnAuthority,
}

const etcdRestarts = "etcd is started again: a cluster with one member does not answer for that long, one of three " +
	"must have the other two healthy"

var etcdTLS = &checks.Check{
	ID:      "kubernetes/etcd-tls",
	Items:   cis.K8sAlways("2.1"),
	Title:   "etcd serves its clients over TLS",
	Why:     "every object of the cluster passes here: without TLS whoever is on the way reads and changes it",
	Breaks:  etcdRestarts,
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneTampering},
	Level:   1,
	Manual:  "issue a serving certificate by etcd's authority, name it and its key, and make the client URLs https://",
	Rule: rule.All(
		namedFile(kube.Etcd, [2]string{"cert-file", pki + "etcd/server.crt"},
			[2]string{"key-file", pki + "etcd/server.key"}),
		urls(kube.Etcd, "listen-client-urls", "http://localhost:2379",
			"make it https://, with --advertise-client-urls and the API server's --etcd-servers: all of them together"),
		passed(kube.Etcd, metricsURLs, urls(kube.Etcd, metricsURLs, "",
			"make it https://, or an address of this host alone (http://127.0.0.1:2381), and its manifest's probes "+
				"with it"))),
}

var etcdClientCertificates = &checks.Check{
	ID:      "kubernetes/etcd-client-certificates",
	Items:   cis.K8sAlways("2.2"),
	Title:   "etcd answers only clients with a certificate",
	Why:     "etcd knows no users of Kubernetes: who reaches the port is an administrator of the cluster",
	Breaks:  etcdRestarts,
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneTampering},
	Level:   1,
	Rule:    proven("client-cert-auth", "trusted-ca-file", unproven),
}

// proven is the rule that etcd asks for certificates. To verify them it needs an authority, which is asked for with it.
func proven(flag, authority string, unless func(*facts.Host, *kube.Component, bool) string) checks.Rule {
	return checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		findings, err := arg(kube.Etcd, flag, false).unless(unless).Must(be.True).Judge(h)
		if err != nil || len(findings) == 0 || len(findings[0].Wants) == 0 {
			return findings, err
		}
		n, c, err := component(h, kube.Etcd)
		if err != nil {
			return nil, err
		}
		s, err := arg(kube.Etcd, authority, "").read(c)
		if err != nil || s.Value != "" {
			return findings, err
		}
		f := &findings[0]
		const file = pki + "etcd/ca.crt"
		if f.Wants = nil; !sees(h, c, file) {
			f.Reason = fmt.Sprintf("first name the authority to verify certificates by (--%s)", authority)
			return findings, nil
		}
		for _, ask := range []struct{ name, value string }{{authority, file}, {flag, "true"}} {
			said, _, err := c.Say(ask.name)
			if err != nil {
				return nil, err
			}
			wants, why := change(n, c, ask.name, said, ask.value, nil)
			f.Wants, f.Reason = append(f.Wants, wants...), cmp.Or(f.Reason, why)
		}
		return findings, nil
	})
}

// unproven says why etcd must not ask its clients for certificates yet: the API server of this node has none to show.
func unproven(h *facts.Host, _ *kube.Component, _ bool) string {
	_, api, err := component(h, kube.APIServer)
	if err != nil {
		return "" // it is on another node, or none of this node's business
	}
	if s, ok, err := api.Say("etcd-certfile"); err == nil && ok && s.Value != "" ||
		sees(h, api, pki+"apiserver-etcd-client.crt") {
		return "" // shown already, or by the fix of 1.2.23
	}
	return "first give the API server a certificate for etcd (1.2.23): it would be locked out"
}

var etcdAutoTLS = &checks.Check{
	ID:      "kubernetes/etcd-auto-tls",
	Items:   cis.K8sAlways("2.3"),
	Title:   "etcd does not make certificates for itself to show to clients",
	Why:     "nobody can verify them, so that anybody can answer in etcd's name",
	Breaks:  etcdRestarts,
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneTampering},
	Level:   1,
	Rule:    arg(kube.Etcd, "auto-tls", false).Must(be.False),
}

var etcdPeerTLS = &checks.Check{
	ID:      "kubernetes/etcd-peer-tls",
	Items:   cis.K8sAlways("2.4"),
	Title:   "etcd's members talk over TLS",
	Why:     "what members tell each other is the cluster's data, and who can speak as a member writes it",
	Breaks:  etcdRestarts,
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneTampering},
	Level:   1,
	Manual: "issue a certificate for each member by etcd's authority, name it and its key (--peer-cert-file, " +
		"--peer-key-file), and change the peer URLs with `etcdctl member update` first",
	Rule: rule.All(
		namedFile(kube.Etcd, [2]string{"peer-cert-file", pki + "etcd/peer.crt"},
			[2]string{"peer-key-file", pki + "etcd/peer.key"}),
		urls(kube.Etcd, "listen-peer-urls", "http://localhost:2380",
			"run `etcdctl member update` with https:// peer URLs, then change the flag, one member at a time")),
}

var etcdPeerCertificates = &checks.Check{
	ID:      "kubernetes/etcd-peer-certificates",
	Items:   cis.K8sAlways("2.5"),
	Title:   "etcd's members accept only members with a certificate",
	Why:     "whoever can join as a member gets a copy of all data and a vote",
	Breaks:  etcdRestarts,
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneTampering},
	Level:   1,
	Rule:    proven("peer-client-cert-auth", "peer-trusted-ca-file", nil),
}

var etcdPeerAutoTLS = &checks.Check{
	ID:      "kubernetes/etcd-peer-auto-tls",
	Items:   cis.K8sAlways("2.6"),
	Title:   "etcd's members do not make certificates for themselves",
	Why:     "nobody can verify them, so that anybody can join in a member's name",
	Breaks:  etcdRestarts,
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneTampering},
	Level:   1,
	Rule:    arg(kube.Etcd, "peer-auto-tls", false).Must(be.False),
}

var etcdOwnAuthority = &checks.Check{
	ID:      "kubernetes/etcd-own-authority",
	Items:   cis.K8sAlways("2.7"),
	Title:   "etcd believes an authority that signs for nothing else",
	Why:     "with the cluster's own authority every kubelet's certificate opens etcd",
	Threats: []stride.ID{stride.KubernetesControlPlaneTampering},
	Level:   2,
	Manual: "make an authority for etcd alone and move to it in steps: let all members and API servers believe both, " +
		"issue new certificates by the new one, then take the old one away",
	Rule: checks.Func(ownAuthority),
}

// ownAuthority compares the public keys of the authority that etcd believes and of the cluster's.
func ownAuthority(h *facts.Host) ([]checks.Finding, error) {
	n, c, err := component(h, kube.Etcd)
	if err != nil {
		return nil, err
	}
	s, err := arg(kube.Etcd, "trusted-ca-file", "").read(c)
	if err != nil {
		return nil, err
	}
	f := checks.Finding{Subject: "etcd --trusted-ca-file", Got: s.String(), Must: "an authority of etcd's own"}
	if s.Value == "" {
		return []checks.Finding{f}, nil
	}
	same := be.Cond[string]{Holds: func(v string) bool { return v == s.Value }}
	if !arg(kube.Etcd, "trusted-ca-file", "").takenUp(c, same, &f) {
		return []checks.Finding{f}, nil
	}
	file, ok := c.HostPath(s.Value)
	if !ok {
		return nil, fmt.Errorf("--trusted-ca-file=%s is in no volume of %s", s.Value, c.Where())
	}
	own, err := certificates(h, file)
	if err != nil {
		return nil, err
	}
	other, err := clientAuthority(h, n)
	if err != nil {
		return nil, err
	}
	cluster, err := certificates(h, other)
	if err != nil {
		return nil, err
	}
	for _, c := range own { // etcd believes every one of a bundle
		for _, d := range cluster {
			if bytes.Equal(c.RawSubjectPublicKeyInfo, d.RawSubjectPublicKeyInfo) {
				f.Got = file + ", with the cluster's own authority (" + other + ") in it"
				return []checks.Finding{f}, nil
			}
		}
	}
	return nil, nil
}

// clientAuthority is the file of the authority that signs the cluster's clients, as this node knows it.
func clientAuthority(h *facts.Host, n *kube.Node) (string, error) {
	if api, err := n.Component(kube.APIServer); err == nil {
		if file, ok := api.Path("client-ca-file", want.Certificate); ok {
			return file.Path, nil
		}
	}
	if n.Kubelet != nil {
		if r, err := clientCAFile.read(n.Kubelet); err == nil && r.Value != "" {
			return r.Value, nil
		}
	}
	if ca := clusterCA(h); ca != "" {
		return ca, nil
	}
	return "", errors.New("the cluster's certificate authority is not on this node, so that etcd's cannot be " +
		"compared with it")
}
