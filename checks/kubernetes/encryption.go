package kubernetes

import (
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

var apiserverEtcdClient = &checks.Check{
	ID:      "kubernetes/apiserver-etcd-client",
	Items:   cis.K8s("1.2.25", "1.2.23", "1.2.23", "1.2.23"),
	Title:   "the API server shows etcd a certificate",
	Why:     "an etcd that serves callers without one serves everybody who reaches its port",
	Breaks:  restarts,
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneTampering},
	Level:   1,
	Manual:  "issue a client certificate for the API server by etcd's authority, and name it and its key",
	Rule: rule.All(namedFile(kube.APIServer, [2]string{"etcd-certfile", pki + "apiserver-etcd-client.crt"},
		[2]string{"etcd-keyfile", pki + "apiserver-etcd-client.key"}),
		passed(kube.APIServer, "etcd-servers", urls(kube.APIServer, "etcd-servers", "",
			"have etcd serve its clients over TLS (2.1), then make it https://"))),
}

var apiserverTLS = &checks.Check{
	ID:      "kubernetes/apiserver-tls",
	Items:   cis.K8s("1.2.26", "1.2.24", "1.2.24", "1.2.24"),
	Title:   "the API server serves a certificate that it was given",
	Why:     "nobody can verify one that it makes for itself, so that clients learn to trust anything",
	Breaks:  restarts,
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneSpoofing},
	Level:   1,
	Manual:  "issue a serving certificate by the cluster's authority, and name it and its key",
	Rule: namedFile(kube.APIServer, [2]string{"tls-cert-file", pki + "apiserver.crt"},
		[2]string{"tls-private-key-file", pki + "apiserver.key"}),
}

var apiserverClientCA = &checks.Check{
	ID:    "kubernetes/apiserver-client-ca",
	Items: cis.K8s("1.2.27", "1.2.25", "1.2.25", "1.2.25"),
	Title: "the API server verifies clients' certificates",
	Why: "without an authority to verify them by, kubelets and controllers can only prove themselves by " +
		"tokens, or not at all",
	Breaks:  restarts,
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneSpoofing},
	Level:   1,
	Manual:  "name the certificate authority of the cluster's clients (--client-ca-file)",
	Rule:    namedFile(kube.APIServer, [2]string{"client-ca-file", pki + "ca.crt"}),
}

var apiserverEtcdCA = &checks.Check{
	ID:      "kubernetes/apiserver-etcd-ca",
	Items:   cis.K8s("1.2.28", "1.2.26", "1.2.26", "1.2.26"),
	Title:   "the API server verifies etcd's certificate",
	Why:     "whoever answers in etcd's name decides what the cluster is",
	Breaks:  restarts,
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneTampering},
	Level:   1,
	Manual:  "name the certificate authority of etcd (--etcd-cafile)",
	Rule:    namedFile(kube.APIServer, [2]string{"etcd-cafile", pki + "etcd/ca.crt"}),
}

var apiserverEncryption = &checks.Check{
	ID:      "kubernetes/apiserver-encryption",
	Items:   cis.K8s("1.2.29", "1.2.27", "1.2.27", "1.2.27"),
	Title:   "what is in etcd can be encrypted",
	Why:     "otherwise every backup and every disk of etcd holds the Secrets in clear text",
	Threats: []stride.ID{stride.KubernetesControlPlaneDisclosure},
	Level:   1,
	Manual:  encryptionSteps,
	Rule:    checks.Func(encryption),
}

const encryptionSteps = "a key cannot be removed once Secrets are written with it, and every control-plane node " +
	"needs the same one: do it by hand. 1. Make a key (`head -c 32 /dev/urandom | base64`) and keep a copy outside the " +
	"cluster. 2. On every control-plane node write /etc/kubernetes/harden/encryption.yaml, mode 0600: `{apiVersion: " +
	"apiserver.config.k8s.io/v1, kind: EncryptionConfiguration, resources: [{resources: [secrets], providers: " +
	"[{identity: {}}, {secretbox: {keys: [{name: key1, secret: …}]}}]}]}` with the key in the place of …, mount the " +
	"directory and pass --encryption-provider-config. 3. When all of them run with it, put secretbox before identity " +
	"on each, one after the other. 4. Write the Secrets again: `kubectl get secrets -A -o json | kubectl replace -f -`"

