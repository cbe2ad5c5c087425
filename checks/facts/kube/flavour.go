package kube

import (
	"errors"
	"io/fs"
	"path"
	"strings"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
)

// A Flavour is how Kubernetes came to a node, and with that where its configuration belongs.
type Flavour string

// The flavours.
const (
	Kubeadm  Flavour = "kubeadm"
	K3s      Flavour = "k3s"
	RKE2     Flavour = "RKE2"
	MicroK8s Flavour = "MicroK8s"
	K0s      Flavour = "k0s"
	Talos    Flavour = "Talos"
	EKS      Flavour = "EKS"
	GKE      Flavour = "GKE"
	AKS      Flavour = "AKS"
	ByHand   Flavour = "by hand" // none of the others: units and files that somebody wrote
)

// Generated reports whether a flavour writes the files of Kubernetes anew from a place of its own, so that what is
// changed in them is lost.
func (f Flavour) Generated() bool { return f != Kubeadm && f != ByHand }

// signs are paths that only one flavour has, what is the more telling first. EKS, GKE and AKS run their kubelets on
// machines that kubeadm may have left things on.
var signs = []struct {
	flavour Flavour
	path    string
}{
	{RKE2, "/etc/rancher/rke2"}, {RKE2, "/var/lib/rancher/rke2/agent"},
	{K3s, "/etc/rancher/k3s"}, {K3s, "/var/lib/rancher/k3s/agent"},
	{MicroK8s, "/var/snap/microk8s/current/args"}, {K0s, "/etc/k0s"}, {K0s, "/var/lib/k0s"},
	{EKS, "/etc/eks"}, {GKE, "/home/kubernetes/kubelet-config.yaml"}, {AKS, "/etc/kubernetes/azure.json"},
	{Kubeadm, "/var/lib/kubelet/kubeadm-flags.env"}, {Kubeadm, "/etc/kubernetes/admin.conf"},
}

// flavourOf tells by paths which flavour this is; empty where none of them is here. Whether a node is there at all is
// for others to tell.
func flavourOf(h *facts.Host) (Flavour, error) {
	release, err := h.File("/etc/os-release")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	for _, a := range facts.ParseEnv(release.Data) {
		if a.Name == "ID" && a.Value == "talos" {
			return Talos, nil
		}
	}
	for _, s := range signs {
		if _, err := h.Info(s.path); err == nil {
			return s.flavour, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", nil
}

// flavourArgs are the arguments that a flavour's own configuration adds to a program: what k3s and RKE2 pass it comes
// after their own, so that it wins; MicroK8s keeps all of them in a file.
func flavourArgs(h *facts.Host, f Flavour, program string) ([]facts.Token, error) {
	switch f {
	case MicroK8s:
		return argsFile(h, "/var/snap/microk8s/current/args/"+program)
	case K3s, RKE2:
		return rancherArgs(h, f, program)
	}
	return nil, nil
}

// argsFile reads a file of arguments, one or more on a line, as MicroK8s keeps them.
func argsFile(h *facts.Host, file string) ([]facts.Token, error) {
	f, err := h.File(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	by := h.Vouch(file, want.Root)
	var tokens []facts.Token
	for line := range strings.Lines(string(f.Data)) {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		for _, w := range facts.SplitWords(line, false) {
			tokens = append(tokens, facts.Token{Text: snapPaths.Replace(w), File: file, By: by})
		}
	}
	return tokens, nil
}

// snapPaths are the variables that MicroK8s replaces in its files of arguments.
var snapPaths = strings.NewReplacer("${SNAP_DATA}", "/var/snap/microk8s/current", "${SNAP_COMMON}",
	"/var/snap/microk8s/common",
	"${SNAP}", "/snap/microk8s/current")

// rancherFiles are the files that k3s or RKE2 reads its configuration from, in order; with an error, the first alone.
func rancherFiles(h *facts.Host, f Flavour) ([]string, error) {
	config := "/etc/rancher/" + strings.ToLower(string(f)) + "/config.yaml"
	files := []string{config}
	more, err := h.List(config + ".d")
	for _, n := range more {
		if strings.HasSuffix(n, ".yaml") {
			files = append(files, config+".d/"+n)
		}
	}
	return files, err
}

// rancherArgs reads PROGRAM-arg: the last file that has the key wins, unless it is spelt with a + that adds to the
// others.
// Source: docs.k3s.io, "Configuration file", "Value merge behavior".
func rancherArgs(h *facts.Host, f Flavour, program string) ([]facts.Token, error) {
	files, err := rancherFiles(h, f)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var tokens []facts.Token
	for _, file := range files {
		doc, err := h.Document(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, key := range []string{program + "-arg", program + "-arg+"} {
			v, ok := doc.At(key)
			if !ok {
				continue
			}
			args, err := v.Words()
			if err != nil {
				return nil, err
			}
			if !strings.HasSuffix(key, "+") {
				tokens = nil
			}
			for _, a := range args {
				tokens = append(tokens, facts.Token{Text: "--" + strings.TrimLeft(a, "-"), File: doc.File, By: doc.By})
			}
		}
	}
	return tokens, nil
}

// DataDir is where k3s or RKE2 keeps what it makes: what data-dir of its configuration says, where that is root's word.
func DataDir(h *facts.Host, f Flavour) string {
	dir := "/var/lib/rancher/" + strings.ToLower(string(f))
	files, _ := rancherFiles(h, f)
	for _, file := range files {
		if doc, err := h.Document(file); err == nil && doc.By == want.Root && path.IsAbs(doc.Text("data-dir")) {
			dir = path.Clean(doc.Text("data-dir"))
		}
	}
	return dir
}
