package kube_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/scripts/kube"
	"example.com/harden/scripts/tree"
	"example.com/harden/scripts/vm"
)

// A cluster is a node whose control plane a real kubelet runs, as pods of containerd, and on which harden is.
type cluster struct {
	*kube.Node
	t *testing.T
}

// newCluster has the cluster keep what the node's files were written from, and whom admin.conf stands for, as kubeadm
// init does.
func newCluster(t *testing.T) cluster {
	t.Helper()
	c := cluster{node(t), t}
	if err := vm.Compile(filepath.Join(c.Root, "root", "harden"), "example.com/harden/cmd/harden"); err != nil {
		t.Fatal(err)
	}
	c.RealKubelet()
	c.settled()
	c.do("kubectl create clusterrolebinding kubeadm:cluster-admins --clusterrole cluster-admin --group " +
		"kubeadm:cluster-admins")
	c.do("kubeadm init phase upload-config all --kubeconfig /etc/kubernetes/super-admin.conf --config " + kube.ConfigFile)
	return c
}

// do runs a script on the node, which has to end well, and gives what it said.
func (c cluster) do(script string) string {
	c.t.Helper()
	out, err := c.Run("/bin/bash", "-euc", "export KUBECONFIG=/etc/kubernetes/super-admin.conf\n"+script)
	if err != nil {
		c.t.Fatalf("%s\n%v", script, err)
	}
	return out
}

// settled waits until the API server, and the kubelet's word for all four pods of it, is that they are ready.
func (c cluster) settled() {
	c.t.Helper()
	c.do(`for i in {1..600}; do
		kubectl get --raw /readyz >/dev/null &&
			[[ $(kubectl -n kube-system get pods -l tier=control-plane -o name | wc -l) -eq 4 ]] &&
			kubectl -n kube-system wait --for=condition=Ready --timeout=1s pod -l tier=control-plane >/dev/null && exit
		sleep 0.5
	done >/run/settled 2>&1
	cat /run/settled; exit 1`)
}

// harden runs harden on the node and wants its exit code.
func (c cluster) harden(want int, args ...string) (r report) {
	c.t.Helper()
	const script = `exec /root/harden "$@" --config none --format json >/root/report.json`
	p := c.Start("/bin/bash", append([]string{"-c", script, "harden"}, args...)...)
	if err := p.Wait(); p.Code() != want {
		c.t.Fatalf("harden %q exited %d (%v), want %d:\n%s%s", args, p.Code(), err, want, p.Log(),
			c.Read("/root/report.json"))
	}
	if err := json.Unmarshal([]byte(c.Read("/root/report.json")), &r); err != nil {
		c.t.Fatal(err)
	}
	return r
}

// keeps is what kubeadm would write the node's files from.
func (c cluster) keeps() string {
	c.t.Helper()
	return c.do("kubectl -n kube-system get configmap kubeadm-config -o jsonpath={.data.ClusterConfiguration}")
}

// runs gives the process of a program of the control plane, as the node counts, and what it was started with.
func (c cluster) runs(program string) (pid, argv string) {
	c.t.Helper()
	pid = strings.TrimSpace(c.do("pgrep -x " + program[:min(len(program), 15)]))
	return pid, c.do(fmt.Sprintf("tr '\\0' '\\n' </proc/%s/cmdline", pid))
}

// TestRollOut has harden, on the node itself, change the running API server, then in a way that it does not run with,
// and take everything back. The kubelet is the real one: what it makes of a manifest's change is its own doing.
func TestRollOut(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	files, kept := tree.Of(t, c.Root, "etc/kubernetes"), c.keeps()
	first, _ := c.runs("kube-apiserver")
	etcd, _ := c.runs("etcd")
	c.do("kubectl get --raw /debug/pprof/ >/dev/null")

	good := c.harden(0, "--yes", "--allow", "workload", "--only", "kubernetes/apiserver-profiling")
	if good.Run.Outcome != "applied" || good.Results[0].State != "fixed" {
		t.Errorf("profiling off: %+v", good)
	}
	for _, a := range good.Run.Activations {
		if a.State != "done" {
			t.Errorf("%s %s: %s: %s", a.Kind, a.Unit, a.State, a.Reason)
		}
	}
	second, argv := c.runs("kube-apiserver")
	if second == first || !strings.Contains(argv, "\n--profiling=false\n") {
		t.Errorf("the API server was process %s and is %s, with\n%s", first, second, argv)
	}
	if out, err := c.Node.Get(superAdmin, "/debug/pprof/"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("profiling, after: %v\n%s", err, out)
	}
	if got := c.keeps(); !strings.Contains(got, "- name: profiling\n") {
		t.Errorf("what an upgrade makes the API server's manifest of:\n%s", got)
	}
	if pid, _ := c.runs("etcd"); pid != etcd { // the others may lose their lease without an API server, and start again
		t.Errorf("etcd was process %s and is %s", etcd, pid)
	}
	c.settled()

	again := c.harden(0, "--yes", "--allow", "workload", "--only", "kubernetes/apiserver-profiling")
	if pid, _ := c.runs("kube-apiserver"); again.Run.Outcome != "unchanged" || pid != second {
		t.Errorf("a second run: %+v; the API server was process %s and is %s", again.Run, second, pid)
	}
	c.refused()

	if back := c.harden(0, "rollback", "--yes"); back.Run.Outcome != "rolled-back" {
		t.Errorf("the way back: %+v", back.Run)
	}
	if diff := cmp.Diff(files, tree.Of(t, c.Root, "etc/kubernetes")); diff != "" {
		t.Errorf("after the way back (-want +got):\n%s", diff)
	}
	c.settled()
	if diff := cmp.Diff(kept, c.keeps()); diff != "" {
		t.Errorf("what the cluster keeps, after the way back (-want +got):\n%s", diff)
	}
	if _, argv := c.runs("kube-apiserver"); strings.Contains(argv, "--profiling") {
		t.Errorf("the API server still runs with\n%s", argv)
	}
}

// refused has harden turn on the audit log where the name of the log is a directory's: nothing is wrong with the
// manifest, and the API server ends as it opens the log.
func (c cluster) refused() {
	c.t.Helper()
	if err := os.MkdirAll(filepath.Join(c.Root, "var/log/kubernetes/audit/audit.log"), 0o755); err != nil {
		c.t.Fatal(err)
	}
	files, kept := tree.Of(c.t, c.Root, "etc/kubernetes"), c.keeps()
	bad := c.harden(4, "--yes", "--allow", "workload", "--only", "kubernetes/apiserver-audit-log")
	if r := bad.Run.Reason; bad.Run.Outcome != "rolled-back" || !strings.Contains(r, "kube-apiserver") ||
		!strings.Contains(r, "is a directory") {
		c.t.Errorf("an audit log in a directory's place: %+v", bad.Run)
	}
	if diff := cmp.Diff(files, tree.Of(c.t, c.Root, "etc/kubernetes")); diff != "" {
		c.t.Errorf("after a roll-out that was taken back (-want +got):\n%s", diff)
	}
	c.settled()
	if diff := cmp.Diff(kept, c.keeps()); diff != "" {
		c.t.Errorf("what the cluster keeps, after that (-want +got):\n%s", diff)
	}
	if _, argv := c.runs("kube-apiserver"); strings.Contains(argv, "--audit") {
		c.t.Errorf("the API server still runs with\n%s", argv)
	}
}
