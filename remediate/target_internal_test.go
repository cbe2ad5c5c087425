package remediate

import (
	"io/fs"
	"strings"
	"testing"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/want"
)

const (
	certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
	key         = "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"
	passwd      = "root:x:0:0:root:/root:/bin/bash\n"
)

// TestRefuse is the whole of what root may be moved to change: by who named it, where it is, and what it is.
func TestRefuse(t *testing.T) {
	root := func(kind want.Kind) want.Warrant { return want.Warrant{By: want.Root, From: "--x", Kind: kind} }
	dir := func(path string) facts.Info { return facts.Info{Path: path, Type: fs.ModeDir, Mode: 0o755} }
	for _, tt := range []struct {
		name, path string
		warrant    want.Warrant
		data       string
		names      []string // of a directory
		above      uint32   // who owns what is right above
		says       string   // empty where it may be changed
	}{
		{"a key", "/etc/docker/tls/key.pem", root(want.PrivateKey), key, nil, 0, ""},
		{"a certificate with its key", "/var/lib/x/client.pem", root(want.PrivateKey), certificate + key, nil, 0, ""},
		{"undeclared", "/etc/docker/tls/key.pem", want.Warrant{}, key, nil, 0, "nothing says who chose"},
		{"a container's word", "/etc/docker/tls/key.pem", want.Warrant{By: want.Guest}, key, nil, 0,
			"a container may have chosen"},
		{"a user's word", "/etc/docker/tls/key.pem", want.Warrant{By: want.User}, key, nil, 0,
			"a user who is not root may have chosen"},
		{"a user's word, of a place that harden knows", "/etc/kubernetes/pki/ca.crt",
			want.Warrant{By: want.User, Kind: want.Certificate}, certificate, nil, 0, ""},
		{"which another can write to", "/etc/kubernetes/pki/ca.crt", root(want.Certificate), certificate, nil, 1001,
			"uid 1001 owns /etc/kubernetes/pki"},
		{"in a user's directory", "/srv/team/key.pem", root(want.PrivateKey), key, nil, 1001, "uid 1001 owns /srv/team"},
		{"harden's own, in a user's directory", "/etc/audit/rules.d/x", want.Mine, "", nil, 1001, "uid 1001 owns"},
		{"no key", "/etc/passwd", root(want.PrivateKey), passwd, nil, 0, "not a private key in PEM form"},
		{"no certificate", "/etc/x.crt", root(want.Certificate), key, nil, 0, "not a certificate"},
		{"no configuration of the kubelet", "/etc/passwd", root(want.KubeletConfig), passwd, nil, 0,
			"not a configuration file of the kubelet"},
		{"one of the kubelet's", "/etc/k.yaml", root(want.KubeletConfig), "apiVersion: v1\nkind: KubeletConfiguration\n",
			nil, 0, ""},
		{"one in JSON", "/etc/k.json", root(want.KubeletConfig), `{"apiVersion": "v1", "kind": "KubeletConfiguration"}`, nil,
			0, ""},
		{"one that cannot be parsed", "/etc/k.yaml", root(want.KubeletConfig), "kind: KubeletConfiguration\n\t]", nil, 0, ""},
		{"a kubeconfig", "/etc/k.conf", root(want.Kubeconfig), "kind: Config\n", nil, 0, ""},
		{"another kind", "/etc/k.conf", root(want.Kubeconfig), "kind: ConfigMap\n", nil, 0, "not a kubeconfig"},
		{"no configuration of dockerd", "/etc/passwd", root(want.DaemonConfig), passwd, nil, 0,
			"not a configuration file of dockerd"},
		{"a network's", "/etc/cni/x.conf", root(want.CNIConfig), `{"type": "bridge"}`, nil, 0, ""},
		{"no network's", "/etc/nsswitch.conf", root(want.CNIConfig), "passwd: files\n", nil, 0,
			"not a configuration file of a container network"},
		{"etcd's data", "/data/etcd", root(want.EtcdData), "", []string{"member"}, 0, ""},
		{"none", "/data/other", root(want.EtcdData), "", []string{"lost+found"}, 0, "not a data directory of etcd"},
		{"the system's", "/usr", root(want.EtcdData), "", []string{"bin", "member"}, 0, "a system directory"},
		{"everything", "/", root(want.DockerData), "", []string{"containers", "image", "etc"}, 0, "a system directory"},
		{"a home", "/home/alice", root(want.DockerData), "", []string{"containers", "image"}, 0, "a system directory"},
		{"dockerd's data", "/data/docker", root(want.DockerData), "", []string{"containers", "image", "overlay2"}, 0, ""},
		{"certificates", "/etc/kube/pki", root(want.PKI), "", []string{"ca.crt", "ca.key", "etcd"}, 0, ""},
		{"among other things", "/etc", root(want.PKI), "", []string{"ca.crt", "ca.key", "sa.pub"}, 0, "a system directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at := facts.Info{Path: tt.path, Mode: 0o644}
			if tt.names != nil {
				at.Type = fs.ModeDir
			}
			chain := []facts.Info{dir("/")}
			for i, c := range tt.path[1:] {
				if c == '/' {
					chain = append(chain, dir(tt.path[:i+1]))
				}
			}
			chain[len(chain)-1].UID = tt.above
			why := Target{Path: tt.path, Chain: append(chain, at), Exists: true, Data: []byte(tt.data),
				Names: tt.names}.Refuse(tt.warrant)
			if (why == "") != (tt.says == "") || !strings.Contains(why, tt.says) {
				t.Errorf("%q, want %q", why, tt.says)
			}
		})
	}
}

// TestHeld holds that a path which a container can write is refused, but for places that harden itself names.
func TestHeld(t *testing.T) {
	const by = "container web, which mounts /srv/tls"
	for p, ok := range map[string]bool{"/srv/tls/key.pem": false, "/etc/kubernetes/pki/etcd/server.key": true} {
		at := facts.Info{Path: p, Mode: 0o644}
		t.Run(p, func(t *testing.T) {
			target := Target{Path: p, Chain: []facts.Info{at}, Exists: true, Data: []byte(key), Held: by}
			why := target.Refuse(want.Warrant{By: want.Root, Kind: want.PrivateKey})
			if (why == "") != ok || !ok && !strings.Contains(why, by) {
				t.Errorf("%q", why)
			}
		})
	}
}

func TestAudit(t *testing.T) {
	for path, ok := range map[string]bool{"/data/docker": true, "/data/a b": false, "/data/a\n-D": false,
		`/data/"`: false} {
		if why := (Target{Path: path}).Audit(want.Mine); (why == "") != ok {
			t.Errorf("%q: %q", path, why)
		}
	}
}

func TestGivenAway(t *testing.T) {
	if got := GivenAway(facts.Info{Mode: 0o6755}); got != 0o755 {
		t.Errorf("a file: %04o", got)
	}
	if got := GivenAway(facts.Info{Mode: 0o2775, Type: fs.ModeDir}); got != 0o2775 {
		t.Errorf("a directory: %04o", got)
	}
}
