package kubernetes

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/want"
)

var clientCAFile = same("authentication.x509.clientCAFile", "client-ca-file", "")

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

// noClientCA says why callers must not be asked for credentials yet: without an authority to verify certificates by,
// the API server would be locked out with everybody else.
func noClientCA[T any](h *facts.Host, k *facts.Kubelet, _ T) string {
	r, err := clientCAFile.read(k)
	if err == nil && r.Value != "" {
		return ""
	}
	if err == nil && clusterCA(h) != "" {
		return "" // which another fix of the same run sets
	}
	return "first set authentication.x509.clientCAFile (4.2.3): without it the API server itself is anonymous to this " +
		"kubelet"
}

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
		return nil, fmt.Errorf("nothing that can be seen sets --hostname-override: what is passed to the kubelet is not " +
			"known")
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
		f.Reason = fmt.Sprintf("whether the host is called %s too is not known (%v); where it is not, without the flag the "+
			"node "+
			"would join again by another name and its pods would be lost", name, err)
	case !strings.EqualFold(host, name):
		f.Reason = fmt.Sprintf("the host is called %s: without the flag the node would join again by that name, and the "+
			"pods of %s "+
			"would be lost. Rename the host, or drain the node and join it again", host, name)
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

var (
	tlsCertFile     = same("tlsCertFile", "tls-cert-file", "")
	tlsKeyFile      = same("tlsPrivateKeyFile", "tls-private-key-file", "")
	serverBootstrap = same("serverTLSBootstrap", "rotate-server-certificates", false)
)

const approve = "until the request that the kubelet then makes is approved, nothing can ask it for logs or run " +
	"commands. Look at the " +
	"names in it (`kubectl get csr`), run `kubectl certificate approve NAME` at once, and have something approve the " +
	"renewals"

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
	f := checks.Finding{Subject: "kubelet serverTLSBootstrap", Got: bootstrap.String(), Must: "true, or tlsCertFile and " +
		"tlsPrivateKeyFile set"}
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
	c, err := certificate(h, file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.Got = "not there: the kubelet's request has not been approved"
		f.Reason = "look at the names in it (`kubectl get csr`) and run `kubectl certificate approve NAME`"
	case err != nil:
		return nil, err
	case c.Issuer.String() == c.Subject.String():
		f.Got = "signed by itself"
		f.Reason = "remove the file, restart the kubelet, and approve its request (`kubectl certificate approve NAME`)"
	default:
		return nil, nil
	}
	return []checks.Finding{f}, nil
}

func bootstrapReason(n *facts.Node, k *facts.Kubelet) string {
	if n.Flavour == facts.K3s || n.Flavour == facts.RKE2 || n.Flavour == facts.MicroK8s {
		return instead(n.Flavour, "kubelet", "rotate-server-certificates=true") + "; " + approve
	}
	file := k.File
	if file == "" {
		file = "the kubelet's configuration file"
	}
	return fmt.Sprintf("set `serverTLSBootstrap: true` in %s and restart the kubelet, with somebody ready to "+
		"approve: %s", file, approve)
}

// rotateClient leaves out k3s and RKE2, which make the kubelet's certificates themselves.
func rotateClient(h *facts.Host) ([]checks.Finding, error) {
	n, _, err := theKubelet(h)
	if err != nil {
		return nil, err
	}
	if n.Flavour == facts.K3s || n.Flavour == facts.RKE2 {
		return nil, rule.Inapplicable("%s makes the kubelet's certificates itself, and new ones when it is "+
			"started", n.Flavour)
	}
	return same("rotateCertificates", "rotate-certificates", false).Must(be.True).Judge(h)
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
		return nil, rule.Inapplicable("the kubelet is given its certificate (%s), so that whoever gives it "+
			"renews it", cert.Value)
	}
	findings, err := serverBootstrap.unless(func(*facts.Host, *facts.Kubelet, bool) string {
		return bootstrapReason(n, k)
	}).
		Must(be.True).Judge(h)
	if err != nil {
		return nil, err
	}
	f, bad, err := servingGate(n, k)
	if bad {
		findings = append([]checks.Finding{f}, findings...)
	}
	return findings, err
}

const gate = "RotateKubeletServerCertificate"

