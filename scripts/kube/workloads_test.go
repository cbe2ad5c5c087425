package kube_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/scripts/kube"
	"example.com/harden/scripts/tree"
)

// hostNetwork makes of a kustomization one for a node without a network for pods, and takes what more is to be patched.
const hostNetwork = `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../kubernetes/%s]
patches:
- target: {kind: DaemonSet|Job}
  patch: |
    - {op: add, path: /spec/template/spec/hostNetwork, value: true}
`

// workload applies one of the kustomizations of scripts/kubernetes.
func (c cluster) workload(name, more string) {
	c.t.Helper()
	c.Write("/root/as-here/kustomization.yaml", 0o644, strings.ReplaceAll(hostNetwork, "%s", name)+more)
	c.do("kubectl apply -k /root/as-here")
}

// job has a Job made of scripts/kubernetes/fix run to its end on the node.
func (c cluster) job(more string) {
	c.t.Helper()
	c.workload("fix", "    - {op: replace, path: /spec/template/spec/nodeName, value: "+kube.Name+"}\n"+more)
	c.do(`kubectl -n harden wait --for=condition=Complete --timeout=10m job/harden-fix || {
		kubectl -n harden describe pod; kubectl -n harden logs job/harden-fix; exit 1; } >&2
	kubectl -n harden delete job harden-fix`)
}

// TestWorkloads runs the manifests of scripts/kubernetes in a real cluster: the pod that audits finds what harden on
// the node finds in the node's files, and changes none; the Job changes them, and one that rolls back brings them back.
func TestWorkloads(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	for _, d := range []string{"audit", "audit-docker", "fix"} {
		from := filepath.Join("../kubernetes", d)
		if err := os.CopyFS(filepath.Join(c.Root, "root/kubernetes", d), os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	c.Load("registry.example.com/harden:0.2.0", "harden", filepath.Join(c.Root, "root/harden"))
	c.do("chmod 0644 /etc/kubernetes/scheduler.conf; chown 1:1 /etc/kubernetes/admin.conf")
	files := tree.Of(t, c.Root, "etc")

	c.workload("audit-docker", "")
	c.do(`kubectl -n harden rollout status daemonset/harden-audit --timeout=10m
	for i in {1..600}; do [[ -s /var/lib/harden-audit/last.json ]] && exit; sleep 0.5; done
	kubectl -n harden logs daemonset/harden-audit >&2; exit 1`)
	c.do("mkdir /run/alias; mount --rbind / /run/alias")
	here := c.harden(2, "check", "--root", "/run/alias")
	var last struct{ Report report }
	if err := json.Unmarshal([]byte(c.Read("/var/lib/harden-audit/last.json")), &last); err != nil {
		t.Fatal(err)
	}
	pod := last.Report.states()
	if diff := cmp.Diff(here.states(), pod); diff != "" || len(pod["fail"]) < 10 {
		t.Errorf("what the pod finds (-on the node +in the pod):\n%s\n%v", diff, pod)
	}
	if m := c.Read("/var/lib/node_exporter/textfile_collector/harden.prom"); !strings.Contains(m, "\nharden_") {
		t.Errorf("the metrics:\n%s", m)
	}
	if diff := cmp.Diff(files, tree.Of(t, c.Root, "etc")); diff != "" {
		t.Errorf("the audit changed the node (-want +got):\n%s", diff)
	}

	c.job("")
	fixed := tree.Of(t, c.Root, "etc")
	for name, mode := range map[string]string{"scheduler.conf": "600 0:0", "admin.conf": "600 0:0"} {
		if got := strings.TrimSpace(c.do("stat -c '%a %u:%g' /etc/kubernetes/" + name)); got != mode {
			t.Errorf("%s is %s after the Job, not %s", name, got, mode)
		}
	}
	c.job("")
	if diff := cmp.Diff(fixed, tree.Of(t, c.Root, "etc")); diff != "" {
		t.Errorf("a second Job changed something (-want +got):\n%s", diff)
	}
	c.job("    - {op: replace, path: /spec/template/spec/containers/0/args, " +
		"value: [rollback, --yes, --root=/host, --state=/host/var/lib/harden, --config=none]}\n")
	if diff := cmp.Diff(files, tree.Of(t, c.Root, "etc")); diff != "" {
		t.Errorf("after the Job that rolls back (-want +got):\n%s", diff)
	}
}
