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

// certificateChecks is the part of section 4.2 about what the kubelet proves itself with.
var certificateChecks = []*checks.Check{
	kubeletServingCertificate, kubeletRotateCertificates, kubeletRotateServing, kubeletCiphers,
}

var kubeletServingCertificate = &checks.Check{
	ID:    "kubernetes/kubelet-serving-certificate",
	Items: cis.K8s("4.2.10", "4.2.9", "4.2.9", "4.2.9"),
	Title: "the kubelet serves a certificate that somebody vouches for",
	Why: "nobody can verify a certificate that the kubelet has made for itself, so that anybody in between " +
		"can read and run commands",
	Class:   want.Restart,
	Threats: []stride.ID{stride.KubernetesNodeRepudiation, stride.KubernetesNodeSpoofing},
	Level:   1,
	Rule:    checks.Func(servingCertificate),
}

var (
	tlsCertFile     = same("tlsCertFile", "tls-cert-file", "")
	tlsKeyFile      = same("tlsPrivateKeyFile", "tls-private-key-file", "")
	serverBootstrap = same("serverTLSBootstrap", "rotate-server-certificates", false)
)

const approve = "until the request that the kubelet then makes is approved, nothing can ask it for logs or run " +
	"commands. Look at the names in it (`kubectl get csr`), run `kubectl certificate approve NAME` at once, and have " +
	"something approve the renewals"

// servingCertificate holds where the kubelet is given a certificate, or asks the cluster for one and has got it.
func servingCertificate(h *facts.Host) ([]checks.Finding, error) {
	n, k, err := theKubelet(h)
	if err != nil {
		return nil, err
	}
	cert, err := tlsCertFile.read(k)
	if err != nil {
		return nil, err
	}
	key, err := tlsKeyFile.read(k)
	if err != nil {
		return nil, err
	}
	if cert.Value != "" && key.Value != "" {
		return rule.All(tlsCertFile.Must(set), tlsKeyFile.Must(set)).Judge(h)
	}
	bootstrap, err := serverBootstrap.read(k)
	if err != nil {
		return nil, err
	}
	f := checks.Finding{Subject: "kubelet serverTLSBootstrap", Got: bootstrap.String(),
		Must: "true, or tlsCertFile and tlsPrivateKeyFile set"}
	if !bootstrap.Value {
		f.Reason = bootstrapReason(n, k)
		return []checks.Finding{f}, nil
	}
	dir, ok := k.Next.Last("cert-dir")
	if !ok {
		dir = "/var/lib/kubelet/pki"
	}
	file := path.Join(dir, "kubelet-server-current.pem")
	f.Subject, f.Must = file, "a certificate that the cluster has signed"
	all, err := certificates(h, file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.Got = "not there: the kubelet's request has not been approved"
		f.Reason = "look at the names in it (`kubectl get csr`) and run `kubectl certificate approve NAME`"
	case err != nil:
		return nil, err
	case all[0].Issuer.String() == all[0].Subject.String():
		f.Got = "signed by itself"
		f.Reason = "remove the file, restart the kubelet, and approve its request (`kubectl certificate approve NAME`)"
	default:
		return nil, nil
	}
	return []checks.Finding{f}, nil
}

func bootstrapReason(n *kube.Node, k *kube.Kubelet) string {
	if n.Flavour == kube.K3s || n.Flavour == kube.RKE2 || n.Flavour == kube.MicroK8s {
		return instead(n.Flavour, "kubelet", "rotate-server-certificates=true") + "; " + approve
	}
	file := k.File
	if file == "" {
		file = "the kubelet's configuration file"
	}
	return fmt.Sprintf("set `serverTLSBootstrap: true` in %s and restart the kubelet, with somebody ready to "+
		"approve: %s", file, approve)
}

var kubeletRotateCertificates = &checks.Check{
	ID:    "kubernetes/kubelet-rotate-certificates",
	Items: cis.K8s("4.2.11", "4.2.10", "4.2.10", "4.2.10"),
	Title: "the kubelet renews its client certificate",
	Why: "a certificate that nobody renews ends, with it the node, and is answered by certificates that live " +
		"for ten years",
	Class:   want.Restart,
	Threats: []stride.ID{stride.KubernetesNodeRepudiation, stride.KubernetesNodeSpoofing},
	Level:   1,
	Rule:    checks.Func(rotateClient),
}

