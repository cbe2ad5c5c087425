package kubernetes

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"slices"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/want"
)

// Which of the API server's flags name certificates, and which keys.
var (
	certificateFlags = []string{"client-ca-file", "tls-cert-file", "etcd-cafile", "etcd-certfile",
		"kubelet-certificate-authority",
		"kubelet-client-certificate", "proxy-client-cert-file", "requestheader-client-ca-file"}
	keyFlags = []string{"tls-private-key-file", "etcd-keyfile", "kubelet-client-key", "proxy-client-key-file",
		"service-account-signing-key-file"}
)

// A pkiPlace is where the certificates of the control plane are: a directory made for them, such as kubeadm's
// certificatesDir, or, where what holds them holds other things too, the files that flags name.
type pkiPlace struct {
	dir   *facts.Place // nil where there is no such directory
	certs []facts.Place
	keys  []facts.Place
}

func thePKI(h *facts.Host) (*pkiPlace, error) {
	_, c, err := component(h, facts.APIServer)
	if err != nil {
		return nil, err
	}
	if c.Within == "k3s" {
		return &pkiPlace{dir: &rule.Known(h.DataDir(facts.K3s) + "/server/tls")[0]}, nil
	}
	p := &pkiPlace{certs: flagFiles(c, want.Certificate, certificateFlags...), keys: flagFiles(c, want.PrivateKey,
		keyFlags...)}
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
