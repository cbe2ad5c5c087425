package activate

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/harden/checks"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/live"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/gate"
)

// An apiserver stands in for the real one, which scripts/kube runs: two ConfigMaps, replaced on the condition that
// their resourceVersion is the one that was read.
type apiserver struct {
	t       *testing.T
	objects map[string]map[string]any
	puts    int
	file    string // the kubeconfig
}

const clusterConfiguration = "apiServer: {}\napiVersion: kubeadm.k8s.io/v1beta4\nkind: " +
	"ClusterConfiguration\nkubernetesVersion: v1.35.4\n"

func newAPIServer(t *testing.T) *apiserver {
	t.Helper()
	a := &apiserver{t: t, objects: map[string]map[string]any{}}
	for name, data := range map[string][2]string{"kubeadm-config": {"ClusterConfiguration", clusterConfiguration},
		"kubelet-config": {"kubelet", "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"}} {
		a.objects[name] = map[string]any{"apiVersion": "v1", "kind": "ConfigMap",
			"data": map[string]any{data[0]: data[1], "other": "kept"},
			"metadata": map[string]any{"name": name, "namespace": "kube-system", "resourceVersion": "1",
				"generation": 12345678901234567}}
	}
	s := httptest.NewTLSServer(http.HandlerFunc(a.serve))
	t.Cleanup(s.Close)
	a.file = filepath.Join(t.TempDir(), "admin.conf")
	ca := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE",
		Bytes: s.Certificate().Raw}))
	a.config(fmt.Sprintf("server: %s, certificate-authority-data: %s", s.URL, ca), "token: secret-token")
	return a
}

