package kubernetes

import (
	"errors"
	"io/fs"
	"path"

	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/kube"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/stride"
	"example.com/harden/checks/want"
)

// workerChecks is section 4.1, who may touch what the kubelet and kube-proxy are started with and read.
var workerChecks = []*checks.Check{
	kubeletUnitMode, kubeletUnitOwner, proxyKubeconfigExposed, proxyKubeconfigMode, proxyKubeconfigOwner,
	kubeletKubeconfigMode, kubeletKubeconfigOwner, kubeletClientCAMode, kubeletClientCAOwner, kubeletConfigMode,
	kubeletConfigOwner,
}

const upgrades = "an upgrade of the package sets the mode back; on Debian `dpkg-statoverride --add root root 0600 " +
	"PATH` keeps it"

var kubeletUnitMode = &checks.Check{
	ID:      "kubernetes/kubelet-unit-mode",
	Items:   cis.K8sAlways("4.1.1"),
	Title:   "the kubelet's unit and its drop-ins are readable and writable by root alone",
	Why:     "whoever can write one of them chooses what runs as root at the next start",
	Breaks:  upgrades,
	Threats: []stride.ID{stride.KubernetesNodeRepudiation, stride.KubernetesNodeTampering},
	Level:   1,
	Rule:    mode(kubeletUnit, be.Within(0o600)),
}

// kubeletUnit is the unit that starts the kubelet and every drop-in of it.
func kubeletUnit(h *facts.Host) ([]facts.Place, error) {
	_, k, err := theKubelet(h)
	if err != nil {
		return nil, err
	}
	if k.Unit == "" {
		return nil, rule.Inapplicable("no unit of its own starts the kubelet here")
	}
	u, err := h.Unit(k.Unit)
	if err != nil {
		return nil, err
	}
	return u.Files(), nil
}

var kubeletUnitOwner = &checks.Check{
	ID:      "kubernetes/kubelet-unit-owner",
	Items:   cis.K8sAlways("4.1.2"),
	Title:   "the kubelet's unit and its drop-ins belong to root",
	Why:     "whoever owns one of them chooses what runs as root at the next start",
	Threats: []stride.ID{stride.KubernetesNodeRepudiation, stride.KubernetesNodeTampering},
	Level:   1,
	Rule:    owner(kubeletUnit),
}

var kubeletKubeconfigMode = &checks.Check{
	ID:      "kubernetes/kubelet-kubeconfig-mode",
	Items:   cis.K8sAlways("4.1.5"),
	Title:   "the kubelet's kubeconfig and key are readable by root alone",
	Why:     "with the key in it, or in the file that it names, anybody is this node",
	Threats: []stride.ID{stride.KubernetesNodeRepudiation, stride.KubernetesNodeSpoofing},
	Level:   1,
	Rule:    mode(kubeletKubeconfig, be.Within(0o600)),
}

// kubeletKubeconfig is the kubelet's kubeconfig and the file with its key, which that names.
func kubeletKubeconfig(h *facts.Host) ([]facts.Place, error) {
	n, k, err := theKubelet(h)
	if err != nil {
		return nil, err
	}
	file, ok := k.Next.Last("kubeconfig")
	f := k.Next["kubeconfig"]
	w := want.Warrant{By: f.By, From: "--" + f.Name + " in " + f.Origin, Kind: want.Kubeconfig}
	switch {
	case k.Within == "k3s":
		file, w = kube.DataDir(h, kube.K3s)+"/agent/kubelet.kubeconfig", want.Mine
	case n.Flavour == kube.RKE2 && !ok:
		file, w = kube.DataDir(h, kube.RKE2)+"/agent/kubelet.kubeconfig", want.Mine
	case !ok:
		return nil, rule.Inapplicable("the kubelet is given no kubeconfig")
	}
	files := rule.Named(w, file)
	doc, err := h.Document(file)
	if errors.Is(err, fs.ErrNotExist) {
		return files, nil
	}
	if err == nil {
		err = doc.IsKubeconfig()
	}
	if err != nil {
		return nil, err
	}
	var config struct {
		Users []struct {
			User struct {
				Key string `yaml:"client-key"`
			}
		}
	}
	if err := doc.Decode(&config); err != nil {
		return nil, err
	}
	for _, u := range config.Users {
		if path.IsAbs(u.User.Key) && u.User.Key != file {
			files = append(files, rule.Named(w.Naming(doc.By, "client-key in "+file, want.PrivateKey), u.User.Key)...)
		}
	}
	return files, nil
}

