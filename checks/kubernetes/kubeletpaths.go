package kubernetes

import (
	"errors"
	"io/fs"
	"path"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/want"
)

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
		file, w = h.DataDir(facts.K3s)+"/agent/kubelet.kubeconfig", want.Mine
	case n.Flavour == facts.RKE2 && !ok:
		file, w = h.DataDir(facts.RKE2)+"/agent/kubelet.kubeconfig", want.Mine
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

// kubeletCA is the authority that the kubelet verifies its callers by.
func kubeletCA(h *facts.Host) ([]facts.Place, error) {
	n, k, err := theKubelet(h)
	if err != nil {
		return nil, err
	}
	r, err := clientCAFile.read(k)
	switch {
	case err != nil && k.Open && k.Err == nil:
		return rule.Known(h.DataDir(n.Flavour) + "/agent/client-ca.crt"), nil
	case err != nil:
		return nil, err
	case r.Value == "":
		return nil, rule.Inapplicable("the kubelet verifies no certificates (4.2.3)")
	}
	return rule.Named(want.Warrant{By: r.By, From: r.String(), Kind: want.Certificate}, r.Value), nil
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
