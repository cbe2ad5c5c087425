package kube_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/scripts/kube"
)

// node gives one with kubeadm's files.
func node(t *testing.T) *kube.Node {
	t.Helper()
	if testing.Short() {
		t.Skip("builds Kubernetes: not in a -short run")
	}
	n := kube.NewNode(t)
	n.Kubeadm()
	return n
}

// up runs etcd and the API server as the node's manifests say, until both are ready.
func up(t *testing.T, n *kube.Node) (apiServer *kube.Process) {
	t.Helper()
	for _, name := range []string{"etcd", "kube-apiserver"} {
		p, err := n.Pod(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Ready(p); err != nil {
			t.Fatal(err)
		}
		apiServer = p
	}
	return apiServer
}

// edit replaces text of a file of the node, which must hold it.
func edit(t *testing.T, n *kube.Node, path, from, to string) {
	t.Helper()
	text := n.Read(path)
	if !strings.Contains(text, from) {
		t.Fatalf("%s does not hold %q:\n%s", path, from, text)
	}
	n.Write(path, 0o600, strings.Replace(text, from, to, 1))
}

const (
	apiServer  = kube.Manifests + "/kube-apiserver.yaml"
	kubelet    = "/var/lib/kubelet/config.yaml"
	superAdmin = "/etc/kubernetes/super-admin.conf"
)

// TestControlPlane runs all of a control plane from the files that kubeadm wrote, as they are.
func TestControlPlane(t *testing.T) {
	t.Parallel()
	n := node(t)
	p := up(t, n)
	for _, name := range []string{"kube-controller-manager", "kube-scheduler"} {
		p, err := n.Pod(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Ready(p); err != nil {
			t.Error(err)
		}
	}
	if got, err := n.Get("", "/version"); err != nil || !strings.Contains(got, `"gitVersion": "`+kube.Release+`"`) {
		t.Errorf("/version: %v\n%s", err, got)
	}
	if _, err := n.Get("", "/api/v1/secrets"); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("nobody asks for the secrets: %v", err)
	}
	if _, err := n.Get(superAdmin, "/api/v1/secrets"); err != nil {
		t.Errorf("the administrator asks for the secrets: %v", err)
	}

	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := n.Get("", "/readyz"); err == nil {
		t.Error("a stopped API server answers")
	}
}

// mistyped are files of the API server's with a value of another type than their kind has there.
var mistyped = []struct{ flag, file, says string }{
	{"audit-policy-file",
		"apiVersion: audit.k8s.io/v1\nkind: Policy\nomitManagedFields: \"yes\"\nrules: [{level: Metadata}]\n",
		"omitManagedFields"},
	{"encryption-provider-config",
		"apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources: [secrets]\n" +
			"  providers: [{secretbox: {keys: {name: key1}}}]\n", "keys"},
	{"authentication-config",
		"apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt: [{issuer: {url: 5}}]\n", "url"},
	{"admission-control-config-file",
		"apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\nplugins: [{name: 5}]\n", "name"},
}

// refused reports whether a program has ended with an error that says this.
func refused(err error, says string) bool {
	return err != nil && strings.Contains(err.Error(), "has ended") && strings.Contains(err.Error(), says)
}

// TestRefused changes the API server's manifest in ways that a real one does not run with.
func TestRefused(t *testing.T) {
	t.Parallel()
	n := node(t)
	if err := up(t, n).Stop(); err != nil {
		t.Fatal(err)
	}
	good := n.Read(apiServer)
	const first = "    - --advertise-address="
	for name, test := range map[string]struct{ from, to, says string }{
		"an unknown flag":  {first, "    - --profilling=false\n" + first, "unknown flag: --profilling"},
		"an unknown value": {"Node,RBAC", "Node,RBAC,Trust", `Trust`},
		"a file that is not there": {first, "    - --audit-policy-file=/etc/kubernetes/audit.yaml\n" + first,
			"/etc/kubernetes/audit.yaml"},
		"a file that is not in the pod": {"--client-ca-file=/etc/kubernetes/pki/ca.crt",
			"--client-ca-file=" + kube.ConfigFile, kube.ConfigFile},
	} {
		n.Write(apiServer, 0o600, good)
		edit(t, n, apiServer, test.from, test.to)
		p, err := n.Pod("kube-apiserver")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := n.Ready(p); !refused(err, test.says) {
			t.Errorf("%s: %v", name, err)
			p.Stop()
		}
	}

	for _, test := range mistyped { // one field of a file, which the rest of the file cannot make good
		n.Write("/etc/kubernetes/pki/it.yaml", 0o600, test.file)
		n.Write(apiServer, 0o600, good)
		edit(t, n, apiServer, first, "    - --"+test.flag+"=/etc/kubernetes/pki/it.yaml\n"+first)
		p, err := n.Pod("kube-apiserver")
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Ready(p); !refused(err, test.says) {
			t.Errorf("--%s: %v", test.flag, err)
			p.Stop()
		}
	}
	n.Write(apiServer, 0o600, good)
	edit(t, n, apiServer, "certs\n      type: DirectoryOrCreate", "none\n      type: Directory")
	if _, err := n.Pod("kube-apiserver"); err == nil || !strings.Contains(err.Error(), "/etc/ssl/none is not there") {
		t.Errorf("a volume that is not there: %v", err)
	}
	n.Write(apiServer, 0o600, good)
	edit(t, n, apiServer, first, "    - --profiling=false\n"+first)
	p, err := n.Pod("kube-apiserver")
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Ready(p); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Get(superAdmin, "/debug/pprof/"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("profiling, which is off: %v", err)
	}
}

// TestKubelet has a real kubelet judge configuration files.
func TestKubelet(t *testing.T) {
	t.Parallel()
	n := node(t)
	good := n.Read(kubelet)
	if err := n.Kubelet(); err != nil {
		t.Errorf("kubeadm's own: %v", err)
	}
	edit(t, n, kubelet, "streamingConnectionIdleTimeout: 0s",
		"streamingConnectionIdleTimeout: 5m0s\ntlsMinVersion: VersionTLS12")
	if err := n.Kubelet(); err != nil {
		t.Errorf("a hardened one: %v", err)
	}
	for name, test := range map[string]struct{ from, to, says string }{
		"a value of another type": {"healthzPort: 10248", "healthzPort: high", "healthzPort"},
		"a list for a mapping":    {"healthzPort: 10248", "healthzPort: 10248\nevictionHard: []", "evictionHard"},
		"a value out of range":    {"healthzPort: 10248", "healthzPort: 102480", "healthzPort"},
		"a file that is not there": {"clientCAFile: /etc/kubernetes/pki/ca.crt", "clientCAFile: /etc/kubernetes/none.crt",
			"/etc/kubernetes/none.crt"},
		"no YAML": {"kind:", "\tkind:", "load kubelet config file"},
	} {
		n.Write(kubelet, 0o600, good)
		edit(t, n, kubelet, test.from, test.to)
		if err := n.Kubelet(); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	n.Write(kubelet, 0o600, good)
	if err := n.Kubelet("--no-such-flag"); err == nil || !strings.Contains(err.Error(), "unknown flag") {
		t.Errorf("an unknown flag: %v", err)
	}

	// one that waits is a process like any other, from where the test is
	argv, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", n.IdleKubelet().PID))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"kubelet", "--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf",
		"--kubeconfig=/etc/kubernetes/kubelet.conf",
		"--config=" + kubelet, "--hostname-override=" + kube.Name, ""}
	if diff := cmp.Diff(want, strings.Split(string(argv), "\x00")); diff != "" {
		t.Errorf("its command line (-want +got):\n%s", diff)
	}
}

// TestImages makes an image for each of the references that kubeadm knows and the tests run.
func TestImages(t *testing.T) {
	if testing.Short() {
		t.Skip("builds Kubernetes: not in a -short run")
	}
	var got []string
	for ref := range kube.Images(t, kube.Build(t)) {
		got = append(got, ref[:strings.LastIndex(ref, ":")])
	}
	slices.Sort(got)
	const at = "registry.k8s.io/"
	want := []string{at + "etcd", at + "kube-apiserver", at + "kube-controller-manager", at + "kube-scheduler",
		at + "pause"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
}