var kubeletKubeconfigOwner = &checks.Check{
	ID:      "kubernetes/kubelet-kubeconfig-owner",
	Items:   cis.K8sAlways("4.1.6"),
	Title:   "the kubelet's kubeconfig and key belong to root",
	Why:     "whoever owns the file reads the key in it, and is this node",
	Threats: []stride.ID{stride.KubernetesNodeRepudiation, stride.KubernetesNodeSpoofing},
	Level:   1,
	Rule:    owner(kubeletKubeconfig),
}

var kubeletClientCAMode = &checks.Check{
	ID:      "kubernetes/kubelet-client-ca-mode",
	Items:   cis.K8sAlways("4.1.7"),
	Title:   "the authority that the kubelet believes is writable by root alone",
	Why:     "whoever can rewrite it decides whom the kubelet takes for the API server",
	Threats: []stride.ID{stride.KubernetesNodeSpoofing},
	Level:   1,
	Rule:    mode(kubeletCA, be.Within(0o644)),
}

// kubeletCA is the authority that the kubelet verifies its callers by.
func kubeletCA(h *facts.Host) ([]facts.Place, error) {
	n, k, err := theKubelet(h)
	if err != nil {
		return nil, err
	}
	r, err := clientCAFile.read(k)
	switch {
	case err != nil && k.Open && k.Err == nil:
		return rule.Known(kube.DataDir(h, n.Flavour) + "/agent/client-ca.crt"), nil
	case err != nil:
		return nil, err
	case r.Value == "":
		return nil, rule.Inapplicable("the kubelet verifies no certificates (4.2.3)")
	}
	return rule.Named(want.Warrant{By: r.By, From: r.String(), Kind: want.Certificate}, r.Value), nil
}

var kubeletClientCAOwner = &checks.Check{
	ID:      "kubernetes/kubelet-client-ca-owner",
	Items:   cis.K8sAlways("4.1.8"),
	Title:   "the authority that the kubelet believes belongs to root",
	Why:     "whoever owns it decides whom the kubelet takes for the API server",
	Threats: []stride.ID{stride.KubernetesNodeSpoofing},
	Level:   1,
	Rule:    owner(kubeletCA),
}

var kubeletConfigMode = &checks.Check{
	ID:      "kubernetes/kubelet-config-mode",
	Items:   cis.K8sAlways("4.1.9"),
	Title:   "the kubelet's configuration is readable and writable by root alone",
	Why:     "whoever can write it, or a drop-in, opens the kubelet at its next start",
	Threats: []stride.ID{stride.KubernetesNodeRepudiation, stride.KubernetesNodeTampering},
	Level:   1,
	Rule:    mode(kubeletConfig, be.Within(0o600)),
}

// kubeletConfig is every file that the kubelet's configuration is read from, and kubeadm's beside it.
func kubeletConfig(h *facts.Host) ([]facts.Place, error) {
	_, k, err := theKubelet(h)
	if err != nil {
		return nil, err
	}
	var files []facts.Place
	if k.File != "" {
		files = rule.Named(k.Entitled(k.File), k.File, path.Join(path.Dir(k.File), "instance-config.yaml"))
	}
	for _, p := range k.DropIns {
		files = append(files, rule.Named(k.Entitled(p), p)...)
	}
	if len(files) == 0 {
		return nil, rule.Inapplicable("the kubelet reads no configuration file")
	}
	return files, nil
}

var kubeletConfigOwner = &checks.Check{
	ID:      "kubernetes/kubelet-config-owner",
	Items:   cis.K8sAlways("4.1.10"),
	Title:   "the kubelet's configuration belongs to root",
	Why:     "whoever owns it, or a drop-in, opens the kubelet at its next start",
	Threats: []stride.ID{stride.KubernetesNodeRepudiation, stride.KubernetesNodeTampering},
	Level:   1,
	Rule:    owner(kubeletConfig),
}