// servingGate judges the feature gate. Gates are merged one by one, and those of the flag win.
func servingGate(n *facts.Node, k *facts.Kubelet) (checks.Finding, bool, error) {
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

// strongCiphers are the suites that the benchmark allows a kubelet, strongest first, and the older names of two of
// them.
var strongCiphers = []string{
	"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
	"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
	"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
}

var olderNames = map[string]bool{"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305": true,
	"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305": true}

// tls13Suites cannot be chosen in Go, and do no harm where they are named.
func strong(suite string) bool {
	return slices.Contains(strongCiphers, suite) || olderNames[suite] || strings.HasPrefix(suite, "TLS_AES_") ||
		suite == "TLS_CHACHA20_POLY1305_SHA256"
}

// strongSuites requires a list of strong suites alone; the nearest keeps what is strong of a list that was chosen.
var strongSuites = be.Cond[[]string]{
	Text: "strong suites alone, or the lowest version TLS 1.3",
	Holds: func(suites []string) bool {
		return len(suites) > 0 && !slices.ContainsFunc(suites, func(s string) bool { return !strong(s) })
	},
	Nearest: func(suites []string) ([]string, bool) {
		kept := slices.DeleteFunc(slices.Clone(suites), func(s string) bool { return !strong(s) })
		if len(kept) == 0 {
			kept = strongCiphers
		}
		return kept, true
	},
}

func kubeletCiphers(h *facts.Host) ([]checks.Finding, error) {
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

// kernelSettings are what the kubelet sets, or with protectKernelDefaults insists on. Source: kubernetes
// pkg/kubelet/cm/container_manager_linux.go, setupKernelTunables.
var kernelSettings = []struct{ name, value, kernel string }{
	{"vm.overcommit_memory", "1", "0"},
	{"vm.panic_on_oom", "0", "0"},
	{"kernel.panic", "10", "0"},
	{"kernel.panic_on_oops", "1", "0"},
	{"kernel.keys.root_maxkeys", "1000000", "1000000"},
	{"kernel.keys.root_maxbytes", "25000000", "25000000"},
}

const sysctlFile = "/etc/sysctl.d/90-harden-kubelet.conf"

// kernelDefaults wants protectKernelDefaults, and the settings that it insists on in a file that the next boot reads:
// right after it is switched on they are right because the kubelet itself had set them, and after a boot it would not
// start.
func kernelDefaults(h *facts.Host) ([]checks.Finding, error) {
	s := same("protectKernelDefaults", "protect-kernel-defaults", false)
	findings, err := s.Must(be.True).Judge(h)
	if err != nil {
		return nil, err
	}
	boot, err := h.Sysctls()
	if err != nil {
		return findings, err
	}
	var lines strings.Builder
	lines.WriteString("# Written by harden; \"harden rollback\" takes it back. The kubelet insists on these " +
		"(protectKernelDefaults).\n")
	var missing, against []string
	for _, kernel := range kernelSettings {
		fmt.Fprintf(&lines, "%s = %s\n", kernel.name, kernel.value)
		set, ok := boot[kernel.name]
		switch {
		case ok && set.Value != kernel.value:
			against = append(against, fmt.Sprintf("%s = %s in %s", kernel.name, set.Value, set.File))
		case !ok && kernel.kernel != kernel.value:
			missing = append(missing, kernel.name)
		}
	}
	if len(against)+len(missing) == 0 {
		return findings, nil
	}
	file := want.Content{File: sysctlFile, Data: lines.String(), Mode: 0o644, Warrant: want.Mine}
	why := unready(h, against)
	if len(findings) == 0 { // switched on, and it will not survive a boot
		f := checks.Finding{Subject: "kernel settings at boot", Must: "what the kubelet insists on",
			Got: "left as they are: " + strings.Join(append(missing, against...), ", "), Reason: why}
		if why == "" {
			f.Wants = []want.Want{file}
		}
		return []checks.Finding{f}, nil
	}
	for i := range findings {
		switch {
		case why != "":
			findings[i].Wants, findings[i].Reason = nil, why
		case len(findings[i].Wants) > 0:
			findings[i].Wants = append([]want.Want{file}, findings[i].Wants...)
		}
	}
	return findings, nil
}

// unready says why the kubelet would not come back if it insisted: a setting that another file overrides, or that is
// not right now.
func unready(h *facts.Host, against []string) string {
	if len(against) > 0 {
		return "another file sets what the kubelet would not start with: change " + strings.Join(against, ", ")
	}
	if i, err := h.Info(sysctlFile); err == nil && i.Size > 0 {
		return fmt.Sprintf("%s is there and does not say all that the kubelet insists on: complete it", sysctlFile)
	}
	var wrong []string
	for _, kernel := range kernelSettings {
		f, err := h.File("/proc/sys/" + strings.ReplaceAll(kernel.name, ".", "/"))
		if err != nil {
			continue // a host that does not run
		}
		if now := strings.TrimSpace(string(f.Data)); now != kernel.value {
			wrong = append(wrong, fmt.Sprintf("%s is %s", kernel.name, now))
		}
	}
	if len(wrong) > 0 {
		return fmt.Sprintf("the kernel is not set so now (%s): write the six settings to %s, run `sysctl -p %[2]s`, then "+
			"run harden again",
			strings.Join(wrong, ", "), sysctlFile)
	}
	return ""
}