// encryption judges whether a readable configuration is named. What it says of Secrets is judged by another item.
func encryption(h *facts.Host) ([]checks.Finding, error) {
	n, c, err := component(h, kube.APIServer)
	if err != nil {
		return nil, err
	}
	const flag = "encryption-provider-config"
	s, err := arg(kube.APIServer, flag, "").read(c)
	if err != nil && !c.Open {
		return nil, err
	}
	if s.Value != "" {
		var config kube.EncryptionConfig
		_, err := c.Config(flag, &config)
		return nil, err
	}
	f := checks.Finding{Subject: "kube-apiserver --" + flag, Got: s.String(), Must: "set"}
	switch n.Flavour {
	case kube.K3s:
		doc, err := h.Document("/etc/rancher/k3s/config.yaml")
		if err == nil && doc.Text("secrets-encryption") == "true" {
			return nil, nil
		}
		if _, e := h.Info(kube.DataDir(h, kube.K3s) + "/server/cred/encryption-config.json"); e == nil {
			return nil, nil
		}
		f.Reason = "put `secrets-encryption: true` into /etc/rancher/k3s/config.yaml and follow `k3s secrets-encrypt " +
			"enable`"
	case kube.MicroK8s, kube.Talos:
		f.Reason = instead(n.Flavour, c.Name, flag+"=FILE")
	}
	return []checks.Finding{f}, nil
}

var apiserverEncryptionProvider = &checks.Check{
	ID:      "kubernetes/apiserver-encryption-provider",
	Items:   cis.K8s("1.2.30", "1.2.28", "1.2.28", "1.2.28"),
	Title:   "Secrets are written encrypted",
	Why:     "the first provider writes: with identity first everything still goes to etcd in clear text",
	Threats: []stride.ID{stride.KubernetesControlPlaneDisclosure},
	Level:   1,
	Manual: "put secretbox, kms or aescbc first among the providers of secrets and keep the others after it, once " +
		"every control-plane node has the key; then write the Secrets again (`kubectl get secrets -A -o json | " +
		"kubectl replace -f -`)",
	Rule: checks.Func(encryptsSecrets),
}

// encrypting are the providers that the benchmark accepts: aesgcm is none, since its keys must be changed too often.
var encrypting = []string{"secretbox", "kms", "aescbc"}

func encryptsSecrets(h *facts.Host) ([]checks.Finding, error) {
	_, c, err := component(h, kube.APIServer)
	if err != nil {
		return nil, err
	}
	const flag = "encryption-provider-config"
	if file, ok := c.Next.Last(flag); !ok || file == "" {
		if c.Open {
			return nil, open(c, flag)
		}
		return nil, rule.Inapplicable("nothing is encrypted: --%s is not passed", flag)
	}
	var config kube.EncryptionConfig
	d, err := c.Config(flag, &config)
	if err != nil {
		return nil, err
	}
	f := checks.Finding{Subject: "encryption of secrets", Must: "by " + strings.Join(encrypting, ", ") + " first"}
	providers := config.First("secrets")
	switch {
	case len(providers) == 0:
		f.Got = "no entry of " + d.File + " names them"
	case !slices.Contains(encrypting, providers[0]):
		f.Got = providers[0] + " comes first in " + d.File
	case !c.Loaded(d) && !reloads(c):
		f.Got, f.Pending = providers[0]+" comes first in "+d.File+", which is newer than the running process", true
		f.Reason = "start the API server again: it has not read the file as it is now"
	default:
		return nil, nil
	}
	return []checks.Finding{f}, nil
}

// reloads reports whether the API server reads its encryption configuration again when it changes.
func reloads(c *kube.Component) bool {
	yes, _ := c.Next.Bool("encryption-provider-config-automatic-reload")
	return yes
}

var apiserverCiphers = &checks.Check{
	ID:      "kubernetes/apiserver-ciphers",
	Items:   cis.K8s("1.2.31", "1.2.29", "1.2.29", "1.2.29"),
	Title:   "the API server speaks only strong ciphers",
	Why:     "by default it still accepts suites whose block mode has been broken before",
	Breaks:  "clients that know neither TLS 1.3 nor AES-GCM or ChaCha20",
	Class:   want.Workload,
	Threats: []stride.ID{stride.KubernetesControlPlaneSpoofing, stride.KubernetesControlPlaneDisclosure},
	Level:   1,
	Rule:    checks.Func(apiServerCiphers),
}

func apiServerCiphers(h *facts.Host) ([]checks.Finding, error) {
	_, c, err := component(h, kube.APIServer)
	if err != nil {
		return nil, err
	}
	version := arg(kube.APIServer, "tls-min-version", "")
	if v, ok := c.Next.Last("tls-min-version"); ok && v == "VersionTLS13" {
		return version.Must(be.Equal("VersionTLS13")).Judge(h)
	}
	return arg(kube.APIServer, "tls-cipher-suites", []string(nil)).Must(strongSuites).Judge(h)
}
