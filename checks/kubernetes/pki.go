package kubernetes

import (
	"bytes"
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

// pkiChecks is the part of section 1.1 about what the control plane proves itself with.
var pkiChecks = []*checks.Check{
	adminKubeconfigMode, adminKubeconfigOwner, schedulerKubeconfigMode, schedulerKubeconfigOwner,
	controllerManagerKubeconfigMode, controllerManagerKubeconfigOwner, pkiOwner, pkiCertificateMode, pkiKeyMode,
}

var adminKubeconfigMode = &checks.Check{
	ID:      "kubernetes/admin-kubeconfig-mode",
	Items:   cis.K8sAlways("1.1.13"),
	Title:   "administrators' kubeconfigs are readable by root alone",
	Why:     "the key in it is an administrator of the cluster, that of super-admin.conf one whom no role can restrict",
	Threats: []stride.ID{stride.KubernetesControlPlaneElevation},
	Level:   1,
	Rule:    mode(adminConfigs, be.Within(0o600)),
}

// adminConfigs are the kubeconfigs of administrators that a flavour makes.
func adminConfigs(h *facts.Host) ([]facts.Place, error) {
	n, err := kube.NodeOf(h)
	if err != nil {
		return nil, err
	}
	switch n.Flavour {
	case kube.K3s, kube.RKE2:
		name := strings.ToLower(string(n.Flavour))
		return rule.Known("/etc/rancher/"+name+"/"+name+".yaml", kube.DataDir(h, n.Flavour)+"/server/cred/admin.kubeconfig"),
			nil
	case kube.MicroK8s:
		return rule.Known("/var/snap/microk8s/current/credentials/client.config"), nil
	}
	return rule.Known("/etc/kubernetes/admin.conf", "/etc/kubernetes/super-admin.conf"), nil
}

var adminKubeconfigOwner = &checks.Check{
	ID:      "kubernetes/admin-kubeconfig-owner",
	Items:   cis.K8sAlways("1.1.14"),
	Title:   "administrators' kubeconfigs belong to root",
	Why:     "whoever owns the file can read the key in it, which is an administrator of the cluster",
	Threats: []stride.ID{stride.KubernetesControlPlaneElevation},
	Level:   1,
	Rule:    owner(adminConfigs),
}

var schedulerKubeconfigMode = &checks.Check{
	ID:      "kubernetes/scheduler-kubeconfig-mode",
	Items:   cis.K8sAlways("1.1.15"),
	Title:   "the scheduler's kubeconfig is readable by root alone",
	Why:     "with the key in it pods can be put onto any node",
	Threats: []stride.ID{stride.KubernetesControlPlaneElevation},
	Level:   1,
	Rule:    mode(kubeconfig(kube.Scheduler, "scheduler"), be.Within(0o600)),
}

// kubeconfig is the file by which a program finds and proves itself to the API server; k3s has it under a name of its
// own.
func kubeconfig(program, rancher string) rule.Paths {
	return func(h *facts.Host) ([]facts.Place, error) {
		_, c, err := component(h, program)
		if err != nil {
			return nil, err
		}
		if c.Within == "k3s" {
			return rule.Known(kube.DataDir(h, kube.K3s) + "/server/cred/" + rancher + ".kubeconfig"), nil
		}
		files := flagFiles(c, want.Kubeconfig, "kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")
		// It beats --kubeconfig.
		if file, ok := c.Next.Last("config"); ok && file != "" && program == kube.Scheduler {
			d, err := schedulerConfig(c)
			if err != nil {
				return nil, err
			}
			if inside := d.Text("clientConnection", "kubeconfig"); inside != "" {
				on, ok := c.HostPath(inside)
				if !ok {
					return nil, fmt.Errorf("%s: clientConnection.kubeconfig: %s is in no volume of %s", d.File, inside,
						c.Where())
				}
				by := want.Warrant{By: min(d.By, c.Next["config"].By), From: "clientConnection.kubeconfig in " + d.File,
					Kind: want.Kubeconfig}
				files = append(files, rule.Named(by, on)...)
			}
		}
		if len(files) == 0 {
			return nil, rule.Inapplicable("%s is given no kubeconfig", program)
		}
		return files, nil
	}
}

// schedulerConfig is the file that the scheduler reads.
func schedulerConfig(c *kube.Component) (*facts.Document, error) {
	d, err := c.Document("config")
	if err != nil {
		return nil, err
	}
	return d, d.Is("KubeSchedulerConfiguration")
}

var schedulerKubeconfigOwner = &checks.Check{
	ID:      "kubernetes/scheduler-kubeconfig-owner",
	Items:   cis.K8sAlways("1.1.16"),
	Title:   "the scheduler's kubeconfig belongs to root",
	Why:     "whoever owns the file can read the key in it",
	Threats: []stride.ID{stride.KubernetesControlPlaneElevation},
	Level:   1,
	Rule:    owner(kubeconfig(kube.Scheduler, "scheduler")),
}

var controllerManagerKubeconfigMode = &checks.Check{
	ID:      "kubernetes/controller-manager-kubeconfig-mode",
	Items:   cis.K8sAlways("1.1.17"),
	Title:   "the controller manager's kubeconfig is readable by root alone",
	Why:     "with the key in it tokens of every service account can be made",
	Threats: []stride.ID{stride.KubernetesControlPlaneElevation},
	Level:   1,
	Rule:    mode(kubeconfig(kube.ControllerManager, "controller"), be.Within(0o600)),
}

var controllerManagerKubeconfigOwner = &checks.Check{
	ID:      "kubernetes/controller-manager-kubeconfig-owner",
	Items:   cis.K8sAlways("1.1.18"),
	Title:   "the controller manager's kubeconfig belongs to root",
	Why:     "whoever owns the file can read the key in it",
	Threats: []stride.ID{stride.KubernetesControlPlaneElevation},
	Level:   1,
	Rule:    owner(kubeconfig(kube.ControllerManager, "controller")),
}

var pkiOwner = &checks.Check{
	ID:      "kubernetes/pki-owner",
	Items:   cis.K8sAlways("1.1.19"),
	Title:   "the cluster's certificates and keys belong to root",
	Why:     "whoever owns a directory or file of them replaces the authority that everybody believes",
	Threats: []stride.ID{stride.KubernetesControlPlaneSpoofing, stride.KubernetesControlPlaneTampering},
	Level:   1,
	Rule:    owner(pkiTree),
}

// pkiTree is the directory of certificates and all that is below it.
func pkiTree(h *facts.Host) ([]facts.Place, error) {
	p, err := thePKI(h)
	if err != nil {
		return nil, err
	}
	if p.dir == nil {
		return append(slices.Clone(p.certs), p.keys...), nil
	}
	tree := []facts.Place{*p.dir}
	err = walk(h, p.dir.Path, 5, func(file string, _ facts.Info) {
		tree = append(tree, facts.Place{Path: file, Warrant: p.dir.Warrant})
	})
	return tree, err
}

// A pkiPlace is where the certificates of the control plane are: a directory made for them, such as kubeadm's
// certificatesDir, or, where what holds them holds other things too, the files that flags name.
type pkiPlace struct {
	dir   *facts.Place // nil where there is no such directory
	certs []facts.Place
	keys  []facts.Place
}

func thePKI(h *facts.Host) (*pkiPlace, error) {
	_, c, err := component(h, kube.APIServer)
	if err != nil {
		return nil, err
	}
	if c.Within == "k3s" {
		return &pkiPlace{dir: &rule.Known(kube.DataDir(h, kube.K3s) + "/server/tls")[0]}, nil
	}
	p := &pkiPlace{certs: flagFiles(c, want.Certificate, certificateFlags...),
		keys: flagFiles(c, want.PrivateKey, keyFlags...)}
	for _, flag := range []string{"client-ca-file", "tls-cert-file"} {
		f, ok := c.Path(flag, want.PKI)
		if !ok {
			continue
		}
		f.Path = path.Dir(f.Path)
		if f.Path == path.Clean(pki) {
			break
		}
		i, err := h.Info(f.Path)
		if errors.Is(err, fs.ErrNotExist) {
			return p, nil
		}
		if err != nil {
			return nil, err
		}
		names, err := h.List(f.Path)
		if err != nil {
			return nil, err
		}
		if facts.Fits(want.PKI, i, nil, names) == "" {
			p.dir = &f
		}
		return p, nil
	}
	p.dir = &facts.Place{Path: path.Clean(pki), Warrant: want.Warrant{By: want.Root}}
	return p, nil
}

// Which of the API server's flags name certificates, and which keys.
var (
	certificateFlags = []string{"client-ca-file", "tls-cert-file", "etcd-cafile", "etcd-certfile",
		"kubelet-certificate-authority", "kubelet-client-certificate", "proxy-client-cert-file",
		"requestheader-client-ca-file"}
	keyFlags = []string{"tls-private-key-file", "etcd-keyfile", "kubelet-client-key", "proxy-client-key-file",
		"service-account-signing-key-file"}
)

var pkiCertificateMode = &checks.Check{
	ID:      "kubernetes/pki-certificate-mode",
	Items:   cis.K8sAlways("1.1.20"),
	Title:   "the cluster's certificates are writable by root alone",
	Why:     "whoever can rewrite an authority's certificate decides who is believed",
	Threats: []stride.ID{stride.KubernetesControlPlaneSpoofing},
	Level:   1,
	Rule:    mode(pkiFiles(false), be.Within(0o644)),
}

// pkiFiles are the private keys below the directory of certificates, or the certificates. What is in a file counts, and
// its name where nothing in it tells.
func pkiFiles(keys bool) rule.Paths {
	return func(h *facts.Host) ([]facts.Place, error) {
		p, err := thePKI(h)
		if err != nil {
			return nil, err
		}
		files := p.certs
		if keys {
			files = p.keys
		}
		where := "the flags of the API server"
		if p.dir != nil {
			where = p.dir.Path
			if files, err = pkiBelow(h, *p.dir, keys); err != nil {
				return nil, err
			}
		}
		if len(files) == 0 {
			return nil, rule.Inapplicable("%s: none there", where)
		}
		return files, nil
	}
}

func pkiBelow(h *facts.Host, dir facts.Place, keys bool) ([]facts.Place, error) {
	all, err := below(h, dir.Path, 5)
	if err != nil {
		return nil, err
	}
	var files []facts.Place
	for _, p := range all {
		named := path.Ext(p) == ".key"
		if !named && !slices.Contains([]string{".crt", ".pem", ".cert", ".cer"}, path.Ext(p)) {
			continue
		}
		key := named
		if path.Ext(p) == ".pem" {
			f, err := h.File(p)
			if err != nil {
				return nil, err
			}
			key = bytes.Contains(f.Data, []byte("PRIVATE KEY-----"))
		}
		if key == keys {
			files = append(files, facts.Place{Path: p, Warrant: dir.Warrant})
		}
	}
	return files, nil
}

var pkiKeyMode = &checks.Check{
	ID:      "kubernetes/pki-key-mode",
	Items:   cis.K8sAlways("1.1.21"),
	Title:   "the cluster's private keys are readable by root alone",
	Why:     "with a key of an authority anybody can be made",
	Threats: []stride.ID{stride.KubernetesControlPlaneDisclosure, stride.KubernetesControlPlaneSpoofing},
	Level:   1,
	Rule:    mode(pkiFiles(true), be.Within(0o600)),
}