// rotateClient leaves out k3s and RKE2, which make the kubelet's certificates themselves.
func rotateClient(h *facts.Host) ([]checks.Finding, error) {
	n, _, err := theKubelet(h)
	if err != nil {
		return nil, err
	}
	if n.Flavour == kube.K3s || n.Flavour == kube.RKE2 {
		return nil, rule.Inapplicable("%s makes the kubelet's certificates itself, and new ones when it is started",
			n.Flavour)
	}
	return same("rotateCertificates", "rotate-certificates", false).Must(be.True).Judge(h)
}

var kubeletRotateServing = &checks.Check{
	ID:    "kubernetes/kubelet-rotate-serving",
	Items: cis.K8s("4.2.12", "4.2.11", "4.2.11", "4.2.11"),
	Title: "the kubelet renews its serving certificate",
	Why: "the feature gate alone renews nothing: only a kubelet that asks the cluster for its certificate " +
		"(serverTLSBootstrap) gets a new one",
	Class:   want.Restart,
	Threats: []stride.ID{stride.KubernetesNodeRepudiation},
	Level:   1,
	Rule:    checks.Func(rotateServing),
}

// rotateServing wants the gate not switched off, and the bootstrap that makes it do anything. A kubelet that is given a
// certificate is renewed by whoever gives it.
func rotateServing(h *facts.Host) ([]checks.Finding, error) {
	n, k, err := theKubelet(h)
	if err != nil {
		return nil, err
	}
	if cert, err := tlsCertFile.read(k); err != nil {
		return nil, err
	} else if cert.Value != "" {
		return nil, rule.Inapplicable("the kubelet is given its certificate (%s), so that whoever gives it renews it",
			cert.Value)
	}
	why := func(*facts.Host, *kube.Kubelet, bool) string { return bootstrapReason(n, k) }
	findings, err := serverBootstrap.unless(why).Must(be.True).Judge(h)
	if err != nil {
		return nil, err
	}
	f, bad, err := servingGate(n, k)
	if bad {
		findings = append([]checks.Finding{f}, findings...)
	}
	return findings, err
}

// servingGate judges the feature gate. Gates are merged one by one, and those of the flag win.
func servingGate(n *kube.Node, k *kube.Kubelet) (checks.Finding, bool, error) {
	f := checks.Finding{Subject: "kubelet featureGates." + gate, Must: "not false"}
	for _, g := range slices.Backward(k.Next.List("feature-gates")) {
		if name, value, _ := strings.Cut(g, "="); name == gate {
			if value != "false" {
				return f, false, nil
			}
			f.Got = "false by --feature-gates in " + k.Next["feature-gates"].Origin
			f.Reason = fmt.Sprintf("take %s=false out of --feature-gates there, and restart the kubelet", gate)
			return f, true, nil
		}
	}
	s := same("featureGates."+gate, "", true)
	r, err := s.read(k)
	if err != nil || r.Value {
		return f, false, err
	}
	f.Got = r.String()
	f.Wants, f.Reason = ask(n, k, s.field, "", nil, s.option(k))
	return f, true, nil
}

var kubeletCiphers = &checks.Check{
	ID:      "kubernetes/kubelet-ciphers",
	Items:   cis.K8s("4.2.13", "4.2.12", "4.2.12", "4.2.12"),
	Title:   "the kubelet speaks only strong ciphers",
	Why:     "by default it still accepts suites whose block mode has been broken before",
	Breaks:  "clients of the kubelet that know neither TLS 1.3 nor AES-GCM or ChaCha20",
	Class:   want.Restart,
	Threats: []stride.ID{stride.KubernetesNodeSpoofing},
	Level:   1,
	Rule:    checks.Func(weakCiphers),
}

func weakCiphers(h *facts.Host) ([]checks.Finding, error) {
	_, k, err := theKubelet(h)
	if err != nil {
		return nil, err
	}
	version := same("tlsMinVersion", "tls-min-version", "")
	v, err := version.read(k)
	if err != nil {
		return nil, err
	}
	if v.Value == "VersionTLS13" {
		return version.Must(be.Equal("VersionTLS13")).Judge(h)
	}
	return same("tlsCipherSuites", "tls-cipher-suites", []string(nil)).Must(strongSuites).Judge(h)
}