func (a *apiserver) config(cluster, user string) {
	text := fmt.Sprintf("current-context: c\ncontexts:\n- {name: c, context: {cluster: k, user: u}}\nclusters:\n- "+
		"{name: k, cluster: {%s}}\nusers:\n- {name: u, user: {%s}}\n", cluster, user)
	if err := os.WriteFile(a.file, []byte(text), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

func (a *apiserver) serve(w http.ResponseWriter, r *http.Request) {
	object := a.objects[strings.TrimPrefix(r.URL.Path, "/api/v1/namespaces/kube-system/configmaps/")]
	switch {
	case r.Header.Get("Authorization") != "Bearer secret-token":
		w.WriteHeader(http.StatusForbidden)
		return
	case object == nil:
		w.WriteHeader(http.StatusNotFound)
		return
	case r.Method == http.MethodPut:
		var new map[string]any
		d := json.NewDecoder(r.Body)
		d.UseNumber()
		meta := object["metadata"].(map[string]any)
		if err := d.Decode(&new); err != nil ||
			new["metadata"].(map[string]any)["resourceVersion"] != meta["resourceVersion"] {
			w.WriteHeader(http.StatusConflict)
			return
		}
		if fmt.Sprint(new["metadata"].(map[string]any)["generation"]) != "12345678901234567" ||
			new["data"].(map[string]any)["other"] != "kept" {
			a.t.Errorf("what is none of harden's business became %v", new)
		}
		a.puts++
		object["data"] = new["data"]
		meta["resourceVersion"] = fmt.Sprint(a.puts + 1)
	}
	_ = json.NewEncoder(w).Encode(object)
}

func (a *apiserver) text(name, key string) string {
	text, _ := textOfKey(a.objects[name], key)
	return text
}

func TestRecord(t *testing.T) {
	a := newAPIServer(t)
	s := New(Options{Kubeconfig: a.file})
	r := &remediate.Record{Namespace: "kube-system", ConfigMap: "kubeadm-config", Key: "ClusterConfiguration",
		Before: clusterConfiguration, After: "new\n"}
	do := remediate.Activation{Kind: remediate.RecordInCluster, Unit: r.String(), Record: r}
	for range 2 { // a second time changes nothing
		if err := s.Ready(t.Context(), do); err != nil {
			t.Fatal(err)
		}
		if err := s.Activate(t.Context(), do); err != nil {
			t.Fatal(err)
		}
	}
	if got := a.text("kubeadm-config", "ClusterConfiguration"); got != "new\n" || a.puts != 1 {
		t.Errorf("%q after %d writes", got, a.puts)
	}
	do.Record = r.Undo()
	if err := s.Activate(t.Context(), do); err != nil ||
		a.text("kubeadm-config", "ClusterConfiguration") != clusterConfiguration {
		t.Errorf("%q, %v", a.text("kubeadm-config", "ClusterConfiguration"), err)
	}
	a.objects["kubeadm-config"]["data"].(map[string]any)["ClusterConfiguration"] = "somebody's\n"
	if err := s.Activate(t.Context(), do); err == nil || !strings.Contains(err.Error(),
		"ClusterConfiguration was changed in the meantime") {
		t.Error(err)
	}
	delete(a.objects, "kubeadm-config")
	if err := s.Ready(t.Context(), do); err == nil || !strings.Contains(err.Error(), "it is not in the cluster") {
		t.Error(err)
	}
}

func TestKubeconfig(t *testing.T) {
	a := newAPIServer(t)
	if c, err := ReadCluster(t.Context(), a.file); err != nil || c.Configuration != clusterConfiguration ||
		!strings.Contains(c.Kubelet, "KubeletConfiguration") {
		t.Errorf("%+v, %v", c, err)
	}
	for _, tt := range []struct{ name, cluster, user, want string }{
		{"no TLS", "server: http://127.0.0.1:1", "token: t0ken", "only by https"},
		{"not verified", "server: https://127.0.0.1:1, insecure-skip-tls-verify: true", "token: t0ken", "only by https"},
		{"no credential", "server: https://127.0.0.1:1", "exec: {command: x}", "no user with a certificate or a token"},
		{"not base64", "server: https://127.0.0.1:1, certificate-authority-data: t0ken!", "token: t0ken",
			"certificate-authority-data is not base64"},
		{"no key", "server: https://127.0.0.1:1", "client-certificate-data: dDBrZW4=", "client certificate"},
		{"another CA", "server: " + "https://example.invalid", "token: t0ken", "example.invalid"},
	} {
		a.config(tt.cluster, tt.user)
		_, err := ReadCluster(t.Context(), a.file)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "t0ken") {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if err := os.WriteFile(a.file, []byte("t0ken: [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadCluster(t.Context(), a.file); err == nil || strings.Contains(err.Error(), "t0ken") {
		t.Error(err)
	}
}

// A kubeadmHost is this machine with the file that tells kubeadm's nodes.
type kubeadmHost struct{ facts.Source }

func (h kubeadmHost) Stat(ctx context.Context, path string) (facts.Info, error) {
	if path == "/var/lib/kubelet/kubeadm-flags.env" {
		return facts.Info{Path: path, User: "root", Group: "root", Links: 1}, nil
	}
	return h.Source.Stat(ctx, path)
}

// The change of a manifest goes to the cluster too, after the pod is well, and is taken back with it.
func TestRollOutDurable(t *testing.T) {
	n := newNode(t)
	a := newAPIServer(t)
	n.services.opts.Kubeconfig = a.file
	w := want.PodFlag{Warrant: want.Mine, Manifest: n.manifest, Container: "kube-apiserver", Name: "profiling",
		Value: "false"}
	c := &checks.Check{ID: "kubernetes/profiling", Rule: checks.Func(func(h *facts.Host) ([]checks.Finding, error) {
		f, err := h.File(n.manifest)
		if err != nil || strings.Contains(string(f.Data), "--profiling=false") {
			return nil, err
		}
		return []checks.Finding{{Subject: n.manifest, Got: "without", Must: "with", Wants: []want.Want{w}}}, nil
	})}
	h := facts.New(t.Context(), kubeadmHost{live.New("/", live.DockerOptions{})}, facts.Choices{})
	plan, err := remediate.Propose(t.Context(), h, checks.Run(t.Context(), h, []*checks.Check{c}), remediate.Policy{
		Allow: func(*checks.Check, want.Class) bool { return true }, Validate: gate.Validate,
		Cluster: func(ctx context.Context) (*remediate.Cluster, error) { return ReadCluster(ctx, a.file) }})
	if err != nil || len(plan.Changes) != 1 || len(plan.Activations) != 2 ||
		plan.Activations[1].Kind != remediate.RecordInCluster ||
		plan.Changes[0].Upgrade == nil || !plan.Changes[0].Upgrade.Safe {
		t.Fatalf("%+v, %v", plan, err)
	}
	run, err := apply.Apply(t.Context(), plan, n.options())
	if err != nil || run.Activations[1].State != apply.Done {
		t.Fatalf("%+v, %v", run, err)
	}
	wanted := strings.Replace(clusterConfiguration, "apiServer: {}",
		"apiServer:\n  extraArgs:\n    - name: profiling\n      value: \"false\"", 1)
	if got := a.text("kubeadm-config", "ClusterConfiguration"); got != wanted {
		t.Errorf("%q, want %q", got, wanted)
	}
	if run, err = apply.Rollback(t.Context(), run.ID, n.options()); err != nil || run.Outcome != apply.RolledBack {
		t.Fatalf("%+v, %v", run, err)
	}
	if got := a.text("kubeadm-config", "ClusterConfiguration"); got != clusterConfiguration {
		t.Errorf("taken back: %q", got)
	}
	n.unchanged(t)
}
